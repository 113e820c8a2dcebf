"""Each OAuth 2.0 setting of the pane, saved and then looked for on the wire."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from connections.actions import authorizations, grants, revocations
from connections.forms.sections import SECTIONS
from connections.models import Actor, Connection, Team
from tests.unit.oauth.loopback import Asked, Server
from tests.unit.oauth.provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    as_stored,
    asked_at,
    authorize,
    authorized,
    changed,
    connection_at,
    provider,
    refreshed,
)

ANSWER = {
    "access_token": "top-access",
    "refresh_token": "top-refresh",
    "expires_in": 3600,
    "data": [{"access": "nested-access", "refresh": "nested-refresh", "life": 5}],
}
BASIC = "Basic " + base64.b64encode(b"the+client:cl1ent-s3cret%2F%2B").decode()


@pytest.fixture
def server() -> Iterator[Server]:
    with provider() as running:
        running.json(ANSWER)
        yield running


@pytest.fixture
def connection(server: Server, team: Team) -> Connection:
    return connection_at(server, team, scope="read write", fields=[["tenant", "acme"]])


@dataclass(frozen=True)
class Walk:
    """All that went out, from Authorize to Revoke."""

    authorization_url: str
    consent: dict[str, str]
    exchange: Asked
    refreshes: list[Asked]
    revocations: list[Asked]
    asked: list[Asked]
    lifetime: int

    @property
    def refresh(self) -> Asked:
        return self.refreshes[-1]


def walk(server: Server, connection: Connection, by: Actor) -> Walk:
    server.asked.clear()
    sent, attempt = authorize(connection, by=by, other_code="the-other-code")
    assert attempt.failure is None
    exchange = server.asked[0]
    grants.current(as_stored(connection), by=by)
    refreshed(connection, by=by)
    refreshes = [asked for asked in server.asked if asked.form.get("grant_type") == "refresh_token"]
    before, lifetime = len(server.asked), as_stored(connection).grant.lifetime
    revocations.revoke(as_stored(connection), by=by)
    return Walk(
        as_stored(connection).authorization_url,
        sent,
        exchange,
        refreshes,
        server.asked[before:],
        list(server.asked),
        lifetime,
    )


Look = Callable[[Walk], Any]
# field: what is saved, what is looked at, and how that is before and after.
TABLE: dict[str, tuple[Any, Look, Any, Any]] = {
    "scope": ("read", lambda w: w.consent["scope"], "read write", "read"),
    "pkce": ("S256", lambda w: (w.consent.get("code_challenge_method"), "code_verifier" in w.exchange.form),
             (None, False), ("S256", True)),
    "client_authentication": (
        "client_secret_basic",
        lambda w: [(a.headers.get("Authorization"), a.form.get("client_secret")) for a in (w.exchange, w.refresh, *w.revocations)],
        [(None, CLIENT_SECRET)] * 4, [(BASIC, None)] * 4,
    ),
    "authorization_url": ("{url}/elsewhere?a=b", lambda w: w.consent.get("a"), None, "b"),
    "token_url": ("{url}/elsewhere", lambda w: {w.exchange.path, w.refresh.path}, {"/token"}, {"/elsewhere"}),
    "revoke_url": ("{url}/elsewhere", lambda w: {a.path for a in w.revocations}, {"/revoke"}, {"/elsewhere"}),
    "scope_delimiter": (",", lambda w: w.consent["scope"], "read write", "read,write"),
    "authorization_params": ([["access_type", "offline"], ["tenant", "{{ field.tenant }}"], ["scope", ""]],
                             lambda w: [w.consent.get(name) for name in ("access_type", "tenant", "scope")],
                             [None, None, "read write"], ["offline", "acme", None]),
    "code_param": ("other_code", lambda w: w.exchange.form["code"], "the-code", "the-other-code"),
    "token_headers": ([["X-Tenant", "{{ field.tenant }}"], ["Accept", "text/plain"]],
                      lambda w: (w.exchange.headers.get("X-Tenant"), w.exchange.headers["Accept"], w.refresh.headers.get("X-Tenant")),
                      (None, "application/json", None), ("acme", "text/plain", None)),
    "token_body": ([["audience", "api"], ["redirect_uri", ""]],
                   lambda w: (w.exchange.form.get("audience"), "redirect_uri" in w.exchange.form, w.refresh.form.get("audience")),
                   (None, True, None), ("api", False, None)),
    "refresh_headers": ([["X-Tenant", "{{ field.tenant }}"]],
                        lambda w: (w.refresh.headers.get("X-Tenant"), w.exchange.headers.get("X-Tenant")),
                        (None, None), ("acme", None)),
    "refresh_body": ([["scope", "read"]], lambda w: (w.refresh.form.get("scope"), w.exchange.form.get("scope")),
                     (None, None), ("read", None)),
    "revoke_headers": ([["X-Tenant", "{{ field.tenant }}"]],
                       lambda w: [a.path for a in w.asked if a.headers.get("X-Tenant") == "acme"], [], ["/revoke"] * 2),
    "revoke_body": ([["token_type_hint", ""], ["also", "{{ token }}"]],
                    lambda w: [(a.form.get("token_type_hint"), a.form.get("also")) for a in w.revocations],
                    [("refresh_token", None), ("access_token", None)], [(None, "top-refresh"), (None, "top-access")]),
    "access_token_path": ("data[0].access", lambda w: w.revocations[1].form["token"], "top-access", "nested-access"),
    "refresh_token_path": ("$.data[0].refresh", lambda w: w.refresh.form["refresh_token"], "top-refresh", "nested-refresh"),
    # A life of five seconds leaves the worker a quarter of it to renew the token in.
    "expires_in_path": ("data.0.life", lambda w: w.lifetime, 3600, 5),
}  # fmt: skip


@pytest.mark.parametrize("field", TABLE)
def test_a_setting_changes_what_goes_over_the_wire(
    server: Server, connection: Connection, by: Actor, field: str
) -> None:
    value, look, before, after = TABLE[field]
    if isinstance(value, str):
        value = value.replace("{url}", server.url)

    assert look(walk(server, connection, by)) == before
    connection = changed(connection, by=by, **{field: value})

    assert look(walk(server, connection, by)) == after


def test_the_table_leaves_out_no_setting() -> None:
    elsewhere = {
        "oauth_client": "whose credentials: in each of these",
        "grant_type": "below",
        "draft_application": "Amazon only",
        "refresh_token": "no setting",
    }
    assert {*SECTIONS["OAuth 2.0"], *SECTIONS["OAuth 2.0 overrides"]} == {*TABLE, *elsewhere}


def test_a_setting_that_stays_as_it_comes_sends_what_the_protocol_says(
    server: Server, connection: Connection, by: Actor
) -> None:
    seen = walk(server, connection, by)

    credentials = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    assert {name for name in seen.consent if name != "state"} == {"response_type", "client_id", "redirect_uri", "scope"}
    assert seen.exchange.form == credentials | {
        "grant_type": "authorization_code",
        "code": "the-code",
        "redirect_uri": authorizations.redirect_uri(),
    }
    assert seen.refresh.form == credentials | {"grant_type": "refresh_token", "refresh_token": "top-refresh"}
    assert [asked.form for asked in seen.revocations] == [
        credentials | {"token": "top-refresh", "token_type_hint": "refresh_token"},
        credentials | {"token": "top-access", "token_type_hint": "access_token"},
    ]


@pytest.mark.parametrize(("method", "length"), [("S256", 43), ("plain", 86)])
def test_pkce_sends_a_challenge_that_fits_the_verifier(
    server: Server, connection: Connection, by: Actor, method: str, length: int
) -> None:
    seen = walk(server, changed(connection, by=by, pkce=method), by)

    assert (len(seen.consent["code_challenge"]), seen.consent["code_challenge_method"]) == (length, method)
    assert (seen.exchange.form["code_verifier"] == seen.consent["code_challenge"]) is (method == "plain")


def test_no_extra_parameter_takes_away_what_an_authorization_is_safe_by(
    server: Server, connection: Connection, by: Actor
) -> None:
    rows = [[name, ""] for name in ("state", "code_challenge", "code_challenge_method")] + [["state", "forged"]]

    sent, attempt = authorize(changed(connection, by=by, pkce="S256", authorization_params=rows), by=by)

    assert (len(sent["state"]), len(sent["code_challenge"]), sent["code_challenge_method"]) == (43, 43, "S256")
    assert attempt.failure is None


def test_a_code_under_another_name_than_the_one_set_is_not_taken(
    server: Server, connection: Connection, by: Actor
) -> None:
    _, attempt = authorize(changed(connection, by=by, code_param="auth_code"), by=by)

    assert attempt.failure is not None
    assert attempt.failure["error"] == "missing_code"
    assert server.asked == []


@pytest.mark.parametrize(
    ("scope", "delimiter", "sent"),
    [
        ("a b", "", "a b"),
        ("a  b", "+", "a+b"),
        ("a, b", ",", "a,b"),
        ("a,b", ",", "a,b"),
        ("a b", ", ", "a, b"),
        ("x::a x::b", ":", "x::a:x::b"),
        ("", ",", None),
    ],
)
def test_client_credentials_join_their_scopes(
    server: Server, connection: Connection, by: Actor, scope: str, delimiter: str, sent: str | None
) -> None:
    fields = {"grant_type": "client_credentials", "scope": scope, "scope_delimiter": delimiter}

    refreshed(changed(connection, by=by, **fields), by=by)

    assert server.asked[0].form.get("scope") == sent


def test_client_credentials_use_the_access_token_requests_settings(
    server: Server, connection: Connection, by: Actor
) -> None:
    connection = changed(
        connection, by=by, grant_type="client_credentials", client_authentication="client_secret_basic",
        token_body=[["audience", "{{ field.tenant }}"]], token_headers=[["X-One", "1"]],
        refresh_body=[["never", "sent"]], access_token_path="data[0].access",
    )  # fmt: skip

    grant = refreshed(connection, by=by)

    asked = server.asked[0]
    assert asked.form == {"grant_type": "client_credentials", "scope": "read write", "audience": "acme"}
    assert (asked.headers["X-One"], asked.headers["Authorization"]) == ("1", BASIC)
    assert grant.access_token is not None
    assert grant.access_token.reveal() == "nested-access"


def test_basic_on_the_exchange_and_the_body_on_the_refresh(server: Server, connection: Connection, by: Actor) -> None:
    rows = [["client_id", "{{ client_id }}"], ["client_secret", "{{ client_secret }}"]]

    seen = walk(
        server,
        changed(connection, by=by, client_authentication="client_secret_basic", refresh_body=rows),
        by,
    )

    assert (seen.exchange.headers["Authorization"], seen.exchange.form.get("client_secret")) == (BASIC, None)
    assert "Authorization" not in seen.refresh.headers
    assert (seen.refresh.form["client_id"], seen.refresh.form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)


def test_the_body_on_the_exchange_and_basic_on_the_refresh(server: Server, connection: Connection, by: Actor) -> None:
    rows = [["client_id", "{{ client_id }}"], ["client_secret", "{{ client_secret }}"]]

    seen = walk(
        server,
        changed(connection, by=by, client_authentication="client_secret_basic", token_body=rows),
        by,
    )

    assert "Authorization" not in seen.exchange.headers
    assert seen.exchange.form["client_secret"] == CLIENT_SECRET
    assert (seen.refresh.headers["Authorization"], seen.refresh.form.get("client_secret")) == (BASIC, None)


def test_a_blank_value_leaves_the_credentials_out(server: Server, connection: Connection, by: Actor) -> None:
    connection = changed(connection, by=by, refresh_body=[["client_secret", ""]], token_headers=[["Accept", ""]])

    seen = walk(server, connection, by)

    assert "client_secret" not in seen.refresh.form
    assert seen.refresh.form["client_id"] == CLIENT_ID
    assert "Accept" not in seen.exchange.headers


def test_a_pasted_refresh_token_is_tried_as_a_refresh_is_sent(
    server: Server, connection: Connection, by: Actor
) -> None:
    connection = changed(connection, by=by, refresh_body=[["scope", "read"]], token_body=[["never", "sent"]])

    grants.paste(connection, "pasted-token", by=by)

    form = asked_at(server, "/token")[0].form
    assert (form["refresh_token"], form["scope"], form.get("never")) == ("pasted-token", "read", None)


def test_a_host_that_was_taken_off_the_clients_list_is_sent_nothing(
    server: Server, connection: Connection, by: Actor
) -> None:
    authorized(connection)
    client = connection.oauth_client
    assert client is not None
    client.secret_hosts = ["elsewhere.example"]
    client.save()

    with pytest.raises(grants.GrantError) as caught:
        refreshed(connection, by=by)

    assert (caught.value.code, caught.value.failure.error) == ("misconfigured", "secret_host")
    assert server.asked == []
