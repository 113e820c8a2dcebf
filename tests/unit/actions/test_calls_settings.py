"""Every setting of the pane that shapes a call is obeyed: each is set here and seen on the wire, or in the verdict of the test."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connections.actions import calls, connection_tests, slots
from connections.actions.calls import CallError, Request
from connections.actions.connection_tests import Candidate, Step
from connections.forms.sections import SECTIONS
from connections.models import Actor, Connection, Team
from connections.models.choices import Status
from tests.unit.actions import api
from tests.unit.oauth.loopback import Server

TOKEN = "the-access-token-of-the-tests"
NEW = {"access_token": "the-second-access-token", "expires_in": 3600}


@dataclass
class Bench:
    team: Team
    by: Actor
    server: Server
    naps: list[float]

    def connection(self, **fields: Any) -> Connection:
        return api.connection(self.team, self.server, **fields)

    def authorized(self, **fields: Any) -> Connection:
        return api.authorized(self.team, self.server, **fields)

    def call(self, connection: Connection, method: str = "GET", path: str = "/x", body: str = "") -> calls.Reply:
        return calls.perform(connection, Request(method, path, body), by=self.by)

    def test(self, **fields: Any) -> Step:
        connection = self.connection(**fields)
        return list(connection_tests.run(Candidate(connection, stored=connection), by=self.by))[-1]

    @property
    def last(self) -> Any:
        return self.server.asked[-1]


@pytest.fixture
def bench(team: Team, by: Actor, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    naps: list[float] = []
    monkeypatch.setattr(time, "sleep", naps.append)
    with api.running() as server:
        yield Bench(team, by, server, naps)


def base_uri(bench: Bench) -> None:
    bench.call(bench.connection(base_uri=f"{bench.server.url}/v2"))
    assert bench.last.path == "/v2/x"


def headers(bench: Bench) -> None:
    rows = [["X-Tenant", "{{ field.tenant }}"], ["X-Key", "k-{{ encrypted.key }}"], ["Accept", "text/html"]]
    connection = bench.connection(headers=rows, fields=[["tenant", "bolt"]], encrypted_fields='{"key": "s3cret"}')
    bench.call(connection)
    sent = bench.last.headers
    assert (sent["X-Tenant"], sent["X-Key"], sent["Accept"]) == ("bolt", "k-s3cret", "text/html")


def media_type(bench: Bench) -> None:
    found = {}
    for media_type, body in {"json": "{}", "xml": "<a/>", "urlencoded": "a=1", "text": "a", "form-data": "{}"}.items():
        bench.call(bench.connection(media_type=media_type), "POST", body=body)
        found[media_type] = bench.last.headers["Content-Type"].partition(";")[0], bench.last.headers["Accept"][:16]
    assert found == {
        "json": ("application/json", "application/json"),
        "xml": ("application/xml", "application/xml,"),
        "urlencoded": ("application/x-www-form-urlencoded", "*/*"),
        "text": ("text/plain", "text/plain"),
        "form-data": ("multipart/form-data", "*/*"),
    }


def success_media_type(bench: Bench) -> None:
    bench.call(bench.connection(media_type="json", success_media_type="csv"))
    assert bench.last.headers["Accept"] == "text/csv"
    bench.server.answer(200, "<r><ok>no</ok></r>", "application/xml")
    paths = {"ping_success_path": "/r/ok", "ping_success_values": "yes", "ping_path": "/t"}
    assert bench.test(success_media_type="xml", **paths).ok is False
    bench.server.answer(200, "<r><ok>yes</ok></r>", "application/xml")
    assert bench.test(success_media_type="xml", **paths).ok is True


def error_media_type(bench: Bench) -> None:
    bench.server.answer(400, "<e><Code>E7</Code><Message>No such tenant</Message></e>", "application/xml")
    step = bench.test(error_media_type="xml", ping_path="/t")
    assert "E7" in step.detail and "“No such tenant”" in step.detail
    assert "E7" not in bench.test(ping_path="/t").detail


def token_location(bench: Bench) -> None:
    bench.call(bench.authorized(token_location="query"))
    assert bench.last.path == f"/x?access_token={TOKEN}"
    assert "Authorization" not in bench.last.headers
    bench.call(bench.authorized(token_location="body"), "POST", body="{}")
    assert json.loads(bench.last.body) == {"access_token": TOKEN}


def token_header(bench: Bench) -> None:
    bench.call(bench.authorized(token_header="X-Token"))
    assert bench.last.headers["X-Token"] == f"Bearer {TOKEN}"


def token_scheme(bench: Bench) -> None:
    bench.call(bench.authorized(token_scheme="MAC"))
    assert bench.last.headers["Authorization"] == f"MAC {TOKEN}"
    bench.call(bench.authorized(token_scheme=""))
    assert bench.last.headers["Authorization"] == TOKEN


def token_param(bench: Bench) -> None:
    bench.call(bench.authorized(token_location="query", token_param="key"))
    assert bench.last.path == f"/x?key={TOKEN}"


def auth_fail_status(bench: Bench) -> None:
    api.answer_in_turn(bench.server, (419, {}), (200, NEW), (200, {}))
    assert bench.call(bench.authorized(auth_fail_status="401, 419")).repeats == 1
    api.answer_in_turn(bench.server, (401, {}))
    assert bench.call(bench.authorized(auth_fail_status="419")).problem == ""


def auth_fail_path(bench: Bench) -> None:
    fields = {"auth_fail_path": "error.code", "auth_fail_values": "expired"}
    api.answer_in_turn(bench.server, (200, {"error": {"code": "expired"}}), (200, NEW), (200, {"ok": 1}))
    reply = bench.call(bench.authorized(**fields))
    assert (reply.repeats, json.loads(reply.body)) == (1, {"ok": 1})
    api.answer_in_turn(bench.server, (401, {"error": {"code": "not for you"}}))
    assert bench.call(bench.authorized(**fields)).repeats == 0


def auth_fail_values(bench: Bench) -> None:
    for values, repeats in {"revoked, EXPIRED": 1, "revoked": 0, "": 1}.items():
        api.answer_in_turn(bench.server, (200, {"code": "expired"}), (200, NEW), (200, {}))
        assert bench.call(bench.authorized(auth_fail_path="code", auth_fail_values=values)).repeats == repeats


def rate_wait_ms(bench: Bench) -> None:
    connection = bench.connection(rate_wait_ms=5000)
    bench.call(connection)
    bench.call(connection)
    assert bench.naps[0] == 0 and 4 < bench.naps[1] <= 5


def rate_fail_status(bench: Bench) -> None:
    api.answer_in_turn(bench.server, (503, {}, {"Retry-After": "1"}), (200, {}))
    assert bench.call(bench.connection(rate_fail_status="503")).status == 200
    api.answer_in_turn(bench.server, (429, {}), (200, {}))
    assert bench.call(bench.connection(rate_fail_status="503")).status == 429


def rate_fail_path(bench: Bench) -> None:
    api.answer_in_turn(bench.server, (200, {"fault": "slow"}, {"Retry-After": "1"}), (200, {}))
    assert bench.call(bench.connection(rate_fail_path="fault", rate_fail_values="slow")).repeats == 1


def rate_fail_values(bench: Bench) -> None:
    api.answer_in_turn(bench.server, (200, {"fault": "slow"}), (200, {}))
    assert bench.call(bench.connection(rate_fail_path="fault", rate_fail_values="busy")).repeats == 0


def retry_header(bench: Bench) -> None:
    api.answer_in_turn(bench.server, (429, {}, {"X-Wait": "7", "Retry-After": "2"}), (200, {}))
    bench.call(bench.connection(retry_header="X-Wait"))
    assert bench.naps == [7]


def ping_method(bench: Bench) -> None:
    assert bench.test(ping_method="PUT").ok
    assert bench.last.method == "PUT"


def ping_path(bench: Bench) -> None:
    assert bench.test(ping_path="/me?full=1").ok
    assert bench.last.path == "/me?full=1"


def ping_body(bench: Bench) -> None:
    bench.test(ping_method="POST", ping_body='{"query": "ping"}')
    assert bench.last.body == b'{"query": "ping"}'


def ping_success_path(bench: Bench) -> None:
    bench.server.json({"status": "up"})
    assert bench.test(ping_path="/t", ping_success_path="status").ok is True
    step = bench.test(ping_path="/t", ping_success_path="state")
    assert step.ok is False and "has no state" in step.detail


def ping_success_values(bench: Bench) -> None:
    bench.server.json({"status": "degraded"})
    assert bench.test(ping_path="/t", ping_success_path="status", ping_success_values="up").ok is False
    assert bench.test(ping_path="/t", ping_success_path="status", ping_success_values="up, degraded").ok is True


def ping_fail_path(bench: Bench) -> None:
    bench.server.json({"error": "no such key"})
    step = bench.test(ping_path="/t", ping_fail_path="error")
    assert step.ok is False and step.detail.startswith("GET /t: HTTP 200. The answer says that the call failed.")
    bench.server.json({"error": None})
    assert bench.test(ping_path="/t", ping_fail_path="error").ok is True


def ping_fail_values(bench: Bench) -> None:
    bench.server.json({"code": 17})
    assert bench.test(ping_path="/t", ping_fail_path="code", ping_fail_values="0, 17").ok is False
    assert bench.test(ping_path="/t", ping_fail_path="code", ping_fail_values="1").ok is True


def ping_error_path(bench: Bench) -> None:
    bench.server.json({"code": 17, "info": {"text": "Tenant is closed"}})
    step = bench.test(ping_path="/t", ping_fail_path="code", ping_error_path="info.text")
    assert "“Tenant is closed”" in step.detail


def concurrency(bench: Bench) -> None:
    connection = bench.connection(concurrency=1)
    with slots.hold(connection, seconds=30), pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "QUEUE_SECONDS", 0)
        with pytest.raises(CallError, match="1 calls"):
            bench.call(connection)
    assert bench.call(connection).status == 200


def borrow_from(bench: Bench) -> None:
    lender = bench.connection(concurrency=1)
    with slots.hold(lender, seconds=30), pytest.MonkeyPatch.context() as patch:
        patch.setattr(slots, "QUEUE_SECONDS", 0)
        with pytest.raises(CallError):
            bench.call(bench.connection(borrow_from=lender))


def encrypted_fields(bench: Bench) -> None:
    rows = [["X-Both", "{{ encrypted.b }}:{{ field.a }}"]]
    bench.call(bench.connection(headers=rows, encrypted_fields='{"b": "{{ field.a }}"}', fields=[["a", "1"]]))
    assert bench.last.headers["X-Both"] == "{{ field.a }}:1"  # a value is not looked into again


fields = encrypted_fields

SEEN: dict[str, Callable[[Bench], None]] = {
    name: check for name, check in globals().items() if callable(check) and getattr(check, "__module__", "") == __name__
} | {"fields": fields}
OURS = (
    *SECTIONS["Application details"], *SECTIONS["Token"][1:5], *SECTIONS["Authentication failures"],
    *SECTIONS["Non-standard API rate limiter"], *SECTIONS["How to test this connection"], *SECTIONS["Advanced"],
)  # fmt: skip
IN_TEST_CALLS_TLS = ("tls_certificate", "tls_key", "tls_passphrase")


@pytest.mark.parametrize("name", [name for name in OURS if name not in IN_TEST_CALLS_TLS])
def test_setting(bench: Bench, name: str) -> None:
    SEEN[name](bench)


def test_a_test_tells_how_long_to_wait(bench: Bench) -> None:
    api.answer_in_turn(bench.server, (429, {}, {"Retry-After": "90"}))
    step = bench.test(ping_path="/t")
    assert step.ok is False and "in 90 seconds" in step.hint and step.action == "wait"


def test_a_refusal_with_status_200_is_explained_as_one(bench: Bench) -> None:
    bench.server.json({"error": "bad key"})
    step = bench.test(ping_path="/t", auth_fail_path="error", auth_fail_values="bad key")
    assert step.ok is False and "did not accept the credentials" in step.detail


def test_a_test_says_what_becomes_of_the_credentials(bench: Bench) -> None:
    connection = bench.connection(auth_type="basic", username="u", password="a-long-password", ping_path="/t")
    list(connection_tests.run(Candidate(connection, stored=connection), by=bench.by))
    assert connection.status == Status.ONLINE
    bench.server.answer(401, json.dumps({"message": "wrong: a-long-password"}))
    step = list(connection_tests.run(Candidate(connection, stored=connection), by=bench.by))[-1]
    connection.refresh_from_db()
    assert connection.status == Status.OFFLINE and connection.failure
    assert "a-long-password" not in json.dumps([connection.failure, connection.last_test, step.detail])
    assert base64.b64encode(b"u:a-long-password").decode() in bench.last.headers["Authorization"]


def test_a_redirect_is_no_success(bench: Bench) -> None:
    bench.server.answer(302, "", Location="https://elsewhere.example/")
    step = bench.test(ping_path="/t")
    assert step.ok is False and "another address" in step.detail


def as_typed(bench: Bench, stored: Connection | None, secrets: dict[str, Any], **typed: Any) -> list[Step]:
    connection = Connection.objects.get(pk=stored.pk) if stored else bench.connection(**typed)
    for name, value in typed.items():
        setattr(connection, name, value)
    return list(connection_tests.run(Candidate(connection, stored=stored, secrets=secrets), by=bench.by))


def test_a_typed_secret_is_tried_and_a_blank_one_stands_for_the_stored(bench: Bench) -> None:
    stored = bench.connection(auth_type="basic", username="u", password="the-stored-one", ping_path="/t")

    for secrets, password in (({"password": "the-typed-one"}, "the-typed-one"), ({}, "the-stored-one")):
        assert connection_tests.passed(as_typed(bench, stored, secrets))
        sent = base64.b64decode(bench.last.headers["Authorization"].removeprefix("Basic "))
        assert sent.decode() == f"u:{password}"
    stored.refresh_from_db()
    assert stored.password and stored.password.reveal() == "the-stored-one"


def test_a_stored_secret_is_not_tried_at_another_host(bench: Bench) -> None:
    fields = {"auth_type": "basic", "username": "u", "password": "the-stored-one", "ping_path": "/t"}
    own = {"headers": [["X-Key", "{{ encrypted.key }}"]], "encrypted_fields": '{"key": "the-stored-key"}'}
    with api.running() as elsewhere:
        steps = as_typed(bench, bench.connection(**fields), {}, base_uri=elsewhere.url)
        assert steps[-1].ok is False
        stored = bench.connection(encrypted_field_names=["key"], **own)
        steps = as_typed(bench, stored, {"encrypted_fields": [["key", ""]]}, base_uri=elsewhere.url)
        assert steps[-1].ok is False
        steps = as_typed(bench, stored, {"encrypted_fields": [["key", "typed"]]}, base_uri=elsewhere.url)
        assert steps[-1].ok is True and elsewhere.asked[-1].headers["X-Key"] == "typed"
        assert len(elsewhere.asked) == 1


def test_custom_fields_that_were_typed_join_those_stored(bench: Bench) -> None:
    rows = [["X-Keys", "{{ encrypted.a }}-{{ encrypted.b }}"]]
    stored = bench.connection(headers=rows, encrypted_fields='{"a": "1", "b": "2"}', encrypted_field_names=["a", "b"])

    as_typed(bench, stored, {"encrypted_fields": [["a", ""], ["b", "new"]]})

    assert bench.last.headers["X-Keys"] == "1-new"
