"""What the tests of the proxy do again and again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from connections.actions import proxying
from connections.actions.proxying import Request
from connections.models import Actor, Connection
from connections.outbound import Upload


@dataclass(frozen=True)
class Got:
    status: int
    headers: list[tuple[str, str]]
    body: bytes
    verdict: str


def call(connection: Connection, by: Actor, method: str = "GET", path: str = "", **more: Any) -> Got:
    """One call through the proxy, its answer read to the end."""
    answer = proxying.send(connection, Request(method, path, **more), by=by)
    try:
        return Got(answer.status, answer.headers, b"".join(answer), answer.verdict)
    finally:
        answer.close()


def upload(*parts: bytes, length: int | None = None) -> Upload:
    """A request body that comes in these parts; its length is told only where it is given."""
    left = [*parts, b""]
    return Upload(lambda size: left.pop(0), length)
