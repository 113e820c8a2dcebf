"""Fixtures that every kind of test shares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from connections import outbound
from connections.models import Actor, Membership, Role, Team
from tests import factories
from tests.server import Simulator, running_simulator


@pytest.fixture(scope="session")
def simulator_process() -> Iterator[str]:
    with running_simulator() as url:
        yield url


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
