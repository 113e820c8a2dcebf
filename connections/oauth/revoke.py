"""Tell the provider that a token is no longer used (RFC 7009)."""

from typing import Literal

from oauthlib.oauth2 import WebApplicationClient

from connections.oauth.endpoint import TokenEndpoint
from connections.oauth.errors import OAuthError, from_answer
from connections.oauth.tokens import decode


def revoke(
    endpoint: TokenEndpoint, *, token: str, hint: Literal["refresh_token", "access_token"] | None = "refresh_token"
) -> None:
    """Revoke `token` at `endpoint`, whose `url` is the revocation URL (RFC 7009 §2.1).

    A token the provider does not know is as good as revoked (§2.2). Raises OAuthError; 503 comes with `retry_after`.
    """
    with endpoint.session(WebApplicationClient(endpoint.client_id), secrets=[token]) as session:
        response = session.submit({"token": token} | ({"token_type_hint": hint} if hint else {}))
    fields = decode(response.content, response.headers.get("Content-Type", "")) or {}
    if fields.get("error") == "invalid_token":
        return
    if response.status_code >= 300 or fields.get("error"):
        raise from_answer(response.status_code, response.headers, fields, session.secrets)
    if response.content.lstrip()[:1] == b"<":
        raise OAuthError("not_json", "The revocation URL answered with a web page.", status=response.status_code)
