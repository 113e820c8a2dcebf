"""The refresh engine under real processes: a herd is one call at the provider, and whoever is killed leaves nothing broken."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from connections.models import Connection, Event, Grant
from tests.processes import Callers
from tests.unit.actions.moves import TOKEN_PATH, expire, stored, until

pytestmark = pytest.mark.django_db(transaction=True)
LEASE = 2  # seconds, so that a dead process need not be waited for half a minute


def refreshes(simulator):
    return len(simulator.calls(TOKEN_PATH, "refresh_token"))


@pytest.fixture
def callers(simulator):
    """Starts processes of callers, all ready when it returns."""
    started: list[Callers] = []

    def start(connection, processes, count, **how) -> list[Callers]:
        more = [Callers(connection, simulator, count=count, **how) for _ in range(processes)]
        started.extend(more)
        for each in more:
            each.says("ready")
        return more

    yield start
    for each in started:
        each.close()


@contextlib.contextmanager
def calls_counted(simulator) -> Iterator[list[int]]:
    """The number of refreshes meanwhile, in the list afterwards."""
    before, found = refreshes(simulator), [0]
    yield found
    found[0] = refreshes(simulator) - before


def all_outcomes(processes):
    for each in processes:
        each.go()
    return [outcome for each in processes for outcome in each.outcomes()]


@pytest.mark.parametrize("rotates", [False, True])
def test_two_hundred_callers_in_eight_processes_cost_one_call(authorized, simulator, callers, rotates):
    simulator.config(rotate_refresh_tokens=rotates)
    simulator.fault(path=TOKEN_PATH, status=None, delay_ms=500)
    herd = callers(authorized, 8, 25)
    expire(authorized)
    with calls_counted(simulator) as calls:
        outcomes = all_outcomes(herd)
    assert calls == [1]
    assert len(outcomes) == 200
    assert len(set(outcomes)) == 1
    assert len(outcomes[0]) == 64, outcomes[0]
    assert Event.objects.filter(action="grant.refresh").count() == 1
    assert stored(authorized).lease_owner == ""


def test_an_answer_that_comes_after_the_lease_would_have_ended_is_waited_for(authorized, simulator, callers):
    """Its holder lives, and extends it."""
    simulator.config(rotate_refresh_tokens=True)
    simulator.fault(path=TOKEN_PATH, status=None, delay_ms=3 * LEASE * 1000)
    herd = callers(authorized, 3, 4, lease=LEASE)
    expire(authorized)
    with calls_counted(simulator) as calls:
        outcomes = all_outcomes(herd)
    assert calls == [1]
    assert len(set(outcomes)) == 1
    assert len(outcomes[0]) == 64, outcomes[0]


@pytest.mark.parametrize(("when", "calls_in_all"), [("before", 1), ("during", 2), ("after", 2)])
def test_a_process_that_is_killed_during_a_refresh_leaves_a_grant_that_works(
    authorized, simulator, callers, when, calls_in_all
):
    """Before it has asked, while it waits for the answer, and with the answer in its hands."""
    (doomed,) = callers(authorized, 1, 3, stop_at=when, lease=LEASE)
    heirs = callers(authorized, 2, 5, lease=LEASE)
    expire(authorized)
    with calls_counted(simulator) as calls:
        if when == "during":
            simulator.fault(path=TOKEN_PATH, status=None, delay_ms=20_000)
            before = refreshes(simulator)
            doomed.go()
            until(lambda: refreshes(simulator) > before, "the provider to be asked")
        else:
            doomed.go()
            doomed.says("stopped")
        assert stored(authorized).lease_owner
        doomed.kill()
        outcomes = all_outcomes(heirs)
    assert calls == [calls_in_all]
    assert len(set(outcomes)) == 1
    assert len(outcomes[0]) == 64, outcomes[0]
    assert Connection.objects.get().status == "online"
    assert (stored(authorized).lease_owner, Grant.objects.count()) == ("", 1)


def test_a_rotated_token_that_died_with_its_process_is_told_as_what_it_is(authorized, simulator, callers):
    """The provider has replaced the refresh token, and the only copy of the new one was in the process that was killed. No
    product can bring it back; what it can do is say so at once, once, and keep the connection ready to be authorized again.
    """
    simulator.config(rotate_refresh_tokens=True)
    (doomed,) = callers(authorized, 1, 1, stop_at="after", lease=LEASE)
    heirs = callers(authorized, 2, 5, lease=LEASE)
    expire(authorized)
    doomed.go()
    doomed.says("stopped")
    doomed.kill()
    with calls_counted(simulator) as calls:
        outcomes = all_outcomes(heirs)
    assert set(outcomes) == {"reauthorization_required"}
    assert calls == [1]
    connection = Connection.objects.get()
    assert (connection.status, connection.failure["error"]) == ("offline", "invalid_grant")
