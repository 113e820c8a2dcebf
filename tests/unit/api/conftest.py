from __future__ import annotations

from collections.abc import Iterator

import pytest

from connections.actions import rate_limits, reads, usage
from connections.models import Connection, Membership, Team
from tests.unit.api.integrations import Integration, authorized, integration


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
