"""What the proxy records while a connection is debugged: both bodies, of every call, and never a secret."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from connections.actions import proxying, recordings, slots
from connections.actions.errors import GrantError
from connections.actions.proxying import Request
from connections.models import Actor, Connection, Event, Recording, Team
from connections.outbound import OutboundError
from connections.sealing import DOTS
from tests.unit.actions import api
from tests.unit.actions.proxied import call, upload
from tests.unit.oauth.loopback import Server

SENTINEL = "s3ntinel-of-the-proxy"


@pytest.fixture
def server() -> Iterator[Server]:
    with api.running() as running:
        yield running


@pytest.fixture(autouse=True)
def no_spares() -> Iterator[None]:
    slots._spares.clear()
    yield
    slots._spares.clear()


def debugged(connection: Connection, by: Actor) -> Connection:
    recordings.start(connection, minutes=15, by=by)
    return connection


def everything() -> str:
    return json.dumps([*Recording.objects.values(), *Event.objects.values("detail")], default=str, ensure_ascii=False)


def test_a_call_is_recorded_with_both_bodies(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(api.connection(team, server), by)
    server.json({"orders": [1]}, status=201, X_Trace="7")

    for body in (b'{"a": 1}', upload(b'{"a": ', b"1}", length=8), upload(b'{"a": ', b"1}")):
        call(connection, by, "POST", "/orders?limit=1", body=body)

    for kept in Recording.objects.all():
        assert (kept.kind, kept.method, kept.url, kept.status) == ("call", "POST", f"{server.url}/orders?limit=1", 201)
        assert (kept.request_body, kept.response_body, kept.error) == ('{"a": 1}', '{"orders": [1]}', "")
        assert kept.response_headers["X-Trace"] == "7" and kept.ms is not None
    assert Recording.objects.count() == 3


def test_nothing_is_recorded_unless_asked_for(
    team: Team, by: Actor, server: Server, django_assert_num_queries: Any
) -> None:
    connection = api.connection(team, server)
    call(connection, by)  # takes a spare slot
    connection = Connection.objects.select_related("team").get()

    with django_assert_num_queries(1):  # whether it is debugged
        call(connection, by)

    assert not Recording.objects.exists()


def test_both_calls_of_a_repeat_are_recorded(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(api.authorized(team, server), by)
    new = {"access_token": "the-second-access-token", "expires_in": 3600}
    api.answer_in_turn(server, (401, {"n": 1}), (200, new), (200, {"n": 2}))

    call(connection, by, "POST", body=upload(b"abc"))

    kept = [(row.kind, row.status, row.request_body, row.response_body) for row in Recording.objects.order_by("at")]
    assert [kept[0], kept[2]] == [("call", 401, "abc", '{"n": 1}'), ("call", 200, "abc", '{"n": 2}')]
    assert kept[1][0] == "token"


def test_an_answer_before_a_refused_refresh_is_recorded(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(api.authorized(team, server), by)
    api.answer_in_turn(server, (401, {"n": 1}), (400, {"error": "invalid_grant"}))

    with pytest.raises(GrantError):
        call(connection, by)

    kept = Recording.objects.get(kind="call")
    assert (kept.status, kept.response_body, kept.error) == (401, '{"n": 1}', "")


def test_no_secret_is_recorded_however_it_passes(team: Team, by: Actor, server: Server) -> None:
    """In parts that cut it in two, packed, in a body that breaks off, and where nobody takes the rest."""
    connection = debugged(api.authorized(team, server, token=SENTINEL, headers=[["X-Own", SENTINEL]]), by)
    echo = f"before {SENTINEL} after".encode()
    packed = gzip.compress(echo)

    server.answer(200, echo, "text/plain", x_echo=SENTINEL)
    call(connection, by, "POST", f"/{SENTINEL}?q={SENTINEL}", body=upload(b"sent s3ntinel-of", b"-the-proxy here"))
    server.answer(200, packed, "text/plain", content_encoding="gzip")
    call(
        connection,
        by,
        "POST",
        body=gzip.compress(echo),
        headers={"Accept-Encoding": "gzip", "Content-Encoding": "gzip"},
    )
    server.answer(200, echo, "text/plain", content_encoding="br")
    call(connection, by, "POST", body=echo, headers={"Content-Encoding": "zstd"})

    def breaks_off(handler: Any) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n" + echo)

    server.respond = breaks_off
    with pytest.raises(OutboundError):
        call(connection, by)
    answer = proxying.send(connection, Request("GET", "/"), by=by)
    next(answer)
    answer.close()

    rows = list(Recording.objects.order_by("at"))
    assert len(rows) == 5
    assert [row.response_body for row in rows[:2]] == [f"before {DOTS} after"] * 2
    assert [row.request_body for row in rows[:2]] == [f"sent {DOTS} here", f"before {DOTS} after"]
    assert all("not kept" in text for text in (rows[2].request_body, rows[2].response_body))
    assert rows[3].error.startswith("broken: ") and rows[3].response_body == f"before {DOTS} after"
    assert "took no more" in rows[4].error
    assert "s3ntinel" not in everything()


def test_of_a_long_body_the_beginning_is_recorded(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(api.authorized(team, server, token=SENTINEL), by)
    for before in range(recordings.BODY - 40, recordings.BODY + 10, 10):
        server.answer(200, "a " * (before // 2) + SENTINEL + " b" * 200_000, "text/plain")
        call(connection, by)
    packed = gzip.compress(b"word " * 200_000)
    server.answer(200, packed, "text/plain", content_encoding="gzip")
    call(connection, by, headers={"Accept-Encoding": "gzip"})

    assert "s3nti" not in everything()
    for kept in Recording.objects.all():
        assert len(kept.response_body) <= recordings.BODY + 40
        assert kept.response_body.endswith("bytes in all)")


def test_a_call_that_did_not_come_about_is_recorded(team: Team, by: Actor) -> None:
    with api.running() as server:
        connection = debugged(api.connection(team, server), by)

    with pytest.raises(OutboundError):
        call(connection, by)

    kept = Recording.objects.get()
    assert kept.status is None and kept.error.startswith("connect: ")
