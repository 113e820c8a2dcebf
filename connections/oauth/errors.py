"""What can go wrong between us and a provider, sorted by what to do about it."""

import base64
import json
import math
import re
import time
from collections.abc import Iterable, Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import quote, quote_plus

from connections.outbound import OutboundError

Kind = Literal["reauthorize", "client", "misconfigured", "transient"]

DESCRIPTION_LENGTH = 500
ERROR_LENGTH = 64
DOTS = "••••••"

# Names besides RFC 6749's are what GitHub, Slack and Microsoft use for the same thing.
REAUTHORIZE = frozenset(
    {"invalid_grant", "bad_refresh_token", "invalid_refresh_token", "bad_verification_code", "invalid_code"}
    | {"code_already_used", "token_expired", "token_revoked", "interaction_required", "consent_required"}
    | {"login_required"}
)
CLIENT = frozenset(
    {"invalid_client", "unauthorized_client", "invalid_client_id", "bad_client_secret", "incorrect_client_credentials"}
)
TRANSIENT = frozenset(
    {"server_error", "temporarily_unavailable", "slow_down", "rate_limited", "ratelimited", "internal_error"}
    | {"unreachable", "timeout", "untrusted_certificate", "broken_answer"}
)
TRANSIENT_STATUS = frozenset({408, 425, 429})

# Code of an OutboundError → our `error`.
UNSENT = {
    "address_refused": "refused_address",
    "not_found": "unreachable",
    "connect": "unreachable",
    # The grant is fine and providers do renew their certificates, so this heals without anyone here.
    "tls": "untrusted_certificate",
    "timeout": "timeout",
    "too_large": "too_large",
    "redirect": "redirected",
    "insecure": "insecure",
    "invalid_url": "invalid_url",
    "broken": "broken_answer",
}

REQUEST_ID_HEADERS = ("x-amzn-requestid", "x-amz-rid", "x-request-id", "x-correlation-id", "request-id")

CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")
# Credentials that can be told by their form, in case a provider echoes one that we did not send.
LOOKS_SECRET = re.compile(
    r"Atz[a-z.]{0,8}\|[^\s\"'<>&,;]+"  # Amazon's tokens
    r"|amzn1\.oa2-cs\.[^\s\"'<>&,;]+"  # Amazon's client secrets
    r"|eyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)*"  # JSON web tokens
    r"|(?i:\b(?:bearer|basic)\s+)(?=\S*\d)[\w.~+/=-]{12,}"  # with a digit: "Basic authentication" is a sentence
)


class OAuthError(Exception):
    """A refusal by the provider, or a call that brought no usable answer.

    `error`: lower snake case, the provider's name ("invalid_grant") or ours ("not_json", "unreachable", …).
    `description`: the provider's words, at most 500 characters, without control characters and known secrets.
    `kind`: "reauthorize" (the grant is gone), "client" (its id or secret is not accepted), "misconfigured" (a person
    must change something), "transient" (try again later; after `retry_after` seconds, if given).
    `status` is the HTTP status, `request_id` what the provider's support asks for, `uri` the provider's page about the
    error, `code` that of the OutboundError behind it, if one was.
    """

    def __init__(
        self,
        error: str,
        description: str = "",
        *,
        status: int | None = None,
        request_id: str | None = None,
        uri: str | None = None,
        retry_after: float | None = None,
        code: str | None = None,
    ) -> None:
        self.error = normalise(error) or "unknown_error"
        self.description = plain(description)
        super().__init__(self.error, self.description)
        self.status = status
        self.request_id = request_id
        self.uri = uri
        self.retry_after = retry_after
        self.code = code

    @property
    def kind(self) -> Kind:
        # The status goes first: a failing server's word about a grant is not final, and a lost grant costs a person.
        if self.status is not None and (self.status >= 500 or self.status in TRANSIENT_STATUS):
            return "transient"
        if self.error in TRANSIENT:
            return "transient"
        if self.error in REAUTHORIZE:
            return "reauthorize"
        return "client" if self.error in CLIENT else "misconfigured"

    def __str__(self) -> str:
        return f"{self.error}: {self.description}" if self.description else self.error

    def __repr__(self) -> str:
        return f"OAuthError({self.error!r}, status={self.status}, kind={self.kind!r})"


def from_outbound(error: OutboundError) -> OAuthError:
    """The OAuthError for a call that could not be made or read."""
    where = f"{error.host}: " if error.host else ""
    return OAuthError(UNSENT[error.code], where + error.detail, code=error.code)


def from_answer(
    status: int | None, headers: Mapping[str, str], fields: Mapping[str, Any], secrets: Iterable[str] = ()
) -> OAuthError:
    """The OAuthError in an answer (RFC 6749 §5.2), also where `error` is an object, or there is none but the status.

    Only `error`, its description, uri and request id are read; `secrets` are blotted out of them. `status` is None for
    what came with the browser.
    """
    hidden = tuple(secrets)
    error, description = fields.get("error"), fields.get("error_description")
    if isinstance(error, Mapping):  # {"error": {"type" or "code" or "status": …, "message": …}}
        names = (error.get("type"), error.get("status"), error.get("code"))
        description = description or error.get("message")
        error = next((name for name in names if isinstance(name, str) and name), None)
    name = normalise(scrub(error, hidden)) if isinstance(error, str) else ""
    return OAuthError(
        name or (f"http_{status}" if status else ""),
        scrub(description, hidden) if isinstance(description, str) else "",
        status=status,
        request_id=_request_id(headers, fields, hidden),
        uri=_uri(fields.get("error_uri"), hidden),
        retry_after=retry_after(headers),
    )


def normalise(error: str) -> str:
    """ "ServerError" → "server_error", "Invalid Grant" → "invalid_grant". At most 64 characters of a-z, 0-9 and _."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", error)
    return re.sub(r"[^a-z0-9]+", "_", words.lower()).strip("_")[:ERROR_LENGTH]


def plain(text: str) -> str:
    """`text` without control characters, at most 500 characters."""
    text = CONTROLS.sub(" ", text).strip()
    return text if len(text) <= DESCRIPTION_LENGTH else text[: DESCRIPTION_LENGTH - 1] + "…"


def scrub(text: str, secrets: Iterable[str]) -> str:
    """`text` with dots for each of `secrets`, as they are and in the writings a provider may echo them in."""
    writings: set[str] = set()
    for secret in secrets:
        if len(secret) < 4:  # replacing "" or "a" would garble everything and hide nothing
            continue
        encoded = base64.b64encode(secret.encode()).decode()
        writings |= {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1], encoded}
    # Longest first, so that a secret that contains another is not left in halves.
    for writing in sorted(writings, key=len, reverse=True):
        text = text.replace(writing, DOTS)
    return LOOKS_SECRET.sub(DOTS, text)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait by the Retry-After header, a number or a date (RFC 9110 §10.2.3); None without a usable one."""
    value = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (ValueError, TypeError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _request_id(headers: Mapping[str, str], fields: Mapping[str, Any], secrets: tuple[str, ...]) -> str | None:
    by_name = {name.lower(): value for name, value in headers.items()}
    candidates = [by_name.get(name) for name in REQUEST_ID_HEADERS] + [fields.get("request_id")]
    found = next((value for value in candidates if isinstance(value, str) and value.strip()), None)
    return plain(scrub(found, secrets))[:128] if found else None


def _uri(value: Any, secrets: tuple[str, ...]) -> str | None:
    if not isinstance(value, str) or not re.match(r"https?://", value):
        return None
    return plain(scrub(value, secrets))
