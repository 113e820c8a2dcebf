"""Fills a database for the rows: called by Stage.seed in a `manage.py shell` of the Gatehouse it fills for."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import connection as database
from django.db.models import Count, Max, Min
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connections.actions import api_keys
from connections.models import Actor, Connection, Grant, Membership, OAuthClient, Team
from tests import factories

CLIENT = "Simulator app"
TEAM, LARGE = "Bolt & Nut", "Large"
SESSION = settings.SESSION_COOKIE_NAME


def start(simulator: str) -> dict[str, str]:
    """A team with an owner who is signed in, and a client whose secret may go to the simulator."""
    owner = factories.membership(factories.team(TEAM), email="owner@example.com")
    host = simulator.removeprefix("http://")
    client = factories.oauth_client(owner.team, name=CLIENT, secret_hosts=[host])
    return {"client": str(client.pk), "session": _signed_in(owner).cookies[SESSION].value}


def hot(simulator: str, refresh_token: str, valid: float = 3600, name: str = "Hot") -> dict[str, str]:
    """A connection whose token is good for `valid` seconds, and a key that may read it."""
    team = Team.objects.get(name=TEAM)
    connection = factories.connection(team, simulator, name=name, oauth_client=_client(), status="online")
    _grant(connection, refresh_token, valid).save()
    _, key = api_keys.create(by=Actor(team), name=name, scopes=["tokens"])
    return {"connection": str(connection.pk), "grant": str(connection.grant.pk), "key": key}


def due(simulator: str, refresh_token: str, count: int) -> dict[str, int]:
    """`count` connections whose tokens have expired."""
    team, client = Team.objects.get(name=TEAM), _client()
    first = factories.connection(team, simulator, name="Due 1", oauth_client=client, status="online")
    values = {field.attname: getattr(first, field.attname) for field in Connection._meta.concrete_fields}
    copies = [Connection(**values | {"id": uuid.uuid4(), "name": f"Due {number}"}) for number in range(2, count + 1)]
    Connection.objects.bulk_create(copies, batch_size=200)
    grants = [_grant(connection, refresh_token, -60) for connection in (first, *copies)]
    Grant.objects.bulk_create(grants, batch_size=200)
    return {"due": Grant.objects.filter(refresh_at__lte=timezone.now()).count()}


def listed(simulator: str, count: int) -> dict[str, Any]:
    """A team of its own with `count` connections, copied inside the database; then what its planner knows is made fresh.

    Returns its owner's session, and how many queries the page of the list takes.
    """
    team = Team.objects.filter(name=LARGE).first() or factories.membership(factories.team(LARGE)).team
    of_team = Connection.objects.filter(team=team)
    model = of_team.first() or factories.connection(team, simulator)
    _copy(model, count - of_team.count())
    owner = _signed_in(Membership.objects.select_related("user").get(team=team))
    return {
        "listed": of_team.count(),
        "session": owner.cookies[SESSION].value,
        "queries": _queries(owner, "/connections/"),
    }


def _copy(model: Connection, times: int) -> None:
    is_sqlite = database.vendor == "sqlite"
    columns = [field.column for field in Connection._meta.concrete_fields]
    new = {"id": "lower(hex(randomblob(16)))" if is_sqlite else "gen_random_uuid()", "name": "'Copy ' || n.value"}
    numbers = (
        "WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < %s)"
        if is_sqlite
        else "WITH n(value) AS (SELECT generate_series(1, %s))"
    )
    with database.cursor() as cursor:
        if times > 0:
            cursor.execute(
                f"INSERT INTO {model._meta.db_table} ({', '.join(map(database.ops.quote_name, columns))}) {numbers} "  # noqa: S608
                f"SELECT {', '.join(new.get(column, 'model.' + database.ops.quote_name(column)) for column in columns)} "
                f"FROM n, {model._meta.db_table} AS model WHERE model.id = %s",
                [times, model.pk.hex if is_sqlite else model.pk],
            )
        cursor.execute("ANALYZE")


def _queries(person: Client, path: str) -> int:
    """How many queries a page takes when it is asked for again."""
    settings.ALLOWED_HOSTS = ["*"]
    person.get(path)
    with CaptureQueriesContext(database) as captured:
        assert person.get(path).status_code == 200, path
    return len(captured)


def expire(connection: str) -> dict[str, int]:
    """Its access token has ended a minute ago."""
    ago = timezone.now() - timedelta(minutes=1)
    return {"expired": Grant.objects.filter(connection=connection).update(expires_at=ago, refresh_at=ago)}


def refreshed() -> dict[str, float]:
    """How many of what `due` made have a new token, and the seconds between the first and the last of them."""
    done = Grant.objects.filter(connection__name__startswith="Due ", refreshed_at__isnull=False)
    found = done.aggregate(count=Count("pk"), first=Min("refreshed_at"), last=Max("refreshed_at"))
    return {"count": found["count"], "seconds": (found["last"] - found["first"]).total_seconds()}


def _grant(connection: Connection, refresh_token: str, valid: float) -> Grant:
    until = timezone.now() + timedelta(seconds=valid)
    renewed = until - min(timedelta(minutes=5), timedelta(seconds=abs(valid)) / 4)
    return Grant(connection=connection, access_token="Atza|" + "x" * 360, refresh_token=refresh_token,
                 token_type="bearer", expires_at=until, refresh_at=renewed, authorized_at=timezone.now())  # fmt: skip


def _client() -> OAuthClient:
    return OAuthClient.objects.get(name=CLIENT)


def _signed_in(owner: Membership) -> Client:
    client = Client()
    client.force_login(owner.user)
    return client


def run(what: str, wanted: str) -> None:
    """Call the function of that name with what the JSON object holds; print what it returns, as JSON."""
    known = {function.__name__: function for function in (start, hot, due, listed, expire, refreshed)}
    print(json.dumps(known[what](**json.loads(wanted))))
