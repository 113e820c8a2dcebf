"""What is missing or in the way on our own side: no client, an unreadable secret, an attempt that ended."""

from __future__ import annotations

from dataclasses import replace

from connections.applications.application import Explanation, Rule, explained
from connections.applications.transport_errors import at_start, transport_rules, trouble

_CLIENT = "the pencil beside OAuth 2.0 client"
_AGAIN = "Press Save & authorize to start again."


def state_rules(provider: str) -> tuple[Rule, ...]:
    """Rules for codes of our own that no provider sends; `provider` is a name for mid-sentence."""
    named = at_start(provider)
    rows: dict[str, Explanation] = {
        "not_authorized_yet": explained(
            "Nobody has authorized this connection yet.",
            f"Without that {provider} gives out no token.",
            "Press Save & authorize.",
            "authorize",
        ),
        "no_refresh_token": explained(
            "There is no refresh token, and the access token has ended.",
            f"{named} gave none when it was authorized, so no new access token can be had.",
            "Press Save & authorize. If it happens again, the provider may need a scope such as offline_access.",
            "authorize",
        ),
        "no_client": explained(
            "No OAuth 2.0 client with a secret is chosen.",
            f"{named} gives out tokens only to a client that it knows.",
            "Choose one under OAuth 2.0 client, or create one with + beside it.",
            "edit_connection",
        ),
        "client_secret_unreadable": explained(
            "This client needs its secret again.",
            "The stored secret cannot be opened: the encryption key it was sealed with is missing or has changed.",
            f"Press {_CLIENT} and enter Client secret again.",
            "edit_client",
        ),
        "refresh_token_unreadable": explained(
            "This connection needs to be authorized again.",
            "The stored refresh token cannot be opened: the encryption key it was sealed with is missing or has changed.",
            "Press Save & authorize, or ask the operator to put the old key back into ENCRYPTION_KEYS.",
            "authorize",
        ),
        "no_revoke_url": explained(
            "There is no address where tokens are given back.",
            "Revoke token URL is empty, so the authorization can only be ended where it was granted.",
            f"End it at {provider}, or enter Revoke token URL.",
            "edit_connection",
        ),
        "busy": explained(
            "Another refresh of this connection takes very long.",
            f"{named} answers slowly, and only one refresh at a time is sent.",
            "Wait a minute, then press Test connection.",
            "wait",
        ),
        "no_access_token": explained(
            "The answer held no access token.",
            "The address in Access token URL answered, but not as a token endpoint does.",
            "Check Access token URL, then press Save & authorize.",
            "edit_connection",
        ),
        "expired_attempt": explained(
            "The authorization took too long.",
            "It has to be finished within ten minutes. Nothing was changed.",
            _AGAIN,
            "authorize",
        ),
        "edited_meanwhile": explained(
            "The connection was edited while you were away.",
            "Its address or its client is not the one you agreed for, so the answer was not used.",
            _AGAIN,
            "authorize",
        ),
        "missing_code": explained(
            f"{named} sent no code.",
            "It sent the browser back without the code that is exchanged for tokens. Nothing was changed.",
            _AGAIN,
            "authorize",
        ),
        "invalid_callback": explained(
            f"The answer of {provider} could be read in two ways.",
            "A parameter came twice, so nothing of it was used.",
            _AGAIN,
            "authorize",
        ),
    }
    known = rows | _secrets(provider)
    return (
        *(Rule(errors=(code,), unanswered=True, explanation=explanation) for code, explanation in known.items()),
        *_logins(provider),
    )


