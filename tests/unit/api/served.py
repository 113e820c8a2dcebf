"""Gatehouse behind gunicorn, at the tests' own database, and callers that write every byte themselves."""

from __future__ import annotations

import http.client
import os
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connections.actions import api_keys
from connections.models import Actor, Connection
from tests.processes import database_url
from tests.server import Gatehouse


class Served(Gatehouse):
    """One worker, so that its memory can be looked at, with threads enough for everybody."""

    def __init__(self, folder: Path) -> None:
        static = folder / "static"
        static.mkdir()
        super().__init__(folder, static=static, simulator_url="")
        del self.environment["MIGRATE_ON_START"]
        self.environment |= {
            "DATABASE_URL": database_url(),
            "SECRET_KEY": os.environ["SECRET_KEY"],
            "ENCRYPTION_KEYS": os.environ["ENCRYPTION_KEYS"],
            "PRIVATE_HOSTS_ALLOWED": "127.0.0.1",
            "WEB_CONCURRENCY": "1",
            "WEB_THREADS": "32",
        }
        self.port = int(self.url.rpartition(":")[2])

    @property
    def peak(self) -> int:
        """The most memory that the worker has ever held, in bytes."""
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        status = Path(f"/proc/{children[0]}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024


class Impatient(Served):
    application = "tests.unit.api.impatient"


@dataclass(frozen=True)
class Told:
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


def ask(
    served: Served,
    method: str,
    target: str,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes | Iterable[bytes] | None = None,
) -> Told:
    """One request, `target` byte for byte. A body that is no bytes goes in chunks. Raises IncompleteRead for a short answer."""
    wire = http.client.HTTPConnection("127.0.0.1", served.port, timeout=20)
    try:
        wire.putrequest(method, target, skip_accept_encoding=True)
        for name, value in headers:
            wire.putheader(name, value)
        if isinstance(body, bytes):
            wire.putheader("Content-Length", str(len(body)))
        elif body is not None:
            wire.putheader("Transfer-Encoding", "chunked")
        wire.endheaders(body, encode_chunked=body is not None and not isinstance(body, bytes))
        answer = wire.getresponse()
        return Told(answer.status, answer.reason, answer.headers, answer.read())  # type: ignore[arg-type]
    finally:
        wire.close()


class Caller:
    """An integration with a key of its own, at a connection without authentication."""

    def __init__(self, served: Served, connection: Connection, by: Actor, *scopes: str, only: Any = None) -> None:
        self.served, self.connection = served, connection
        self.key = api_keys.create(by=by, name="Nightly", scopes=scopes or ["proxy"], connections=only)[1]
        self.address = f"/api/v1/connections/{connection.pk}/proxy"

    def head(self, method: str, *headers: str, path: str = "/x") -> bytes:
        """The beginning of a request, for whoever writes the rest."""
        host, key = f"Host: 127.0.0.1:{self.served.port}", f"Authorization: Bearer {self.key}"
        return "\r\n".join([f"{method} {self.address}{path} HTTP/1.1", host, key, *headers, "", ""]).encode()

    def ask(self, method: str = "GET", path: str = "/x", headers: Any = (), body: Any = None) -> Told:
        shown = [("Authorization", f"Bearer {self.key}"), *dict(headers).items()]
        return ask(self.served, method, self.address + path, shown, body)


def plainly(served: Served, *parts: bytes) -> socket.socket:
    """A connection over which these bytes have gone."""
    wire = socket.create_connection(("127.0.0.1", served.port), timeout=20)
    for part in parts:
        wire.sendall(part)
    return wire
