"""Token answers: RFC 6749 §5.1, and what providers make of it."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qsl

from connections.oauth.errors import DOTS, from_answer

# Fields of an answer that are credentials besides the two tokens: never kept.
UNKEPT = frozenset({"access_token", "refresh_token", "id_token", "device_code", "client_secret", "error_index"})
EXTRA_LENGTH = 500


@dataclass(frozen=True)
class TokenPaths:
    """Where the values stand in the answer, as paths ("authed_user.access_token", "data[0].token", "$.data.0.token").

    `expires_in_unit` is that of the provider: "seconds" (RFC 6749) or "milliseconds".
    """

    access_token: str = "access_token"  # noqa: S105  # the name of a field
    refresh_token: str = "refresh_token"  # noqa: S105
    expires_in: str = "expires_in"
    expires_in_unit: Literal["seconds", "milliseconds"] = "seconds"


@dataclass(frozen=True)
class Tokens:
    """What a token endpoint gave.

    `expires_in` is in seconds, None when the provider did not say or said nonsense. `refresh_token` is None when none
    came: keep the old one. `scope` as granted, None when not told. `extra` holds the other text and number fields of
    the top level, none of them a credential.
    """

    access_token: str
    refresh_token: str | None = None
    token_type: str = "Bearer"  # noqa: S105
    expires_in: int | None = None
    scope: str | None = None
    extra: Mapping[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        refresh_token = DOTS if self.refresh_token else None
        return f"Tokens(access_token={DOTS}, refresh_token={refresh_token}, expires_in={self.expires_in})"


def parse(
    body: bytes,
    content_type: str,
    status: int,
    *,
    paths: TokenPaths,
    headers: Mapping[str, str] | None = None,
    secrets: Iterable[str] = (),
) -> Tokens:
    """Read the answer of a token endpoint. `secrets` are those that were sent, to be blotted out of an error.

    Raises OAuthError: what the provider names as `error` (with any status, 200 included); "not_json" for a page, an
    empty answer or garbage; "no_access_token"; "http_NNN" for a failure that says nothing else. Nothing of a body that
    cannot be read is quoted.
    """
    fields = decode(body, content_type)
    hidden = list(secrets)
    if fields is not None:
        hidden += [token for path in (paths.access_token, paths.refresh_token) if (token := _text(_at(fields, path)))]
        if fields.get("error") or status >= 300:
            raise from_answer(status, headers or {}, fields, hidden)
    elif status >= 300:
        raise from_answer(status, headers or {}, {}, hidden)
    else:
        what = "a web page" if _is_page(body, content_type) else "nothing" if not body.strip() else "something else"
        reason = f"The token URL answered with {what} instead of JSON."
        raise from_answer(status, headers or {}, {"error": "not_json", "error_description": reason})
    access_token = _text(_at(fields, paths.access_token))
    if not access_token:
        reason = f"The answer holds no {paths.access_token}."
        raise from_answer(status, headers or {}, {"error": "no_access_token", "error_description": reason})
    kept = UNKEPT | {paths.access_token, paths.refresh_token, paths.expires_in, "token_type", "scope"}
    return Tokens(
        access_token=access_token,
        refresh_token=_text(_at(fields, paths.refresh_token)) or None,
        token_type=_text(fields.get("token_type")) or "Bearer",
        expires_in=_seconds(_at(fields, paths.expires_in), paths.expires_in_unit),
        scope=_scope(fields.get("scope")),
        extra={
            name: str(value)
            for name, value in fields.items()
            if name not in kept and _harmless(name) and isinstance(value, str | int) and len(str(value)) <= EXTRA_LENGTH
        },
    )


def decode(body: bytes, content_type: str) -> dict[str, Any] | None:
    """The fields of a JSON object or of a form, None for anything else. JSON is tried whatever the type says."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        pass  # the exception quotes the body, so it ends here
    else:
        return fields if isinstance(fields, dict) else None
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in {"application/x-www-form-urlencoded", "text/plain", ""} or _is_page(body, content_type):
        return None
    try:
        return dict(parse_qsl(body.decode().strip(), strict_parsing=True, max_num_fields=100)) or None
    except ValueError:
        return None


def _is_page(body: bytes, content_type: str) -> bool:
    return body.lstrip()[:1] == b"<" or "html" in content_type.lower()


def _at(fields: Any, path: str) -> Any:
    """The value at a path, a number meaning a place in a list. A field whose own name has dots wins."""
    if isinstance(fields, dict) and path in fields:
        return fields[path]
    for name in path.replace("[", ".").replace("]", "").removeprefix("$.").split("."):
        if isinstance(fields, dict):
            fields = fields.get(name)
        elif isinstance(fields, list) and name.isdecimal() and int(name) < len(fields):
            fields = fields[int(name)]
        else:
            return None
    return fields


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _scope(value: Any) -> str | None:
    if isinstance(value, list):
        value = " ".join(part for part in value if isinstance(part, str))
    return _text(value) or None


def _seconds(value: Any, unit: str) -> int | None:
    """3600, "3600" and 3600.0 alike. Nothing is guessed from the size: a year-long token is real, so milliseconds are a
    setting. What is not a positive number counts as not told."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        seconds = float(value) / (1000 if unit == "milliseconds" else 1)
    except (ValueError, OverflowError):
        return None
    return int(seconds) if math.isfinite(seconds) and seconds > 0 else None


def _harmless(name: str) -> bool:
    return not any(word in name.lower() for word in ("token", "secret", "password", "key", "code"))
