"""Callers: raw sockets that are kept open, one thread, answers read no further than has to be. What they cost is told beside the rows.

Light on purpose: caller and server share the machine, and what the caller takes the server lacks.
"""

from __future__ import annotations

import resource
import selectors
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

PATIENCE = 90  # seconds without any answer; then something is broken


class LoadError(RuntimeError):
    """An answer that is no success, or none at all. Carries its first line."""


@dataclass
class Load:
    """What came of it. `latencies` in seconds, in the order of the answers; `cpu` is the share of one core the callers took."""

    seconds: float
    latencies: list[float] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def per_second(self) -> float:
        return len(self.latencies) / self.seconds


def get(url: str, **headers: str) -> bytes:
    """The bytes of a GET request. Header names with `_` for `-`."""
    return request("GET", url, b"", **headers)


def request(method: str, url: str, body: bytes, **headers: str) -> bytes:
    parts = urlsplit(url)
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {parts.netloc}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}"] if body else []
    return "\r\n".join([*lines, "", ""]).encode() + body


class Caller:
    """One connection. `got` tells whether an answer is complete now."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 80), timeout=PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.began = 0.0
        self._buffer = b""

    def send(self, message: bytes) -> None:
        self._buffer = b""
        self.began = time.perf_counter()
        self.socket.sendall(message)

    def got(self) -> bool:
        """Read what is there. Raises LoadError for anything but a 2xx answer."""
        received = self.socket.recv(65536)
        if not received:
            raise LoadError("the server closed the connection")
        self._buffer = self._buffer + received if self._buffer else received
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        if not self._buffer.startswith(b"HTTP/1.1 2"):
            raise LoadError(self._buffer[:end].partition(b"\r\n")[0].decode(errors="replace"))
        head = self._buffer[:end].lower()
        at = head.find(b"content-length:")
        if at < 0:  # in chunks
            return self._buffer.endswith(b"\r\n0\r\n\r\n")
        length = int(head[at + 15 :].partition(b"\r\n")[0])
        return len(self._buffer) >= end + 4 + length

    @property
    def body(self) -> bytes:
        head, _, body = self._buffer.partition(b"\r\n\r\n")
        if b"\r\ntransfer-encoding: chunked" not in head.lower():
            return body
        whole = b""
        while (chunk := body.partition(b"\r\n")) and (length := int(chunk[0], 16)):
            whole, body = whole + chunk[2][:length], chunk[2][length + 2 :]
        return whole


def keep_asking(message: bytes, url: str, *, clients: int, seconds: float) -> Load:
    """`clients` connections, each asking again as soon as it is answered, for `seconds`. The first quarter of a second does not count."""
    callers = [Caller(url) for _ in range(clients)]
    latencies: list[float] = []
    with Waiting(callers) as waiting:
        for caller in callers:
            caller.send(message)
        began, cpu = time.perf_counter(), _cpu()
        counted_from, until = began + 0.25, began + 0.25 + seconds
        while True:
            for caller in _answered(waiting):
                now = time.perf_counter()
                if caller.began >= counted_from:
                    latencies.append(now - caller.began)
                if now >= until:
                    ended = time.perf_counter()
                    break
                caller.send(message)
            else:
                continue
            break
    return Load(ended - counted_from, latencies, (_cpu() - cpu) / (ended - began))


def all_at_once(messages: list[bytes], url: str) -> tuple[Load, list[bytes]]:
    """Each message on a new connection of its own, all sent before any answer is read; the load and the answers' bodies."""
    callers = []
    began, cpu = time.perf_counter(), _cpu()
    for message in messages:
        caller = Caller(url)
        caller.send(message)
        callers.append(caller)
    latencies: list[float] = []
    with Waiting(callers) as waiting:
        while len(latencies) < len(callers):
            for caller in _answered(waiting):
                latencies.append(time.perf_counter() - began)
                waiting.unregister(caller.socket)
    seconds = time.perf_counter() - began
    return Load(seconds, latencies, (_cpu() - cpu) / seconds), [caller.body for caller in callers]


class Waiting(selectors.DefaultSelector):
    """Knows the callers, and closes them with itself."""

    def __init__(self, callers: list[Caller]) -> None:
        super().__init__()
        self.callers = callers
        for caller in callers:
            self.register(caller.socket, selectors.EVENT_READ, caller)

    def close(self) -> None:
        super().close()
        for caller in self.callers:
            caller.socket.close()


def _answered(waiting: Waiting) -> Iterator[Caller]:
    ready = waiting.select(PATIENCE)
    if not ready:
        raise LoadError(f"no answer for {PATIENCE} seconds")
    for key, _ in ready:
        if key.data.got():
            yield key.data


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
