"""Login with Amazon's token endpoint, `POST /auth/o2/token`.

Accepts a form or JSON. Success: access_token, refresh_token, token_type, expires_in. Refusal: error, error_description
and, for invalid_grant, error_index and request_id. Source: Amazon, “Authorization Code Grant”, “Connecting to the
Selling Partner API”, and answers recorded from the live endpoint.
"""

import base64
import hashlib
import hmac
import json
import re
import uuid
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote_plus

from werkzeug.wrappers import Request, Response

from connections.simulator.registry import CLIENT_IDS, GRANTLESS_SCOPES
from connections.simulator.state import Code, Grant, State
from connections.simulator.tokens import Claims, random_text

TOKEN_PATH: Final = "/auth/o2/token"
GRANT_TYPES: Final = ("authorization_code", "refresh_token", "client_credentials")
_ERROR_TYPE: Final = "OA2{}Exception:http://internal.amazon.com/coral/com.amazon.panda/"
_VERIFIER: Final = re.compile(r"[A-Za-z0-9\-._~]{43,128}")

# error: (status, the exception in x-amzn-errortype)
_ERRORS: Final = {
    "invalid_client": (401, "InvalidClient"),
    "invalid_grant": (400, "InvalidRequest"),
    "invalid_request": (400, "InvalidRequest"),
    "invalid_scope": (400, "InvalidRequest"),
    "unauthorized_client": (400, "UnauthorizedClient"),
    "unsupported_grant_type": (400, "UnsupportedGrantType"),
    "access_denied": (403, "AccessDenied"),
    "server_error": (500, "ServerError"),
    "ServerError": (500, "ServerError"),
    "temporarily_unavailable": (503, "TemporarilyUnavailable"),
}


class RefusalError(Exception):
    """The token endpoint refuses: `error` as OAuth names it, and Amazon's description of it."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.error = error
        self.description = description


def token(state: State, request: Request) -> Response:
    """Answer a token request."""
    try:
        return respond(200, _exchange(state, request))
    except RefusalError as refusal:
        status, kind = _ERRORS[refusal.error]
        return respond(status, error_body(refusal.error, refusal.description), kind)


def error_body(error: str, description: str) -> dict[str, object]:
    """The JSON body of a refusal."""
    body: dict[str, object] = {"error": error, "error_description": description}
    if error == "invalid_grant":
        body |= {"error_index": random_text(120), "request_id": str(uuid.uuid4())}
    return body


def respond(status: int, body: Mapping[str, object], kind: str = "") -> Response:
    """A JSON answer with the headers of Amazon's token endpoint."""
    response = Response(json.dumps(body), status, content_type="application/json;charset=UTF-8")
    response.headers["cache-control"] = "no-cache, no-store, must-revalidate"
    response.headers["pragma"] = "no-cache"
    response.headers["x-amzn-requestid"] = str(body.get("request_id") or uuid.uuid4())
    response.headers["x-amz-rid"] = random_text(20).upper()
    if kind:
        response.headers["x-amzn-errortype"] = _ERROR_TYPE.format(kind)
    return response


def parameters(request: Request) -> Mapping[str, str]:
    """The request's parameters: from JSON if it says it is JSON, else from the form. Never from the query string."""
    if request.mimetype != "application/json":
        return request.form
    values = request.get_json(silent=True)
    if not isinstance(values, dict):
        return {}
    return {str(name): str(value) for name, value in values.items() if value is not None}


def grant_type(request: Request) -> str | None:
    """The grant type when it is one there is; anything else may hold what must not be noted."""
    named = parameters(request).get("grant_type")
    return named if named in GRANT_TYPES else None


def _exchange(state: State, request: Request) -> dict[str, object]:
    sent = parameters(request)
    if grant_type(request) is None:
        # First of all: JSON text under a form content type is seen to get this answer, whatever else it holds.
        raise RefusalError(
            "unsupported_grant_type", "The authorization grant type is not supported by the authorization server"
        )
    client_id, secret = _credentials(request, sent)
    if not client_id:
        raise _missing("client_id")
    if not state.secret_is_right(client_id, secret) and not _is_public(state, client_id, secret, sent):
        raise RefusalError("invalid_client", "Client authentication failed")
    match sent["grant_type"]:
        case "authorization_code":
            return _redeem(state, client_id, sent, with_refresh_token=bool(secret))
        case "refresh_token":
            return _refresh(state, client_id, sent)
        case _:
            return _grantless(state, client_id, sent)


