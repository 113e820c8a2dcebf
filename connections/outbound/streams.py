"""One guarded request whose body and answer are handed on bit by bit, however large, exactly as they are on the wire.

The same policy, pinning and certificates as for any other call. In place of a cap on size and one deadline: so long until the
answer begins, so long between two parts, so long for the whole. Nothing is held in memory but the part under way and what is
peeked at.
"""

from __future__ import annotations

import contextlib
import socket
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.auth import AuthBase
from requests.structures import CaseInsensitiveDict
from urllib3.util.wait import wait_for_read

from connections.outbound import wire
from connections.outbound.adapter import FOREIGN_ERRORS, USER_AGENT, Guard
from connections.outbound.calls import unchanged
from connections.outbound.errors import OutboundError, translate
from connections.outbound.identity import Identity
from connections.outbound.uploads import Upload
from connections.outbound.urls import Target, path_and_query, target

PART = 64 * 1024  # bytes that are read at once, at most
BEFORE = (
    1024 * 1024
)  # bytes that may come before the answer is in the caller's hands: its head, and a refusal that Digest answers
TICK = 1.0  # seconds between two looks at whether somebody still wants the answer


@dataclass(frozen=True)
class Limits:
    """In seconds. `answer`: until it begins, counted from the last part of the request. `idle`: without any byte. `whole`: for all."""

    answer: float = 60.0
    idle: float = 30.0
    whole: float = 15 * 60.0


@dataclass
class _Call(wire.Call):
    limits: Limits = field(default_factory=Limits)
    on_wait: Callable[[], None] | None = None
    started: float = field(default_factory=time.monotonic)
    looked: float = field(default_factory=time.monotonic)

    def before_write(self, sock: socket.socket) -> None:
        self.look()
        self.ends_at = min(time.monotonic() + self.limits.answer, self.started + self.limits.whole)
        super().before_write(sock)

    def before_read(self, sock: socket.socket) -> None:
        self.look()
        until = time.monotonic() + self.idle
        while not _has_data(sock, min(TICK, self.seconds_left(self.idle))):
            self.look()
            if time.monotonic() >= until:
                raise OutboundError("timeout", str(self.place), "The server sent nothing for too long.")
        super().before_read(sock)

    def look(self) -> None:
        """Whether to go on, asked at most once a TICK."""
        if self.on_wait and time.monotonic() - self.looked >= TICK:
            self.on_wait()
            self.looked = time.monotonic()

    def began(self) -> None:
        """The answer is there; how long its body may be is not for us to say."""
        self.ends_at = self.started + self.limits.whole
        self.idle = self.limits.idle
        self.wire_bytes_left = float("inf")


def _has_data(sock: Any, seconds: float) -> bool:
    return bool(getattr(sock, "pending", int)()) or wait_for_read(sock, seconds)


class _Guard(Guard):
    def __init__(
        self, scheme: str, limits: Limits, on_wait: Callable[[], None] | None, client: Identity | None
    ) -> None:
        super().__init__(scheme, max_bytes=BEFORE, deadline=limits.answer, redirects="return", client=client)
        self._limits = limits
        self._on_wait = on_wait
        self.call: _Call | None = None  # the last: Digest makes two

    def _call(self, place: Target, path: str) -> wire.Call:
        now = time.monotonic()
        # Until the answer begins even a silent server is waited for; the deadline sees to it.
        self.call = _Call(
            place, path, now + self._limits.answer, BEFORE, idle=self._limits.answer, limits=self._limits, on_wait=self._on_wait
        )  # fmt: skip
        return self.call

    def _received(self, response: requests.Response, call: wire.Call) -> requests.Response:
        return response


