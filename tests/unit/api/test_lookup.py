"""The one query behind each request: which key it finds, and which connection it lets that key see."""

from __future__ import annotations

import uuid

import pytest
from django.db import connection as database
from django.test.utils import CaptureQueriesContext

from connections.actions import api_keys
from connections.api import lookup
from connections.models import ApiKey, Connection, Membership, Team
from tests import factories
from tests.unit.api.integrations import Integration, authorized, integration


def find(who: Integration, connection: Connection | None) -> lookup.Found:
    found = lookup.find(who.key.prefix, connection.pk if connection else None)
    assert found is not None
    assert lookup.uuid(found.key_id) == who.key.pk
    return found


def sees(who: Integration, connection: Connection) -> bool:
    found = find(who, connection)
    is_there = found.connection_id is not None
    assert (found.grant_id is not None) == (found.access_token is not None) == is_there
    if not is_there:  # nothing of it, not even its name
        assert set(found[lookup.Found._fields.index("connection_id") :]) == {None}
    return is_there


def test_a_key_sees_every_connection_of_its_team(nightly: Integration, good: Connection, team: Team) -> None:
    assert sees(nightly, good)
    assert sees(nightly, authorized(team))


def test_a_key_sees_no_connection_of_another_team(nightly: Integration, good: Connection, charlie: Membership) -> None:
    theirs = authorized(charlie.team)
    assert not sees(nightly, theirs)
    assert not sees(integration(charlie.team), good)
    assert sees(integration(charlie.team), theirs)


def test_a_limited_key_sees_those_on_its_list_and_no_others(team: Team, good: Connection) -> None:
    other = authorized(team)
    limited = integration(team, connections=[good])
    assert sees(limited, good)
    assert not sees(limited, other)
    assert sees(integration(team, connections=[good, other]), other)


def test_a_connection_on_the_list_that_moved_to_another_team_is_not_seen(
    team: Team, good: Connection, charlie: Membership
) -> None:
    limited = integration(team, connections=[good])
    Connection.objects.update(team=charlie.team)
    assert not sees(limited, good)


def test_a_limited_key_whose_last_connection_is_deleted_does_not_become_one_for_all(
    team: Team, good: Connection
) -> None:
    limited = integration(team, connections=[good])
    other = authorized(team)
    good.delete()
    assert not sees(limited, other)


def test_a_connection_without_grant_is_found_without_token(nightly: Integration, team: Team) -> None:
    found = find(nightly, factories.connection(team))
    assert found.connection_id is not None
    assert found.access_token is None is found.token_expires_at


def test_without_a_connection_only_the_key_is_found(nightly: Integration, good: Connection) -> None:
    assert find(nightly, None).connection_id is None
    assert lookup.find(nightly.key.prefix, uuid.uuid4()) is not None


@pytest.mark.parametrize("prefix", ["0" * 12, "", "' OR ''='", "%", "_" * 12])
def test_what_is_no_prefix_finds_nothing(nightly: Integration, prefix: str) -> None:
    assert lookup.find(prefix) is None


def test_it_tells_what_the_row_says(nightly: Integration, good: Connection) -> None:
    key = ApiKey.objects.get()
    api_keys.revoke(key, by=factories.actor(key.team))
    key.refresh_from_db()
    found = find(nightly, good)
    assert lookup.scopes(found.scopes) == {"connections", "tokens", "proxy", "test"}
    assert (found.key_name, found.team_name, found.secret_hash) == (key.name, key.team.name, key.secret_hash)
    assert found.revoked_at is not None and lookup.moment(found.revoked_at) == key.revoked_at
    assert lookup.moment(found.window_at) == key.window_at
    assert found.token_expires_at is not None and lookup.moment(found.token_expires_at) == good.grant.expires_at
    assert lookup.uuid(found.connection_id or "") == good.pk
    names = (
        "application",
        "base_uri",
        "auth_type",
        "authorization_url",
        "token_location",
        "token_header",
        "token_scheme",
    )
    assert [getattr(found, name) for name in names] == [getattr(good, name) for name in names]


def test_it_is_one_query_and_planned_once(nightly: Integration, good: Connection) -> None:
    find(nightly, good)
    with CaptureQueriesContext(database) as captured:
        find(nightly, good)
    assert len(captured) == 1
    if database.vendor == "postgresql":
        assert captured[0]["sql"].startswith("EXECUTE")


@pytest.mark.django_db(transaction=True)
def test_where_nothing_stays_prepared_it_is_asked_in_full(
    nightly: Integration, good: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a pooler another database connection may answer than the one it was prepared on."""
    if database.vendor != "postgresql":
        pytest.skip("only PostgreSQL prepares")
    monkeypatch.setattr(lookup, "_may_prepare", True)
    find(nightly, good)
    with database.cursor() as cursor:
        cursor.execute("DEALLOCATE gatehouse_lookup")
    assert sees(nightly, good)
    with CaptureQueriesContext(database) as captured:
        assert sees(nightly, good)
    assert len(captured) == 1
    lookup._prepared.discard(database.connection)
