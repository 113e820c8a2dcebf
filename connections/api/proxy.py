"""The proxy: `ANY /api/v1/connections/{id}/proxy/{path}`, sent through the connection; the answer, as it came.

No operation of ninja's: neither body is ever read whole, and the path is taken from the request line, byte for byte.

The answer is the provider's, status and all, with what follows:

- Headers for the next hop only are left out, and `Set-Cookie`: a cookie belongs to the connection. So are headers by which a browser
  would let a foreign answer rule over this address, and those that a proxy in front of Gatehouse takes for orders. Instead, nothing
  in it may run in a browser, and no shared cache may keep it.
- `Gatehouse-Verdict: unauthorized` or `rate_limited` says what the connection's settings make of it, after the one repeat.
- `Gatehouse-Error: <code>` says that the answer is Gatehouse's own, a problem document: the provider's never has it.
- Where the provider echoes a token, the caller gets it as it came.
- Where the provider breaks off, the connection to the caller is broken off too: a short answer never looks whole.
"""

from __future__ import annotations

import errno
import logging
import re
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, unquote

from django.http import HttpRequest, StreamingHttpResponse
from urllib3.util.wait import wait_for_read

from connections.actions import proxying, reads, usage
from connections.actions.errors import GrantError
from connections.actions.proxying import CallerGoneError, CallError, Proxied, Upload, UploadError
from connections.api import access, problems
from connections.api.problems import Problem
from connections.models import Connection, Scope, UsageKind
from connections.outbound import OutboundError

log = logging.getLogger(__name__)