class Stream:
    """An answer under way. Iterate for the body, as it comes and as it is on the wire (Content-Encoding and all); then `close`.

    `headers` in their order, the same name perhaps several times. `ms` until the answer began. Iterating raises OutboundError
    where the body ends before it should, and whatever `on_wait` raises.
    """

    def __init__(self, session: requests.Session, response: requests.Response, call: _Call) -> None:
        self._session = session
        self._raw = response.raw
        self._place = str(call.place)
        self._peeked: list[bytes] = []
        self.status: int = self._raw.status
        self.reason: str = self._raw.reason or ""
        self.headers: list[tuple[str, str]] = list(self._raw.headers.iteritems())
        self.ms = round((time.monotonic() - call.started) * 1000)
        self.host = str(call.place)
        self.is_over = False  # nothing more comes over the network

    @property
    def by_name(self) -> Mapping[str, str]:
        """The headers with names compared without case, several of one name joined as RFC 9110 §5.3 allows."""
        found: CaseInsensitiveDict[str] = CaseInsensitiveDict()
        for name, value in self.headers:
            found[name] = f"{found[name]}, {value}" if name in found else value
        return found

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self._peeked:
            return self._peeked.pop(0)
        if part := self._read(PART):
            return part
        raise StopIteration

    def peek(self, size: int) -> bytes:
        """The first `size` bytes of the body, or all there is; waits for them. They are still given when iterating."""
        have = sum(map(len, self._peeked))
        while have < size and (part := self._read(size - have)):
            self._peeked.append(part)
            have += len(part)
        if have < size:
            self.let_go()
        return b"".join(self._peeked)[:size]

    def let_go(self) -> None:
        """Close the connection to the server. What was peeked at stays."""
        self.is_over = True
        with contextlib.suppress(*FOREIGN_ERRORS):
            self._raw.close()
        self._session.close()

    def close(self) -> None:
        self._peeked.clear()
        self.let_go()

    def _read(self, size: int) -> bytes:
        """What has come, at most `size` bytes; waits for the first. b"" at the end."""
        left = self._raw.length_remaining  # None where the length is not told, or the body is chunked
        if self.is_over or left == 0:
            self.let_go()
            return b""
        try:
            part: bytes = self._raw.read1(min(size, left or size), decode_content=False) or b""
        except FOREIGN_ERRORS as exc:
            error = translate(exc, self._place)
        else:
            if not part:
                self.let_go()
            return part
        self.close()
        raise error


def stream(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    params: Iterable[tuple[str, str]] = (),
    body: bytes | Upload = b"",
    auth: AuthBase | None = None,
    client: Identity | None = None,
    limits: Limits = Limits(),
    on_wait: Callable[[], None] | None = None,
) -> Stream:
    """Send one request and return once the answer begins, whatever its status. Redirects are never followed.

    Path and query go out byte for byte as they stand in `url`, `params` behind them. An `auth` that needs the body, or that may
    send the request twice, is only for a body in bytes. `on_wait` is called about once a second while anything is waited for;
    what it raises ends the call. Raises OutboundError, and UploadError where `body` broke off.
    """
    place = target(url)
    session = requests.Session()
    session.trust_env = False
    session.headers.clear()  # what is not said by the caller is not said
    session.headers["User-Agent"] = USER_AGENT
    try:
        guard = _Guard(place.scheme, limits, on_wait, client)
        session.mount(f"{place.scheme}://", guard)
        prepared = session.prepare_request(
            requests.Request(method, f"{place.scheme}://{place}/", dict(headers), data=body or None, auth=unchanged)
        )
        prepared.url = _exact(prepared.url or "", url, params)
        if auth:
            prepared.prepare_auth(auth)
        response = session.send(prepared, stream=True, allow_redirects=False)
        assert guard.call, "the guard has sent it"
        guard.call.began()
        answer = Stream(session, response, guard.call)
        if answer.status >= 200 and response.headers.get("Transfer-Encoding", "chunked").lower() == "chunked":
            return answer
        answer.close()
        error = OutboundError("broken", str(place), "The server answered in a way that was not asked for.")
    except FOREIGN_ERRORS as exc:
        error = translate(exc, str(place))
    except BaseException:
        session.close()
        raise
    session.close()
    raise error


def _exact(origin: str, url: str, params: Iterable[tuple[str, str]]) -> str:
    """What requests has made of scheme and host, with path and query as they are in `url`."""
    parts = urlsplit(origin)
    path = path_and_query(url)
    if more := urlencode(list(params)):
        path += ("" if path[-1] in "?&" else "&") + more if "?" in path else f"?{more}"
    return f"{parts.scheme}://{parts.netloc}{path}"


def unpacked(part: bytes, coding: str, at_most: int) -> bytes | None:
    """The beginning of a body without its Content-Encoding, at most so many bytes. None where that is not known here.

    For looking into what passes; nothing of it is handed on.
    """
    coding = coding.strip().lower()
    if coding in ("", "identity"):
        return part[:at_most]
    # 31: gzip; 15: deflate, which some servers send without its header: -15.
    for bits in {"gzip": (31,), "x-gzip": (31,), "deflate": (15, -15)}.get(coding, ()):
        with contextlib.suppress(zlib.error):
            return zlib.decompressobj(bits).decompress(part, at_most)
    return None
