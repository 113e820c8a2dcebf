"""An integration: a client that sends an API key, and what it needs to be tested with."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db import connection as database
from django.test import Client
from django.utils import timezone

from connections.actions import api_keys
from connections.models import Actor, ApiKey, Connection, Event, Scope, Team
from tests import factories

BASE = "/api/v1"
TOKEN = "Atza|the-access-token-of-the-tests"


class Integration:
    """Calls the API with one key, from 192.0.2.7."""

    def __init__(self, key: ApiKey, text: str) -> None:
        self.key, self.text = key, text
        self.client = Client()

    def call(self, method: str, path: str, **headers: str) -> Any:
        given = {"Authorization": f"Bearer {self.text}", "User-Agent": "nightly-import/2.1"} | headers
        return self.client.generic(method, BASE + path, headers=given, REMOTE_ADDR="192.0.2.7")

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, **headers: str) -> Any:
        return self.call("POST", path, **headers)


def integration(
    team: Team, *scopes: str, connections: Iterable[Connection] | None = None, rate_limit: int = 300_000, **fields: Any
) -> Integration:
    """With a key of its own; all scopes where none is named. `fields` are written over the key's row."""
    key, text = api_keys.create(
        by=Actor(team),
        name="Nightly import",
        scopes=scopes or Scope.values,
        connections=connections,
        rate_limit=rate_limit,
    )
    if fields:
        ApiKey.objects.filter(pk=key.pk).update(**fields)
    return Integration(key, text)


def authorized(team: Team, seconds: float = 3600, **fields: Any) -> Connection:
    """A connection whose access token is good for so long."""
    connection = factories.connection(team, **{"status": "online"} | fields)
    factories.grant(
        connection, access_token=TOKEN, refresh_token="Atzr|stored", token_type="bearer",
        expires_at=timezone.now() + timedelta(seconds=seconds), authorized_at=timezone.now(),
    )  # fmt: skip
    return connection


def problem(answer: Any, status: int, code: str) -> dict[str, Any]:
    """The problem document of an answer that must be one."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.headers["Cache-Control"] == "no-store"
    told: dict[str, Any] = answer.json()
    assert {"type", "title", "status", "detail", "code", "hint"} <= set(told)
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code), told
    assert told["type"].endswith(f"/api/v1/docs#{code}")
    return told


def events(*actions: str) -> list[Event]:
    return list(Event.objects.filter(action__in=actions).order_by("number"))


def elsewhere() -> dict[str, str]:
    """The environment of another process on the same database."""
    known = database.settings_dict
    url = f"sqlite:///{known['NAME']}"
    if database.vendor == "postgresql":
        secret = f":{known['PASSWORD']}" if known["PASSWORD"] else ""
        host = f"{known['HOST'] or '127.0.0.1'}:{known['PORT'] or 5432}"
        url = f"postgres://{known['USER']}{secret}@{host}/{known['NAME']}"
    return os.environ | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