PATIENCE = 30  # seconds a caller may take to send or to take a part
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
NOT_PASSED_BACK = frozenset(
    # for the next hop only, and what each server says of itself (RFC 9110 §7.6.1)
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "server", "date", "content-length"}
    # for this address as a whole, in a browser
    | {"set-cookie", "set-cookie2", "strict-transport-security", "public-key-pins", "content-security-policy", "alt-svc", "nel"}
    | {"content-security-policy-report-only", "clear-site-data", "service-worker-allowed", "report-to", "reporting-endpoints"}
    | {"timing-allow-origin", "origin-agent-cluster", "x-frame-options", "x-content-type-options"}
    # for what stands in front of Gatehouse: "send this file of yours", "keep this for all"
    | {"x-sendfile", "x-lighttpd-send-file", "surrogate-control", "cdn-cache-control"}
)  # fmt: skip
NOT_PASSED_BACK_FROM = ("proxy-", "access-control-", "cross-origin-", "x-accel-", "x-reproxy-", "gatehouse-")
IN_A_BROWSER = {
    "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
FOR_ALL = (
    "public",
    "s-maxage",
    "proxy-revalidate",
    "must-revalidate",
)  # with these a shared cache might keep it (RFC 9111 §3.5)


class AsItCame(StreamingHttpResponse):
    """A provider's answer, which has its own headers: the front adds none."""

    is_as_it_came = True


def connection_proxy(request: HttpRequest, id: str, path: str = "") -> AsItCame:
    """`path` is decoded and so of no use. Raises Problem, which its header tells from a provider's answer."""
    try:
        return _passed(request, id)
    except (UploadError, CallerGoneError):  # nobody is there to read it
        problem = Problem("bad_request", "The request broke off before its end.", hint="Send it again, whole.")
    except Exception as error:
        problem = problems.of(error, request, getattr(request, "connection", None))
    problem.headers["Gatehouse-Error"] = problem.code
    raise problem


def _passed(request: HttpRequest, id: str) -> AsItCame:
    caller, connection = access.open_connection(request, Scope.PROXY, id)
    theirs = proxying.Request(request.method or "", _path(request, id), _body(request), _headers(request))
    sock = request.META.get("gunicorn.socket")
    if sock is not None:
        sock.settimeout(PATIENCE)  # a caller that stands still must not hold a thread and a slot for ever
    is_sent = True
    try:
        proxied = proxying.send(connection, theirs, by=caller.actor, is_gone=lambda: _is_gone(sock))
    except GrantError as error:
        is_sent = False
        reads.refuse(connection, error.code, by=caller.actor, key_id=caller.key.pk, error=error.failure.error)
        raise
    except CallError:
        is_sent = False
        raise
    finally:
        if is_sent:
            usage.count(
                UsageKind.PROXY, key_id=caller.row.key_id, connection_id=connection.pk, who=lambda: caller.actor
            )
    try:
        return _answer(proxied, connection)
    except BaseException:
        proxied.close()
        raise


def _answer(proxied: Proxied, connection: Connection) -> AsItCame:
    answer = AsItCame(_Body(proxied, connection))
    answer.status_code = proxied.status  # not in the constructor, which refuses 600 and above
    answer.reason_phrase = "".join(sign for sign in proxied.reason if sign.isprintable() and sign <= "\xff")
    del answer.headers["Content-Type"]
    for name, value in _passed_back(proxied).items():
        answer.headers[name] = value
    return answer


def _path(request: HttpRequest, id: str) -> str:
    """What stands behind `…/proxy`, with the query, as it is in the request line. "" for `…/proxy` and `…/proxy/`. Raises Problem."""
    known = request.META
    before = f"{known.get('SCRIPT_NAME', '')}/api/v1/connections/{id}/proxy"
    line = known.get("RAW_URI") or known.get("REQUEST_URI")
    if not line:  # a server that tells only what it has decoded
        line = quote(request.path, safe="/:@!$&'()*+,;=~") + (
            "?" + known["QUERY_STRING"] if known.get("QUERY_STRING") else ""
        )
    path, mark, query = line.partition("?")
    if not path.startswith("/"):  # the absolute form, https://gatehouse.example/api/…
        path = "/" + path.partition("://")[2].partition("/")[2]
    parts = path.split("/", before.count("/") + 1)
    # Compared decoded: who writes a slash of our half as %2F means another place than he gets.
    if unquote("/".join(parts[: before.count("/") + 1])) != before:
        raise Problem(
            "invalid_request", "The address can be read in two ways.", hint="Write the part before /proxy/ plainly."
        )
    behind = parts[-1] if len(parts) > before.count("/") + 1 else ""
    return (f"/{behind}" if behind else "") + mark + query


def _headers(request: HttpRequest) -> Mapping[str, str]:
    return {name: value for name, value in request.headers.items() if value or name != "Content-Type"}


def _body(request: HttpRequest) -> bytes | Upload:
    """Raises Problem for chunks that this server hands over without their end."""
    read = request.META["wsgi.input"].read
    if request.META.get("HTTP_TRANSFER_ENCODING"):
        if not request.META.get("wsgi.input_terminated"):
            raise Problem("bad_request", "The body has no length.", hint="Send the header Content-Length.")
        return Upload(read, None)
    length = int(request.META.get("CONTENT_LENGTH") or 0)
    return Upload(read, length) if length else b""


def _is_gone(sock: Any) -> bool:
    """Whether the caller has closed the connection: there is something to read, and it is the end."""
    with suppress(ValueError):  # TLS looks ahead at nothing
        try:
            return sock is not None and wait_for_read(sock, 0) and sock.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True
    return False


def _passed_back(proxied: Proxied) -> dict[str, str]:
    headers = dict(_joined(_for_the_caller(proxied.headers)))
    if (length := _length(proxied.headers)) is not None:
        headers["Content-Length"] = length
    by_name = {name.lower(): name for name in headers}
    cached = headers.pop(by_name.get("cache-control", ""), "")
    headers["Cache-Control"] = _for_one(cached)
    if headers.get(by_name.get("content-type", ""), "").lower().startswith("text/event-stream"):
        headers["X-Accel-Buffering"] = "no"  # or nginx in front would hold the events up
    if proxied.verdict:
        headers["Gatehouse-Verdict"] = proxied.verdict
    return headers | IN_A_BROWSER


def _for_the_caller(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    rows = [
        (name, "".join(sign for sign in value if sign.isprintable() or sign in "\t\xa0\xad")) for name, value in headers
    ]
    hops = {part.strip().lower() for name, value in rows if name.lower() == "connection" for part in value.split(",")}
    for name, value in rows:
        known = name.lower()
        if known in NOT_PASSED_BACK | hops or known.startswith(NOT_PASSED_BACK_FROM) or not TOKEN.fullmatch(name):
            continue
        yield name, value


def _joined(headers: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """One row a name, as RFC 9110 §5.3 allows for all but Set-Cookie."""
    found: dict[str, tuple[str, list[str]]] = {}
    for name, value in headers:
        found.setdefault(name.lower(), (name, []))[1].append(value)
    yield from ((name, ", ".join(values)) for name, values in found.values())


def _length(headers: Iterable[tuple[str, str]]) -> str | None:
    """The Content-Length that holds on the way to the caller, too."""
    told = [(name.lower(), value.strip()) for name, value in headers]
    lengths = {part.strip() for name, value in told if name == "content-length" for part in value.split(",")}
    if len(lengths) != 1 or any(name == "transfer-encoding" for name, _ in told):
        return None
    length = lengths.pop()
    return length if length.isascii() and length.isdecimal() else None


def _for_one(cached: str) -> str:
    """The Cache-Control of an answer that only who asked may keep."""
    parts = [part.strip() for part in cached.split(",") if part.strip()]
    kept = [part for part in parts if part.partition("=")[0].strip().lower() not in FOR_ALL]
    return ", ".join(kept if {"private", "no-store"} & {part.lower() for part in kept} else ["private", *kept])


class _Body:
    """The body on its way to the caller; lets go of everything when it is closed, which the server does in any case."""

    def __init__(self, proxied: Proxied, connection: Connection) -> None:
        self._proxied = proxied
        self._connection = connection
        self._parts = self._passing()

    def __iter__(self) -> Iterator[bytes]:
        return self._parts

    def _passing(self) -> Iterator[bytes]:
        yield b""  # lets the headers go out at once, before the first event of a stream
        try:
            yield from self._proxied
        except (OutboundError, CallError) as error:
            log.warning("an answer through connection %s broke off: %s", self._connection.pk, error.code)
        except CallerGoneError:
            pass
        else:
            return
        # The server takes this for a caller that is gone, and closes the connection without ending the body.
        raise ConnectionResetError(errno.ECONNRESET, "The answer broke off.")

    def close(self) -> None:
        self._proxied.close()
