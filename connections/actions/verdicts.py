"""Verdicts: what an answer says by the connection's settings. Not authorized, slow down, test passed; and in which words."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any, Literal

from connections import outbound
from connections.actions.masks import Mask
from connections.applications import Failure
from connections.models import Connection
from connections.oauth import paths
from connections.oauth.errors import LOOKS_SECRET
from connections.oauth.errors import retry_after as seconds
from connections.sealing import DOTS

REQUEST_ID_HEADERS = ("x-amzn-requestid", "x-request-id", "x-correlation-id")
EPOCH = 10**9  # a larger number in the retry header is a moment, not a duration
XML_CODES = ("code", "Code", "errorCode", "ErrorCode", "faultcode")
XML_MESSAGES = ("message", "Message", "description", "faultstring", "Reason")


def problem(connection: Connection, answer: outbound.Answer) -> Literal["", "unauthorized", "rate_limited"]:
    """By "Authentication failures" and "Non-standard API rate limiter"; and by what the provider is known to answer."""
    if _means(connection, answer, "auth_fail") or is_dead_token(connection, answer):
        return "unauthorized"
    return "rate_limited" if _means(connection, answer, "rate_fail") else ""


def needs_body(connection: Connection, status: int, headers: Mapping[str, str], size: int) -> bool:
    """Whether `problem` depends on what the body of this answer says, and there can be something within its first `size` bytes.

    Of an answer that is no error only one document can tell: its reader, too, waits for its end. A stream of events or a file
    is not held up.
    """
    by_field = bool(connection.auth_fail_path or connection.rate_fail_path)
    if status >= 400:
        return by_field or (status == 403 and connection.provider.vendor == "Amazon")
    length = headers.get("Content-Length", "0")
    if not by_field or status < 200 or (length.isdecimal() and int(length) > size):
        return False
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return not kind or (kind.endswith(("json", "xml", "urlencoded")) and not kind.endswith("ndjson"))


def _means(connection: Connection, answer: outbound.Answer, setting: str) -> bool:
    """The field at the path decides where the answer has one; the status where it has none."""
    said = has_value(
        connection, answer, getattr(connection, f"{setting}_path"), getattr(connection, f"{setting}_values")
    )
    statuses = [part.strip() for part in getattr(connection, f"{setting}_status").split(",")]
    return str(answer.status) in statuses if said is None else said


def has_value(connection: Connection, answer: outbound.Answer, path: str, values: str) -> bool | None:
    """Whether the field at `path` holds one of the comma-separated `values`, or without those anything at all.

    None where there is no path or no such field.
    """
    found = read(connection, answer, path)
    if found is None:
        return None
    wanted = [value.strip().casefold() for value in values.split(",") if value.strip()]
    return found.strip().casefold() in wanted if wanted else found.strip() not in ("", "false", "[]", "{}")


def read(connection: Connection, answer: outbound.Answer, path: str) -> str | None:
    """The text at `path`, by the media type that the pane gives to such an answer."""
    return paths.read(answer.body, media_type(connection, answer), path) if path else None


def media_type(connection: Connection, answer: outbound.Answer) -> str:
    """json, xml, csv, text or urlencoded. A form is how requests are written; its answers are read by what they say they are."""
    chosen = connection.error_media_type if answer.status >= 400 else connection.success_media_type
    chosen = chosen or connection.media_type
    if chosen not in ("form-data", "urlencoded"):
        return chosen
    told = answer.headers.get("Content-Type", "").partition(";")[0].lower()
    if "urlencoded" in told:
        return "urlencoded"
    return "xml" if told.endswith("xml") else "json"


def is_dead_token(connection: Connection, answer: outbound.Answer) -> bool:
    """Amazon's 403 that names an expired or revoked access token. Any other 403 is about the role: a new token changes nothing."""
    if answer.status != 403 or connection.provider.vendor != "Amazon":
        return False
    description = failure(answer).description.lower()
    return "access token" in description and ("expired" in description or "revoked" in description)


def retry_after(connection: Connection, answer: outbound.Answer) -> float | None:
    """Seconds to wait by the connection's retry header: a number, a date, or a moment in Unix time. None without one."""
    wait = seconds({"Retry-After": answer.headers.get(connection.retry_header or "Retry-After", "")})
    return max(wait - time.time(), 0.0) if wait is not None and wait > EPOCH else wait


def test_verdict(connection: Connection, answer: outbound.Answer) -> str:
    """Why the test call failed, in one sentence; "" where it passed. A status that is no 2xx is for `failure` to tell."""
    if has_value(connection, answer, connection.ping_fail_path, connection.ping_fail_values):
        return "The answer says that the call failed."
    if not connection.ping_success_path:
        return ""
    said = has_value(connection, answer, connection.ping_success_path, connection.ping_success_values)
    if said is None:
        return f"The answer has no {connection.ping_success_path}, which a success would have."
    return "" if said else f"{connection.ping_success_path} has another value than a success would have."


def failure(answer: outbound.Answer, *, connection: Connection | None = None, hide: Mask | None = None) -> Failure:
    """What an answer that is no success says, in the usual fields of JSON and XML or where the pane says; never the body itself.

    `hide` takes out the secrets that a provider may quote.
    """
    kind = media_type(connection, answer) if connection else "json"
    code, description = _in_xml(answer.body) if kind == "xml" else _in_json(answer.body)
    if connection:
        description = read(connection, answer, connection.ping_error_path) or description
    request_id = next((answer.headers[name] for name in REQUEST_ID_HEADERS if name in answer.headers), None)
    return Failure(
        error=_line(code, 100, hide) or f"http_{answer.status}",
        description=_line(description, 500, hide),
        status=answer.status,
        request_id=request_id and _line(request_id, 100, hide),
        where="call",
    )


def _in_json(body: bytes) -> tuple[str, str]:
    """Amazon's `errors[0]`, or the usual `error` fields."""
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError):
        return "", ""
    if not isinstance(parsed, dict):
        return "", ""
    errors = parsed.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else parsed.get("error")
    if isinstance(first, dict):
        return str(first.get("code") or ""), str(first["details"] if "details" in first else first.get("message") or "")
    if isinstance(first, str):
        return first, str(parsed.get("error_description") or "")
    return "", str(parsed.get("message") or "")


def _in_xml(body: bytes) -> tuple[str, str]:
    def first(names: tuple[str, ...]) -> str:
        wanted = " or ".join(f"local-name()='{name}'" for name in names)
        return paths.read(body, "xml", f"//*[{wanted}]") or ""

    return first(XML_CODES), first(XML_MESSAGES)


def _line(text: str, length: int, hide: Mask | None) -> str:
    text = LOOKS_SECRET.sub(DOTS, hide.exactly(text) if hide else text)
    return "".join(character if character.isprintable() else " " for character in text)[:length].strip()
