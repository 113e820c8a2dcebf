"""Rate limits: never more than the limit in a minute over all processes, without a write for each request."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connections.actions import rate_limits
from connections.models import ApiKey, Connection, Membership, Scope, Team
from tests.server import ROOT
from tests.unit.actions.moves import at_once
from tests.unit.api.integrations import elsewhere, integration, problem

NOON = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)
# Spends until it is turned away, or its turns are over; prints the minute of each that was let through.
SPENDER = """
import sys, time, django
django.setup()
from connections.actions import rate_limits
from connections.models import ApiKey
turns = int(sys.argv[1])
if sys.argv[2] != "now":
    import time_machine
    time_machine.travel(float(sys.argv[2])).start()
for _ in range(turns):
    key = ApiKey.objects.get()
    minute = int(time.time() // 60)
    rate = rate_limits.spend(key.pk, limit=key.rate_limit, window_at=key.window_at, window_taken=key.window_taken)
    if rate.is_exceeded:
        break
    print(minute)
"""


def spend(key: ApiKey) -> rate_limits.Rate:
    key.refresh_from_db()
    return rate_limits.spend(key.pk, limit=key.rate_limit, window_at=key.window_at, window_taken=key.window_taken)


def passed(key: ApiKey, turns: int) -> int:
    return sum(not spend(key).is_exceeded for _ in range(turns))


def spending(turns: int, when: str = "now") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SPENDER, str(turns), when]
    return subprocess.Popen(command, cwd=ROOT, env=elsewhere(), stdout=subprocess.PIPE, text=True)


def key_of(team: Team, rate_limit: int) -> ApiKey:
    return integration(team, rate_limit=rate_limit).key


@pytest.mark.parametrize("limit", [1, 2, 7, 60, 600])
def test_exactly_the_limit_goes_through_one_process(team: Team, limit: int) -> None:
    key = key_of(team, limit)
    with time_machine.travel(NOON, tick=False):
        assert passed(key, limit + 20) == limit
    with time_machine.travel(NOON + timedelta(minutes=1), tick=False):
        assert passed(key, limit + 20) == limit


def test_what_is_left_is_told_and_falls(team: Team) -> None:
    key = key_of(team, 50)
    with time_machine.travel(NOON, tick=False):
        rates = [spend(key) for _ in range(52)]
    assert [rate.remaining for rate in rates] == [*range(49, -1, -1), 0, 0]
    assert {rate.reset for rate in rates} == {50}
    assert [rate.is_exceeded for rate in rates] == [False] * 50 + [True] * 2


def test_a_share_is_written_now_and_then(team: Team) -> None:
    key = key_of(team, 300_000)
    with time_machine.travel(NOON, tick=False):
        row = {"limit": key.rate_limit, "window_at": key.window_at, "window_taken": 0}
        with CaptureQueriesContext(database) as captured:
            for _ in range(20_000):
                rate_limits.spend(key.pk, **row)  # type: ignore[arg-type]
    assert len(captured) < 10


def test_an_idle_process_holds_back_less_than_it_used(team: Team) -> None:
    """Each of these is as another process is: it remembers nothing of the others."""
    key = key_of(team, 500)
    with time_machine.travel(NOON, tick=False):
        used = 0
        for _ in range(5):
            rate_limits.forget()
            used += passed(key, 20)
        rate_limits.forget()
        used += passed(key, 600)
    assert 500 - 5 * 20 <= used <= 500


def test_another_machine_with_a_clock_ahead_is_counted_with(team: Team) -> None:
    key = key_of(team, 100)
    with time_machine.travel(NOON, tick=False):
        assert passed(key, 30) == 30
    rate_limits.forget()
    with time_machine.travel(NOON + timedelta(seconds=55), tick=False):  # in the next minute already
        assert passed(key, 60) == 60
    rate_limits.forget()
    with time_machine.travel(NOON + timedelta(seconds=45), tick=False):
        assert passed(key, 200) <= 40


def test_a_clock_that_was_far_ahead_shuts_nobody_out(team: Team) -> None:
    key = key_of(team, 10)
    with time_machine.travel(NOON + timedelta(days=3), tick=False):
        assert passed(key, 20) == 10
    for _ in range(2):
        with time_machine.travel(NOON, tick=False):
            assert passed(key, 20) == 10
        rate_limits.forget()
        ApiKey.objects.update(window_at=NOON + timedelta(days=3))


def test_a_limit_that_is_lowered_counts_at_once(team: Team) -> None:
    key = key_of(team, 10_000)
    with time_machine.travel(NOON, tick=False):
        assert passed(key, 50) == 50
        ApiKey.objects.update(rate_limit=55)
        assert passed(key, 50) <= 5
        ApiKey.objects.update(rate_limit=10_000)
        assert passed(key, 50) == 50


def test_a_key_that_is_gone_gets_nothing(team: Team) -> None:
    key = key_of(team, 100)
    rate = {"limit": 100, "window_at": key.window_at, "window_taken": 0}
    ApiKey.objects.all().delete()
    assert rate_limits.spend(key.pk, **rate).is_exceeded  # type: ignore[arg-type]


@pytest.mark.django_db(transaction=True)
def test_threads_let_exactly_the_limit_through(team: Team) -> None:
    key = key_of(team, 200)

    def run() -> int:
        mine = ApiKey.objects.get(pk=key.pk)
        return passed(mine, 100)

    with time_machine.travel(NOON, tick=False):
        assert sum(at_once(4, run)) == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("limit", "turns"), [(40, 100), (1200, 600)])
def test_several_processes_let_no_more_through_than_the_limit(team: Team, limit: int, turns: int) -> None:
    """The minute may end meanwhile; then each of the two has its own."""
    key_of(team, limit)
    processes = [spending(turns) for _ in range(4)]
    minutes: Counter[str] = Counter()
    for process in processes:
        minutes.update(process.communicate(timeout=120)[0].split())
        assert process.returncode == 0
    assert minutes
    assert max(minutes.values()) <= limit
    # All of them tried for more than there was: little of the minute is left in the hands of one that had enough.
    assert sum(minutes.values()) >= limit * 0.9


@pytest.mark.django_db(transaction=True)
def test_processes_whose_clocks_differ_let_no_more_through(team: Team) -> None:
    key_of(team, 100)
    processes = [spending(200, str(NOON.timestamp() + seconds)) for seconds in (0, 0.5, 1, 2)]
    assert sum(len(process.communicate(timeout=60)[0].split()) for process in processes) == 100


class TestThroughTheApi:
    def test_every_answer_tells_the_limit(self, team: Team, good: Connection) -> None:
        who = integration(team, Scope.TOKENS, rate_limit=10)
        answers = [
            who.get(f"/connections/{good.pk}/token"),
            who.get("/connections"),
            who.get(f"/connections/{team.pk}/token"),
        ]
        assert [answer.status_code for answer in answers] == [200, 403, 404]
        assert [answer.headers["RateLimit-Remaining"] for answer in answers] == ["9", "8", "7"]
        for answer in answers:
            assert answer.headers["RateLimit-Limit"] == "10"
            assert answer.headers["RateLimit-Policy"] == "10;w=60"
            assert 1 <= int(answer.headers["RateLimit-Reset"]) <= 60

    def test_whoever_asks_too_often_is_told_when_to_come_back(self, team: Team, good: Connection) -> None:
        who, other = integration(team, rate_limit=5), integration(team)
        path = f"/connections/{good.pk}/token"
        with time_machine.travel(NOON, tick=False):
            good.grant.expires_at = NOON + timedelta(hours=1)
            good.grant.save()
            statuses = [who.get(path).status_code for _ in range(8)]
            assert statuses == [200] * 5 + [429] * 3
            answer = who.get(path)
            told = problem(answer, 429, "rate_limited")
            assert (answer.headers["Retry-After"], answer.headers["RateLimit-Remaining"]) == ("50", "0")
            assert "5 requests a minute" in told["detail"]
            assert other.get(path).status_code == 200
        with time_machine.travel(NOON + timedelta(seconds=50), tick=False):
            assert who.get(path).status_code == 200

    def test_who_is_not_let_in_spends_nothing(self, team: Team, alice: Membership) -> None:
        who = integration(team, rate_limit=5)
        for _ in range(10):
            problem(who.get("/connections", Authorization=f"Bearer {who.text}x"), 401, "unauthorized")
        assert who.get("/connections").headers["RateLimit-Remaining"] == "4"
