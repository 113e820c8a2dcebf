"""Providers as they are: odd, broken and slow token endpoints, met through the whole stack."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.utils import timezone

from connections.actions import grants, token_requests
from connections.actions.errors import GrantError
from connections.models import Actor, Connection, Event, Grant, Team
from connections.models.choices import Status
from tests.factories import SENTINEL
from tests.unit.oauth.loopback import JSON, Server
from tests.unit.oauth.provider import (
    TOKENS,
    as_stored,
    asked_at,
    authorize,
    authorized,
    changed,
    connection_at,
    provider,
    refreshed,
    revealed,
)

LONG = "e" * 8192
FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def server() -> Iterator[Server]:
    with provider() as running:
        yield running


@pytest.fixture
def connection(server: Server, team: Team) -> Connection:
    return connection_at(server, team)


def through(way: str, connection: Connection, by: Actor) -> Grant:
    """A new pair by authorizing, or by refreshing an old one."""
    if way == "refresh":
        authorized(connection)
        return refreshed(connection, by=by)
    _, attempt = authorize(connection, by=by)
    assert attempt.failure is None
    return grants.find(connection)


both = pytest.mark.parametrize("way", ["authorize", "refresh"])


def seconds_left(grant: Grant) -> int:
    return round(grant.valid_for(timezone.now()).total_seconds())


# How long a token lives


@both
def test_without_expires_in_a_token_is_good_for_an_hour(
    server: Server, connection: Connection, by: Actor, way: str
) -> None:
    server.json({"access_token": "a", "refresh_token": "r"})

    assert seconds_left(through(way, connection, by)) == 3600


def test_without_expires_in_the_last_known_lifetime_counts(server: Server, connection: Connection, by: Actor) -> None:
    server.json(TOKENS | {"expires_in": 7200})
    through("authorize", connection, by)
    server.json({"access_token": "a"})

    assert seconds_left(refreshed(connection, by=by)) == 7200


@both
@pytest.mark.parametrize("value", ["1800", "1800.0", 1800.0, " 1800 "])
def test_expires_in_may_be_a_text(server: Server, connection: Connection, by: Actor, way: str, value: Any) -> None:
    server.json(TOKENS | {"expires_in": value})

    assert seconds_left(through(way, connection, by)) == 1800


@both
@pytest.mark.parametrize("value", ["soon", None, True, 0, -5, "NaN", [], {"seconds": 5}])
def test_nonsense_in_expires_in_counts_as_not_told(
    server: Server, connection: Connection, by: Actor, way: str, value: Any
) -> None:
    server.json(TOKENS | {"expires_in": value})

    assert seconds_left(through(way, connection, by)) == 3600


@both
@pytest.mark.parametrize("path", ["expires_in ms", "  ms", "data[0].life ms"])
def test_milliseconds_are_told_by_ms_behind_the_path(
    server: Server, connection: Connection, by: Actor, way: str, path: str
) -> None:
    server.json(TOKENS | {"expires_in": "1800000", "data": [{"life": 1800000}]})
    changed(connection, by=by, expires_in_path=path)

    assert seconds_left(through(way, connection, by)) == 1800


def test_a_long_life_is_believed(server: Server, connection: Connection, by: Actor) -> None:
    """Nothing is guessed from the size: tokens that live for a year are real."""
    server.json(TOKENS | {"expires_in": 31_536_000})

    assert seconds_left(through("authorize", connection, by)) == 31_536_000


# Where the tokens are


def test_a_second_consent_without_refresh_token_keeps_the_first_ones(
    server: Server, connection: Connection, by: Actor
) -> None:
    through("authorize", connection, by)
    server.json({"access_token": "second", "expires_in": 3600})

    assert revealed(through("authorize", connection, by)) == ("second", "the-refresh-token")


def test_a_refresh_without_refresh_token_keeps_the_old_one(server: Server, connection: Connection, by: Actor) -> None:
    server.json({"access_token": "new", "expires_in": 3600})

    assert revealed(through("refresh", connection, by)) == ("new", "old-refresh-token")


@both
def test_nested_tokens_are_found(server: Server, connection: Connection, by: Actor, way: str) -> None:
    user = {"access_token": "xoxp", "refresh_token": "xoxe", "expires_in": 43200}
    server.json({"ok": True, "access_token": "xoxb-bot", "authed_user": user})
    changed(connection, by=by, access_token_path="authed_user.access_token",
            refresh_token_path="authed_user.refresh_token", expires_in_path="authed_user.expires_in")  # fmt: skip

    grant = through(way, connection, by)

    assert (revealed(grant), seconds_left(grant)) == (("xoxp", "xoxe"), 43200)


@both
@pytest.mark.parametrize("content_type", [FORM, "text/plain", ""])
def test_a_form_encoded_answer_is_read(
    server: Server, connection: Connection, by: Actor, way: str, content_type: str
) -> None:
    fields = {"access_token": "gho/+x", "refresh_token": "ghr", "expires_in": "28800", "token_type": "bearer"}
    server.answer(200, urlencode(fields), content_type)

    grant = through(way, connection, by)

    assert (revealed(grant), seconds_left(grant)) == (("gho/+x", "ghr"), 28800)


@both
def test_tokens_of_8_kb_come_through_whole(server: Server, connection: Connection, by: Actor, way: str) -> None:
    server.json({"access_token": "a" + LONG, "refresh_token": "r" + LONG, "expires_in": 3600})

    assert revealed(through(way, connection, by)) == ("a" + LONG, "r" + LONG)
    refreshed(connection, by=by)
    assert server.asked[-1].form["refresh_token"] == "r" + LONG


# What a provider wants to be asked


def strict(server: Server, *, allowed: set[str], needed: set[str]) -> None:
    """Make the server refuse parameters that it does not know, and requests that lack one."""

    def respond(handler: Any) -> None:
        names = set(server.asked[-1].form)
        wrong = sorted((names - allowed) | (needed - names))
        if wrong:
            server.json({"error": "invalid_request", "error_description": f"AADSTS9001: {wrong}"}, 400)
        else:
            server.json(TOKENS)
        now, server.respond = server.respond, respond
        now(handler)

    server.respond = respond


def test_nothing_is_sent_that_rfc_6749_does_not_name(server: Server, connection: Connection, by: Actor) -> None:
    client = {"grant_type", "client_id", "client_secret"}
    strict(server, allowed=client | {"code", "redirect_uri", "refresh_token"}, needed=client)

    through("authorize", connection, by)
    refreshed(connection, by=by)

    assert len(server.asked) == 2


def test_a_parameter_that_is_refused_can_be_left_out(server: Server, connection: Connection, by: Actor) -> None:
    strict(server, allowed={"grant_type", "client_id", "client_secret", "code"}, needed={"code"})
    _, attempt = authorize(connection, by=by)
    assert attempt.failure is not None
    assert (attempt.failure["error"], "redirect_uri" in attempt.failure["description"]) == ("invalid_request", True)

    through("authorize", changed(connection, by=by, token_body=[["redirect_uri", ""]]), by)


def test_a_scope_that_is_needed_on_refresh_can_be_sent(server: Server, connection: Connection, by: Actor) -> None:
    allowed = {"grant_type", "client_id", "client_secret", "refresh_token", "scope"}
    strict(server, allowed=allowed, needed={"scope"})
    authorized(connection)
    with pytest.raises(GrantError, match="AADSTS9001"):
        refreshed(connection, by=by)

    changed(connection, by=by, refresh_body=[["scope", "https://erp.example/.default offline_access"]])
    refreshed(connection, by=by)

    assert server.asked[-1].form["scope"] == "https://erp.example/.default offline_access"


def test_basic_may_be_right_for_the_code_and_wrong_for_the_refresh(
    server: Server, connection: Connection, by: Actor
) -> None:
    def respond(handler: Any) -> None:
        asked = server.asked[-1]
        is_exchange = asked.form["grant_type"] == "authorization_code"
        by_basic, by_body = "Authorization" in asked.headers, "client_secret" in asked.form
        fits = by_basic is is_exchange and by_body is not is_exchange
        server.json(TOKENS if fits else {"error": "invalid_client"}, 200 if fits else 401)
        now, server.respond = server.respond, respond
        now(handler)

    server.respond = respond
    connection = changed(connection, by=by, client_authentication="client_secret_basic")
    through("authorize", connection, by)
    with pytest.raises(GrantError) as caught:
        refreshed(connection, by=by)
    assert caught.value.code == "client_rejected"

    changed(connection, by=by, refresh_body=[["client_secret", "{{ client_secret }}"]])
    refreshed(connection, by=by)

    assert "client_id" in server.asked[-1].form


# What is no answer

PAGE = f"<html><title>Oops</title>{SENTINEL}"


@pytest.mark.parametrize(
    ("status", "body", "content_type", "error", "code"),
    [
        (200, PAGE, "text/html", "not_json", "misconfigured"),
        (200, PAGE, JSON, "not_json", "misconfigured"),
        (200, "", JSON, "not_json", "misconfigured"),
        (200, '{"token": "elsewhere"}', JSON, "no_access_token", "misconfigured"),
        (200, '{"ok": false, "error": "invalid_refresh_token"}', JSON, "invalid_refresh_token", "reauthorization_required"),
        (200, '{"access_token": {"a": 1}}', JSON, "no_access_token", "misconfigured"),
        (502, PAGE, "text/html", "http_502", "provider_unavailable"),
        (403, PAGE, "text/html", "http_403", "misconfigured"),
    ],
)  # fmt: skip
@both
def test_what_is_no_token_is_never_stored_nor_quoted(
    server: Server, connection: Connection, by: Actor, way: str, status: int, body: str, content_type: str, error: str, code: str
) -> None:  # fmt: skip
    before = authorized(connection, expires_at=timezone.now() + timedelta(hours=1))
    server.answer(status, body, content_type)

    if way == "refresh":
        with pytest.raises(GrantError) as caught:
            refreshed(connection, by=by)
        assert (caught.value.failure.error, caught.value.code) == (error, code)
    else:
        _, attempt = authorize(connection, by=by)
        assert attempt.failure is not None
        assert attempt.failure["error"] == error

    after = grants.find(connection)
    assert revealed(after) == ("old-access-token", "old-refresh-token")
    assert after.generation == before.generation
    told = [repr(vars(as_stored(connection))), *(repr(event.detail) for event in Event.objects.all())]
    assert SENTINEL not in "".join(told)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@both
def test_a_redirect_takes_no_secret_along(
    server: Server, connection: Connection, by: Actor, way: str, status: int
) -> None:
    with Server() as other:
        server.answer(status, location=f"{other.url}/token")

        assert failing(way, connection, by) == "redirected"

        assert other.asked == []


def failing(way: str, connection: Connection, by: Actor) -> str:
    if way == "refresh":
        authorized(connection)
        with pytest.raises(GrantError) as caught:
            refreshed(connection, by=by)
        return caught.value.failure.error
    _, attempt = authorize(connection, by=by)
    assert attempt.failure is not None
    return str(attempt.failure["error"])


@both
def test_a_gzip_bomb_is_too_large(server: Server, connection: Connection, by: Actor, way: str) -> None:
    bomb = gzip.compress(b'{"access_token": "' + b"a" * 50_000_000 + b'"}')
    assert len(bomb) < 60_000
    server.answer(200, bomb, content_encoding="gzip")

    assert failing(way, connection, by) == "too_large"


@both
def test_a_zipped_answer_is_read(server: Server, connection: Connection, by: Actor, way: str) -> None:
    server.answer(200, gzip.compress(b'{"access_token": "a", "refresh_token": "r"}'), content_encoding="gzip")

    assert revealed(through(way, connection, by)) == ("a", "r")


@both
def test_a_slow_answer_is_a_timeout_and_loses_nothing(
    server: Server, connection: Connection, by: Actor, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One byte now and then would hold a worker for hours, were the deadline not for the whole call."""
    monkeypatch.setattr(token_requests, "DEADLINE", 0.4)
    done = threading.Event()

    def drip(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not done.wait(0.05):
            handler.wfile.write(b" ")

    server.respond = drip

    assert failing(way, connection, by) == "timeout"

    done.set()
    if way == "refresh":
        assert revealed(grants.find(connection)) == ("old-access-token", "old-refresh-token")
        assert as_stored(connection).status == Status.OFFLINE
        server.json(TOKENS)
        refreshed(connection, by=by)
        assert as_stored(connection).status == Status.ONLINE
    assert len(asked_at(server, "/token")) == (2 if way == "refresh" else 1)
