"""A call through a connection: its base URI, its headers, its token where the provider wants it."""

from __future__ import annotations

import json
import platform
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit, urlunsplit

from requests.auth import AuthBase

from connections import __version__, outbound
from connections.applications import Failure
from connections.models import Connection
from connections.sealing import Sealed

ACCEPT = {"json": "application/json", "xml": "application/xml", "text": "text/plain"}
CONTENT_TYPE = {
    "json": "application/json",
    "xml": "application/xml",
    "urlencoded": "application/x-www-form-urlencoded",
    "text": "text/plain; charset=utf-8",
}
MAX_ANSWER = 5 * 1024 * 1024  # bytes
REQUEST_ID_HEADERS = ("x-amzn-requestid", "x-request-id", "x-correlation-id")


@dataclass(frozen=True)
class Request:
    method: str
    path: str  # relative to the base URI, with query
    body: str = ""


@dataclass
class Outgoing:
    """A request on its way out, while settings and the authentication type put in what they must."""

    method: str
    url: str
    headers: dict[str, str]
    params: list[tuple[str, str]]
    body: bytes
    auth: AuthBase | None = None
    identity: outbound.Identity | None = None


def test_request(connection: Connection, *, now: datetime) -> Request:
    """What "How to test this connection" says, or else what is known to prove a connection of this application."""
    if connection.ping_path or connection.ping_method != "GET":
        return Request(connection.ping_method, connection.ping_path, connection.ping_body)
    default = connection.provider.test_call(
        grant_type=connection.grant_type, base_uri=connection.base_uri, scope=connection.scope
    )
    return Request(default.method, default.resolve(now))


def target(connection: Connection, path: str) -> str:
    """The URL of a path below the base URI. It never leaves the base URI's host: the path is only ever appended."""
    base = urlsplit(connection.base_uri)
    path, _, query = path.partition("?")
    joined = base.path.rstrip("/") + ("/" + path.lstrip("/") if path else "")
    return urlunsplit(
        (base.scheme, base.netloc, joined or "/", "&".join(part for part in (base.query, query) if part), "")
    )


def send(connection: Connection, request: Request, *, token: Sealed | None) -> outbound.Answer:
    """Raises OutboundError where no answer came. Redirects are answers here: they are not followed with a token on board."""
    headers = {"Accept": ACCEPT.get(connection.media_type, "*/*")}
    if request.body:
        headers["Content-Type"] = CONTENT_TYPE.get(connection.media_type, "application/octet-stream")
    provider = connection.provider
    if provider.user_agent:
        headers["User-Agent"] = (
            f"Gatehouse/{__version__} (Language=Python/{platform.python_version()}; Platform={platform.system()})"
        )
    headers |= dict(connection.headers)
    params: dict[str, str] = {}
    if token is not None:
        placed = connection.placement
        value = f"{placed.prefix} {token.reveal()}".strip()  # to the base URI's host, for which it was issued
        (params if placed.location == "query" else headers)[placed.name] = value
    return outbound.request(
        request.method,
        target(connection, request.path),
        headers=headers,
        params=params or None,
        data=request.body.encode() or None,
        max_bytes=MAX_ANSWER,
    )


def failure(answer: outbound.Answer) -> Failure:
    """What an answer that is no success says: Amazon's `errors[0]`, or the usual `error` fields; never the body itself."""
    code, description = "", ""
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = None
    if isinstance(body, dict):
        errors = body.get("errors")
        first = errors[0] if isinstance(errors, list) and errors else body.get("error")
        if isinstance(first, dict):
            code = str(first.get("code") or "")
            description = str(first["details"] if "details" in first else first.get("message") or "")
        elif isinstance(first, str):
            code, description = first, str(body.get("error_description") or "")
        else:
            description = str(body.get("message") or "")
    request_id = next((answer.headers[name] for name in REQUEST_ID_HEADERS if name in answer.headers), None)
    return Failure(
        error=_line(code, 100) or f"http_{answer.status}",
        description=_line(description, 500),
        status=answer.status,
        request_id=request_id and _line(request_id, 100),
        where="call",
    )


def _line(text: str, length: int) -> str:
    return "".join(character if character.isprintable() else " " for character in text)[:length].strip()
