"""The transport adapter through which every request goes, whoever made the session."""

import contextlib
import http.client
import ipaddress
import logging
import queue
import socket
import threading
import time
from typing import Any, Literal, TypeVar

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.structures import CaseInsensitiveDict
from requests_hardened.ip_filter_adapter import IPFilterAdapter

from connections.outbound import identity, policy, wire
from connections.outbound.errors import OutboundError, translate
from connections.outbound.urls import IPAddress, Target, path_and_query, target

DEADLINE = 25.0  # seconds for the whole call: name, connection, TLS, headers and body
MAX_BYTES = 1024 * 1024  # of the decoded body
CHUNK = 16 * 1024
USER_AGENT = "Gatehouse"

Redirects = Literal["refuse", "return"]
FOREIGN_ERRORS = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
    ValueError,  # UnicodeError too: a header that cannot be sent, quoted in full
)
AnySession = TypeVar("AnySession", bound=requests.Session)


def session(
    *,
    max_bytes: int = MAX_BYTES,
    deadline: float = DEADLINE,
    redirects: Redirects = "refuse",
    client: identity.Identity | None = None,
) -> requests.Session:
    """A guarded session that never follows a redirect. Arguments as for `guard`."""
    return guard(_Session(), max_bytes=max_bytes, deadline=deadline, redirects=redirects, client=client)


def guard(
    session: AnySession,
    *,
    max_bytes: int = MAX_BYTES,
    deadline: float = DEADLINE,
    redirects: Redirects = "refuse",
    client: identity.Identity | None = None,
) -> AnySession:
    """Make every request of `session` go through the guard, and return the session.

    `deadline` in seconds, `max_bytes` of decoded body. `redirects`: "refuse" raises OutboundError("redirect") for an
    answer that points elsewhere; "return" hands it over as it came (for sessions that do not follow by themselves).
    """
    session.trust_env = False  # no proxies, netrc or certificate bundles from the environment
    session.headers["User-Agent"] = USER_AGENT
    for scheme in ("https", "http"):
        adapter = Guard(scheme, max_bytes=max_bytes, deadline=deadline, redirects=redirects, client=client)
        session.mount(f"{scheme}://", adapter)
    return session


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """There is never a next request to prepare, let alone to send."""
        return


