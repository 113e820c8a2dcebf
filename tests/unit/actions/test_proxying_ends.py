"""The proxy’s calls while they last: their slots, who hangs up, what breaks off."""

from __future__ import annotations

import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from connections.actions import proxying, recordings, slots
from connections.actions.proxying import LEASE, CallerGoneError, CallError, Request
from connections.models import Actor, Connection, Slot, Team, Turn
from connections.outbound import OutboundError, Upload, streams
from tests import factories
from tests.unit.actions import api
from tests.unit.actions.moves import at_once
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


def taken(connection: Connection) -> int:
    return Slot.objects.filter(connection=connection, is_waiting=False, held_until__gt=timezone.now()).count()


def half(server: Server) -> tuple[threading.Event, threading.Event]:
    """Answer with half a body. The first event lets the rest go, the second says that the other side has hung up."""
    rest, hung_up = threading.Event(), threading.Event()

    def respond(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        handler.wfile.flush()
        handler.connection.settimeout(0.02)
        while not rest.is_set():
            with suppress(TimeoutError):
                if handler.connection.recv(1) == b"":
                    hung_up.set()
                    return
        handler.wfile.write(b"more")

    server.respond = respond
    return rest, hung_up


# Slots


def test_a_slot_is_held_until_the_last_part(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server, concurrency=1)
    rest, _ = half(server)

    answer = proxying.send(connection, Request("GET", "/"), by=by)
    assert next(answer) == b"half"
    during = taken(connection)
    rest.set()
    assert b"".join(answer) == b"more"

    assert (during, taken(connection)) == (1, 0)


def test_closing_halfway_lets_go_of_provider_and_slot(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server, concurrency=1)
    _, hung_up = half(server)

    answer = proxying.send(connection, Request("GET", "/"), by=by)
    next(answer)
    answer.close()
    answer.close()

    assert hung_up.wait(10)
    assert taken(connection) == 0


def part_by_part(server: Server) -> threading.Semaphore:
    """Answer without end, a part each time the semaphore is released."""
    more = threading.Semaphore(0)

    def respond(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while more.acquire(timeout=10):
            handler.wfile.write(b"4\r\npart\r\n")

    server.respond = respond
    return more


def test_a_slot_is_renewed_while_the_answer_lasts_and_no_longer(
    team: Team, by: Actor, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a killed process has it for a minute more at most."""
    monkeypatch.setattr(streams, "TICK", 0.0)
    connection = api.connection(team, server, concurrency=1)
    more = part_by_part(server)
    answer = proxying.send(connection, Request("GET", "/"), by=by)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        for _ in range(20):
            clock.shift(LEASE - 15)
            more.release()
            assert next(answer) == b"part"
            assert taken(connection) == 1
        clock.shift(60)
        assert taken(connection) == 0
        answer.close()


def test_a_call_that_lost_its_slot_is_broken_off(
    team: Team, by: Actor, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a process that was stopped for long: the level is kept all the same."""
    monkeypatch.setattr(streams, "TICK", 0.0)
    connection = api.connection(team, server, concurrency=1)
    more = part_by_part(server)
    answer = proxying.send(connection, Request("GET", "/"), by=by)
    more.release()
    assert next(answer) == b"part"
    with (
        time_machine.travel(timezone.now() + timedelta(seconds=60 + slots.SPARE), tick=False),
        slots.hold(connection, seconds=30),
    ):
        more.release()
        with pytest.raises(CallError):
            next(answer)
        assert taken(connection) == 1


@pytest.mark.django_db(transaction=True)
def test_the_concurrency_level_is_never_exceeded_at_the_provider() -> None:
    team = factories.team()
    by = factories.actor(team)
    running, most, lock = [0], [0], threading.Lock()

    def respond(handler: Any) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        handler.wfile.flush()
        threading.Event().wait(0.02)
        with lock:
            running[0] -= 1
        handler.wfile.write(b"more")

    with api.running() as server:
        server.respond = respond
        connection = api.connection(team, server, concurrency=2)
        # A queue of four times the level waits; twenty callers come in two goes.
        got = [at_once(10, lambda: call(connection, by).body) for _ in range(2)]

    assert [*got[0], *got[1]] == [b"halfmore"] * 20
    assert most[0] == 2


def test_calls_keep_the_time_between_them(
    team: Team, by: Actor, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    connection = api.connection(team, server, rate_wait_ms=1500)

    with time_machine.travel(timezone.now(), tick=False):
        for _ in range(3):
            call(connection, by)

    assert naps == [0, 1.5, 3]


def test_nobody_waits_long_for_a_turn(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server, rate_wait_ms=1000, concurrency=1)
    Turn.objects.create(connection=connection, next_at=timezone.now() + timedelta(seconds=60))

    with pytest.raises(CallError) as caught:
        call(connection, by)

    assert (caught.value.code, server.asked, taken(connection)) == ("rate_limited", [], 0)


# Who hangs up, and what breaks off


@pytest.mark.parametrize("when", ["before the answer", "in the answer"])
def test_a_caller_that_hangs_up_lets_go_of_provider_and_slot(
    team: Team, by: Actor, server: Server, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    monkeypatch.setattr(streams, "TICK", 0.01)
    connection = api.connection(team, server, concurrency=1)
    _, hung_up = half(server)
    gone = threading.Event()
    if when == "before the answer":
        server.respond = lambda handler: hung_up.set() if handler.rfile.read(1) == b"" else None
        gone.set()

    with pytest.raises(CallerGoneError):
        answer = proxying.send(connection, Request("GET", "/"), by=by, is_gone=gone.is_set)
        assert next(answer) == b"half"
        gone.set()
        b"".join(answer)

    assert hung_up.wait(10)
    assert taken(connection) == 0


def test_a_provider_that_breaks_off_is_told(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server, concurrency=1)

    def respond(handler: Any) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")

    server.respond = respond
    answer = proxying.send(connection, Request("GET", "/"), by=by)

    assert next(answer) == b"half"
    with pytest.raises(OutboundError) as caught:
        next(answer)
    assert (caught.value.code, taken(connection)) == ("broken", 0)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_an_answer_the_slot_is_free_again(team: Team, by: Actor, method: str) -> None:
    with api.running() as server:
        connection = api.connection(team, server, concurrency=1)

    with pytest.raises(OutboundError) as caught:
        call(connection, by, method, body=upload(b"abc") if method == "POST" else b"")

    assert (caught.value.code, taken(connection)) == ("connect", 0)


def test_a_large_answer_is_not_held_in_memory(team: Team, by: Actor, server: Server) -> None:
    """Debugged, too, and with a field that may say "not authorized"."""
    connection = api.connection(team, server, auth_fail_path="error")
    recordings.start(connection, minutes=15, by=by)
    size, part = 64 * 1024 * 1024, b"x" * 65536

    def respond(handler: Any) -> None:
        taken = sum(len(part) for part in handler.parts())
        handler.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {taken}\r\n\r\n".encode())
        for _ in range(taken // len(part)):
            handler.wfile.write(part)

    server.reads, server.respond = False, respond
    tracemalloc.start()
    answer = proxying.send(connection, Request("POST", "/", Upload(lambda size: part[:size], size)), by=by)
    given = sum(map(len, answer))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert given == size
    assert peak < 8_000_000
