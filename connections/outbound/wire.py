"""The deadline of a call, down to each read and write of the socket; and its path and query, sent as they were written.

The timeouts of requests start anew with every packet, so a server that sends one byte a second holds a worker for ever.
Here each read, for headers and body alike, is bounded by what is left of the whole call, and what came over the wire
is counted: chunk headers and trailers, too, are endless for who wants them so.
"""

import http.client
import io
import socket
import time
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import urllib3

from connections.outbound.errors import OutboundError
from connections.outbound.urls import IPAddress, Target

CONNECT_SECONDS = 5.0
READ_SECONDS = 15.0


@dataclass
class Call:
    """One request on its way: where to, until when (monotonic seconds), how many bytes may still come.

    `target` is its path and query. `idle` is how many seconds a single read or write may take.
    """

    place: Target
    target: str
    ends_at: float
    wire_bytes_left: float
    idle: float = READ_SECONDS
    pinned: IPAddress | None = None

    def seconds_left(self, at_most: float) -> float:
        """What is left until the deadline, in seconds. Raises OutboundError("timeout")."""
        left = self.ends_at - time.monotonic()
        if left <= 0:
            raise OutboundError("timeout", str(self.place), "The server did not answer in time.")
        return min(left, at_most)

    def count(self, size: int) -> None:
        """Take note of bytes that came. Raises OutboundError("too_large")."""
        self.wire_bytes_left -= size
        if self.wire_bytes_left < 0:
            raise self.too_large()

    def too_large(self) -> OutboundError:
        return OutboundError("too_large", str(self.place), "The answer is larger than allowed.")

    def before_write(self, sock: socket.socket) -> None:
        """A part of the request is about to go out. Raises OutboundError("timeout")."""
        sock.settimeout(self.seconds_left(self.idle))

    def before_read(self, sock: socket.socket) -> None:
        """A part of the answer is about to be read. Raises OutboundError("timeout")."""
        sock.settimeout(self.seconds_left(self.idle))


current: ContextVar[Call] = ContextVar("outbound_call")


class _Wire(io.RawIOBase):
    """The reading end of a socket, between http.client's buffer and the socket itself."""

    def __init__(self, sock: socket.socket, raw: Any) -> None:
        self._sock = sock
        self._raw = raw
        self._call = current.get()  # kept: the body may be read when the call that asked for it has returned

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._call.before_read(self._sock)
        size: int | None = self._raw.readinto(buffer)
        self._call.count(size or 0)
        return size

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp = io.BufferedReader(_Wire(sock, self.fp.detach()))

    def _read_status(self) -> tuple[str, int, str]:
        """Of the final answer: http.client itself knows no interim answer but 100, and takes 103 for the last one."""
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 101 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)


class _Exactly:
    """A connection that sends path and query as they were written.

    urllib3 would write percent-encodings in capitals, which is another address to some servers, and not the one that was signed.
    """

    sock: socket.socket | None

    def putrequest(self, method: str, url: str, *args: Any, **kwargs: Any) -> None:
        super().putrequest(method, current.get().target, *args, **kwargs)  # type: ignore[misc]

    def send(self, data: Any) -> None:
        if self.sock is not None:
            current.get().before_write(self.sock)
        super().send(data)  # type: ignore[misc]


class _HTTPConnection(_Exactly, urllib3.connection.HTTPConnection):
    response_class = _Response


class _HTTPSConnection(_Exactly, urllib3.connection.HTTPSConnection):
    response_class = _Response


class HTTPPool(urllib3.HTTPConnectionPool):
    """urllib3's pool, with connections that keep the deadline."""

    ConnectionCls = _HTTPConnection


class HTTPSPool(urllib3.HTTPSConnectionPool):
    """The same over TLS."""

    ConnectionCls = _HTTPSConnection
