"""Two web servers and two workers on one PostgreSQL behind one address: whatever begins on one may end on the other."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from django.conf import settings
from django.db import connection as database

from connections.actions import api_keys
from connections.models import Actor, Connection, Event, Grant, Membership
from tests import balancer, factories
from tests.bench.pages import Browser, csrf_token
from tests.conftest import Simulator, signed_in
from tests.processes import database_url
from tests.server import ROOT, Gatehouse
from tests.unit.actions.moves import TOKEN_PATH, expire, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.contract]
# Tokens of the rolling restart live this long, so that many are refreshed meanwhile.
SHORT = 3  # seconds


class Machines:
    """A and B, each with gunicorn and a worker, behind one address."""

    def __init__(self, folder: Path, simulator: Simulator, front: balancer.Balancer) -> None:
        self.front = front
        same = {
            "SECRET_KEY": settings.SECRET_KEY,
            "ENCRYPTION_KEYS": ",".join(settings.ENCRYPTION_KEYS),
            "DATABASE_URL": database_url(),
            "PUBLIC_URL": front.url,
            "MIGRATE_ON_START": "0",
            "DATABASE_POOL": "4",
        }
        static = folder / "static"
        self.machines = [Gatehouse(folder, static=static, simulator_url=simulator.url, **same) for _ in "AB"]
        self.workers: list[subprocess.Popen[bytes]] = []
        for machine in self.machines:
            machine.start()
            self.workers.append(self._worker(machine))
        front.servers = [machine.url.removeprefix("http://") for machine in self.machines]

    def _worker(self, machine: Gatehouse) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "manage.py", "worker"], cwd=ROOT, env=machine.environment)

    def restart(self, number: int) -> None:
        """One machine after the other, as an update does it."""
        machine, worker = self.machines[number], self.workers[number]
        assert machine.process is not None
        for process in (worker, machine.process):
            process.terminate()
            assert process.wait(40) == 0
        machine.start()
        self.workers[number] = self._worker(machine)

    def stop(self) -> None:
        for worker in self.workers:
            worker.terminate()
            worker.wait(40)
        for machine in self.machines:
            machine.stop()


@pytest.fixture
def machines(simulator: Simulator, tmp_path: Path, db: None) -> Iterator[Machines]:
    if database.vendor != "postgresql":
        pytest.skip("more than one machine needs PostgreSQL")
    with balancer.running() as front:
        running = Machines(tmp_path, simulator, front)
        yield running
        running.stop()


@pytest.fixture
def saved(simulator: Simulator, alice: Membership) -> Connection:
    client = factories.oauth_client(alice.team, name="App", secret_hosts=[simulator.host])
    connection = factories.connection(alice.team, simulator.url, oauth_client=client)
    factories.grant(connection, access_token="Atza|old", refresh_token=simulator.refresh_token())
    return connection


@pytest.fixture
def key(alice: Membership) -> str:
    return api_keys.create(by=Actor.member(alice), name="Loader", scopes=["tokens"])[1]


def read_token(machines: Machines, connection: Connection, key: str) -> requests.Response:
    url = f"{machines.front.url}/api/v1/connections/{connection.pk}/token"
    return requests.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=60)


def test_an_authorization_that_began_on_one_ends_on_the_other(
    machines: Machines, simulator: Simulator, saved: Connection, alice: Membership
) -> None:
    session = signed_in(alice).cookies[settings.SESSION_COOKIE_NAME].value
    browser = Browser(machines.front.url, {settings.SESSION_COOKIE_NAME: session})
    for _ in range(4):  # whichever of the two it begins on
        began = f"/connections/{saved.pk}/authorize/"
        page = browser.get(f"/connections/{saved.pk}/").text
        sent = browser.post(began, {"csrfmiddlewaretoken": csrf_token(page)})
        back = simulator.consent(sent.location)
        if machines.front.in_turn()[0] != machines.front.served[-1][0]:
            machines.front.in_turn()  # the next request goes to the other one than this
        done = browser.get(back)
        assert done.status == 302
        (first, path), (second, callback) = machines.front.served[-2:]
        assert (path, callback) == (began, "/oauth/callback/")
        assert first != second
    assert Connection.objects.get().status == "online"
    assert Event.objects.filter(action="grant.authorize").count() == 4
    browser.close()


def test_a_herd_at_both_is_one_call_at_the_provider(
    machines: Machines, simulator: Simulator, saved: Connection, key: str
) -> None:
    simulator.config(rotate_refresh_tokens=True)
    simulator.fault(path=TOKEN_PATH, status=None, delay_ms=800)
    expire(saved)
    before = len(simulator.calls(TOKEN_PATH))
    answers: list[requests.Response] = []
    threads = [threading.Thread(target=lambda: answers.append(read_token(machines, saved, key))) for _ in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["access_token"] for answer in answers}) == 1
    assert len(simulator.calls(TOKEN_PATH)) == before + 1
    assert len({server for server, path in machines.front.served}) == 2


def test_a_rolling_restart_under_load_fails_no_token_read(
    machines: Machines, simulator: Simulator, saved: Connection, key: str
) -> None:
    """With tokens so short-lived that the readers themselves and both workers refresh them all the while."""
    simulator.config(access_token_ttl=SHORT, rotate_refresh_tokens=True)
    expire(saved)
    ended = threading.Event()
    failures: list[object] = []
    good: list[str] = []

    def read() -> None:
        while not ended.is_set():
            answer = read_token(machines, saved, key)
            if answer.status_code == 200:
                good.append(answer.json()["access_token"])
            else:
                failures.append((answer.status_code, answer.text[:300]))

    readers = [threading.Thread(target=read) for _ in range(6)]
    for reader in readers:
        reader.start()
    until(lambda: len(good) > 20, "the readers to begin", seconds=60)
    for number in (0, 1):
        machines.restart(number)
        count = len(good)
        until(lambda count=count: len(good) > count + 20, "reads after the restart", seconds=60)  # type: ignore[misc]
    refreshed = len(set(good))
    until(lambda: len(set(good)) > refreshed, "one more refresh", seconds=60)
    ended.set()
    for reader in readers:
        reader.join()
    assert failures == []
    assert Connection.objects.get().status == "online"
    assert len({server for server, _ in machines.front.served[-40:]}) == 2


def test_a_worker_on_each_refreshes_once(machines: Machines, simulator: Simulator, saved: Connection) -> None:
    simulator.config(rotate_refresh_tokens=True)
    for _ in range(3):
        generation = Grant.objects.get().generation
        before = len(simulator.calls(TOKEN_PATH))
        expire(saved)
        Grant.objects.update(refresh_at=Grant.objects.get().expires_at)
        until(lambda g=generation: Grant.objects.get().generation > g, "a worker to refresh", seconds=30)  # type: ignore[misc]
        assert len(simulator.calls(TOKEN_PATH)) == before + 1
