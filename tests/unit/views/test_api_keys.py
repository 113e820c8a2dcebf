"""API keys: made and shown once, listed without themselves, revoked; who may, and for which connections."""

from __future__ import annotations

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from connections.actions import api_keys
from connections.models import Actor, ApiKey, Connection, Event, Membership, Team, Usage
from connections.models.api_keys import RATE_LIMIT
from tests import factories
from tests.unit.views.pages import Page, press, visit

LIST = "/team/api-keys/"
NEW = "/team/api-keys/new/"
TYPED: dict[str, Any] = {"name": "Order import", "scopes": ["tokens", "proxy"], "reach": "all", "expires": "never"}
KEY = re.compile(r"gth_[0-9a-f]{12}_[\w-]{43}")


@pytest.fixture
def key(by: Actor) -> ApiKey:
    return api_keys.create(by=by, name="Order import", scopes=["tokens"])[0]


def make(person: Client, **typed: Any) -> Page:
    return press(person, visit(person, NEW), "Create", TYPED | typed)


def test_a_new_key_works_and_is_shown_in_that_one_answer_only(as_alice: Client) -> None:
    form = visit(as_alice, NEW)
    page = press(as_alice, form, "Create", TYPED)
    assert page.status == 200
    shown = set(KEY.findall(page.html))
    assert len(shown) == 1
    text = shown.pop()
    stored = ApiKey.objects.get()
    assert api_keys.is_right(text, stored.secret_hash) and api_keys.prefix_of(text) == stored.prefix
    assert (stored.name, stored.scopes, stored.is_limited) == ("Order import", ["tokens", "proxy"], False)
    assert (stored.expires_at, stored.rate_limit) == (None, RATE_LIMIT)
    secret = text.rpartition("_")[2]
    assert "no-store" in page.response["Cache-Control"]
    assert secret not in str(page.response.cookies) + str(page.response.headers)
    assert secret not in str([session.get_decoded() for session in Session.objects.all()])
    assert secret not in str(list(Event.objects.values())) + str(list(ApiKey.objects.values()))
    assert secret not in visit(as_alice, LIST).html
    again = press(as_alice, form, "Create", TYPED)  # the same post again, as reloading the page sends it
    assert (again.status, again.response["Location"]) == (302, LIST)
    page = visit(as_alice, LIST)
    assert secret not in again.html + page.html
    assert "shown only once" in page.words
    assert ApiKey.objects.count() == 1


def test_a_page_with_a_key_leads_away_and_may_be_made_by_an_administrator(team: Team) -> None:
    person = Client()
    person.force_login(factories.membership(team, factories.Role.ADMINISTRATOR).user)
    page = make(person)
    assert "it is not shown again" in page.words
    assert "I have copied it" in page.words


@pytest.mark.parametrize(
    ("scopes", "request_line"),
    [
        (["connections", "tokens"], "GET /api/v1/connections"), (["tokens"], "GET /api/v1/connections/ID/token"),
        (["tokens", "proxy"], "GET /api/v1/connections/ID/proxy/vendor/"), (["test"], "POST /api/v1/connections/ID/test"),
    ],
)  # fmt: skip
def test_the_command_beside_a_new_key_asks_what_that_key_may(
    as_alice: Client, connection: Connection, scopes: list[str], request_line: str
) -> None:
    page = make(as_alice, scopes=scopes, reach="some", connections=[str(connection.pk)])
    method, path = request_line.replace("ID", str(connection.pk)).split()
    assert f"'https://gatehouse.example.com{path}" in page.words
    assert ("-X POST" in page.words) is (method == "POST")


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ({"expires": "30"}, 30), ({"expires": "90"}, 90), ({"expires": "365"}, 365), ({"expires": "never"}, None),
    ],
)  # fmt: skip
def test_it_ends_when_chosen(as_alice: Client, typed: dict[str, str], stored: int | None) -> None:
    before = timezone.now()
    make(as_alice, **typed)
    expires_at = ApiKey.objects.get().expires_at
    if stored is None:
        assert expires_at is None
    else:
        assert expires_at is not None
        assert before <= expires_at - timedelta(days=stored) <= timezone.now()


