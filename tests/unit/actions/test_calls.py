"""Calls: what goes over the wire, what is repeated, what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email import message_from_bytes
from typing import Any

import pytest
from django.utils import timezone
from django.utils.http import http_date

from connections.actions import calls
from connections.actions.calls import CallError, Request
from connections.actions.errors import GrantError
from connections.models import Actor, Grant, Team
from connections.outbound import OutboundError
from connections.sealing import Sealed
from tests.unit.actions import api
from tests.unit.oauth.loopback import Server

TOKEN = "the-access-token-of-the-tests"
NEW = {"access_token": "the-second-access-token", "expires_in": 3600}


@pytest.fixture
def server() -> Iterator[Server]:
    with api.running() as running:
        yield running


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody sleeps; the seconds are noted."""
    noted: list[float] = []
    monkeypatch.setattr("time.sleep", noted.append)
    return noted


def test_a_call_is_the_base_uri_and_the_path(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server, base_uri=f"{server.url}/v1/?tenant=7")

    reply = calls.perform(connection, Request("GET", "/orders?limit=1"), by=by)

    assert (reply.status, reply.problem, reply.repeats) == (200, "", 0)
    assert server.asked[0].path == "/v1/orders?tenant=7&limit=1"


@pytest.mark.parametrize(
    "path", ["../admin", "/a/../../b", "/%2e%2e/admin", "/%252e%252e/x", "..\\x", "/a\r\nX: y", "/a#b"]
)
def test_a_path_never_leaves_the_base_uri(team: Team, by: Actor, server: Server, path: str) -> None:
    with pytest.raises(CallError) as caught:
        calls.perform(api.connection(team, server, base_uri=f"{server.url}/v1"), Request("GET", path), by=by)

    assert caught.value.code == "invalid_request"
    assert server.asked == []


def test_what_a_caller_proved_itself_with_is_not_passed_on(team: Team, by: Actor, server: Server) -> None:
    theirs = {"Authorization": "Bearer gth_key", "cookie": "session=1", "Host": "evil.example", "X-Trace": "7"}

    calls.perform(api.connection(team, server), Request("GET", "/", headers=theirs), by=by)

    sent = server.asked[0].headers
    assert "Authorization" not in sent and "Cookie" not in sent
    assert sent["Host"].startswith("127.0.0.1") and sent["X-Trace"] == "7"


def test_a_callers_body_goes_as_it_is(team: Team, by: Actor, server: Server) -> None:
    request = Request("POST", "/", b"\x00\xffraw", {"Content-Type": "application/x-thing"})

    calls.perform(api.connection(team, server, media_type="form-data"), request, by=by)

    assert (server.asked[0].body, server.asked[0].headers["Content-Type"]) == (b"\x00\xffraw", "application/x-thing")


@pytest.mark.parametrize("rows", ['{"name": "Bolt", "count": 3}', '[["name", "Bolt"], ["count", 3]]'])
def test_form_data_is_real_multipart(team: Team, by: Actor, server: Server, rows: str) -> None:
    calls.perform(api.connection(team, server, media_type="form-data"), Request("POST", "/", rows), by=by)

    asked = server.asked[0]
    message = message_from_bytes(b"Content-Type: " + asked.headers["Content-Type"].encode() + b"\r\n\r\n" + asked.body)
    assert message.is_multipart() and not message.defects
    parts = {part.get_param("name", header="Content-Disposition"): part.get_payload() for part in message.get_payload()}
    assert parts == {"name": "Bolt", "count": "3"}


def test_form_data_of_something_else_is_refused(team: Team, by: Actor, server: Server) -> None:
    with pytest.raises(CallError, match="JSON object"):
        calls.perform(api.connection(team, server, media_type="form-data"), Request("POST", "/", "plain"), by=by)


@pytest.mark.parametrize(
    ("media_type", "body", "sent"),
    [
        ("json", '{"a": 1}', b'{"a": 1, "access_token": "TOKEN"}'),
        ("urlencoded", "a=1", b"a=1&access_token=TOKEN"),
        ("json", "", b'{"access_token": "TOKEN"}'),
    ],
)
def test_a_token_in_the_body(team: Team, by: Actor, server: Server, media_type: str, body: str, sent: bytes) -> None:
    connection = api.authorized(team, server, media_type=media_type, token_location="body")

    calls.perform(connection, Request("POST", "/", body), by=by)

    assert server.asked[0].body == sent.replace(b"TOKEN", TOKEN.encode())
    assert "Authorization" not in server.asked[0].headers


