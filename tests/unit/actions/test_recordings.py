"""Recordings: what is kept while debugging, for how long, and never a secret."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import time_machine
from django.utils import timezone

from connections import outbound, tasks
from connections.actions import calls, grants, recordings
from connections.actions.calls import Request
from connections.actions.errors import ActionError
from connections.actions.masks import Mask
from connections.models import Actor, Connection, DebugPeriod, Event, Grant, Recording, Team
from connections.models.pane import SECRET
from connections.outbound import OutboundError
from connections.sealing import DOTS
from tests.unit.actions import api
from tests.unit.oauth.loopback import Server

# With characters that every encoding writes in its own way.
SENTINELS = {name: f"s3ntinel {name}/+&<\"'=é|{'x' * 12}" for name in SECRET if name != "encrypted_fields"}


@pytest.fixture
def server() -> Iterator[Server]:
    with api.running() as running:
        yield running


def debugged(team: Team, by: Actor, server: Server, **fields: Any) -> Connection:
    connection = api.connection(team, server, **fields)
    recordings.start(connection, minutes=15, by=by)
    return connection


def writings(secret: str) -> list[str]:
    raw = secret.encode()
    return [
        secret, quote(secret, safe=""), quote(secret), quote_plus(secret), quote(secret, safe="").lower(),
        json.dumps(secret), json.dumps(secret, ensure_ascii=False).replace("/", "\\/"),
        secret.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;").replace("'", "&#x27;"),
        base64.b64encode(raw).decode(), base64.urlsafe_b64encode(b"user:" + raw).decode(),
        base64.b64encode(b"user1:" + raw + b":more").decode(), base64.b64encode(b"us:" + raw).decode(),
    ]  # fmt: skip


def everything() -> str:
    """Every column of every recording and event, decoded as far as it goes."""
    rows = [*Recording.objects.values(), *Event.objects.values("detail")]
    return json.dumps(rows, default=str, ensure_ascii=False)


def assert_hidden(text: str, secret: str) -> None:
    for writing in writings(secret):
        assert writing not in text
        # Nor the larger part of one: the letters that base64 shares with its neighbours are not the secret.
        assert writing[4:-6] not in text


def test_nothing_is_recorded_unless_asked_for(team: Team, by: Actor, server: Server) -> None:
    calls.perform(api.connection(team, server), Request("GET", "/"), by=by)

    assert not Recording.objects.exists()


def test_a_call_is_recorded(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(team, by, server)
    server.json({"orders": [1]}, status=201, X_Trace="7")

    calls.perform(connection, Request("POST", "/orders?limit=1", '{"a": 1}'), by=by)

    kept = Recording.objects.get()
    assert (kept.kind, kept.method, kept.url, kept.status) == ("call", "POST", f"{server.url}/orders?limit=1", 201)
    assert kept.request_body == '{"a": 1}' and kept.response_body == '{"orders": [1]}'
    assert kept.request_headers["Content-Type"] == "application/json" and kept.response_headers["X-Trace"] == "7"
    assert kept.ms is not None


def test_record_false_keeps_nothing(team: Team, by: Actor, server: Server) -> None:
    calls.perform(debugged(team, by, server), Request("GET", "/"), by=by, record=False)

    assert not Recording.objects.exists()


def test_a_call_without_an_answer_is_recorded(team: Team, by: Actor) -> None:
    with api.running() as server:
        connection = debugged(team, by, server)

    with pytest.raises(OutboundError):
        calls.perform(connection, Request("GET", "/"), by=by)

    kept = Recording.objects.get()
    assert kept.status is None and kept.error.startswith("connect: ")


@pytest.mark.parametrize("minutes", [15, 30, 45, 60])
def test_a_period_ends_by_itself(team: Team, by: Actor, server: Server, minutes: int) -> None:
    connection = api.connection(team, server)
    recordings.start(connection, minutes=minutes, by=by)

    with time_machine.travel(timezone.now() + timedelta(minutes=minutes, seconds=-5)):
        assert recordings.running(connection)
    with time_machine.travel(timezone.now() + timedelta(minutes=minutes, seconds=1)):
        assert not recordings.running(connection)
        calls.perform(connection, Request("GET", "/"), by=by)
    assert not Recording.objects.exists()


@pytest.mark.parametrize("minutes", [0, 14, 61, 100000])
def test_other_lengths_are_refused(team: Team, by: Actor, server: Server, minutes: int) -> None:
    with pytest.raises(ActionError):
        recordings.start(api.connection(team, server), minutes=minutes, by=by)


def test_start_and_stop_are_told(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(team, by, server)
    recordings.start(connection, minutes=30, by=by)
    recordings.stop(connection, by=by)
    recordings.stop(connection, by=by)

    assert recordings.running(connection) is None
    assert list(Event.objects.order_by("number").values_list("action", flat=True)) == [
        "recording.start", "recording.start", "recording.stop",
    ]  # fmt: skip


def test_all_is_gone_after_a_day(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(team, by, server)
    calls.perform(connection, Request("GET", "/"), by=by)

    with time_machine.travel(timezone.now() + timedelta(hours=23, minutes=59)):
        tasks.prune()
        assert Recording.objects.kept().count() == 1
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1)):
        assert Recording.objects.kept().count() == 0  # before anything is cleared away
        assert recordings.export(connection, by=by)["recordings"] == []
        assert recordings.prune() == 1
    with time_machine.travel(timezone.now() + timedelta(hours=25)):
        recordings.prune()
    assert not Recording.objects.exists() and not DebugPeriod.objects.exists()


def test_recording_stops_when_there_is_much(
    team: Team, by: Actor, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recordings, "MOST", 2)
    connection = debugged(team, by, server)

    for _ in range(4):
        assert calls.perform(connection, Request("GET", "/"), by=by).status == 200

    assert Recording.objects.count() == 2


def test_no_secret_of_the_connection_is_recorded(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(team, by, server, auth_type="none", encrypted_fields=json.dumps({"key": "s3ntinel-custom-key"}),
                          encrypted_field_names=["key"], headers=[["X-Own", "{{ encrypted.key }}"]])  # fmt: skip
    for name, secret in SENTINELS.items():
        setattr(connection, name, secret)
    connection.save()
    Grant.objects.create(connection=connection, access_token="s3ntinel-access/+token", refresh_token="s3ntinel-refresh")
    planted = [*SENTINELS.values(), "s3ntinel-custom-key", "s3ntinel-access/+token", "s3ntinel-refresh"]

    for secret in planted:
        for writing in writings(secret):
            server.answer(400, f"before {writing} after", "text/plain", X_Echo=quote(secret))
            body = f"sent {writing}".encode()
            calls.perform(connection, Request("POST", f"/{quote(secret, safe='')}?q={quote_plus(secret)}", body), by=by)

    text = everything()
    for secret in planted:
        assert_hidden(text, secret)
    assert Recording.objects.count() == len(planted) * len(writings("x"))
    kept = Recording.objects.earliest("at")
    assert kept.response_body == f"before {DOTS} after"


def test_tokens_are_hidden_wherever_they_are_sent(team: Team, by: Actor, server: Server) -> None:
    token = "a-plain-looking-word"
    places: list[dict[str, Any]] = [
        {}, {"token_location": "query", "token_param": "k"}, {"token_location": "body", "token_param": "k"},
        {"token_header": "X-Mine", "token_scheme": ""},
    ]  # fmt: skip
    for fields in places:
        connection = api.authorized(team, server, token=token, **fields)
        recordings.start(connection, minutes=15, by=by)
        server.json({"you_sent": token})
        calls.perform(connection, Request("POST", "/", "{}"), by=by)

    assert Recording.objects.count() == 4
    assert token not in everything()


def test_basic_and_cookies_are_hidden(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(team, by, server, auth_type="basic", username="u", password="pass-w0rd!")
    server.json({"basic": base64.b64encode(b"u:pass-w0rd!").decode()}, Set_Cookie="sid=abcdef; Path=/")

    calls.perform(connection, Request("GET", "/"), by=by)

    kept = Recording.objects.get()
    assert kept.request_headers["Authorization"] == kept.response_headers["Set-Cookie"] == DOTS
    assert "abcdef" not in everything()
    assert base64.b64encode(b"u:pass-w0rd!").decode()[6:-2] not in everything()


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/json", '{"access_token": "NEW", "data": {"apiKey": "NEW", "n": 1}}'),
        ("application/json", '{"restrictedDataToken" : "NEW'),
        ("application/json", '{"payload": "{\\"idToken\\": \\"NEW\\"}"}'),
        ("text/html", '<a href="token=NEW">x</a>'),
        ("application/x-www-form-urlencoded", "a=1&refresh_token=NEW&b=2"),
        ("application/xml", "<r><sessionToken>NEW</sessionToken><u password='NEW'/></r>"),
        ("multipart/form-data", '--b\r\nContent-Disposition: form-data; name="api_key"\r\n\r\nNEW\r\n--b--'),
        ("text/plain", "Use Bearer NEW0123456789abc from now on"),
        ("text/plain", "Atza|NEW0123456789"),
        ("text/plain", "eyJhbGciOiJIUzI1NiJ9.NEW.NEW"),
        ("text/plain", "key NEW0123456789abcdefghijklmnopqrstuvwxyz0123456789 here"),
    ],
)
def test_what_looks_like_a_token_is_hidden(team: Team, by: Actor, server: Server, content_type: str, body: str) -> None:
    connection = debugged(team, by, server)
    server.answer(200, body, content_type)

    calls.perform(connection, Request("POST", "/?api_key=NEW&page=3", body.encode()), by=by)

    kept = Recording.objects.get()
    assert DOTS in kept.response_body
    assert "NEW" not in everything()
    assert "page=3" in kept.url


def test_ordinary_data_stays_readable(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(team, by, server)
    body = '{"purchaseOrderNumber": "4Z32PABC", "id": "123e4567-e89b-12d3-a456-426614174000", "code": "E7", "at": "2026-01-01"}'
    server.answer(200, body)

    calls.perform(connection, Request("GET", "/vendor/orders/v1/purchaseOrders?createdAfter=2026-01-01"), by=by)

    assert Recording.objects.get().response_body == body


def test_a_long_body_is_cut_and_no_secret_with_it(team: Team, by: Actor, server: Server) -> None:
    secret = "s3ntinel-" + "y" * 300
    connection = debugged(team, by, server, auth_type="none", password=secret)
    for before in range(recordings.BODY - 310, recordings.BODY + 10, 40):
        server.answer(200, "a " * (before // 2) + secret + " b" * 100_000, "text/plain")
        calls.perform(connection, Request("GET", "/"), by=by)
    many = (secret + " ") * 1000  # masked, this becomes short, and what was cut in two would come into view
    server.answer(200, many, "text/plain")
    calls.perform(connection, Request("GET", "/"), by=by)

    assert "yyyyy" not in everything()
    for kept in Recording.objects.all():
        assert len(kept.response_body) <= recordings.BODY + 40
        assert kept.response_body.endswith("bytes in all)")


def test_what_is_not_text_is_not_kept(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(team, by, server, password="s3ntinel-secret")
    server.answer(200, "s3ntinel-secret".encode("utf-16-le"), "application/octet-stream")

    calls.perform(connection, Request("GET", "/"), by=by)

    assert Recording.objects.get().response_body == "(30 bytes, not kept: not text)"


def test_bodies_are_not_kept_where_a_secret_is_too_short_to_be_found(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(team, by, server, password="abc")
    server.answer(200, "xx abc xx", "text/plain", X_Echo="1abc2")

    calls.perform(connection, Request("GET", "/?pin=abc"), by=by)

    assert "too short" in Recording.objects.get().response_body
    assert "abc" not in everything()


def test_a_token_request_is_recorded_by_the_names_of_its_fields(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    recordings.start(connection, minutes=15, by=by)
    server.json({"access_token": "s3ntinel-new-token", "expires_in": 3600, "note": "s3ntinel"})

    grants.refresh(connection, by=by)

    kept = Recording.objects.get()
    host = outbound.host_port(server.url)
    assert (kept.kind, kept.url, kept.status) == ("token", f"token request to {host}", 200)
    assert kept.request_body == "fields: client_id, client_secret, grant_type, refresh_token"
    assert kept.response_body == "fields: access_token, expires_in, note"
    assert kept.request_headers == kept.response_headers == {}
    assert "s3ntinel" not in everything()


def test_a_refused_token_request_is_recorded(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    recordings.start(connection, minutes=15, by=by)
    server.json({"error": "invalid_grant"}, status=400)

    with pytest.raises(ActionError):
        grants.refresh(connection, by=by)

    assert Recording.objects.get().status == 400


def test_export_holds_what_was_recorded(team: Team, by: Actor, server: Server) -> None:
    connection = debugged(team, by, server)
    calls.perform(connection, Request("GET", "/x"), by=by)

    exported = json.loads(json.dumps(recordings.export(connection, by=by)))

    assert exported["connection"] == str(connection.pk)
    assert exported["recordings"][0]["url"] == f"{server.url}/x"
    assert Event.objects.latest("number").action == "recording.download"


def test_masking_a_hostile_body_is_quick() -> None:
    hide = Mask(["a-secret-of-usual-length"] * 3 + [f"secret-{n}-{'z' * 40}" for n in range(20)])
    for part in ('"tok', "token=", '"token', "<token ", "a" * 81 + "=", ' name="token', "=-_", "a1"):
        started = time.process_time()
        hide.text(part * (2 * recordings.BODY // len(part)))
        assert time.process_time() - started < 5, part
