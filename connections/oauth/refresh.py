"""From a refresh token to a new access token (RFC 6749 §6)."""

from oauthlib.oauth2 import WebApplicationClient

from connections.oauth.endpoint import TokenEndpoint
from connections.oauth.tokens import Tokens


def refresh(endpoint: TokenEndpoint, *, refresh_token: str, scope: str | None = None) -> Tokens:
    """A new access token. `refresh_token` of the result is None when the provider sent none: the old one stays good.

    `scope` is sent only if given: some providers need it, Amazon refuses it. Raises OAuthError.
    """
    client = WebApplicationClient(endpoint.client_id)
    with endpoint.session(client, secrets=[refresh_token], scope=scope or None) as session:
        return session.renew(refresh_token)