def _credentials(request: Request, sent: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return sent.get("client_id", ""), sent.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(text.strip(), validate=True).decode().partition(":")
    except ValueError:
        raise RefusalError("invalid_client", "Client authentication failed") from None
    return unquote_plus(name), unquote_plus(secret)  # RFC 6749 section 2.3.1: both are form-encoded first


def _is_public(state: State, client_id: str, secret: str, sent: Mapping[str, str]) -> bool:
    """A browser-only client: no secret, but a code that was asked for with PKCE. It gets no refresh token."""
    code = state.find_code(sent.get("code", ""))
    return not secret and client_id in CLIENT_IDS and bool(code and code.challenge)


def _redeem(state: State, client_id: str, sent: Mapping[str, str], *, with_refresh_token: bool) -> dict[str, object]:
    if not sent.get("code"):
        raise _missing("code")
    with state.lock:
        code = state.find_code(sent["code"])
        if code is None or code.client_id != client_id:
            raise _bad_grant("code")
        if code.scope and not sent.get("redirect_uri"):
            raise _missing(
                "redirect_uri"
            )  # LWA asks for it; for a selling partner's code Amazon's samples leave it out
        if sent.get("redirect_uri", code.redirect_uri) != code.redirect_uri:
            raise _bad_grant("redirect_uri")
        _verify(code, sent.get("code_verifier", ""))
        del state.codes[code.value]
    return _tokens(state, state.create_grant(client_id, code.account, code.scope), with_refresh_token)


def _verify(code: Code, verifier: str) -> None:
    """RFC 7636 section 4.6."""
    if not code.challenge:
        return
    made = verifier
    if code.challenge_method == "S256":
        made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    if not _VERIFIER.fullmatch(verifier) or not hmac.compare_digest(made.encode(), code.challenge.encode()):
        raise _bad_grant("code_verifier")


def _refresh(state: State, client_id: str, sent: Mapping[str, str]) -> dict[str, object]:
    if not sent.get("refresh_token"):
        raise _missing("refresh_token")
    with state.lock:
        grant = state.grants_by_token.get(sent["refresh_token"])
        if grant is None:
            raise RefusalError(
                "invalid_grant",
                "The request has an invalid grant parameter : refresh_token. "
                "User may have revoked or didn't grant the permission.",
            )
        if grant.client_id != client_id:
            raise RefusalError("unauthorized_client", "Not authorized for requested operation")
        grant.refreshes += 1
        if state.configuration.rotate_refresh_tokens:
            state.rotate_refresh_token(grant)
        return _tokens(state, grant)


def _grantless(state: State, client_id: str, sent: Mapping[str, str]) -> dict[str, object]:
    scopes = sent.get("scope", "").split()
    if not scopes or not GRANTLESS_SCOPES.issuperset(scopes):
        raise RefusalError("invalid_scope", "The request has an invalid parameter : scope")
    return _answer(state, state.mint.issue(Claims(client_id, "", _end(state), " ".join(scopes))))


def _tokens(state: State, grant: Grant, with_refresh_token: bool = True) -> dict[str, object]:
    access_token = state.mint.issue(Claims(grant.client_id, grant.id, _end(state), grant.scope))
    keep = with_refresh_token and not state.configuration.omit_refresh_token
    return _answer(state, access_token, grant.refresh_token if keep else "")


def _answer(state: State, access_token: str, refresh_token: str = "") -> dict[str, object]:
    wanted = state.configuration
    body: dict[str, object] = {"access_token": access_token}
    if refresh_token:
        body["refresh_token"] = refresh_token
    body["token_type"] = "bearer"
    if not wanted.omit_expires_in:
        body["expires_in"] = str(wanted.access_token_ttl) if wanted.expires_in_as_text else wanted.access_token_ttl
    return body


def _end(state: State) -> float:
    return state.clock() + state.configuration.access_token_ttl


def _missing(name: str) -> RefusalError:
    return RefusalError("invalid_request", f"The request is missing a required parameter : {name}")


def _bad_grant(name: str) -> RefusalError:
    return RefusalError("invalid_grant", f"The request has an invalid grant parameter : {name}")