def test_it_lasts_to_the_end_of_the_day_that_was_chosen(as_alice: Client) -> None:
    make(as_alice, expires="day", expires_on="2055-12-31")
    assert ApiKey.objects.get().expires_at == datetime(2055, 12, 31, 23, 59, 59, tzinfo=UTC)
    make(as_alice, expires="day", expires_on=f"{timezone.now():%Y-%m-%d}")
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "typed", "says"),
    [
        ("name", {"name": ""}, "required"), ("name", {"name": "x" * 101}, "100"), ("name", {"name": "a\nb"}, "line break"),
        ("name", {"name": "a\x00b"}, "Null"), ("scopes", {"scopes": []}, "required"),
        ("scopes", {"scopes": ["tokens", "everything"]}, "everything"), ("reach", {"reach": ""}, "required"),
        ("reach", {"reach": "none"}, "none"), ("connections", {"reach": "some"}, "at least one"),
        ("connections", {"reach": "some", "connections": ["x"]}, "is gone"),
        ("connections", {"reach": "some", "connections": [str(uuid.UUID(int=7))]}, "is gone"),
        ("expires", {"expires": "31"}, "31"), ("expires", {"expires": ""}, "required"),
        ("expires_on", {"expires": "day"}, "Choose the day"), ("expires_on", {"expires": "day", "expires_on": "x"}, "2030-12-31"),
        ("expires_on", {"expires": "day", "expires_on": "2001-01-01"}, "over"),
        ("expires_on", {"expires": "day", "expires_on": "9999-12-31"}, "100 years"),
        ("rate_limit", {"rate_limit": ""}, "required"), ("rate_limit", {"rate_limit": "0"}, "1"),
        ("rate_limit", {"rate_limit": "-5"}, "1"), ("rate_limit", {"rate_limit": "9" * 30}, "1000000"),
        ("rate_limit", {"rate_limit": "1.5"}, "whole number"), ("rate_limit", {"rate_limit": "many"}, "whole number"),
    ],
)  # fmt: skip
def test_bad_input_says_so_at_its_field(as_alice: Client, field: str, typed: dict[str, Any], says: str) -> None:
    page = make(as_alice, **typed)
    assert page.status == 422
    assert says in page.errors[f"id_{field}_error"]
    assert "Not created yet." in page.words
    assert not ApiKey.objects.exists()


def test_what_is_not_drawn_is_not_judged(as_alice: Client) -> None:
    assert make(as_alice, connections=["x"], expires_on="x").status == 200
    assert ApiKey.objects.get().is_limited is False


def test_another_teams_connections_are_neither_offered_nor_taken(
    as_alice: Client, connection: Connection, charlie: Membership
) -> None:
    theirs = factories.connection(charlie.team, name="Theirs")
    assert "Theirs" not in visit(as_alice, f"{NEW}?connection={theirs.pk}").html
    page = make(as_alice, reach="some", connections=[str(connection.pk), str(theirs.pk)])
    assert page.status == 422
    assert "another team" in page.errors["id_connections_error"]
    assert not ApiKey.objects.exists()


def test_the_id_of_another_teams_key_touches_nothing_there(as_alice: Client, charlie: Membership) -> None:
    theirs, _ = api_keys.create(by=Actor.member(charlie), name="Theirs", scopes=["tokens"])
    assert make(as_alice, id=str(theirs.pk)).status == 200
    theirs.refresh_from_db()
    assert theirs.name == "Theirs"
    assert ApiKey.objects.exclude(pk=theirs.pk).get().team.name == "Bolt & Nut"


