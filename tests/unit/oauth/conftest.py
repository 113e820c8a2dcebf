from collections.abc import Iterator
from typing import Any

import pytest

from connections import outbound
from connections.oauth.endpoint import TokenEndpoint
from connections.outbound import policy
from tests.unit.oauth.asks import SECRET
from tests.unit.oauth.loopback import Server


@pytest.fixture(autouse=True)
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_policy", policy._policy)  # so that the app's own comes back afterwards
    outbound.configure(private_hosts_allowed=["127.0.0.1"])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        running.json({"access_token": "Atza|new", "token_type": "bearer", "expires_in": 3600})
        yield running


@pytest.fixture
def endpoint(server: Server) -> Any:
    """Makes a TokenEndpoint at the server, with the options given."""

    def make(**options: Any) -> TokenEndpoint:
        chosen = {
            "url": f"{server.url}/auth/o2/token",
            "client_id": "the client",
            "client_secret": SECRET,
            "deadline": 5,
        }
        return TokenEndpoint(**{**chosen, **options})

    return make
