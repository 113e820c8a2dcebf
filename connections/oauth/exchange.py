"""From a code, or from the client alone, to tokens (RFC 6749 §4.1.3, §4.4)."""

from oauthlib.oauth2 import BackendApplicationClient, WebApplicationClient

from connections.oauth.endpoint import TokenEndpoint
from connections.oauth.errors import OAuthError
from connections.oauth.tokens import Tokens

MADE_UP_CODE = "connection-test"


def exchange_code(
    endpoint: TokenEndpoint, *, code: str, redirect_uri: str | None, verifier: str | None = None
) -> Tokens:
    """Exchange an authorization code (RFC 6749 §4.1.3), with the PKCE verifier if one was used (RFC 7636 §4.5).

    `redirect_uri` as sent to the authorization URL, None if none was. Raises OAuthError.
    """
    client = WebApplicationClient(endpoint.client_id)
    with endpoint.session(client, secrets=[code, verifier or ""]) as session:
        return session.fetch(code=code, redirect_uri=redirect_uri, verifier=verifier)


def client_credentials(endpoint: TokenEndpoint, *, scope: str | None = None) -> Tokens:
    """A token for the client itself (RFC 6749 §4.4). `scope` as the provider wants it joined. Raises OAuthError."""
    # The scope goes past oauthlib, which would raise when the provider grants another one. Comparing is the caller's.
    with endpoint.session(BackendApplicationClient(endpoint.client_id), scope=scope or None) as session:
        return session.fetch()


def probe_client(endpoint: TokenEndpoint, *, redirect_uri: str | None, grant_type: str) -> None:
    """Find out whether the provider accepts client id and secret, without a grant. Returns if it does.

    "authorization_code": a made-up code must be refused as invalid_grant, which a provider says only after it has
    accepted the client (RFC 6749 §5.2). "client_credentials": a token is asked for, and forgotten; a complaint about
    the missing scope comes after the client, too. Raises OAuthError for everything else, invalid_client first of all.
    """
    try:
        if grant_type == "client_credentials":
            client_credentials(endpoint)
        else:
            exchange_code(endpoint, code=MADE_UP_CODE, redirect_uri=redirect_uri)
    except OAuthError as error:
        if error.kind != "reauthorize" and error.error != "invalid_scope":
            raise
