from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from connections import outbound
from connections.actions import grants
from connections.models import Actor, Connection, Team
from tests import factories
from tests.conftest import Simulator
from tests.unit.actions.moves import expire
from tests.unit.oauth.loopback import Server

TOKENS = {"access_token": "Atza|new", "token_type": "bearer", "expires_in": 3600}


@pytest.fixture
def unauthorized(simulator: Simulator, team: Team, by: Actor) -> Connection:
    """A connection of the simulator, by alice, who also entered its client's secret."""
    client = factories.oauth_client(team, secret_hosts=[simulator.host], secret_set_by=by.user)
    return factories.connection(team, simulator.url, oauth_client=client)


@pytest.fixture
def authorized(unauthorized: Connection, simulator: Simulator, by: Actor) -> Connection:
    """The same with a good grant. The calls that it took are forgotten."""
    grants.paste(unauthorized, simulator.refresh_token(), by=by)
    return unauthorized


@pytest.fixture
def server(simulator: Simulator) -> Iterator[Server]:
    """A provider that answers as it is told. Reachable beside the simulator."""
    with Server() as running:
        outbound.configure(private_hosts_allowed=[simulator.host, f"127.0.0.1:{running.port}"])
        running.json(TOKENS)
        yield running


@pytest.fixture
def served(server: Server, team: Team) -> Connection:
    """A connection of `server`, authorized, its access token expired."""
    return at(server, team)


def at(server: Server, team: Team, **fields: Any) -> Connection:
    client = factories.oauth_client(team, client_secret=factories.SENTINEL, secret_hosts=[f"127.0.0.1:{server.port}"])
    connection = factories.connection(
        team,
        application="http",
        base_uri=server.url,
        authorization_url=f"{server.url}/authorize",
        token_url=f"{server.url}/token",
        oauth_client=client,
        status="online",
        **fields,
    )
    factories.grant(connection, access_token="Atza|old", refresh_token="Atzr|stored")
    expire(connection)
    return connection
