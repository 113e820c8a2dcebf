"""The proxy through a real gunicorn: both bodies bit by bit, flat memory, and what happens when anybody breaks off."""

from __future__ import annotations

import hashlib
import http.client
import json
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from django.utils import timezone

from connections.actions import recordings
from connections.models import Actor, Recording, Slot, Team
from tests.unit.actions import api
from tests.unit.actions.moves import at_once, until
from tests.unit.api.served import Caller, Impatient, Served, Told, plainly
from tests.unit.oauth.loopback import Server

pytestmark = pytest.mark.django_db(transaction=True)
SENTINEL = "s3ntinel-of-the-served-proxy"
MB = 1024 * 1024


@pytest.fixture
def caller(served: Served, server: Server, team: Team, by: Actor) -> Caller:
    return Caller(served, api.authorized(team, server, token=SENTINEL, concurrency=2), by)


def taken() -> int:
    return Slot.objects.filter(is_waiting=False, held_until__gt=timezone.now()).count()


# Bit by bit


def test_each_event_arrives_before_the_next_one_is_written(caller: Caller, server: Server) -> None:
    arrived = threading.Semaphore(0)

    def respond(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for n in range(3):
            assert arrived.acquire(timeout=10)
            event = f"data: {n}\n\n".encode()
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
        assert arrived.acquire(timeout=10)
        handler.wfile.write(b"0\r\n\r\n")

    server.respond = respond
    shown = {"Authorization": f"Bearer {caller.key}"}
    with requests.get(caller.served.url + caller.address + "/events", headers=shown, stream=True, timeout=20) as answer:
        # The head is here, and no event has been written yet.
        assert answer.headers["X-Accel-Buffering"] == "no"
        arrived.release()
        events = []
        for event in answer.iter_lines(chunk_size=None):
            if event:
                events.append(event)
                arrived.release()

    assert events == [b"data: 0", b"data: 1", b"data: 2"]


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_part_of_an_upload_arrives_before_the_next_one_is_written(
    caller: Caller, server: Server, framing: str
) -> None:
    part = b"x" * 65536
    count = 32  # more than is kept for a repeat
    arrived = threading.Semaphore(0)

    def respond(handler: Any) -> None:
        size = 0
        for piece in handler.parts():
            size += len(piece)
            arrived.release()
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(str(size)), str(size).encode()))

    server.reads, server.respond = False, respond
    told = f"Content-Length: {len(part) * count}" if framing == "length" else "Transfer-Encoding: chunked"
    wire = plainly(caller.served, caller.head("POST", told))
    for _ in range(count):
        wire.sendall(part if framing == "length" else b"%x\r\n%b\r\n" % (len(part), part))
        assert arrived.acquire(timeout=10)
    wire.sendall(b"" if framing == "length" else b"0\r\n\r\n")
    answer = http.client.HTTPResponse(wire)
    answer.begin()

    assert answer.read() == str(len(part) * count).encode()
    answer.close()
    wire.close()


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_200_mb_pass_both_ways_and_are_held_nowhere(caller: Caller, server: Server, framing: str) -> None:
    size, part = 200 * MB, bytes(range(256)) * 256
    taken_in = hashlib.sha256()

    def respond(handler: Any) -> None:
        for piece in handler.parts():
            taken_in.update(piece)
        length = f"Content-Length: {size}" if framing == "length" else "Transfer-Encoding: chunked"
        handler.wfile.write(f"HTTP/1.1 200 OK\r\n{length}\r\n\r\n".encode())
        for _ in range(size // len(part)):
            handler.wfile.write(part if framing == "length" else b"%x\r\n%b\r\n" % (len(part), part))
        handler.wfile.write(b"" if framing == "length" else b"0\r\n\r\n")

    server.reads = False
    server.respond = lambda handler: handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    for _ in range(3):
        caller.ask()  # everything is loaded
    server.respond = respond
    before = caller.served.peak
    wire = plainly(
        caller.served,
        caller.head("POST", f"Content-Length: {size}" if framing == "length" else "Transfer-Encoding: chunked"),
    )
    for _ in range(size // len(part)):
        wire.sendall(part if framing == "length" else b"%x\r\n%b\r\n" % (len(part), part))
    wire.sendall(b"" if framing == "length" else b"0\r\n\r\n")
    answer = http.client.HTTPResponse(wire)
    answer.begin()
    given = hashlib.sha256()
    while piece := answer.read(MB):
        given.update(piece)
    answer.close()
    wire.close()
    grown = caller.served.peak - before

    whole = hashlib.sha256()
    for _ in range(size // len(part)):
        whole.update(part)
    assert given.digest() == taken_in.digest() == whole.digest()
    print(f"memory grew by {grown / MB:.1f} MB")  # noqa: T201
    assert grown < 16 * MB


# Who breaks off


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"Content-Length: 10", b"short"),
        (b"Transfer-Encoding: chunked", b"5\r\nshort\r\n"),
        (b"Content-Length: 10", b""),
        (b"Transfer-Encoding: chunked", b""),
    ],
)
def test_a_provider_that_breaks_off_is_noticed(caller: Caller, server: Server, head: bytes, body: bytes) -> None:
    def respond(handler: Any) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body)

    server.respond = respond

    with pytest.raises(http.client.IncompleteRead):
        caller.ask()
    until(lambda: taken() == 0, "the slot")
    assert "Traceback" not in caller.served.printed()
    assert f"through connection {caller.connection.pk} broke off: broken" in caller.served.printed()


