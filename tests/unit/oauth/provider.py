"""A connection to a provider on loopback, and the ways through it: authorize, refresh, revoke."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from connections import outbound
from connections.actions import authorizations, connections, grants
from connections.models import Actor, AuthorizationAttempt, Connection, Grant, Team
from tests import factories
from tests.unit.oauth.loopback import Asked, Server

CLIENT_ID = "the client"
CLIENT_SECRET = "cl1ent-s3cret/+"
SESSION = "browser session"
TOKENS = {"access_token": "the-access-token", "refresh_token": "the-refresh-token", "expires_in": 3600}


@contextmanager
def provider() -> Iterator[Server]:
    """A server that gives TOKENS to whoever asks."""
    outbound.configure(private_hosts_allowed=["127.0.0.1"])
    with Server() as server:
        server.json(TOKENS)
        yield server


def connection_at(server: Server, team: Team, **fields: Any) -> Connection:
    """A connection of application HTTP whose every URL is at `server`."""
    client = factories.oauth_client(
        team, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, secret_hosts=[outbound.host_port(server.url)]
    )
    places = {
        "application": "http",
        "region": "",
        "marketplace": "",
        "base_uri": server.url,
        "authorization_url": f"{server.url}/authorize",
        "token_url": f"{server.url}/token",
        "revoke_url": f"{server.url}/revoke",
        "oauth_client": client,
    }
    return factories.connection(team, **places | fields)


def as_stored(connection: Connection) -> Connection:
    return Connection.objects.select_related("oauth_client", "team").get(pk=connection.pk)


def changed(connection: Connection, *, by: Actor, secrets: dict[str, Any] | None = None, **fields: Any) -> Connection:
    """The connection after a save of the pane."""
    stored = as_stored(connection)
    connections.update(stored, by=by, version=stored.version, secrets=secrets, **fields)
    return as_stored(connection)


def authorize(connection: Connection, *, by: Actor, **callback: str) -> tuple[dict[str, str], AuthorizationAttempt]:
    """To the consent page and back: the parameters that the browser carried there, and how it ended."""
    _, url = authorizations.begin(as_stored(connection), by=by, session_secret=SESSION)
    sent = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    assert by.user is not None
    query = {"code": "the-code", "state": sent["state"]} | callback
    return sent, authorizations.complete(query, user=by.user, session_secret=SESSION, by=by)


def authorized(connection: Connection, **fields: Any) -> Grant:
    """A grant whose access token has run out, so that the next read refreshes."""
    tokens = {"access_token": "old-access-token", "refresh_token": "old-refresh-token"}
    return factories.grant(connection, **tokens | fields)


def refreshed(connection: Connection, *, by: Actor) -> Grant:
    return grants.refresh(as_stored(connection), by=by, insist=True)


def asked_at(server: Server, path: str) -> list[Asked]:
    return [asked for asked in server.asked if asked.path == path]


def revealed(grant: Grant) -> tuple[str, str]:
    """Access and refresh token."""
    assert grant.access_token is not None
    assert grant.refresh_token is not None
    return grant.access_token.reveal(), grant.refresh_token.reveal()
