"""What the browser carries to the provider and back (RFC 6749 §4.1.1–4.1.2, PKCE: RFC 7636)."""

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote_plus, urlencode, urlsplit

from connections import outbound
from connections.oauth.errors import DOTS, OAuthError, from_answer, plain

VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
EXTRA_FIELDS = 20
EXTRA_LENGTH = 500
# Credentials that arrive with some callbacks and that nobody here uses (mws_auth_token: Amazon's retired API).
UNKEPT = frozenset({"access_token", "refresh_token", "id_token", "mws_auth_token"})


def new_state() -> str:
    """A state of 256 random bits, 43 characters of A-Z a-z 0-9 - _ (RFC 6749 §10.12)."""
    return secrets.token_urlsafe(32)


def new_verifier() -> str:
    """A PKCE verifier of 512 random bits, 86 characters (RFC 7636 §4.1)."""
    return secrets.token_urlsafe(64)


def code_challenge(verifier: str, method: str) -> str:
    """The challenge for a verifier by "S256" or "plain" (RFC 7636 §4.2). Raises ValueError for anything else."""
    if not VERIFIER.fullmatch(verifier):
        raise ValueError("A verifier has 43 to 128 characters of A-Z a-z 0-9 - . _ ~")
    if method == "plain":
        return verifier
    if method != "S256":
        raise ValueError("The challenge method is S256 or plain.")
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def standard_params(
    *,
    client_id: str,
    redirect_uri: str | None,
    state: str,
    scope: str | None = None,
    challenge: str | None = None,
    challenge_method: str | None = None,
) -> dict[str, str]:
    """The parameters of RFC 6749 §4.1.1 and RFC 7636 §4.3; what is None or empty is left out."""
    params = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect_uri,
        "scope": scope,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": challenge_method if challenge else None,
    }
    return {name: value for name, value in params.items() if value}


def authorization_url(url: str, params: Mapping[str, str]) -> str:
    """`url` with `params` added to its query. What the URL already says stays as typed, unless `params` has it too.

    Raises OutboundError("invalid_url"), also for a fragment (RFC 6749 §3.1 forbids it) and a second question mark.
    """
    outbound.check_url(url)
    parts = urlsplit(url)
    if "?" in parts.query:
        # Providers take all behind the first one as a single value: Amazon answers MD9999 or MD1000.
        raise outbound.OutboundError("invalid_url", "", "The address has two question marks: join parameters with &.")
    own = [pair for pair in parts.query.split("&") if pair and unquote_plus(pair.partition("=")[0]) not in params]
    query = "&".join([*own, *filter(None, [urlencode(params, quote_via=quote)])])
    return parts._replace(query=query, path=parts.path or "/").geturl()


@dataclass(frozen=True)
class Callback:
    """What the provider sent back with the browser. Either `code` or `error` is set.

    `extra` holds the other parameters, such as Amazon's `selling_partner_id`: anyone can type them, so they are proof
    of nothing.
    """

    code: str | None
    state: str
    error: OAuthError | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        return f"Callback(code={DOTS if self.code else None}, state={DOTS}, error={self.error!r})"


def parse_callback(query: Mapping[str, str | Sequence[str]], *, code_param: str = "code") -> Callback:
    """Read the callback's query, `{name: value}` or `{name: [values]}` (with Django, `dict(request.GET.lists())`).

    Raises nothing: a refusal, a parameter that is there twice (RFC 6749 §3.1 forbids it) and a missing code are the
    callback's `error`. `state` is "" when it is missing or there twice. The caller compares it before anything else.
    """
    lists: dict[str, list[str]] = {name: _values(value) for name, value in query.items()}
    values = {name: value[0] for name, value in lists.items() if value}
    doubled = [name for name in (code_param, "state", "error") if len(lists.get(name, [])) > 1]
    state = "" if "state" in doubled else values.get("state", "")
    fields = {name: values.get(name) for name in ("error", "error_description", "error_uri")}
    extra = {
        name: plain(value)
        for name, value in list(values.items())[:EXTRA_FIELDS]
        if name not in UNKEPT | {code_param, "state", *fields} and len(value) <= EXTRA_LENGTH
    }
    if doubled:
        error = OAuthError("invalid_callback", f"The provider sent {doubled[0]} twice.")
        return Callback(None, state, error, extra)
    code = values.get(code_param, "").strip()
    # The error goes first: some providers send an empty or stale code along with it.
    if fields["error"]:
        return Callback(None, state, from_answer(None, {}, fields, (code, state)), extra)
    if not code:
        return Callback(None, state, OAuthError("missing_code", f"The provider sent no {code_param}."), extra)
    return Callback(code, state, None, extra)


def _values(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(item) for item in value]
