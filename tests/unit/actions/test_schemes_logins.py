"""Cookies and renewed tokens: fetched once however many ask, kept under seal, sent only where they belong."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.utils import timezone

from connections import outbound
from connections.actions import schemes
from connections.actions.errors import GrantError
from connections.actions.logins import SchemeError
from connections.actions.outgoing import Outgoing
from connections.models import Actor, Connection, Grant, Team
from connections.oauth.errors import OAuthError
from tests import factories
from tests.factories import SENTINEL
from tests.unit.oauth.loopback import Server

pytestmark = pytest.mark.django_db


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        outbound.configure(private_hosts_allowed=[f"127.0.0.1:{server.port}"])
        yield server


def cookie(team: Team, server: Server, **fields: Any) -> Connection:
    usual = {
        "application": "http", "base_uri": server.url, "oauth_client": None, "auth_type": "cookie", "cookie_method": "POST",
        "cookie_url": f"{server.url}/login", "cookie_body": "user={{ field.user }}&password={{ encrypted.password }}",
        "fields": [["user", "ann"]], "encrypted_fields": json.dumps({"password": SENTINEL}),
        "encrypted_field_names": ["password"],
    }  # fmt: skip
    return factories.connection(team, **usual | fields)


def token(team: Team, server: Server, **fields: Any) -> Connection:
    usual = {
        "application": "http", "base_uri": server.url, "oauth_client": None, "auth_type": "token", "token": "f1rst-token",
        "token_header": "X-Token", "token_scheme": "", "token_refresh_url": f"{server.url}/renew",
        "token_refresh_body": '{"old": "{{ token }}"}', "token_refresh_path": "data.token",
    }  # fmt: skip
    return factories.connection(team, **usual | fields)


def signed(connection: Connection, by: Actor) -> tuple[dict[str, str], int | None]:
    outgoing = Outgoing("GET", connection.base_uri, {}, [], b"")
    used = schemes.sign(connection, outgoing, by=by)
    return outgoing.headers, used


def aged(connection: Connection) -> None:
    """As if the last login were long ago."""
    Grant.objects.filter(connection=connection).update(refreshed_at=timezone.now() - timedelta(minutes=5))


def test_the_first_call_logs_in_and_the_next_do_not(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, set_cookie="session=abc; Path=/; HttpOnly")
    connection = cookie(team, server)

    first, second = signed(connection, by), signed(connection, by)

    assert first == second == ({"Cookie": "session=abc"}, 2)
    assert [(asked.method, asked.path) for asked in server.asked] == [("POST", "/login")]
    assert server.asked[0].form == {"user": "ann", "password": SENTINEL}
    assert server.asked[0].headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_a_login_puts_the_connection_online_and_leaves_an_event(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, set_cookie="session=abc")
    connection = cookie(team, server)

    signed(connection, by)

    assert Connection.objects.get(pk=connection.pk).status == "online"
    assert {event.action for event in team.events.all()} >= {"grant.refresh", "connection.online"}
    assert SENTINEL not in str([event.detail for event in team.events.all()])


def test_the_cookie_is_kept_under_seal(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, set_cookie=f"session={SENTINEL}")
    connection = cookie(team, server)

    signed(connection, by)

    with database.cursor() as cursor:
        cursor.execute("SELECT access_token FROM connections_grant")
        assert SENTINEL not in cursor.fetchone()[0]


def test_several_cookies_go_together_and_deleted_ones_do_not(team: Team, server: Server, by: Actor) -> None:
    def respond(handler: Any) -> None:
        handler.send_response(302)
        for cookie in ("a=1; Expires=Wed, 21 Oct 2099 07:28:00 GMT", "b=2; Path=/login", "old=; Max-Age=0"):
            handler.send_header("Set-Cookie", cookie)
        handler.send_header("Location", "/home")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.respond = respond

    headers, _ = signed(cookie(team, server), by)

    assert headers["Cookie"] == "a=1; b=2"
    assert len(server.asked) == 1, "the redirect of a login is not followed"


def test_values_are_written_as_the_body_needs_them(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, set_cookie="a=1")
    connection = cookie(
        team, server, cookie_body='{"user": "{{ field.user }}", "password": "{{ encrypted.password }}"}',
        fields=[["user", 'an"n\\']], encrypted_fields=json.dumps({"password": "p&w"}),
    )  # fmt: skip

    signed(connection, by)

    assert json.loads(server.asked[0].body) == {"user": 'an"n\\', "password": "p&w"}
    assert server.asked[0].headers["Content-Type"] == "application/json"


def test_a_get_login_has_no_body(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, set_cookie="a=1")

    signed(cookie(team, server, cookie_method="GET"), by)

    assert (server.asked[0].method, server.asked[0].body) == ("GET", b"")


@pytest.mark.parametrize(("wanted", "status"), [("204", 200), ("", 400), ("200, 201", 302)])
def test_another_status_than_wanted_is_a_refusal(
    team: Team, server: Server, by: Actor, wanted: str, status: int
) -> None:
    server.answer(status, set_cookie="a=1")
    connection = cookie(team, server, cookie_status=wanted)

    with pytest.raises(GrantError) as caught:
        signed(connection, by)

    assert (caught.value.failure.error, caught.value.failure.status) == ("login_refused", status)
    assert Connection.objects.get(pk=connection.pk).status == "offline"


def test_a_refused_login_is_not_sent_again_by_itself(team: Team, server: Server, by: Actor) -> None:
    server.json({"error": "invalid_grant", "error_description": f"no such user, {SENTINEL}"}, status=401)
    connection = cookie(team, server)

    for _ in range(3):
        with pytest.raises(GrantError) as caught:
            signed(connection, by)

    assert len(server.asked) == 1
    assert caught.value.code == "misconfigured"
    assert SENTINEL not in str(caught.value.failure)
    assert not Grant.objects.get().is_refused, "nobody could ever lift it"


def test_a_failing_login_page_is_tried_again_later(team: Team, server: Server, by: Actor) -> None:
    server.answer(503)

    with pytest.raises(GrantError) as caught:
        signed(cookie(team, server), by)

    assert caught.value.code == "provider_unavailable"


def test_an_answer_without_cookie_is_told(team: Team, server: Server, by: Actor) -> None:
    server.answer(200)
    connection = cookie(team, server)

    with pytest.raises(GrantError) as caught:
        signed(connection, by)

    explanation = connection.provider.explain(caught.value.failure)
    assert explanation.title == "The cookie request was answered without a cookie."


def test_a_login_that_finds_nobody_names_its_own_field(team: Team, server: Server, by: Actor) -> None:
    connection = cookie(team, server, cookie_url="https://127.0.0.2/login")

    with pytest.raises(GrantError) as caught:
        signed(connection, by)

    assert "Cookie request URL" in connection.provider.explain(caught.value.failure).title


def test_a_missing_custom_field_sends_nothing(team: Team, server: Server, by: Actor) -> None:
    connection = cookie(team, server, fields=[])

    with pytest.raises(SchemeError):
        signed(connection, by)

    assert server.asked == []
    assert Connection.objects.get(pk=connection.pk).failure["error"] == "placeholder_missing"


def test_renewing_logs_in_once_for_all_that_used_the_old_cookie(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, set_cookie="session=1")
    connection = cookie(team, server)
    _, used = signed(connection, by)
    aged(connection)
    server.answer(200, set_cookie="session=2")

    assert schemes.renew(connection, by=by, used=used)
    assert schemes.renew(connection, by=by, used=used), "somebody else has logged in since"

    assert len(server.asked) == 2
    assert signed(connection, by) == ({"Cookie": "session=2"}, 3)


def test_a_cookie_just_fetched_is_not_fetched_again(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, set_cookie="session=1")
    connection = cookie(team, server)
    _, used = signed(connection, by)

    assert not schemes.renew(connection, by=by, used=used)
    assert len(server.asked) == 1


@pytest.mark.parametrize("auth_type", ["basic", "digest", "wsse", "oauth1", "jwt", "custom", "none"])
def test_what_has_no_login_is_never_renewed(team: Team, by: Actor, auth_type: str) -> None:
    assert not schemes.renew(factories.connection(team, auth_type=auth_type, oauth_client=None), by=by)


def test_a_static_token_is_never_renewed(team: Team, server: Server, by: Actor) -> None:
    assert not schemes.renew(token(team, server, token_refresh_url=""), by=by)


def test_the_typed_token_is_sent_until_it_is_renewed(team: Team, server: Server, by: Actor) -> None:
    server.json({"data": {"token": "sec0nd-token"}})
    connection = token(team, server)

    before, used = signed(connection, by)
    renewed = schemes.renew(connection, by=by, used=used)
    after, _ = signed(connection, by)

    assert (before, renewed, after) == ({"X-Token": "f1rst-token"}, True, {"X-Token": "sec0nd-token"})
    assert json.loads(server.asked[0].body) == {"old": "f1rst-token"}


def test_a_renewed_token_renews_itself(team: Team, server: Server, by: Actor) -> None:
    connection = token(team, server)
    for number in ("2", "3"):
        _, used = signed(connection, by)
        aged(connection)
        server.json({"data": {"token": f"token-{number}"}})
        schemes.renew(connection, by=by, used=used)

    assert json.loads(server.asked[1].body) == {"old": "token-2"}


def test_a_renewed_token_stays_until_it_is_refused(team: Team, server: Server, by: Actor) -> None:
    server.json({"data": {"token": "sec0nd"}})
    connection = token(team, server)
    schemes.renew(connection, by=by)

    assert Grant.objects.get().valid_for(timezone.now()) > timedelta(days=300)


def test_headers_of_the_token_request_are_filled_in(team: Team, server: Server, by: Actor) -> None:
    server.json({"data": {"token": "sec0nd"}})
    connection = token(
        team, server, token_refresh_method="GET",
        token_refresh_headers=[["X-Key", "{{ encrypted.key }}"], ["Content-Type", "text/plain"]],
        encrypted_fields='{"key": "kkk"}', encrypted_field_names=["key"],
    )  # fmt: skip

    schemes.renew(connection, by=by)

    assert (server.asked[0].method, server.asked[0].body, server.asked[0].headers["X-Key"]) == ("GET", b"", "kkk")


def test_a_token_is_found_in_xml(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, "<r><token>from-xml</token></r>", content_type="application/xml")
    connection = token(team, server, media_type="xml", token_refresh_path="/r/token")

    schemes.renew(connection, by=by)

    assert signed(connection, by)[0] == {"X-Token": "from-xml"}


@pytest.mark.parametrize("body", ['{"data": {}}', '{"error": "no"}', "<html>", "", "[]"])
def test_an_answer_without_token_is_told(team: Team, server: Server, by: Actor, body: str) -> None:
    server.answer(200, body)
    connection = token(team, server)

    with pytest.raises(GrantError) as caught:
        schemes.renew(connection, by=by)

    assert caught.value.failure.error == "no_renewed_token"
    assert signed(connection, by)[0] == {"X-Token": "f1rst-token"}, "the old one stays"


def test_values_that_are_not_saved_log_in_for_themselves(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, set_cookie="session=1")
    typed = cookie(team, server)
    signed(typed, by)
    server.answer(200, set_cookie="session=2")

    typed.cookie_body = "user=other"
    headers, used = signed(typed, by)

    assert (headers, used) == ({"Cookie": "session=2"}, None)
    assert signed(Connection.objects.get(pk=typed.pk), by)[0] == {"Cookie": "session=1"}


def test_a_kept_cookie_does_not_go_to_another_host(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, set_cookie="session=1")
    typed = cookie(team, server)
    signed(typed, by)
    asked = len(server.asked)

    typed.base_uri = "https://elsewhere.example.com"
    signed(typed, by)

    assert len(server.asked) == asked + 1, "it logs in for itself"


def test_a_new_connection_is_tried_without_a_row(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, set_cookie="session=1")
    saved = cookie(team, server)
    new = Connection(team=team, **{name: getattr(saved, name) for name in ("base_uri", "auth_type", "cookie_url")})

    assert signed(new, by) == ({"Cookie": "session=1"}, None)
    assert not Grant.objects.exists()


def test_a_failed_login_of_values_not_saved_changes_nothing(team: Team, server: Server, by: Actor) -> None:
    server.answer(401)
    typed = cookie(team, server)
    typed.cookie_body = "user=other"

    with pytest.raises(OAuthError):
        signed(typed, by)

    assert Connection.objects.get(pk=typed.pk).status == "draft"


def test_a_test_logs_in_anew_and_keeps_what_came(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, set_cookie="session=1")
    saved = cookie(team, server)
    signed(saved, by)
    server.answer(200, set_cookie="session=2")

    brought = schemes.log_in(saved, stored=saved, by=by)

    assert brought and brought.reveal() == "session=2"  # by the test, to see which it is
    assert signed(saved, by)[0] == {"Cookie": "session=2"}


def test_a_test_asks_although_a_login_failed_a_moment_ago(team: Team, server: Server, by: Actor) -> None:
    server.answer(401)
    saved = cookie(team, server)
    with pytest.raises(GrantError):
        schemes.log_in(saved, stored=saved, by=by)
    server.answer(200, set_cookie="session=1")

    assert schemes.log_in(saved, stored=saved, by=by)


def test_a_test_of_values_not_saved_renews_no_token(team: Team, server: Server, by: Actor) -> None:
    saved = token(team, server)
    typed = Connection.objects.get(pk=saved.pk)
    typed.token_refresh_path = "other"

    assert schemes.log_in(typed, stored=saved, by=by) is None
    assert server.asked == []