def test_a_token_in_a_multipart_body(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server, media_type="form-data", token_location="body", token_param="key")

    calls.perform(connection, Request("POST", "/", '{"a": "1"}'), by=by)

    asked = server.asked[0]
    message = message_from_bytes(b"Content-Type: " + asked.headers["Content-Type"].encode() + b"\r\n\r\n" + asked.body)
    parts = {part.get_param("name", header="Content-Disposition"): part.get_payload() for part in message.get_payload()}
    assert parts == {"a": "1", "key": TOKEN}


@pytest.mark.parametrize(("method", "media_type"), [("GET", "json"), ("POST", "xml"), ("POST", "text")])
def test_a_body_without_a_place_for_the_token_is_refused(
    team: Team, by: Actor, server: Server, method: str, media_type: str
) -> None:
    connection = api.authorized(team, server, media_type=media_type, token_location="body")

    with pytest.raises(CallError) as caught:
        calls.perform(connection, Request(method, "/", "<a/>"), by=by)

    assert caught.value.code == "invalid_request" and "Send token via" in caught.value.hint
    assert server.asked == []


def test_a_placeholder_without_a_value_is_told(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server, headers=[["X-Tenant", "{{ field.tenant }}"]])

    with pytest.raises(GrantError) as caught:
        calls.perform(connection, Request("GET", "/"), by=by)

    assert caught.value.failure.error == "placeholder_missing"


