"""An API on loopback that answers in turn, and connections to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.utils import timezone

from connections import outbound
from connections.models import Connection, Team
from tests import factories
from tests.unit.oauth.loopback import Server


@contextmanager
def running() -> Iterator[Server]:
    with Server() as server:
        outbound.configure(private_hosts_allowed=["127.0.0.1"])
        yield server


def answer_in_turn(server: Server, *answers: tuple[Any, ...]) -> None:
    """Each a status, a body (text, bytes or JSON value) and perhaps headers; the last one is repeated."""
    left = list(answers)

    def respond(handler: Any) -> None:
        status, body, headers = (*(left.pop(0) if len(left) > 1 else left[0]), {})[:3]
        content = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(content)

    server.respond = respond


def connection(team: Team, server: Server, **fields: Any) -> Connection:
    """Without authentication, unless `fields` say otherwise."""
    defaults = {"application": "http", "base_uri": server.url, "auth_type": "none", "oauth_client": None}
    return factories.connection(team, **defaults | fields)


def authorized(team: Team, server: Server, token: str = "the-access-token-of-the-tests", **fields: Any) -> Connection:
    """With OAuth 2.0 and a grant, whose token endpoint is at the same server."""
    client = factories.oauth_client(team, secret_hosts=[outbound.host_port(server.url)])
    defaults = {"auth_type": "oauth2", "oauth_client": client, "token_url": f"{server.url}/token"}
    made = connection(team, server, **defaults | fields)
    factories.grant(
        made, access_token=token, refresh_token="the-refresh-token-of-the-tests", token_type="Bearer",
        expires_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    return made