@pytest.mark.parametrize("when", ["before the answer", "between two events", "in the middle of a flood"])
def test_a_caller_that_hangs_up_lets_go_of_provider_and_slot(caller: Caller, server: Server, when: str) -> None:
    asked, hung_up = threading.Event(), threading.Event()

    def respond(handler: Any) -> None:
        with suppress(OSError):
            if when != "before the answer":
                handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000000000\r\n\r\nfirst")
                handler.wfile.flush()
            asked.set()
            while when == "in the middle of a flood":
                handler.wfile.write(b"x" * 65536)
            assert handler.connection.recv(1) == b""
        hung_up.set()

    server.respond = respond
    wire = plainly(caller.served, caller.head("GET"))
    assert asked.wait(10)
    if when != "before the answer":
        assert wire.recv(12) == b"HTTP/1.1 200"
    during = taken()
    wire.close()

    assert hung_up.wait(10)
    until(lambda: taken() == 0, "the slot")
    assert during == 1


def test_a_caller_that_breaks_off_its_upload_is_no_whole_request(caller: Caller, server: Server) -> None:
    began, ended = threading.Event(), threading.Event()
    whole: list[bytes] = []

    def respond(handler: Any) -> None:
        try:
            for part in handler.parts():
                began.set()
                whole[:] = [part]
        except (ValueError, ConnectionError):
            whole.clear()
        ended.set()

    server.reads, server.respond = False, respond
    wire = plainly(caller.served, caller.head("POST", f"Content-Length: {9 * MB}"), b"x" * (2 * MB))
    assert began.wait(10)
    wire.close()

    assert ended.wait(10)
    until(lambda: taken() == 0, "the slot")
    assert whole == []


@pytest.mark.parametrize("who", ["does not send", "does not take"])
def test_a_caller_that_stands_still_holds_nothing_for_ever(
    tmp_path: Path, server: Server, team: Team, by: Actor, who: str
) -> None:
    running = Impatient(tmp_path)
    running.start()
    try:
        caller = Caller(running, api.connection(team, server, concurrency=1), by)
        began = threading.Event()

        def respond(handler: Any) -> None:
            with suppress(OSError, ValueError):
                began.set()
                for _ in handler.parts():
                    pass
                handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                while True:
                    handler.wfile.write(b"x" * 65536)

        server.reads, server.respond = False, respond
        length = 9 * MB if who == "does not send" else 2 * MB
        wire = plainly(running, caller.head("POST", f"Content-Length: {length}"), b"x" * (2 * MB))
        assert began.wait(10)
        until(lambda: taken() == 0, "the slot")
        wire.close()
    finally:
        running.stop()


# Many at once


def test_the_concurrency_level_is_never_exceeded_at_the_provider(caller: Caller, server: Server) -> None:
    running, most, lock = [0], [0], threading.Lock()

    def respond(handler: Any) -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        handler.wfile.flush()
        threading.Event().wait(0.05)
        with lock:
            running[0] -= 1
        handler.wfile.write(b"more")

    server.respond = respond

    told: list[Told] = at_once(20, caller.ask)

    statuses = [each.status for each in told]
    assert (
        set(statuses) <= {200, 429} and statuses.count(200) >= 10
    )  # two run, eight wait; who finds the queue full is told
    assert all(each.body == b"halfmore" for each in told if each.status == 200)
    assert all(each.headers["Gatehouse-Error"] == "rate_limited" for each in told if each.status == 429)
    assert all(int(each.headers["Retry-After"]) >= 1 for each in told if each.status == 429)
    assert most[0] == 2


# Secrets


def test_no_secret_is_recorded_or_logged(caller: Caller, server: Server, by: Actor) -> None:
    recordings.start(caller.connection, minutes=15, by=by)
    server.answer(200, f'{{"you_sent": "{SENTINEL}"}}', x_echo=SENTINEL)

    told = caller.ask("POST", f"/x?q={SENTINEL}", body=[b"sent s3ntinel-of-the", b"-served-proxy"])
    with api.running() as closed:
        type(caller.connection).objects.update(base_uri=closed.url)
    failed = caller.ask(path=f"/{SENTINEL}")

    assert SENTINEL in told.body.decode()  # the caller gets it as it came
    assert failed.status == 503 and SENTINEL not in failed.body.decode()
    rows = list(Recording.objects.values())
    assert len(rows) == 2
    assert "s3ntinel" not in json.dumps(rows, default=str)
    for secret in (SENTINEL, caller.key):
        assert secret not in caller.served.printed()
        assert secret.encode() not in str(rows).encode()