def test_a_key_for_one_connection_is_asked_for_by_the_query_string(as_alice: Client, connection: Connection) -> None:
    page = visit(as_alice, f"{NEW}?connection={connection.pk}")
    assert (page.value("reach"), page.form.values["connections"]) == ("some", [str(connection.pk)])
    press(as_alice, page, "Create", {"name": "One"})
    assert list(ApiKey.objects.get().connections.all()) == [connection]


@pytest.mark.parametrize("query", ["connection=x", "connection=", f"connection={uuid.UUID(int=3)}", "connection=%00"])
def test_nonsense_in_the_query_string_opens_the_form_all_the_same(as_alice: Client, query: str) -> None:
    assert visit(as_alice, f"{NEW}?{query}").status == 200


def test_with_many_connections_any_of_them_can_be_found(as_alice: Client, team: Team) -> None:
    client = factories.oauth_client(team)
    rows = [factories.connection(team, name=f"Shop {n:03}", oauth_client=client) for n in range(60)]
    page = visit(as_alice, NEW)
    assert "Shop 049" in page.words and "Shop 055" not in page.words
    found = press(as_alice, page, "Find", TYPED | {"reach": "some", "find": "p 055", "connections": [str(rows[3].pk)]})
    assert found.status == 200 and not ApiKey.objects.exists()
    assert "Shop 055" in found.words and "Shop 049" not in found.words
    assert found.form.values["connections"] == [str(rows[3].pk)]  # what was chosen stays chosen
    assert (found.value("name"), found.form.values["scopes"]) == ("Order import", ["tokens", "proxy"])
    press(as_alice, found, "Create", {"connections": [str(rows[3].pk), str(rows[55].pk)]})
    assert set(ApiKey.objects.get().connections.all()) == {rows[3], rows[55]}
    nothing = press(as_alice, page, "Find", {"find": "\x00%_nothing"})
    assert "No connection has that in its name." in nothing.words


def test_the_list_says_what_a_key_is(as_alice: Client, by: Actor, key: ApiKey, connection: Connection) -> None:
    now = timezone.now()
    limited, text = api_keys.create(
        by=by, name="Limited", scopes=["proxy", "test"], connections=[connection], expires_at=now + timedelta(days=9)
    )
    ApiKey.objects.filter(pk=limited.pk).update(last_used_at=now)
    for minutes, kind, count in ((1, "token", 3), (2, "token", 4), (3, "proxy", 5), (25 * 60, "token", 1000)):
        Usage.objects.create(team=by.team, api_key=limited, connection=connection, kind=kind, count=count,
                             minute=now - timedelta(minutes=minutes))  # fmt: skip
    page = visit(as_alice, LIST)
    for words in (f"gth_{limited.prefix}…", "Send requests through a connection", "Test connections", "Purchase orders",
                  "7 tokens, 5 calls", "by alice@example.com", "Never", "never ends", "Get tokens", "All"):  # fmt: skip
        assert words in page.words
    assert "1000" not in page.words
    assert text not in page.html and limited.secret_hash not in page.html


def test_the_list_tells_active_expired_and_revoked_apart(as_alice: Client, by: Actor, key: ApiKey) -> None:
    assert "Active" in visit(as_alice, LIST).words
    ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    page = visit(as_alice, LIST)
    assert "Expired" in page.words and "Active" not in page.words
    api_keys.revoke(key, by=by)
    page = visit(as_alice, LIST)
    assert "Revoked" in page.words and "Expired" not in page.words
    assert f"{key.pk}/revoke/" not in page.html


def test_a_limited_key_whose_connections_are_gone_says_so(as_alice: Client, by: Actor, connection: Connection) -> None:
    api_keys.create(by=by, name="Limited", scopes=["proxy"], connections=[connection])
    connection.delete()
    assert "None: they were deleted" in visit(as_alice, LIST).words


