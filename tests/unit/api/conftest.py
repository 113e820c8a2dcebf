from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connections.actions import rate_limits, reads, usage
from connections.models import Connection, Membership, Team
from tests.unit.actions import api
from tests.unit.api.integrations import Integration, authorized, integration
from tests.unit.api.served import Served
from tests.unit.oauth.loopback import Server


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """Each test begins as a process does that has counted nothing."""
    for module in (usage, reads, rate_limits):
        module.forget()
    yield
    usage.forget()


@pytest.fixture
def good(team: Team, alice: Membership) -> Connection:
    """Authorized, its token good for an hour."""
    return authorized(team, name="Purchase orders")


@pytest.fixture
def nightly(team: Team, alice: Membership) -> Integration:
    """With every scope, for all connections of the team."""
    return integration(team)


@pytest.fixture(scope="module")
def served(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A gunicorn for the tests of one file, which commit what they write."""
    with django_db_blocker.unblock():
        running = Served(tmp_path_factory.mktemp("served"))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def server() -> Iterator[Server]:
    """A provider on loopback."""
    with api.running() as running:
        yield running
