"""What is compressed on its way to the browser, and that nothing else is: a length must give no secret away."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from connections.models import Connection
from tests import factories
from tests.unit.test_conventions import PATTERNS, address

TAKES = {"Accept-Encoding": "gzip, deflate, br, zstd"}
COMPRESSED = {"connections", "connection_create", "connection_edit"}
CSRF = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


def read(answer: Any) -> str:
    return gzip.decompress(answer.content).decode()


def lasting(html: str) -> str:
    """Without what is new in each answer: the mask of the CSRF token, the id that a new row will have."""
    return UUID.sub("", CSRF.sub("", html))


@pytest.mark.parametrize("path", ["/connections/", "/connections/new/http/", "/connections/{id}/"])
def test_a_long_page_is_compressed_for_whoever_takes_it(as_bob: Client, connection: Connection, path: str) -> None:
    path = path.format(id=connection.pk)
    short, plain = as_bob.get(path, headers=TAKES), as_bob.get(path)
    assert (short["Content-Encoding"], "Accept-Encoding" in short["Vary"]) == ("gzip", True)
    assert "Content-Encoding" not in plain and "Accept-Encoding" in plain["Vary"]
    assert int(short["Content-Length"]) == len(short.content) < len(plain.content) / 2
    assert lasting(read(short)) == lasting(plain.content.decode())


def test_nothing_else_is(as_alice: Client, connection: Connection) -> None:
    factories.grant(connection, access_token="a", refresh_token="b")
    for route, pattern in PATTERNS:
        if pattern.name in COMPRESSED or "(" in route:
            continue
        answer = as_alice.get(UUID.sub(str(connection.pk), address(route)), headers=TAKES)
        assert "Content-Encoding" not in answer, pattern.name


def test_what_was_posted_comes_back_as_it_is(as_bob: Client, typed: Callable[..., dict[str, Any]]) -> None:
    """Another site could have it posted with letters of its choice."""
    answer = as_bob.post("/connections/new/http/", typed(name=""), headers=TAKES)
    assert (answer.status_code, answer.has_header("Content-Encoding")) == (422, False)


def test_the_csrf_token_is_another_one_in_each_answer(as_bob: Client, connection: Connection) -> None:
    """The token is what a compressed page has that is worth guessing."""
    seen = [CSRF.findall(read(as_bob.get("/connections/new/http/", headers=TAKES))) for _ in range(3)]
    assert all(seen) and len({tokens[0] for tokens in seen}) == 3


def test_the_length_says_little_of_what_is_in_it(as_bob: Client, connection: Connection) -> None:
    lengths = {len(as_bob.get("/connections/new/http/", headers=TAKES).content) for _ in range(12)}
    assert len(lengths) > 3
