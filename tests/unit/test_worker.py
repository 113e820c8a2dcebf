"""Workers as processes: several share the work, and killing one loses nothing."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta

import pytest
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from connections.models import Connection, Grant
from tests import factories
from tests.processes import ROOT, environment
from tests.unit.actions.moves import TOKEN_PATH, until

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 60


@pytest.fixture
def worker(simulator):
    """Starts workers; each ends with the test."""
    started = []

    def start():
        process = subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=ROOT, env=environment(simulator))
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(10)


@pytest.fixture
def due(simulator, team):
    """Many connections whose tokens have ended."""
    client = factories.oauth_client(team, secret_hosts=[simulator.host])
    token, now = simulator.refresh_token(), timezone.now()
    for _ in range(MANY):
        connection = factories.connection(team, simulator.url, oauth_client=client, status="online")
        factories.grant(connection, access_token="Atza|old", refresh_token=token, expires_at=now, refresh_at=now)


def refreshes(simulator):
    return len(simulator.calls(TOKEN_PATH, "refresh_token"))


def done():
    return Grant.objects.filter(generation=2).count()


def test_two_workers_share_the_work(due, worker, simulator):
    worker(), worker()
    until(lambda: done() == MANY, "all to be refreshed", seconds=60)
    assert refreshes(simulator) == MANY
    assert set(Connection.objects.values_list("status", flat=True)) == {"online"}


def test_what_a_killed_worker_had_taken_is_done_by_another(due, worker, simulator):
    simulator.fault(path=TOKEN_PATH, status=None, times=MANY, delay_ms=1000)
    doomed = worker()
    until(lambda: refreshes(simulator) > 0, "the first refresh", seconds=60)
    doomed.kill()
    doomed.wait(10)
    assert Grant.objects.filter(queued_until__gt=timezone.now()).count() > 0
    simulator.post("/_control/faults/clear")
    passed = timezone.now() - timedelta(seconds=1)  # as if two minutes had gone by
    Grant.objects.filter(generation=1).update(queued_until=passed, lease_expires_at=passed)
    worker()
    until(lambda: done() == MANY, "all to be refreshed", seconds=60)
    assert set(Connection.objects.values_list("status", flat=True)) == {"online"}


def test_a_worker_that_is_told_to_end_finishes_what_it_began_and_leaves_the_rest(due, worker, simulator):
    simulator.fault(path=TOKEN_PATH, status=None, times=MANY, delay_ms=1000)
    ending = worker()
    until(lambda: refreshes(simulator) > 0, "the first refresh", seconds=60)
    ending.send_signal(signal.SIGTERM)
    assert ending.wait(30) == 0
    begun = refreshes(simulator)
    assert done() == begun < MANY
    assert not Grant.objects.filter(generation=1, queued_until__isnull=False).exists(), "the rest is due at once"
    assert not Grant.objects.exclude(lease_owner="").exists()
    assert not DBTaskResult.objects.running().exists()