def _secrets(provider: str) -> dict[str, Explanation]:
    """What keeps a request from being signed or filled in; nothing was sent."""
    return {
        "secret_missing": explained(
            "A secret of this connection is missing.",
            "It was never entered, or was dropped when the connection was pointed at another host. Nothing was sent.",
            "Fill in the empty fields with a star under Authentication, then save.",
            "edit_connection",
        ),
        "secret_unreadable": explained(
            "This connection needs a secret again.",
            "The stored one cannot be opened: the encryption key it was sealed with is missing or has changed.",
            "Fill in the empty fields with a star under Authentication, then save. "
            "Or ask the operator to put the old key back into ENCRYPTION_KEYS.",
            "edit_connection",
        ),
        "custom_fields_unreadable": explained(
            "The encrypted custom fields need their values again.",
            "The stored ones cannot be opened: the encryption key they were sealed with is missing or has changed. "
            "Nothing was sent.",
            "Enter them again under Advanced, then save. "
            "Or ask the operator to put the old key back into ENCRYPTION_KEYS.",
            "edit_connection",
        ),
        "placeholder_missing": explained(
            "A name in double braces has no value.",
            "There is no custom field of that name, or nothing that this request could put in. Nothing was sent.",
            "Add the custom field under Advanced, or correct the name where it is used.",
            "edit_connection",
        ),
        "placeholder_unusable": explained(
            "A header cannot be sent with this value.",
            "It holds a line break or a letter that headers cannot carry. Nothing was sent.",
            "Correct the custom field, username or secret that is put in, or send it elsewhere than in a header.",
            "edit_connection",
        ),
        "secret_host": explained(
            "The client’s secret may not go there.",
            "The host is not on the client’s list of hosts. Nothing was sent.",
            f"Correct the address, or press {_CLIENT} and add its host; that needs the secret again.",
            "edit_client",
        ),
        "signing_key_unusable": explained(
            "The key cannot sign.",
            "It is of another kind than the algorithm needs, or not a key at all. Nothing was sent.",
            "Enter a key that fits the algorithm, or choose the algorithm that fits the key.",
            "edit_connection",
        ),
        "payload_unreadable": explained(
            "The payload or headers of the JSON web token are not a JSON object.",
            "So there is nothing to sign, and nothing was sent.",
            'Write them like {"iss": "my-app"} under Authentication, then save.',
            "edit_connection",
        ),
        "body_takes_no_fields": explained(
            "The credentials do not fit into this request body.",
            "They are sent as fields of the body. GET has no body, and one that is XML, plain text or a JSON list has no fields. "
            "Nothing was sent.",
            "Choose another Media type, or send the credentials in a header or the URL.",
            "edit_connection",
        ),
        "no_cookie": explained(
            "The cookie request was answered without a cookie.",
            f"{at_start(provider)} said yes, but there is nothing to send along with the calls.",
            "Check Cookie request URL: the address that sets the cookie is often the one that a sign-in form posts to.",
            "edit_connection",
        ),
        "no_renewed_token": explained(
            "The answer to the token request holds no token.",
            "Either it says in its own way that it refuses, or the token is in another place.",
            "Check Token request URL and Path to the token in its answer, then press Test connection.",
            "edit_connection",
        ),
    }


# How the description of a failed login begins, and the field that its address is in.
_LOGINS = {"Cookie request to ": "Cookie request URL", "Token request to ": "Token request URL"}


def _logins(provider: str) -> tuple[Rule, ...]:
    """Failures of a cookie or token request: the same as at a token endpoint, but at another field."""
    refused = explained(
        f"{at_start(provider)} refused the login.",
        "The request for a cookie or token was answered with a refusal: what it sends is mistyped, out of date, or "
        "expected another way. It is not sent again by itself, so that no account gets locked.",
        "Check the request under Authentication or Token and the custom fields it uses, then save and press Test connection.",
        "edit_connection",
    )
    busy = explained(
        f"{at_start(provider)} asks for fewer logins.",
        "The settings are fine. A cookie or token that is still good stays in use.",
        "Wait a few minutes, then press Test connection.",
        "wait",
    )
    not_there = explained(
        "There is nothing at the address of the cookie or token request.",
        "The host answers, but not at this path, or not to this method.",
        "Correct the URL and method of that request, then press Test connection.",
        "edit_connection",
    )
    error = ("login_refused",)
    return (
        Rule(errors=error, statuses=(429, 429), explanation=busy),
        Rule(errors=error, statuses=(404, 405), explanation=not_there),
        Rule(errors=error, statuses=(500, 599), explanation=trouble(provider, "token")),
        Rule(errors=error, explanation=refused),
        *(
            replace(rule, says=(start,))
            for start, field in _LOGINS.items()
            for rule in transport_rules(provider, where="token", field=field)
        ),
    )