class Guard(IPFilterAdapter):  # type: ignore[misc,unused-ignore]  # requests-hardened has no types
    """requests-hardened's adapter (resolve, refuse, pin) with our policy, a deadline and a size cap.

    The library judges the first resolved address only and knows no allowed hosts; here `policy` judges all of them, and
    the next one is tried when a connection fails. As in the library, the pinned address takes the host's place in the
    connection pool, while Host header, SNI and certificate check keep the name.
    """

    def __init__(
        self,
        scheme: str,
        *,
        max_bytes: int,
        deadline: float,
        redirects: Redirects,
        client: identity.Identity | None,
    ) -> None:
        self._max_bytes = max_bytes
        self._deadline = deadline
        self._redirects = redirects
        self._tls = identity.context(client) if scheme == "https" else None
        super().__init__(is_https_proto=scheme == "https")

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block=block, **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": wire.HTTPPool, "https": wire.HTTPSPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing to add: the context verifies. The inherited one would load the authorities for each connection."""

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        call = wire.current.get()
        host_params: dict[str, Any]
        pool_kwargs: dict[str, Any]
        host_params, pool_kwargs = HTTPAdapter.build_connection_pool_key_attributes(  # type: ignore[assignment,unused-ignore]
            self, request, verify=True
        )
        _check_same_place(host_params, call.place)
        assert call.pinned, "send() pins an address before each attempt"
        host_params["host"] = f"[{call.pinned}]" if call.pinned.version == 6 else str(call.pinned)
        # A copy, because the dictionary may belong to someone who uses it again.
        request.headers = CaseInsensitiveDict(request.headers or {})
        request.headers["Host"] = str(call.place)
        if self._tls:
            pool_kwargs["ssl_context"] = self._tls
            pool_kwargs["server_hostname"] = call.place.host  # also what OpenSSL compares the certificate with
        return host_params, pool_kwargs

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send, and read the whole answer within the deadline and the cap.

        The caller's `stream`, `timeout`, `verify`, `cert` and `proxies` have no say. Raises OutboundError only.
        """
        place = target(request.url or "")
        policy.check(place)
        policy.before_waiting()
        call = self._call(place, path_and_query(request.url or ""))
        token = wire.current.set(call)
        try:
            try:
                return self._send(request, call)
            except FOREIGN_ERRORS as exc:
                error = translate(exc, str(place))
            # Raised out here, so that the original, which may quote a query or header, is not kept as context.
            raise error
        finally:
            wire.current.reset(token)

    def _call(self, place: Target, path: str) -> wire.Call:
        # Framing and compression rarely double a body; whoever sends more wants to keep us busy.
        return wire.Call(place, path, time.monotonic() + self._deadline, 2 * self._max_bytes + 256 * 1024)

    def _send(self, request: requests.PreparedRequest, call: wire.Call) -> requests.Response:
        addresses = resolve(call.place, call.seconds_left(wire.CONNECT_SECONDS))
        while True:
            call.pinned = addresses.pop(0)
            timeout = (call.seconds_left(wire.CONNECT_SECONDS), call.seconds_left(wire.READ_SECONDS))
            try:
                return self._received(super().send(request, stream=True, timeout=timeout), call)
            except requests.ConnectionError as exc:
                # Nothing was sent when the connection itself failed, so the next address may be tried.
                if not addresses or not _unconnected(exc):
                    raise

    def _received(self, response: requests.Response, call: wire.Call) -> requests.Response:
        """The answer, whose body is still to be read: here it is."""
        with contextlib.closing(response):
            if self._redirects == "refuse" and response.is_redirect:
                raise OutboundError("redirect", str(call.place), _elsewhere(response.headers["Location"]))
            body = self._read(response, call)
        response._content = body
        response._content_consumed = True  # type: ignore[attr-defined,unused-ignore]  # as iter_content() leaves it
        # Otherwise `.text` guesses from the bytes, which takes seconds on a hostile megabyte.
        response.encoding = response.encoding or "utf-8"
        return response

    def _read(self, response: requests.Response, call: wire.Call) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.raw.stream(CHUNK, decode_content=True):
            size += len(part)
            if size > self._max_bytes:
                raise call.too_large()
            parts.append(part)
        return b"".join(parts)


def resolve(place: Target, seconds: float) -> list[IPAddress]:
    """The permitted addresses of a host, at least one. Raises OutboundError: not_found, timeout, address_refused."""
    if place.literal:
        return policy.permitted(place, [place.literal])
    answer: queue.SimpleQueue[list[Any] | None] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answer.put(socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError):
            answer.put(None)

    # getaddrinfo takes no timeout, so it waits in a thread of its own, which the system's resolver ends in time.
    threading.Thread(target=ask, name="outbound-resolve", daemon=True).start()
    try:
        found = answer.get(timeout=seconds)
    except queue.Empty:
        raise OutboundError("timeout", str(place), "The name server did not answer in time.") from None
    if not found:
        raise OutboundError("not_found", str(place), "There is no such host.")
    return policy.permitted(place, [ipaddress.ip_address(sockaddr[0]) for *_, sockaddr in found])


def _check_same_place(host_params: dict[str, Any], place: Target) -> None:
    """requests reads the URL with a parser of its own; what it read must be what was checked."""
    host = host_params["host"] or ""
    read = target(
        f"{host_params['scheme']}://{f'[{host}]' if ':' in host else host}:{host_params['port'] or place.port}"
    )
    if read != place:
        raise OutboundError("invalid_url", str(place), "The address can be read in two ways.")


def _unconnected(exc: requests.ConnectionError) -> bool:
    reason = getattr(exc.args[0], "reason", None) if exc.args else None
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _elsewhere(location: str) -> str:
    try:
        return f"The server points to {target(location)}. Redirects are not followed: enter the final address."
    except OutboundError:
        return "The server points to another address. Redirects are not followed: enter the final address."


def _no_details(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


# At DEBUG urllib3 logs each path with its query, which for some APIs holds the token. A filter, unlike a level, stays
# when the app configures its logging later.
logging.getLogger("urllib3.connectionpool").addFilter(_no_details)
# Where a header cannot be read this one warns, and quotes the whole URL.
logging.getLogger("urllib3.connection").addFilter(lambda record: False)