def test_not_authorized_takes_a_new_token_and_repeats_once(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    api.answer_in_turn(server, (401, {}), (200, NEW), (200, {"ok": True}))

    reply = calls.perform(connection, Request("POST", "/orders", '{"a": 1}'), by=by)

    assert (reply.status, reply.problem, reply.repeats) == (200, "", 1)
    assert [asked.path for asked in server.asked] == ["/orders", "/token", "/orders"]
    assert server.asked[2].headers["Authorization"] == "Bearer the-second-access-token"
    assert server.asked[0].body == server.asked[2].body == b'{"a": 1}'


def test_a_new_token_that_lasts_seconds_is_used_as_it_is(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    api.answer_in_turn(server, (401, {}), (200, NEW | {"expires_in": 5}), (200, {}))

    assert calls.perform(connection, Request("GET", "/"), by=by).status == 200
    assert [asked.path for asked in server.asked] == ["/", "/token", "/"]


def test_not_authorized_twice_is_told(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    api.answer_in_turn(server, (401, {}), (200, NEW), (401, {"error": "no"}))

    reply = calls.perform(connection, Request("GET", "/"), by=by)

    assert (reply.status, reply.problem) == (401, "unauthorized")
    assert len(server.asked) == 3


def test_a_token_that_is_new_is_not_replaced_again(team: Team, by: Actor, server: Server) -> None:
    """Else each call to what is simply forbidden would cost the provider a refresh."""
    connection = api.authorized(team, server)
    Grant.objects.update(refreshed_at=timezone.now())
    api.answer_in_turn(server, (401, {}))

    assert calls.perform(connection, Request("GET", "/"), by=by).problem == "unauthorized"
    assert len(server.asked) == 1


def test_a_token_of_another_process_is_taken(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    original = calls.outbound.request

    def request(*args: Any, **kwargs: Any) -> Any:
        reply = original(*args, **kwargs)
        if len(server.asked) == 1:
            grant = Grant.objects.get()
            grant.access_token, grant.generation = "from-another-process", grant.generation + 1
            grant.save()
        return reply

    api.answer_in_turn(server, (401, {}), (200, {}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(calls.outbound, "request", request)
        reply = calls.perform(connection, Request("GET", "/"), by=by)

    assert reply.status == 200
    assert [asked.path for asked in server.asked] == ["/", "/"]
    assert server.asked[1].headers["Authorization"] == "Bearer from-another-process"


def test_a_token_that_was_given_is_never_replaced(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    api.answer_in_turn(server, (401, {}))

    reply = calls.perform(connection, Request("GET", "/"), by=by, token=Sealed.of("another"))

    assert (reply.problem, len(server.asked)) == ("unauthorized", 1)
    assert server.asked[0].headers["Authorization"] == "Bearer another"


def test_a_refused_refresh_is_told_as_such(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    api.answer_in_turn(server, (401, {}), (400, {"error": "invalid_grant"}))

    with pytest.raises(GrantError) as caught:
        calls.perform(connection, Request("GET", "/"), by=by)

    assert caught.value.code == "reauthorization_required"


@pytest.mark.parametrize(
    ("details", "repeats"),
    [
        ("The access token you provided has expired.", 1),
        ("The access token you provided is revoked, malformed or invalid.", 1),
        ("", 0),
        ("The LWA secret token you provided has expired.", 0),
    ],
)
def test_amazons_403_is_about_the_token_only_where_it_says_so(
    team: Team, by: Actor, server: Server, settings: Any, details: str, repeats: int
) -> None:
    settings.SIMULATOR_URL = server.url
    connection = api.authorized(team, server, application="amazon-simulator", media_type="json")
    refusal = {"errors": [{"code": "Unauthorized", "message": "Access is denied.", "details": details}]}
    api.answer_in_turn(server, (403, refusal), (200, NEW), (200, {}))

    reply = calls.perform(connection, Request("GET", "/"), by=by)

    assert reply.repeats == repeats
    assert reply.status == (200 if repeats else 403)


@pytest.mark.parametrize(("header", "nap"), [("3", 3), (http_date(0), 0), ("", None)])
def test_slow_down_is_waited_for_as_told(
    team: Team, by: Actor, server: Server, naps: list[float], header: str, nap: float | None
) -> None:
    api.answer_in_turn(server, (429, {}, {"Retry-After": header}), (200, {}))

    reply = calls.perform(api.connection(team, server), Request("GET", "/"), by=by)

    assert (reply.status, reply.problem, reply.repeats) == (200, "", 1)
    assert naps == [nap] if nap is not None else 0.5 < naps[0] < 2


def test_slow_down_is_repeated_twice_and_then_told(team: Team, by: Actor, server: Server, naps: list[float]) -> None:
    api.answer_in_turn(server, (429, {"message": "Slow down"}, {"Retry-After": "2"}))

    reply = calls.perform(api.connection(team, server), Request("GET", "/"), by=by)

    assert (reply.status, reply.problem, reply.retry_after, reply.repeats) == (429, "rate_limited", 2, 2)
    assert (len(server.asked), naps) == (3, [2, 2])


@pytest.mark.parametrize("told", ["3600", "21"])
def test_a_long_wait_is_told_at_once(team: Team, by: Actor, server: Server, naps: list[float], told: str) -> None:
    api.answer_in_turn(server, (429, {}, {"Retry-After": told}))

    reply = calls.perform(api.connection(team, server), Request("GET", "/"), by=by)

    assert (reply.problem, reply.retry_after, len(server.asked), naps) == ("rate_limited", float(told), 1, [])


def test_a_moment_in_unix_time_is_understood(team: Team, by: Actor, server: Server, naps: list[float]) -> None:
    at = int(timezone.now().timestamp()) + 5
    api.answer_in_turn(server, (429, {}, {"X-RateLimit-Reset": str(at)}), (200, {}))

    calls.perform(api.connection(team, server, retry_header="X-RateLimit-Reset"), Request("GET", "/"), by=by)

    assert 3 < naps[0] <= 5


def test_an_answer_that_points_elsewhere_is_given_as_it_came(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server)
    api.answer_in_turn(server, (302, "", {"Location": "https://elsewhere.example/"}))

    assert calls.perform(connection, Request("GET", "/"), by=by).status == 302
    with pytest.raises(OutboundError) as caught:
        calls.perform(connection, Request("GET", "/"), by=by, redirects="refuse")
    assert (caught.value.code, len(server.asked)) == ("redirect", 2)


def test_the_token_is_in_no_text_of_a_reply(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    api.answer_in_turn(server, (400, {"message": f"Bad token {TOKEN}"}))

    reply = calls.perform(connection, Request("GET", "/"), by=by)

    assert TOKEN not in repr(reply)
    assert json.loads(reply.body)["message"].endswith(TOKEN)
