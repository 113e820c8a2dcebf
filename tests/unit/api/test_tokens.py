"""The token route: a fresh token always, in one query, to whom it may be given, and told of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connections import sealing
from connections.actions import grants, usage
from connections.models import Actor, Connection, Event, Grant, Membership, Scope, Team, Usage
from connections.models.choices import AuthType
from tests import factories
from tests.conftest import Simulator
from tests.unit.api.integrations import TOKEN, Integration, authorized, events, integration, problem

TOKEN_PATH = "/auth/o2/token"


@pytest.fixture
def simulated(simulator: Simulator, team: Team, by: Actor) -> Connection:
    """Authorized at the simulator. The calls that it took are forgotten."""
    client = factories.oauth_client(team, secret_hosts=[simulator.host], secret_set_by=by.user)
    connection = factories.connection(team, simulator.url, oauth_client=client)
    grants.paste(connection, simulator.refresh_token(), by=by)
    return connection


def expire(connection: Connection, seconds: float = -60) -> None:
    Grant.objects.filter(connection=connection).update(expires_at=timezone.now() + timedelta(seconds=seconds))


def refreshes(simulator: Simulator) -> int:
    return len(simulator.calls(TOKEN_PATH, "refresh_token"))


def test_a_token_from_the_future_is_not_believed(
    nightly: Integration, simulated: Connection, simulator: Simulator
) -> None:
    """The clock was put back after it was fetched: when it ends nobody can tell."""
    Grant.objects.update(
        refreshed_at=timezone.now() + timedelta(hours=2), expires_at=timezone.now() + timedelta(hours=3)
    )
    before = refreshes(simulator)
    for _ in range(2):
        assert nightly.get(f"/connections/{simulated.pk}/token").status_code == 200
    assert refreshes(simulator) == before + 1


def test_it_gives_the_token_and_how_to_send_it(nightly: Integration, good: Connection) -> None:
    with time_machine.travel(good.grant.expires_at - timedelta(seconds=600.5), tick=False):
        answer = nightly.get(f"/connections/{good.pk}/token")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    told = answer.json()
    ends = told.pop("expires_at")
    assert told == {
        "access_token": TOKEN,
        "token_type": "bearer",
        "expires_in": 600,
        "base_uri": "https://sellingpartnerapi-na.amazon.com",
        "send": {"in": "header", "name": "x-amz-access-token", "prefix": ""},
    }
    assert ends.endswith("Z")
    assert abs(datetime.fromisoformat(ends) - good.grant.expires_at) < timedelta(milliseconds=1)


PLACEMENTS = [
    ({}, {"in": "header", "name": "Authorization", "prefix": "Bearer"}),
    ({"token_header": "X-Token", "token_scheme": ""}, {"in": "header", "name": "X-Token", "prefix": ""}),
    ({"token_scheme": "Token"}, {"in": "header", "name": "Authorization", "prefix": "Token"}),
    ({"token_location": "query", "token_param": "auth"}, {"in": "query", "name": "auth", "prefix": ""}),
    ({"token_location": "body"}, {"in": "body", "name": "access_token", "prefix": ""}),
]


@pytest.mark.parametrize(("fields", "send"), PLACEMENTS)
def test_it_says_where_the_pane_sends_the_token(
    nightly: Integration, team: Team, fields: dict[str, Any], send: dict[str, str]
) -> None:
    somewhere = {"application": "http", "base_uri": "https://api.example.com/v1", "authorization_url": ""}
    connection = authorized(team, **somewhere | fields)
    for path in ("token", "token?min_valid=0"):
        told = nightly.get(f"/connections/{connection.pk}/{path}").json()
        assert (told["send"], told["base_uri"]) == (send, "https://api.example.com/v1")


def test_a_type_that_the_provider_did_not_name_is_bearer(nightly: Integration, good: Connection) -> None:
    Grant.objects.update(token_type="")
    assert nightly.get(f"/connections/{good.pk}/token").json()["token_type"] == "Bearer"


def test_a_good_token_takes_one_query_and_no_write(nightly: Integration, good: Connection) -> None:
    path = f"/connections/{good.pk}/token"
    nightly.get(path)  # takes a share of the minute, and is set up
    for _ in range(3):
        with CaptureQueriesContext(database) as captured:
            assert nightly.get(path).status_code == 200
        assert len(captured) == 1, captured.captured_queries
        assert captured[0]["sql"].startswith(("EXECUTE", "\nSELECT"))


def test_with_min_valid_too(nightly: Integration, good: Connection) -> None:
    path = f"/connections/{good.pk}/token?min_valid=3000"
    nightly.get(path)
    with CaptureQueriesContext(database) as captured:
        assert nightly.get(path).json()["access_token"] == TOKEN
    assert len(captured) == 1


def test_a_token_that_ends_too_soon_is_refreshed_first(
    nightly: Integration, simulated: Connection, simulator: Simulator
) -> None:
    path = f"/connections/{simulated.pk}/token"
    first = nightly.get(path).json()["access_token"]
    assert refreshes(simulator) == 1  # when it was authorized
    Grant.objects.update(refreshed_at=timezone.now() - timedelta(minutes=55))
    expire(simulated, 59)
    second = nightly.get(path).json()
    assert second["access_token"] not in ("", first)
    assert 3590 <= second["expires_in"] <= 3600
    assert refreshes(simulator) == 2
    assert nightly.get(path).json()["access_token"] == second["access_token"]
    assert refreshes(simulator) == 2


@pytest.mark.parametrize(
    ("left", "min_valid", "asked"), [(59, 30, 0), (59, 60, 1), (1800, 1700, 0), (1800, 1900, 1), (1, 0, 0)]
)
def test_how_long_it_must_still_be_good_is_the_callers_to_say(
    nightly: Integration, simulated: Connection, simulator: Simulator, left: int, min_valid: int, asked: int
) -> None:
    Grant.objects.update(refreshed_at=timezone.now() - timedelta(hours=1))
    expire(simulated, left + 0.5)
    before = refreshes(simulator)
    told = nightly.get(f"/connections/{simulated.pk}/token?min_valid={min_valid}").json()
    assert told["expires_in"] >= min_valid
    assert refreshes(simulator) - before == asked


@pytest.mark.parametrize(
    "min_valid", ["-1", "3601", "x", "", "1.5", "1e3", "60s", "9" * 400, "0x10", "%00", "∞", "null"]
)
def test_a_min_valid_that_is_none_is_refused(nightly: Integration, good: Connection, min_valid: str) -> None:
    told = problem(nightly.get(f"/connections/{good.pk}/token?min_valid={min_valid}"), 422, "invalid_request")
    assert told["errors"][0]["field"] == "query.min_valid"


def test_a_refresh_brings_another_token_although_the_stored_one_is_good(
    nightly: Integration, simulated: Connection, simulator: Simulator
) -> None:
    first = nightly.get(f"/connections/{simulated.pk}/token").json()
    second = nightly.post(f"/connections/{simulated.pk}/refresh").json()
    assert second.keys() == first.keys()
    assert second["access_token"] != first["access_token"]
    assert nightly.get(f"/connections/{simulated.pk}/token").json()["access_token"] == second["access_token"]
    assert refreshes(simulator) == 2


def test_client_credentials_get_their_first_token_when_somebody_asks(
    nightly: Integration, simulator: Simulator, team: Team, by: Actor
) -> None:
    client = factories.oauth_client(team, secret_hosts=[simulator.host], secret_set_by=by.user)
    connection = factories.connection(
        team,
        simulator.url,
        oauth_client=client,
        grant_type="client_credentials",
        scope="sellingpartnerapi::notifications",
    )
    first = nightly.get(f"/connections/{connection.pk}/token").json()
    assert first["access_token"].startswith("Atza|")
    assert nightly.get(f"/connections/{connection.pk}/token").json()["access_token"] == first["access_token"]


def test_a_read_that_refreshes_is_told_at_once_and_once(nightly: Integration, simulated: Connection) -> None:
    Grant.objects.update(refreshed_at=timezone.now() - timedelta(hours=1))
    expire(simulated)
    for _ in range(3):
        nightly.get(f"/connections/{simulated.pk}/token")
    (event,) = events("token.refresh")
    assert (event.actor, event.object_id, event.address) == ("API key Nightly import", str(simulated.pk), "192.0.2.7")
    assert event.detail["generation"] == Grant.objects.get().generation
    assert Usage.objects.get().count == 1  # of the first, written with it
    usage.flush()
    assert Usage.objects.get().count == 3


def test_another_process_does_not_tell_of_the_same_refresh_again(nightly: Integration, simulated: Connection) -> None:
    from connections.actions import reads

    grant = Grant.objects.select_related("connection").get()
    by = Actor.key(nightly.key)
    assert reads.refresh(simulated, grant, by=by)
    reads.forget()
    assert not reads.refresh(simulated, grant, by=by)
    grant.generation += 1
    assert reads.refresh(simulated, grant, by=by)
    assert len(events("token.refresh")) == 2


def test_a_failed_early_refresh_does_not_withhold_a_good_token(
    nightly: Integration, simulated: Connection, simulator: Simulator
) -> None:
    Grant.objects.update(refreshed_at=timezone.now() - timedelta(hours=1))
    expire(simulated, 40)
    simulator.fault(path=TOKEN_PATH, status=503, times=9)
    answer = nightly.get(f"/connections/{simulated.pk}/token")
    assert answer.status_code == 200
    assert answer.json()["expires_in"] <= 40
    assert events("token.refuse") == []


OTHERS = [kind for kind in AuthType.values if kind != "oauth2"]


@pytest.mark.parametrize("auth_type", OTHERS)
@pytest.mark.parametrize("has_old_grant", [False, True])
def test_what_has_no_access_token_is_sent_to_the_proxy(
    nightly: Integration, team: Team, auth_type: str, has_old_grant: bool
) -> None:
    connection = authorized(team, password=factories.SENTINEL, token=factories.SENTINEL, auth_type=auth_type)
    if not has_old_grant:
        Grant.objects.all().delete()
    for answer in (
        nightly.get(f"/connections/{connection.pk}/token"),
        nightly.post(f"/connections/{connection.pk}/refresh"),
    ):
        told = problem(answer, 409, "no_access_token")
        assert f"/api/v1/connections/{connection.pk}/proxy/" in told["hint"]
        assert factories.SENTINEL not in answer.content.decode()
        assert TOKEN not in answer.content.decode()


class TestUnreadable:
    """The key that the token was sealed under is gone."""

    @pytest.fixture(autouse=True)
    def another_key(self, settings: Any) -> Iterator[None]:
        yield
        sealing.configure(settings.ENCRYPTION_KEYS)

    def lose_the_key(self) -> None:
        sealing.configure(["QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="])

    def test_it_says_that_it_must_be_authorized_again(self, nightly: Integration, simulated: Connection) -> None:
        self.lose_the_key()
        told = problem(nightly.get(f"/connections/{simulated.pk}/token"), 409, "secret_unreadable")
        assert f"/connections/{simulated.pk}/" in told["hint"]

    def test_a_new_token_is_fetched_where_the_refresh_token_can_be_read(
        self, nightly: Integration, simulated: Connection
    ) -> None:
        grant = Grant.objects.get()
        refresh_token = grant.refresh_token.reveal()
        secret = simulated.oauth_client.client_secret.reveal()
        self.lose_the_key()
        grant.refresh_token = refresh_token
        grant.save(update_fields=["refresh_token"])
        simulated.oauth_client.client_secret = secret
        simulated.oauth_client.save()
        assert nightly.get(f"/connections/{simulated.pk}/token").json()["access_token"].startswith("Atza|")


def test_a_token_that_was_copied_from_another_row_is_not_handed_out(
    nightly: Integration, good: Connection, charlie: Membership
) -> None:
    theirs = authorized(charlie.team)
    with database.cursor() as cursor:
        cursor.execute(
            "UPDATE connections_grant SET access_token = (SELECT access_token FROM connections_grant WHERE connection_id = %s) "
            "WHERE connection_id = %s",
            [Connection._meta.pk.get_db_prep_value(id, database) for id in (theirs.pk, good.pk)],
        )
    answer = nightly.get(f"/connections/{good.pk}/token")
    assert answer.status_code in (409, 503)
    assert TOKEN not in answer.content.decode()


def test_reads_are_counted_by_key_connection_and_minute(nightly: Integration, good: Connection, team: Team) -> None:
    other, another = authorized(team), integration(team, Scope.TOKENS)
    with time_machine.travel("2026-03-01 12:00:10", tick=False):
        Grant.objects.update(expires_at=timezone.now() + timedelta(hours=2))
        for who, which, times in ((nightly, good, 3), (nightly, other, 2), (another, good, 1)):
            for _ in range(times):
                assert who.get(f"/connections/{which.pk}/token").status_code == 200
    with time_machine.travel("2026-03-01 12:01:10", tick=False):
        nightly.get(f"/connections/{good.pk}/token?min_valid=5")
    assert not Usage.objects.exists()
    usage.flush()
    rows = {(row.api_key_id, row.connection_id, row.minute.minute): row.count for row in Usage.objects.all()}
    assert rows == {
        (nightly.key.pk, good.pk, 0): 3, (nightly.key.pk, other.pk, 0): 2, (another.key.pk, good.pk, 0): 1,
        (nightly.key.pk, good.pk, 1): 1,
    }  # fmt: skip
    assert {row.kind for row in Usage.objects.all()} == {"token"}
    good.refresh_from_db()
    assert str(good.last_used_at) == "2026-03-01 12:01:10+00:00"
    assert not Event.objects.filter(action__startswith="token").exists()


def test_a_read_that_was_refused_is_not_counted(nightly: Integration, team: Team) -> None:
    connection = factories.connection(team)
    problem(nightly.get(f"/connections/{connection.pk}/token"), 409, "not_authorized_yet")
    usage.flush()
    assert not Usage.objects.exists()


def test_only_the_token_route_ever_holds_the_token(nightly: Integration, good: Connection) -> None:
    for path in ("/connections", f"/connections/{good.pk}", f"/connections/{good.pk}/nope", "/openapi.json", "/docs"):
        assert "Atz" not in nightly.get(path).content.decode().replace("Atza|…", "")
    nightly.get(f"/connections/{good.pk}/token")
    usage.flush()
    assert "Atza" not in json.dumps(list(Event.objects.values("detail", "object_name", "actor")))
