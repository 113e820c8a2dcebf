"""Clocks are put forward and back. Nothing hangs on a time that can no longer be right, and nothing is lost."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from connections.actions import grants, schedules
from connections.actions.errors import GrantError
from connections.models import Connection, Grant
from tests.unit.actions.moves import TOKEN_PATH, expire, stored

pytestmark = pytest.mark.django_db(transaction=True)


def refreshes(simulator):
    return len(simulator.calls(TOKEN_PATH, "refresh_token"))


def test_a_token_from_the_future_is_not_believed(authorized, simulator, by):
    """It was fetched while the clock was two hours ahead: by the clock of now it would be good for three hours, and it is not."""
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        grants.refresh(authorized, by=by)
    before = refreshes(simulator)
    grants.current(authorized, by=by)
    assert refreshes(simulator) == before + 1
    grants.current(authorized, by=by)
    assert refreshes(simulator) == before + 1, "once is enough"


def test_clocks_of_two_machines_that_differ_by_seconds_cost_nothing(authorized, simulator, by):
    with time_machine.travel(timezone.now() + timedelta(seconds=30)):
        grants.refresh(authorized, by=by)
    before = refreshes(simulator)
    grants.current(authorized, by=by)
    assert refreshes(simulator) == before


def test_a_clock_put_forward_costs_one_refresh(authorized, simulator, by):
    before = refreshes(simulator)
    with time_machine.travel(timezone.now() + timedelta(days=1)):
        grants.current(authorized, by=by)
        grants.current(authorized, by=by)
    assert refreshes(simulator) == before + 1


def test_a_lease_of_the_far_future_is_taken_over(authorized, by):
    """Its holder wrote it while the database's clock was ahead, and died."""
    expire(authorized, lease_owner="killed", lease_expires_at=timezone.now() + timedelta(hours=5))
    assert grants.current(authorized, by=by).access_token.readable
    assert stored(authorized).lease_owner == ""


def test_a_lease_counts_by_the_database_s_clock(authorized, simulator, by, monkeypatch):
    """A machine whose own clock is ten minutes ahead does not break into a refresh that is under way."""
    monkeypatch.setattr(grants, "WAIT", 0.3)
    expire(authorized, lease_owner="another", lease_expires_at=timezone.now() + timedelta(seconds=20))
    before = refreshes(simulator)
    with time_machine.travel(timezone.now() + timedelta(minutes=10)), pytest.raises(GrantError) as error:
        grants.refresh(authorized, by=by)
    assert error.value.failure.error == "busy"
    assert refreshes(simulator) == before


def test_a_wait_of_the_far_future_is_over(authorized, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503)
    expire(authorized)
    with time_machine.travel(timezone.now() + timedelta(days=30)), pytest.raises(GrantError):
        grants.current(authorized, by=by)
    assert grants.current(Connection.objects.get(), by=by).access_token.readable


def test_the_worker_does_not_wait_for_the_far_future(authorized):
    now = timezone.now()
    far = now + timedelta(days=30)
    Grant.objects.update(refresh_at=now, retry_at=far, queued_until=far)
    assert schedules.due(now).exists()
