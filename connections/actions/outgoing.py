"""A request through a connection, from its settings to what goes over the wire: URL, headers, body, token, TLS client certificate."""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from urllib3.filepost import encode_multipart_formdata

from connections import __version__, outbound
from connections.actions import logins
from connections.actions.slots import CallError
from connections.models import Connection
from connections.models.choices import AuthType, TokenLocation
from connections.oauth.schemes import FORM

ACCEPT = {
    "json": "application/json",
    "xml": "application/xml, text/xml;q=0.9",
    "csv": "text/csv",
    "text": "text/plain",
}
CONTENT_TYPE = {
    "json": "application/json",
    "xml": "application/xml",
    "urlencoded": "application/x-www-form-urlencoded",
    "text": "text/plain; charset=utf-8",
}
# Headers of a caller that are Gatehouse's own to set, that are meant for the next hop only (RFC 9110 §7.6.1), that tell of the way
# to here, or that carry what the caller proved itself with here.
NOT_PASSED_ON = frozenset(
    {
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "cookie2",
        "expect",
        "forwarded",
        "host",
    }
    | {"keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "via", "x-real-ip"}
)
NOT_PASSED_ON_FROM = ("x-forwarded-", "proxy-", "gatehouse-")
WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
WITH_SCHEME = re.compile(r"/*[A-Za-z][A-Za-z0-9+.-]*:/")
# A dot or a slash in a longer encoding than UTF-8 allows, which old servers read all the same.
OVERLONG = re.compile(r"%(?:c0|e0%80|f0%80%80)%a([ef])", re.IGNORECASE)
BLANK = "".join(map(chr, (*range(0x21), 0x7F)))


@dataclass(frozen=True)
class Request:
    """`path` is relative to the base URI, with query. A text as `body` is written as the media type says; all else goes as it is.

    `headers` are a caller's own: where one of them names a Content-Type, the body goes as it is, too.
    """

    method: str
    path: str
    body: str | bytes | outbound.Upload = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Outgoing:
    """A request on its way out, while settings and the authentication type put in what they must."""

    method: str
    url: str
    headers: dict[str, str]
    params: list[tuple[str, str]]
    body: bytes | outbound.Upload
    auth: AuthBase | None = None
    identity: outbound.Identity | None = None


def test_request(connection: Connection, *, now: datetime) -> Request:
    """What "How to test this connection" says, or else what is known to prove a connection of this application."""
    if connection.ping_path or connection.ping_method != "GET":
        body = connection.ping_body if connection.ping_method in ("POST", "PUT") else ""
        return Request(connection.ping_method, connection.ping_path, body)
    default = connection.provider.test_call(
        grant_type=connection.grant_type, base_uri=connection.base_uri, scope=connection.scope
    )
    return Request(default.method, default.resolve(now))


def target(connection: Connection, path: str) -> str:
    """The URL of a path below the base URI: it is only ever appended, as it is written. No path is the base URI itself.

    Raises CallError for one that would climb out of it, in whatever writing.
    """
    base = urlsplit(connection.base_uri)
    start, mark, query = path.partition("?")
    if "#" in path or "\\" in path or not path.isprintable():
        raise _path_error("it has no #, backslash or line break")
    if start.startswith("//") or WITH_SCHEME.match(start):
        raise _path_error("neither // nor https:// stands in front of it")
    if any(part.partition(";")[0].strip(BLANK) in (".", "..") for part in _plain(start).split("/")):
        raise _path_error("no part of it is dots alone, in whatever writing")
    where = f"{base.path.rstrip('/')}/{start.removeprefix('/')}" if start else base.path or "/"
    query = "&".join(part for part in (base.query, query) if part)
    return f"{base.scheme}://{base.netloc}{where}" + (f"?{query}" if query or mark else "")


def _path_error(rule: str) -> CallError:
    text = f"The path must stay below the base URI: {rule}."
    return CallError(
        "invalid_request", text, hint="Write the path as it follows the base URI, such as /orders?limit=1."
    )


def _plain(path: str) -> str:
    """The path as the most obliging server might read it."""
    while (plain := unquote(OVERLONG.sub(lambda found: "./"[found[1] in "fF"], path))) != path:
        path = plain
    return path.replace("\\", "/")


def passed_on(headers: Mapping[str, str]) -> CaseInsensitiveDict[str]:
    """Those of a caller's headers that go to the provider."""
    listed = next((value for name, value in headers.items() if name.lower() == "connection"), "")
    dropped = NOT_PASSED_ON | {name.strip().lower() for name in listed.split(",")}
    return CaseInsensitiveDict(
        {n: v for n, v in headers.items() if n.lower() not in dropped and not n.lower().startswith(NOT_PASSED_ON_FROM)}
    )


def reads_body(connection: Connection, headers: Mapping[str, str]) -> bool:
    """Whether its way of authentication reads the body, changes it or sends it twice, and so needs all of it."""
    if connection.auth_type in (AuthType.OAUTH2, AuthType.TOKEN):
        return connection.token_location == TokenLocation.BODY
    if connection.auth_type == AuthType.CUSTOM:
        return bool(connection.custom_body)
    if connection.auth_type == AuthType.OAUTH1:
        rows = [*headers.items(), *connection.headers]
        kinds = [value for name, value in rows if name.lower() == "content-type"]
        return not kinds or any(FORM in kind.lower() for kind in kinds)  # it signs forms, and what may be one
    return connection.auth_type == AuthType.DIGEST


def build(connection: Connection, request: Request) -> Outgoing:
    """All but what proves who asks. Raises CallError, and GrantError for a secret or a placeholder that has no value."""
    method = request.method.upper()
    accept = connection.success_media_type or connection.media_type
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict({"Accept": ACCEPT.get(accept, "*/*")})
    theirs = passed_on(request.headers)
    if theirs.get("Accept", "*/*") == "*/*":
        theirs.pop("Accept", None)  # whoever sends */* has not chosen
    body, content_type = _body(connection, request.body, theirs)
    if content_type:
        headers["Content-Type"] = content_type
    if connection.provider.user_agent:
        headers["User-Agent"] = (
            f"Gatehouse/{__version__} (Language=Python/{platform.python_version()}; Platform={platform.system()})"
        )
    headers.update(theirs)
    known, _ = logins.custom_values(connection, *(text for _, text in connection.headers))
    for name, text in connection.headers:
        headers[name] = logins.header_value(name, logins.filled(text, known))
    if connection.token_location == TokenLocation.BODY and connection.auth_type in ("oauth2", "token"):
        _check_takes_token(connection, method)
    url = target(connection, request.path)
    return Outgoing(method, url, dict(headers.items()), [], body, identity=identity(connection, url))


def identity(connection: Connection, url: str) -> outbound.Identity | None:
    """The TLS client certificate for calls to the host of the base URI, and to no other: elsewhere it would only tell who asks.

    Raises GrantError where its key cannot be opened.
    """
    if not connection.tls_certificate or outbound.host_port(url) != outbound.host_port(connection.base_uri):
        return None
    key = logins.opened(connection.tls_key)  # signs the handshake in this process; itself never sent
    passphrase = logins.opened(connection.tls_passphrase) if connection.tls_passphrase else None  # opens that key only
    return outbound.Identity(connection.tls_certificate, key, passphrase)


def _check_takes_token(connection: Connection, method: str) -> None:
    hint = "Choose another way under Send token via."
    if method in WITHOUT_BODY:
        raise CallError("invalid_request", f"The token goes into the request body, and {method} has none.", hint=hint)
    if connection.media_type in ("xml", "text"):
        text = "The token goes into the request body, and XML and plain text have no place for it."
        raise CallError("invalid_request", text, hint=hint)


def _body(
    connection: Connection, body: str | bytes | outbound.Upload, theirs: Mapping[str, str]
) -> tuple[bytes | outbound.Upload, str]:
    """The body and its Content-Type; "" where the caller has set one, or there is no body."""
    if not isinstance(body, str):
        return body, "" if not body or "Content-Type" in theirs else _usual(connection)
    if "Content-Type" in theirs or not body:
        return body.encode(), ""
    if connection.media_type == "form-data":
        return encode_multipart_formdata(_fields(body))
    if connection.media_type == "urlencoded" and body.lstrip()[:1] in ("{", "["):
        return urlencode(_fields(body)).encode(), CONTENT_TYPE["urlencoded"]
    return body.encode(), _usual(connection)


def _usual(connection: Connection) -> str:
    return CONTENT_TYPE.get(connection.media_type, "application/octet-stream")


def _fields(text: str) -> list[tuple[str, str]]:
    """A JSON object, or rows of a name and a value, as the fields of a form."""
    try:
        parsed: Any = json.loads(text)
    except (ValueError, RecursionError):
        parsed = None
    rows = list(parsed.items()) if isinstance(parsed, dict) else parsed
    if not isinstance(rows, list) or not all(isinstance(row, list | tuple) and len(row) == 2 for row in rows):
        raise CallError(
            "invalid_request",
            'For this media type write the body as a JSON object of fields, such as {"name": "value"}.',
        )
    return [(str(name), value if isinstance(value, str) else json.dumps(value)) for name, value in rows]
