"""Fixtures that every kind of test shares."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from django.test import Client

from connections import outbound
from connections.models import Actor, Membership, Role, Team
from tests import factories

ROOT = Path(__file__).resolve().parent.parent


class Simulator:
    """The Amazon simulator as a process of its own, driven through its control routes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.host = url.removeprefix("http://")

    def post(self, path: str, /, **body: Any) -> Any:
        answer = requests.post(self.url + path, json=body, timeout=10)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def reset(self) -> None:
        self.post("/_control/reset")

    def fault(self, **fault: Any) -> None:
        self.post("/_control/faults", **fault)

    def config(self, **values: Any) -> None:
        self.post("/_control/config", **values)

    def calls(self, path: str = "", grant_type: str = "") -> list[dict[str, Any]]:
        calls = requests.get(self.url + "/_control/calls", timeout=10).json()
        return [
            call
            for call in calls
            if call["path"].startswith(path) and (not grant_type or call["grant_type"] == grant_type)
        ]

    def refresh_token(self, account: str = "") -> str:
        """A refresh token as Amazon's console shows it (self-authorization)."""
        body = {"account": account} if account else {}
        return str(self.post("/_control/grants", **body)["refresh_token"])

    def consent(self, url: str, *, account: str = "", decision: str = "confirm") -> str:
        """Press Confirm on the consent page; returns where the browser is sent."""
        form = {"decision": decision} | ({"account": account} if account else {})
        answer = requests.post(url, data=form, allow_redirects=False, timeout=10)
        return answer.headers.get("Location", "")


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "connections.simulator", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found, "the simulator did not start"
    yield found[0].rstrip("/")
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def simulator(simulator_process: str, settings: Any) -> Simulator:
    """The simulator, fresh, known to the product and allowed as a private host."""
    known = Simulator(simulator_process)
    known.reset()
    settings.SIMULATOR_URL = known.url
    outbound.configure(private_hosts_allowed=[known.host])
    return known


@pytest.fixture(autouse=True)
def no_private_hosts() -> Iterator[None]:
    """Each test begins and ends with the strict policy."""
    outbound.configure(private_hosts_allowed=[])
    yield
    outbound.configure(private_hosts_allowed=[])


@pytest.fixture
def team(db: None) -> Team:
    return factories.team("Bolt & Nut")


@pytest.fixture
def alice(team: Team) -> Membership:
    return factories.membership(team, Role.OWNER, "alice@example.com")


@pytest.fixture
def bob(team: Team) -> Membership:
    return factories.membership(team, Role.MANAGE, "bob@example.com")


@pytest.fixture
def mona(team: Team) -> Membership:
    return factories.membership(team, Role.MONITOR, "mona@example.com")


@pytest.fixture
def charlie(db: None) -> Membership:
    return factories.membership(factories.team("Strangers"), Role.OWNER, "charlie@example.com")


@pytest.fixture
def by(alice: Membership) -> Actor:
    return Actor.member(alice, address="192.0.2.1", user_agent="tests")


def signed_in(membership: Membership) -> Client:
    client = Client()
    client.force_login(membership.user)
    return client


@pytest.fixture
def as_alice(alice: Membership) -> Client:
    return signed_in(alice)


@pytest.fixture
def as_bob(bob: Membership) -> Client:
    return signed_in(bob)


@pytest.fixture
def as_mona(mona: Membership) -> Client:
    return signed_in(mona)


@pytest.fixture
def as_charlie(charlie: Membership) -> Client:
    return signed_in(charlie)
