"""The proxy's one repeat: when there is one, and that there is never another."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from connections.actions import proxying, slots
from connections.actions.errors import GrantError
from connections.actions.proxying import PEEK, REPEATABLE, CallError, Request
from connections.models import Actor, Connection, Grant, Slot, Team, Turn
from connections.outbound import Upload
from tests.conftest import Simulator
from tests.unit.actions import api
from tests.unit.actions.proxied import call, upload
from tests.unit.oauth.loopback import Server

NEW = {"access_token": "the-second-access-token", "expires_in": 3600}


@pytest.fixture
def server() -> Iterator[Server]:
    with api.running() as running:
        yield running


@pytest.fixture(autouse=True)
def no_leftovers() -> Iterator[None]:
    slots._spares.clear()
    yield
    slots._spares.clear()


def asked(server: Server) -> list[str]:
    return [f"{asked.method} {asked.path}" for asked in server.asked]


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "HEAD"])
def test_not_authorized_takes_a_new_token_and_repeats_once(team: Team, by: Actor, server: Server, method: str) -> None:
    connection = api.authorized(team, server)
    api.answer_in_turn(server, (401, {"no": 1}), (200, NEW), (200, {"ok": 1}))

    got = call(connection, by, method, "/orders", body=b'{"a": 1}')

    assert (got.status, got.verdict) == (200, "")
    assert asked(server) == [f"{method} /orders", "POST /token", f"{method} /orders"]
    assert server.asked[0].body == server.asked[2].body == b'{"a": 1}'
    assert server.asked[2].headers["Authorization"] == "Bearer the-second-access-token"


@pytest.mark.parametrize(
    "body",
    [
        upload(b"one", b"two", length=6),
        upload(b"one", b"two"),
        upload(b"x" * REPEATABLE),
        upload(b""),
    ],
    ids=["known", "chunks", "long chunk", "no chunk"],
)
def test_a_short_upload_is_repeated_as_it_was(team: Team, by: Actor, server: Server, body: Upload) -> None:
    connection = api.authorized(team, server)
    api.answer_in_turn(server, (401, {}), (200, NEW), (200, {}))

    got = call(connection, by, "POST", "/orders", body=body)

    assert got.status == 200
    assert asked(server) == ["POST /orders", "POST /token", "POST /orders"]
    assert server.asked[0].body == server.asked[2].body


@pytest.mark.parametrize("length", [REPEATABLE + 65536, None])
def test_a_long_upload_is_sent_once_and_its_answer_passed_on(
    team: Team, by: Actor, server: Server, length: int | None
) -> None:
    connection = api.authorized(team, server)
    left = [REPEATABLE + 65536]

    def read(size: int) -> bytes:
        size = min(size, left[0])
        left[0] -= size
        return b"x" * size

    api.answer_in_turn(server, (401, {"why": "expired"}))

    got = call(connection, by, "POST", "/files", body=Upload(read, length))

    assert (got.status, json.loads(got.body), got.verdict) == (401, {"why": "expired"}, "unauthorized")
    assert asked(server) == ["POST /files"]


def test_an_upload_that_was_refused_halfway_is_repeated_whole(team: Team, by: Actor, server: Server) -> None:
    """The refusal comes, and the connection is closed, while the caller is still sending."""
    connection = api.authorized(team, server)
    refused = threading.Event()
    bodies: list[bytes] = []

    def respond(handler: Any) -> None:
        parts = handler.parts()
        if handler.path == "/token":
            content = json.dumps(NEW).encode()
        elif not bodies:
            bodies.append(next(parts))
            handler.close_connection = True
            handler.wfile.write(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")
            handler.wfile.flush()
            refused.set()
            return
        else:
            bodies.append(b"".join(parts))
            content = b"{}"
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(content), content))

    server.reads, server.respond = False, respond
    left = [b"one", b"two", b""]

    def read(size: int) -> bytes:
        if len(left) == 2:
            assert refused.wait(10)
        return left.pop(0)

    got = call(connection, by, "POST", "/orders", body=Upload(read, None))

    assert (got.status, bodies) == (200, [b"one", b"onetwo"])


def test_not_authorized_twice_is_passed_on(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    api.answer_in_turn(server, (401, {"n": 1}), (200, NEW), (401, {"n": 2}, {"WWW-Authenticate": "Bearer"}))

    got = call(connection, by)

    assert (got.status, json.loads(got.body), got.verdict) == (401, {"n": 2}, "unauthorized")
    assert dict(got.headers)["WWW-Authenticate"] == "Bearer"
    assert len(server.asked) == 3


def test_a_refusal_of_any_length_is_passed_on_whole(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server)  # nothing to renew
    for size in (0, 10, PEEK - 1, PEEK, PEEK + 1, 5 * PEEK):
        server.answer(401, b"x" * size)
        got = call(connection, by)
        assert (got.status, len(got.body), got.verdict) == (401, size, "unauthorized")


def test_a_token_that_is_new_is_not_replaced_again(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    Grant.objects.update(refreshed_at=timezone.now())
    api.answer_in_turn(server, (401, {}))

    assert call(connection, by).verdict == "unauthorized"
    assert len(server.asked) == 1


def test_a_refused_refresh_is_told_as_such(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server, concurrency=1)
    api.answer_in_turn(server, (401, {}), (400, {"error": "invalid_grant"}))

    with pytest.raises(GrantError) as caught:
        call(connection, by)

    assert caught.value.code == "reauthorization_required"
    assert not Slot.objects.filter(held_until__gt=timezone.now()).exists()


def test_a_cookie_is_fetched_anew(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server, auth_type="cookie", cookie_method="GET", cookie_url=f"{server.url}/login")
    logins = [0]

    def respond(handler: Any) -> None:
        is_login = handler.path == "/login"
        logins[0] += is_login
        handler.send_response(200 if is_login or handler.headers["Cookie"] == "sid=2" else 401)
        handler.send_header("Set-Cookie", f"sid={logins[0]}")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    server.respond = respond
    with time_machine.travel(timezone.now()) as clock:
        assert call(connection, by).status == 401  # a login this young is not repeated
        clock.shift(60)
        assert call(connection, by).status == 200

    assert asked(server) == ["GET /login", "GET /", "GET /", "GET /login", "GET /"]


# What the answer says


@pytest.mark.parametrize(
    ("details", "repeats"),
    [
        ("The access token you provided has expired.", True),
        ("The access token you provided is revoked, malformed or invalid.", True),
        ("", False),
        ("The LWA secret token you provided has expired.", False),
    ],
)
@pytest.mark.parametrize("is_packed", [False, True])
def test_amazons_403_is_about_the_token_only_where_it_says_so(
    team: Team, by: Actor, server: Server, settings: Any, details: str, repeats: bool, is_packed: bool
) -> None:
    settings.SIMULATOR_URL = server.url
    connection = api.authorized(team, server, application="amazon-simulator")
    refusal = json.dumps({"errors": [{"code": "Unauthorized", "message": "Access is denied.", "details": details}]})
    said = gzip.compress(refusal.encode()) if is_packed else refusal.encode()
    headers = {"Content-Encoding": "gzip"} if is_packed else {}
    api.answer_in_turn(server, (403, said, headers), (200, NEW), (200, {}))

    got = call(connection, by, headers={"Accept-Encoding": "gzip"})

    assert len(server.asked) == (3 if repeats else 1)
    assert (got.status, got.body) == ((200, b"{}") if repeats else (403, said))


def test_amazons_dead_token_is_replaced(authorized: Connection, simulator: Simulator, by: Actor) -> None:
    """At the simulator, which answers as Amazon was recorded to."""
    grant = Grant.objects.get()
    grant.access_token = "Atza|ended-long-ago"
    grant.save()
    path = "/vendor/orders/v1/purchaseOrders?limit=1&includeDetails=false"

    got = call(authorized, by, path=path)

    assert (got.status, "payload" in json.loads(got.body), got.verdict) == (200, True, "")
    statuses = [each["status"] for each in simulator.calls("/vendor/orders")]
    assert statuses == [403, 200]


def test_amazons_missing_role_is_passed_on(authorized: Connection, simulator: Simulator, by: Actor) -> None:
    refusal = {
        "errors": [{"code": "Unauthorized", "message": "Access to requested resource is denied.", "details": ""}]
    }
    simulator.fault(path="/vendor/orders/v1/purchaseOrders", status=403, times=9, body=refusal)

    got = call(authorized, by, path="/vendor/orders/v1/purchaseOrders")

    assert (got.status, json.loads(got.body), got.verdict) == (403, refusal, "")
    assert len(simulator.calls("/vendor/orders")) == 1


def test_a_field_of_a_success_may_say_not_authorized(team: Team, by: Actor, server: Server) -> None:
    fields = {"auth_fail_path": "error.code", "auth_fail_values": "expired"}
    api.answer_in_turn(server, (200, {"error": {"code": "expired"}}), (200, NEW), (200, {"ok": 1}))
    assert json.loads(call(api.authorized(team, server, **fields), by).body) == {"ok": 1}

    server.asked.clear()
    api.answer_in_turn(server, (401, {"error": {"code": "not for you"}}))
    got = call(api.authorized(team, server, **fields), by)
    assert (got.status, got.verdict, len(server.asked)) == (401, "", 1)


@pytest.mark.parametrize(
    ("content_type", "length"),
    [
        ("text/event-stream", None),
        ("application/x-ndjson", None),
        ("application/octet-stream", None),
        ("application/json", PEEK + 1),
    ],
)
def test_a_success_that_is_no_short_document_is_not_held_up(
    team: Team, by: Actor, server: Server, content_type: str, length: int | None
) -> None:
    taken = threading.Event()

    def respond(handler: Any) -> None:
        handler.close_connection = True
        size = f"Content-Length: {length}\r\n" if length else ""
        handler.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{size}\r\nfirst".encode())
        handler.wfile.flush()
        assert taken.wait(10)
        handler.wfile.write(b"x" * ((length or 9) - 5))

    server.respond = respond
    connection = api.authorized(team, server, auth_fail_path="error.code", rate_fail_path="error.code")

    answer = proxying.send(connection, Request("GET", "/"), by=by)
    assert next(answer) == b"first"
    taken.set()
    assert b"".join(answer).startswith(b"xxx")
    answer.close()


# Slow down


def test_slow_down_is_passed_on_and_not_repeated(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    api.answer_in_turn(server, (429, {"message": "Slow down"}))

    got = call(connection, by)

    assert (got.status, json.loads(got.body), got.verdict) == (429, {"message": "Slow down"}, "rate_limited")
    assert call(connection, by).status == 429  # it names no wait, so the next one goes out
    assert len(server.asked) == 2


def test_a_wait_that_was_named_is_obeyed(
    team: Team, by: Actor, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []
    monkeypatch.setattr("time.sleep", naps.append)
    connection, other = api.connection(team, server), api.connection(team, server)
    api.answer_in_turn(server, (429, {}, {"Retry-After": "60"}), (200, {}))

    with time_machine.travel(timezone.now(), tick=False) as clock:
        assert dict(call(connection, by).headers)["Retry-After"] == "60"
        with pytest.raises(CallError) as caught:
            call(connection, by)
        assert call(other, by).status == 200
        clock.shift(50)
        assert call(connection, by).status == 200
        clock.shift(11)
        assert call(connection, by).status == 200

    assert (caught.value.code, caught.value.retry_after) == ("rate_limited", 60)
    assert (naps, len(server.asked)) == ([10], 4)


def test_a_wait_of_days_is_asked_about_again(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server)
    api.answer_in_turn(server, (429, {}, {"Retry-After": "86400"}), (200, {}))

    with time_machine.travel(timezone.now(), tick=False) as clock:
        call(connection, by)
        clock.shift(slots.PAUSE_SECONDS + 1)
        assert call(connection, by).status == 200


def test_where_calls_have_turns_every_process_learns_of_the_wait(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server, rate_wait_ms=10)
    api.answer_in_turn(server, (429, {}, {"Retry-After": "60"}))
    call(connection, by)
    slots._pauses.clear()  # as in another process

    with pytest.raises(CallError) as caught:
        call(connection, by)

    assert caught.value.code == "rate_limited" and 50 < (caught.value.retry_after or 0) <= 60
    assert Turn.objects.get().next_at > timezone.now()
