"""OAuth 2.0 in plain values: build the authorization URL, exchange, refresh and revoke. No Django, no database.

`authorize` makes what the browser carries and reads what comes back; `exchange`, `refresh` and `revoke` call the
provider through `connections.outbound`. Every failure is an `OAuthError`. Tokens and secrets are plain `str` arguments;
the values that hold them (`Tokens`, `TokenEndpoint`, `Callback`) do not show them.
"""

import logging

# These libraries log whole requests and answers at DEBUG, secrets and tokens included. A filter, unlike a level, stays
# when the app configures its logging later; it sits on each logger because those of a parent do not apply to children.
TALKATIVE = (
    "oauthlib",
    "oauthlib.oauth1.rfc5849",
    "oauthlib.oauth1.rfc5849.signature",
    "oauthlib.oauth2.rfc6749",
    "requests_oauthlib.oauth1_auth",
    "requests_oauthlib.oauth1_session",
    "requests_oauthlib.oauth2_session",
)


def _no_details(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


for _name in TALKATIVE:
    logging.getLogger(_name).addFilter(_no_details)
