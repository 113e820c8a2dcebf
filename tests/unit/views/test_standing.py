"""How a connection stands, on its pane and in the list: used, refreshed, authorized until, tried again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from connections.models import Connection, Grant, Team
from connections.views import standing
from tests import factories
from tests.conftest import Simulator
from tests.unit.views.pages import Page, visit

NOW = datetime(2030, 6, 15, 12, 0, tzinfo=UTC)


def facts(connection: Connection, **grant: Any) -> dict[str, tuple[str, str]]:
    if grant:
        factories.grant(connection, **grant)
    found = Connection.objects.select_related("grant").get(pk=connection.pk)
    return {fact.label: (fact.text, fact.kind) for fact in standing.facts(found, now=NOW)}


@pytest.fixture
def connection(team: Team) -> Connection:
    return factories.connection(team, name="Purchase orders", status="online")


def test_one_that_nobody_has_used_says_so(connection: Connection) -> None:
    assert facts(connection) == {"Last used": ("Nobody has used it yet", "")}


def test_it_says_when_it_was_used_refreshed_and_authorized(connection: Connection, team: Team) -> None:
    Connection.objects.filter(pk=connection.pk).update(last_used_at=NOW - timedelta(minutes=3))
    alice = factories.membership(team, email="alice@example.com")
    told = facts(
        connection, access_token="a", refresh_token="r", expires_at=NOW + timedelta(minutes=40),
        refreshed_at=NOW - timedelta(minutes=20), authorized_at=NOW - timedelta(days=10), authorized_by=alice.user,
        upstream_identity="VG1",
    )  # fmt: skip
    assert told == {
        "Last used": ("15 Jun 2030, 11:57 UTC", ""),
        "Authorized": ("5 Jun 2030, 12:00 UTC by alice@example.com as VG1", ""),
        "Authorized until": ("5 Jun 2031, 12:00 UTC", ""),
        "Access token": ("until 15 Jun 2030, 12:40 UTC, then refreshed by itself", ""),
        "Last refreshed": ("15 Jun 2030, 11:40 UTC", ""),
    }


@pytest.mark.parametrize(
    ("days_ago", "kind", "says"),
    [
        (334, "", "16 Jul 2030, 12:00 UTC"), (335, "warning", "30 days left: authorize it again before"),
        (364, "warning", "one day left"), (364.5, "warning", "less than a day left"), (365, "offline", "It is over"),
        (900, "offline", "It is over: authorize it again"),
    ],
)  # fmt: skip
def test_an_authorization_that_ends_warns_a_month_before(
    connection: Connection, days_ago: float, kind: str, says: str
) -> None:
    text, told = facts(connection, authorized_at=NOW - timedelta(days=days_ago))["Authorized until"]
    assert (told, says in text) == (kind, True)


def test_where_the_provider_sets_no_end_none_is_told(team: Team) -> None:
    plain = factories.connection(
        team, application="http", base_uri="https://api.example.com", authorization_url="https://id.example.com/a"
    )
    assert "Authorized until" not in facts(plain, authorized_at=NOW - timedelta(days=4000))
    unattended = factories.connection(team, grant_type="client_credentials")
    assert "Authorized until" not in facts(unattended, authorized_at=NOW - timedelta(days=364))


@pytest.mark.parametrize(
    ("fields", "retry", "says"),
    [
        ({}, {"retry_at": NOW + timedelta(minutes=17)}, "15 Jun 2030, 12:17 UTC, by itself"),
        ({}, {"retry_at": NOW - timedelta(minutes=1)}, "In a moment, by itself"),
        ({}, {"is_refused": True, "retry_at": NOW}, "None: it has to be authorized again first"),
        ({"check_at": NOW + timedelta(hours=1)}, {}, "15 Jun 2030, 13:00 UTC, by itself"),
        ({"check_at": NOW + timedelta(hours=1)}, {"retry_at": NOW + timedelta(hours=2)}, "15 Jun 2030, 13:00 UTC, by itself"),
    ],
)  # fmt: skip
def test_what_is_offline_says_when_it_is_tried_again(
    connection: Connection, fields: dict[str, Any], retry: dict[str, Any], says: str
) -> None:
    Connection.objects.filter(pk=connection.pk).update(status="offline", **fields)
    assert facts(connection, refresh_token="r", **retry)["Next attempt"][0] == says


def test_what_is_online_has_no_next_attempt(connection: Connection) -> None:
    assert "Next attempt" not in facts(connection, refresh_token="r", retry_at=NOW + timedelta(minutes=1))


def test_an_access_token_promises_no_refresh_that_cannot_be(connection: Connection) -> None:
    soon = {"access_token": "a", "expires_at": NOW + timedelta(hours=1)}
    assert facts(connection, **soon)["Access token"][0] == "until 15 Jun 2030, 13:00 UTC"
    Grant.objects.update(expires_at=NOW - timedelta(hours=1))
    assert facts(connection)["Access token"][0] == "ended 15 Jun 2030, 11:00 UTC"


def test_the_pane_shows_it_to_every_member(as_bob: Client, as_mona: Client, connection: Connection) -> None:
    Connection.objects.update(status="offline", status_since=NOW, failure={"error": "server_error", "where": "token"})
    factories.grant(connection, refresh_token="r", retry_at=datetime(2055, 1, 2, tzinfo=UTC))
    for person in (as_bob, as_mona):
        words = visit(person, f"/connections/{connection.pk}/").words
        for told in ("Offline since 15 Jun 2030, 12:00 UTC", "2 Jan 2055, 00:00 UTC, by itself",
                     "Nobody has used it yet"):  # fmt: skip
            assert told in words


def test_the_test_and_the_authorization_show_it_too(as_bob: Client, team: Team, simulator: Simulator) -> None:
    client = factories.oauth_client(team, secret_hosts=[simulator.host])
    connection = factories.connection(team, simulator.url, oauth_client=client)
    for answer in (
        as_bob.post(f"/connections/{connection.pk}/test/", headers={"X-Steps": "1"}),
        as_bob.get(f"/connections/{connection.pk}/authorize/", headers={"HX-Request": "true"}),
    ):
        words = Page(answer).words
        assert "Nobody has used it yet" in words
        assert "Nobody has authorized it yet. Press Save & authorize." in words


def test_the_list_says_since_when_and_what_ends_soon(as_bob: Client, connection: Connection) -> None:
    Connection.objects.update(status="offline", status_since=NOW, last_used_at=NOW)
    factories.grant(connection, refresh_token="r", authorized_at=datetime(2020, 1, 1, tzinfo=UTC))
    words = visit(as_bob, "/connections/").words
    for told in (
        "since 15 Jun 2030, 12:00",
        "used 15 Jun 2030, 12:00",
        "authorized until 31 Dec 2020, 00:00",
    ):
        assert told in words
