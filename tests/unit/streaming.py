"""What the tests of streams do again and again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from connections import outbound
from connections.outbound import OutboundError
from tests.unit.oauth.loopback import Server


def send(server: Server, method: str = "GET", path: str = "/", **more: Any) -> outbound.Stream:
    return outbound.stream(method, server.url + path, **{"headers": {}} | more)


def raw(server: Server, *parts: bytes) -> None:
    """Answer with these bytes, just so, and hang up."""

    def respond(handler: Any) -> None:
        handler.close_connection = True
        handler.wfile.write(b"".join(parts))

    server.respond = respond


def failing(stream: Callable[[], outbound.Stream]) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        b"".join(stream())
    return caught.value


def until(condition: Callable[[], bool]) -> None:
    """Wait for another thread."""
    done = threading.Event()
    for _ in range(1000):
        if condition():
            return
        done.wait(0.01)
    raise AssertionError("waited in vain")
