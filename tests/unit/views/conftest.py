"""A connection of the simulator whose client may send its secret there, and panes to fill in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connections.models import Connection, OAuthClient, Team
from tests import factories
from tests.conftest import Simulator


@pytest.fixture
def oauth_client(team: Team, simulator: Simulator) -> OAuthClient:
    return factories.oauth_client(team, name="Simulator app", secret_hosts=[simulator.host])


@pytest.fixture
def connection(team: Team, simulator: Simulator, oauth_client: OAuthClient) -> Connection:
    return factories.connection(team, simulator.url, name="Purchase orders", oauth_client=oauth_client)


@pytest.fixture
def typed(team: Team, simulator: Simulator, oauth_client: OAuthClient) -> Callable[..., dict[str, Any]]:
    """What somebody types in a new pane of the simulator; keywords change it, None leaves a field out."""

    def values(**changed: Any) -> dict[str, Any]:
        base = {
            "name": "Purchase orders",
            "region": "na",
            "marketplace": "US",
            "base_uri": simulator.url,
            "media_type": "json",
            "auth_type": "oauth2",
            "oauth_client": str(oauth_client.pk),
            "grant_type": "authorization_code",
            "client_authentication": "client_secret_post",
            "authorization_url": f"{simulator.url}/apps/authorize/consent",
            "pkce": "off",
            "token_url": f"{simulator.url}/auth/o2/token",
            "ping_method": "GET",
        }
        return {name: value for name, value in (base | changed).items() if value is not None}

    return values
