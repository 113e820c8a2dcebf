"""Slots: the concurrency level over threads and processes, the queue, the spares, and the time between calls."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connections as databases
from django.utils import timezone

from connections.actions import calls, slots
from connections.actions.slots import CallError
from connections.models import Actor, Connection, Slot, Team, Turn
from tests import factories
from tests.processes import database_url
from tests.server import ROOT
from tests.unit.actions import api

HOLDER = """
import os, sys, time, django
django.setup()
from connections.actions import slots
from connections.models import Connection
connection = Connection.objects.get(pk=sys.argv[1])
with slots.hold(connection, seconds=float(sys.argv[2])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def no_spares() -> Iterator[None]:
    slots._spares.clear()
    yield
    slots._spares.clear()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "QUEUE_SECONDS", 0.2)


def lane(team: Team, **fields: Any) -> Connection:
    return factories.connection(team, application="http", auth_type="none", oauth_client=None, **fields)


def in_other_process(connection: Connection, seconds: float = 30) -> subprocess.Popen[str]:
    """A process that holds a slot of the connection, for a minute if nobody ends it."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(connection.pk), str(seconds)],
        cwd=ROOT,
        env=os.environ | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "tests.settings"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def end(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    assert process.stdout is not None
    process.stdout.close()


def test_no_more_than_the_level_hold_a_slot(team: Team, impatient: None) -> None:
    connection = lane(team, concurrency=2)

    with ExitStack() as two:
        two.enter_context(slots.hold(connection, seconds=30))
        two.enter_context(slots.hold(connection, seconds=30))
        with pytest.raises(CallError) as caught, slots.hold(connection, seconds=30):
            pass
    with slots.hold(connection, seconds=30):
        pass

    assert caught.value.code == "rate_limited" and caught.value.retry_after
    assert "2 calls of this connection are running" in str(caught.value)


def test_a_full_queue_is_told_at_once(team: Team) -> None:
    connection = lane(team, concurrency=1)
    later = timezone.now() + timedelta(seconds=30)
    waiting = [
        Slot(connection=connection, is_waiting=True, number=n, holder=str(n), held_until=later) for n in range(4)
    ]
    Slot.objects.bulk_create(waiting)

    started = time.monotonic()
    with (
        slots.hold(lane(team), seconds=30),
        pytest.raises(CallError, match="4 are waiting"),
        slots.hold(connection, seconds=30),
    ):
        pass
    assert time.monotonic() - started < 5


def test_who_borrows_shares_the_lenders_slots(team: Team, impatient: None) -> None:
    lender = lane(team, concurrency=1)
    borrower = lane(team, concurrency=50, borrow_from=lender)

    with slots.hold(lender, seconds=30), pytest.raises(CallError), slots.hold(borrower, seconds=30):
        pass
    with slots.hold(borrower, seconds=30), pytest.raises(CallError), slots.hold(lender, seconds=30):
        pass
    assert set(Slot.objects.values_list("connection_id", flat=True)) == {lender.pk}


def test_a_connection_that_was_never_saved_needs_none(team: Team, django_assert_num_queries: Any) -> None:
    unsaved = Connection(team=team, application="http", concurrency=1)

    with django_assert_num_queries(0), slots.hold(unsaved, seconds=30), slots.hold(unsaved, seconds=30):
        pass


def test_far_from_the_limit_a_slot_is_used_again_for_nothing(team: Team, django_assert_num_queries: Any) -> None:
    connection = lane(team, concurrency=25)
    with slots.hold(connection, seconds=30):
        pass

    with django_assert_num_queries(0):
        for _ in range(20):
            with slots.hold(connection, seconds=30):
                pass


def test_a_spare_that_is_too_old_is_asked_for_again(team: Team) -> None:
    connection = lane(team, concurrency=4)
    with time_machine.travel(timezone.now(), tick=False) as clock:
        with slots.hold(connection, seconds=30):
            pass
        first = Slot.objects.get()
        clock.shift(slots.SPARE + 1)
        with slots.hold(connection, seconds=30):
            second = Slot.objects.latest("held_until")

    assert second.held_until > first.held_until and second.holder != first.holder


def test_near_the_limit_slots_are_given_back_at_once(team: Team, impatient: None) -> None:
    connection = lane(team, concurrency=4)

    with slots.hold(connection, seconds=30), slots.hold(connection, seconds=30):
        pass

    assert Slot.objects.filter(held_until__gt=timezone.now()).count() == 1  # a quarter of four


def test_a_spare_is_not_used_past_a_lowered_level(team: Team) -> None:
    connection = lane(team, concurrency=50)
    held = [slots.hold(connection, seconds=30) for _ in range(12)]
    for one in held:
        one.__enter__()
    for one in held:
        one.__exit__(None, None, None)
    connection.concurrency = 1

    with slots.hold(connection, seconds=30):
        taken = [spare.number for spare in slots._spares[connection.pk]]

    assert 0 not in taken


def test_a_child_process_does_not_inherit_spares(team: Team) -> None:
    connection = lane(team, concurrency=25)
    with slots.hold(connection, seconds=30):
        pass
    read, write = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # newer Pythons warn of threads, which the child does not use
        child = os.fork()
    if child == 0:
        os.write(write, str(len(slots._spares)).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(read, 10) == b"0"
    assert len(slots._spares[connection.pk]) == 1


@pytest.mark.django_db(transaction=True)
def test_a_killed_process_frees_its_slot_when_its_time_is_up(impatient: None) -> None:
    connection = lane(factories.team(), concurrency=1)
    process = in_other_process(connection)
    try:
        with pytest.raises(CallError), slots.hold(connection, seconds=30):
            pass
    finally:
        end(process)

    with pytest.raises(CallError), slots.hold(connection, seconds=30):
        pass
    with (
        time_machine.travel(timezone.now() + timedelta(seconds=30 + slots.SPARE + 1)),
        slots.hold(connection, seconds=30),
    ):
        pass


@pytest.mark.django_db(transaction=True)
def test_processes_and_threads_together_stay_below_the_level() -> None:
    connection = lane(factories.team(), concurrency=3)
    other = in_other_process(connection)  # leaves two
    running, most, lock = [0], [0], threading.Lock()

    def work(_: int) -> None:
        try:
            with slots.hold(Connection.objects.get(pk=connection.pk), seconds=30):
                with lock:
                    running[0] += 1
                    most[0] = max(most[0], running[0])
                time.sleep(0.01)
                with lock:
                    running[0] -= 1
        finally:
            databases.close_all()

    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(work, range(24)))
    finally:
        end(other)

    assert most[0] == 2
    assert running[0] == 0


def test_calls_hold_a_slot_while_they_run(team: Team, by: Actor) -> None:
    with api.running() as server:
        connection = api.connection(team, server, concurrency=1)
        calls.perform(connection, calls.Request("GET", "/"), by=by)

    assert len(server.asked) == 1
    assert Slot.objects.get().connection == connection
    assert Slot.objects.get().held_until <= timezone.now()


def test_a_failing_call_gives_its_slot_back(team: Team, by: Actor) -> None:
    with api.running() as server:
        connection = api.connection(team, server, concurrency=1)
    with pytest.raises(Exception, match="connect"):
        calls.perform(connection, calls.Request("GET", "/"), by=by)

    assert Slot.objects.filter(held_until__gt=timezone.now()).count() == 0


def test_calls_are_as_far_apart_as_told(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = lane(team, rate_wait_ms=1500)
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)

    with time_machine.travel(timezone.now(), tick=False):
        for _ in range(3):
            slots.await_turn(connection)

    assert naps == [0, 1.5, 3]


def test_nobody_waits_long_for_a_turn(team: Team) -> None:
    connection = lane(team, rate_wait_ms=1000)
    Turn.objects.create(connection=connection, next_at=timezone.now() + timedelta(seconds=60))

    with pytest.raises(CallError) as caught:
        slots.await_turn(connection)

    assert caught.value.code == "rate_limited"
    assert 55 < (caught.value.retry_after or 0) <= 60


def test_without_a_wait_time_turns_cost_nothing(team: Team, django_assert_num_queries: Any) -> None:
    connection = lane(team, rate_wait_ms=0)

    with django_assert_num_queries(0):
        slots.await_turn(connection)


@pytest.mark.django_db(transaction=True)
def test_threads_get_different_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = lane(factories.team(), rate_wait_ms=200)
    naps: list[float] = []
    monkeypatch.setattr(slots.time, "sleep", naps.append)

    def turn(_: int) -> None:
        try:
            slots.await_turn(connection)
        finally:
            databases.close_all()

    begin = timezone.now()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(turn, range(8)))

    # The first goes at once; each of the others moved the next turn by 200 ms more.
    assert Turn.objects.get().next_at - begin >= timedelta(milliseconds=8 * 200)
    assert len(naps) == 8
