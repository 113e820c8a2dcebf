"""Counting: nothing is lost, nothing is counted twice, nobody waits for it, and each minute is told once."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import DatabaseError, transaction
from django.db import connection as database
from django.db import connections as databases

from connections.actions import connections, usage
from connections.models import Actor, ApiKey, Connection, Event, Grant, Membership, Tally, Team, Usage
from tests.server import ROOT
from tests.unit.actions.moves import Thread, at_once, until
from tests.unit.api.integrations import Integration, authorized, elsewhere, events, integration

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
COUNTER = """
import sys, django
django.setup()
from connections.actions import usage
from connections.models import Actor, ApiKey
from uuid import UUID
key = ApiKey.objects.select_related("team").get()
for _ in range(int(sys.argv[2])):
    usage.count("token", key_id=key.pk, connection_id=UUID(sys.argv[1]), who=lambda: Actor.key(key, address="192.0.2.9"))
    usage.add("refreshes", "amazon", 0.5)
    if _ % 10 == 0:
        usage.flush()
while not usage.flush():  # another process holds the row
    pass
"""


def count(
    who: Integration, connection: Connection, times: int = 1, *, kind: str = "token", at: datetime = NOON
) -> None:
    by = Actor.key(who.key, address="192.0.2.7", user_agent="tests")
    with time_machine.travel(at, tick=False):
        for _ in range(times):
            usage.count(kind, key_id=who.key.pk, connection_id=connection.pk, who=lambda: by)


def counted() -> list[tuple[str, int, int]]:
    return [(row.kind, row.minute.minute, row.count) for row in Usage.objects.order_by("kind", "minute")]


def test_what_is_written_adds_up(nightly: Integration, good: Connection) -> None:
    for times in (1, 2, 4):
        count(nightly, good, times)
        usage.flush()
    count(nightly, good, 5, kind="proxy")
    count(nightly, good, 3, at=NOON + timedelta(minutes=1))
    usage.flush()
    assert counted() == [("proxy", 0, 5), ("token", 0, 7), ("token", 1, 3)]
    row = Usage.objects.get(kind="proxy")
    assert (row.address, row.user_agent, row.team_id, row.told_at) == ("192.0.2.7", "tests", good.team_id, None)
    assert row.minute == NOON


def test_with_nothing_counted_nothing_is_written(nightly: Integration, good: Connection) -> None:
    count(nightly, good)
    assert usage.flush()
    assert usage.flush()
    assert counted() == [("token", 0, 1)]


def test_tallies_add_up(db: None) -> None:
    for value in (1, 2.5):
        usage.add("refresh_seconds", "amazon", value)
        usage.add("refreshes")
        usage.flush()
    assert {(row.name, row.label, row.value) for row in Tally.objects.all()} == {
        ("refresh_seconds", "amazon", 3.5), ("refreshes", "", 2.0),
    }  # fmt: skip


def test_last_use_never_goes_backwards(nightly: Integration, good: Connection) -> None:
    for minutes in (5, 0, 3):
        count(nightly, good, at=NOON + timedelta(minutes=minutes))
        with time_machine.travel(NOON + timedelta(minutes=minutes), tick=False):
            usage.used(nightly.key.pk)
        usage.flush()
    latest = NOON + timedelta(minutes=5)
    assert Connection.objects.get().last_used_at == ApiKey.objects.get().last_used_at == latest


@pytest.mark.django_db(transaction=True)
def test_many_processes_add_up(nightly: Integration, good: Connection) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", COUNTER, str(good.pk), "100"], cwd=ROOT, env=elsewhere())
        for _ in range(4)
    ]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert sum(row.count for row in Usage.objects.all()) == 400
    assert Tally.objects.get().value == 200


@pytest.mark.django_db(transaction=True)
def test_threads_lose_nothing_while_another_writes(nightly: Integration, good: Connection) -> None:
    done = threading.Event()
    writer = Thread(lambda: [usage.flush() for _ in iter(done.is_set, True)])
    by = Actor.key(nightly.key)

    def read() -> None:
        for _ in range(200):
            usage.count("token", key_id=nightly.key.pk, connection_id=good.pk, who=lambda: by)

    at_once(4, read)
    done.set()
    assert not isinstance(writer.result(), Exception), writer.result()
    usage.flush()
    assert sum(row.count for row in Usage.objects.all()) == 800


class Away:
    """A database that cannot be written to: its tables are not there."""

    def __enter__(self) -> None:
        self.rename("connections_usage", "usage_away")

    def __exit__(self, *error: object) -> None:
        self.rename("usage_away", "connections_usage")

    def rename(self, old: str, new: str) -> None:
        with database.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")


@pytest.mark.django_db(transaction=True)
def test_what_cannot_be_written_stays_counted(
    nightly: Integration, good: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    count(nightly, good, 3)
    usage.add("refreshes")
    with Away():
        with pytest.raises(DatabaseError):
            usage.flush()
        assert usage.write() is None
        count(nightly, good, 2)
        assert nightly.get(f"/connections/{good.pk}/token").status_code == 200
    assert "usage cannot be written now" in caplog.text
    usage.flush()
    assert sum(row.count for row in Usage.objects.all()) == 6
    assert Tally.objects.get().value == 1


def test_what_is_gone_since_breaks_nothing(nightly: Integration, good: Connection, team: Team) -> None:
    """The connection is told of at once, so that a read is not hidden by deleting what was read."""
    kept = authorized(team)
    count(nightly, good, 2)
    count(nightly, kept, 3)
    id = str(good.pk)
    Connection.objects.filter(pk=good.pk).delete()
    assert usage.flush()
    assert counted() == [("token", 0, 3)]
    (event,) = events("token.read")
    assert (event.actor, event.address, event.object_id) == ("API key Nightly import", "192.0.2.7", "")
    assert event.detail == {"count": 2, "minute": NOON.isoformat(), "connection": id}


def test_a_team_that_is_gone_breaks_nothing(nightly: Integration, good: Connection, charlie: Membership) -> None:
    theirs = authorized(charlie.team)
    count(nightly, good)
    count(integration(charlie.team), theirs, 2)
    usage.used(nightly.key.pk)
    Grant.objects.all().delete()
    Connection.objects.filter(team=good.team).delete()
    ApiKey.objects.filter(team=good.team).delete()
    database.cursor().execute("DELETE FROM connections_event")
    Team.objects.filter(pk=good.team_id).delete()
    usage.flush()
    assert counted() == [("token", 0, 2)]


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_is_being_saved_is_not_waited_for(nightly: Integration, good: Connection, team: Team) -> None:
    if database.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    other = authorized(team)
    count(nightly, good, 2)
    count(nightly, other)
    held, done = threading.Event(), threading.Event()

    def save() -> None:
        with transaction.atomic():
            Connection.objects.select_for_update().get(pk=good.pk)
            held.set()
            done.wait(10)

    saving = Thread(save)
    held.wait(10)
    assert usage.flush() is False
    assert {row.connection_id for row in Usage.objects.all()} == {other.pk}
    done.set()
    saving.result()
    assert usage.flush() is True
    assert sum(row.count for row in Usage.objects.all()) == 3


class TestTelling:
    def test_a_minute_that_is_over_becomes_one_event(self, nightly: Integration, good: Connection) -> None:
        count(nightly, good, 3)
        count(nightly, good, 2, kind="proxy")
        usage.flush()
        assert usage.tell(NOON + timedelta(seconds=79)) == 0
        assert usage.tell(NOON + timedelta(seconds=80)) == 2
        assert usage.tell(NOON + timedelta(days=1)) == 0
        told = [
            (event.action, event.actor, event.object_id, event.address, event.detail)
            for event in events("token.read", "proxy.call")
        ]
        who = ("API key Nightly import", str(good.pk), "192.0.2.7")
        assert sorted(told, key=str) == [
            ("proxy.call", *who, {"count": 2, "minute": NOON.isoformat()}),
            ("token.read", *who, {"count": 3, "minute": NOON.isoformat()}),
        ]
        assert {event.object_name for event in events("token.read")} == {"Purchase orders"}
        assert {row.told_at for row in Usage.objects.all()} == {NOON + timedelta(seconds=80)}

    def test_each_team_has_its_own(self, nightly: Integration, good: Connection, charlie: Membership) -> None:
        theirs = authorized(charlie.team)
        count(nightly, good, 3)
        count(integration(charlie.team), theirs, 4)
        usage.flush()
        assert usage.tell(NOON + timedelta(hours=1)) == 2
        assert {(event.team_id, event.detail["count"]) for event in events("token.read")} == {
            (good.team_id, 3), (charlie.team_id, 4),
        }  # fmt: skip

    def test_what_comes_after_its_minute_was_told_is_told_later(self, nightly: Integration, good: Connection) -> None:
        """A process could not reach the database for a while."""
        count(nightly, good, 3)
        usage.flush()
        usage.tell(NOON + timedelta(minutes=2))
        count(nightly, good, 5)
        with time_machine.travel(NOON + timedelta(minutes=7), tick=False):
            usage.flush()
            usage.flush()
        assert counted() == [("token", 0, 3), ("token", 7, 5)]
        usage.tell(NOON + timedelta(minutes=9))
        assert [event.detail["count"] for event in events("token.read")] == [3, 5]

    def test_many_minutes_are_told(
        self, nightly: Integration, good: Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(usage, "BATCH", 4)
        for minute in range(11):
            count(nightly, good, at=NOON + timedelta(minutes=minute))
        usage.flush()
        assert usage.tell(NOON + timedelta(hours=1)) == 11
        assert len(events("token.read")) == 11

    @pytest.mark.django_db(transaction=True)
    def test_two_workers_tell_each_minute_once(
        self, nightly: Integration, good: Connection, charlie: Membership
    ) -> None:
        who = integration(charlie.team)
        theirs = authorized(charlie.team)
        for minute in range(20):
            count(nightly, good, at=NOON + timedelta(minutes=minute))
            count(who, theirs, at=NOON + timedelta(minutes=minute))
        usage.flush()
        told = at_once(4, lambda: usage.tell(NOON + timedelta(hours=1)))
        assert sum(told) == 40, told
        assert len(events("token.read")) == 40
        for team in (good.team, charlie.team):
            minutes = [event.detail["minute"] for event in events("token.read") if event.team_id == team.pk]
            assert len(set(minutes)) == 20

    def test_before_a_connection_is_deleted_its_reads_are_told(
        self, nightly: Integration, good: Connection, by: Actor
    ) -> None:
        count(nightly, good, 3)
        usage.flush()
        connections.delete(good, by=by)
        assert [event.action for event in Event.objects.order_by("number")][-2:] == ["token.read", "connection.delete"]
        assert events("token.read")[0].detail["count"] == 3

    @pytest.mark.django_db(transaction=True)
    def test_counting_and_telling_and_deleting_at_once_end_well(
        self, nightly: Integration, good: Connection, team: Team, by: Actor
    ) -> None:
        lost = [authorized(team) for _ in range(6)]
        for connection in lost:
            count(nightly, connection, 2)
        usage.flush()
        for connection in lost:
            count(nightly, connection, 3)

        def delete() -> None:
            for connection in lost:
                connections.delete(connection, by=by)

        steps: list[Callable[[], Any]] = [usage.flush, delete, lambda: usage.tell(NOON + timedelta(hours=1))]
        outcomes = [thread.result() for thread in [Thread(step) for step in steps]]
        assert not [outcome for outcome in outcomes if isinstance(outcome, Exception)], outcomes
        usage.flush()
        assert not Usage.objects.exists()
        assert sum(event.detail["count"] for event in events("token.read")) == 5 * 6


@pytest.mark.django_db(transaction=True)
class TestTheThread:
    def test_it_writes_by_itself(self, nightly: Integration, good: Connection, settings: Any) -> None:
        script = COUNTER.partition("    if _")[0] + "\nimport time; time.sleep(30)"
        process = subprocess.Popen(
            [sys.executable, "-c", script, str(good.pk), "30"],
            cwd=ROOT,
            env=elsewhere() | {"USAGE_FLUSH_SECONDS": "0.2"},
        )
        try:
            until(lambda: sum(row.count for row in Usage.objects.all()) == 30, "the thread to write")
        finally:
            process.kill()
            process.wait()

    def test_what_is_left_is_written_at_the_end(self, nightly: Integration, good: Connection) -> None:
        command = [sys.executable, "-c", COUNTER.partition("    if _")[0], str(good.pk), "30"]
        environment = elsewhere() | {"USAGE_FLUSH_SECONDS": "60"}
        processes = [subprocess.Popen(command, cwd=ROOT, env=environment) for _ in range(3)]
        assert [process.wait(60) for process in processes] == [0, 0, 0]
        assert sum(row.count for row in Usage.objects.all()) == 90

    def test_a_fork_does_not_write_what_its_parent_counted(self, nightly: Integration, good: Connection) -> None:
        count(nightly, good, 3)
        databases.close_all()
        if not (child := os.fork()):
            try:
                count(nightly, good, 1)
                usage.flush()
                databases.close_all()
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert counted() == [("token", 0, 1)]
        usage.flush()
        assert counted() == [("token", 0, 4)]