def test_revoking_asks_first_and_is_final(as_alice: Client, key: ApiKey) -> None:
    page = visit(as_alice, f"{LIST}{key.pk}/revoke/")
    assert "Revoke Order import?" in page.words
    key.refresh_from_db()
    assert key.revoked_at is None
    assert press(as_alice, page, "Revoke").response["Location"] == LIST
    key.refresh_from_db()
    assert key.revoked_at and key.revoked_by and key.revoked_by.email == "alice@example.com"
    assert "is revoked. It opens nothing any more." in visit(as_alice, LIST).words
    assert "Order import is revoked" in visit(as_alice, f"{LIST}{key.pk}/revoke/").words
    as_alice.post(f"{LIST}{key.pk}/revoke/")
    assert Event.objects.filter(action="api_key.revoke").count() == 1


def test_who_manages_sees_the_list_and_no_buttons(as_bob: Client, key: ApiKey) -> None:
    page = visit(as_bob, LIST)
    assert "Order import" in page.words
    assert "Create API key" not in page.words and f"{key.pk}/revoke/" not in page.html
    for path in (NEW, f"{LIST}{key.pk}/revoke/"):
        for answer in (as_bob.get(path), as_bob.post(path, TYPED)):
            assert answer.status_code == 403
            assert "Your role in Bolt &amp; Nut is Manage." in answer.content.decode()
    assert ApiKey.objects.get().revoked_at is None


def test_who_only_watches_is_told_why_there_is_no_list(as_mona: Client, key: ApiKey) -> None:
    page = visit(as_mona, LIST)
    assert page.status == 403
    assert "only who may manage connections sees them" in page.words
    assert "API keys" not in visit(as_mona, "/connections/").words


def test_another_teams_keys_do_not_exist(as_charlie: Client, key: ApiKey) -> None:
    assert "Order import" not in visit(as_charlie, LIST).html
    for answer in (as_charlie.get(f"{LIST}{key.pk}/revoke/"), as_charlie.post(f"{LIST}{key.pk}/revoke/")):
        assert answer.status_code == 404
    key.refresh_from_db()
    assert key.revoked_at is None


def test_names_that_are_markup_are_text(as_alice: Client, by: Actor, team: Team) -> None:
    hostile = '"><script>alert(1)</script>{{ 7|add:"7" }}'
    connection = factories.connection(team, name=hostile)
    key, _ = api_keys.create(by=by, name=hostile, scopes=["tokens"], connections=[connection])
    pages = [visit(as_alice, path) for path in (LIST, NEW, f"{LIST}{key.pk}/revoke/")]
    pages.append(make(as_alice, name=hostile))
    for page in pages:
        assert page.status == 200
        assert hostile in page.text
        assert "<script>alert" not in page.html


def queries(person: Client, path: str) -> int:
    with CaptureQueriesContext(database) as captured:
        assert person.get(path).status_code == 200
    return len(captured)


def test_the_list_takes_as_many_queries_with_60_keys_as_with_one(as_alice: Client, by: Actor, team: Team) -> None:
    client = factories.oauth_client(team)

    def add(rows: int) -> None:
        for _ in range(rows):
            some = [factories.connection(team, oauth_client=client) for _ in range(5)]
            key, _ = api_keys.create(by=by, name="Key", scopes=["tokens"], connections=some)
            Usage.objects.create(
                team=team, api_key=key, connection=some[0], kind="token", count=2, minute=timezone.now()
            )

    add(1)
    as_alice.get(LIST)
    few = queries(as_alice, LIST)
    add(60)
    assert queries(as_alice, LIST) == queries(as_alice, LIST + "?page=2") == few
    assert few <= 8
    assert "and 2 more" in visit(as_alice, LIST).words


def test_the_command_asks_through_a_connection_that_is_online(as_alice: Client, team: Team) -> None:
    page = make(as_alice, scopes=["proxy"])
    assert "export GATEHOUSE_KEY" in page.words and "curl" not in page.words
    factories.connection(team, name="A draft")
    online = factories.connection(team, name="Online", status="online")
    assert str(online.pk) in make(as_alice, scopes=["proxy"]).words
