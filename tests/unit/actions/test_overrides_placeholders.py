"""What stands in double braces: filled in the request it is for, and nothing sent where it has no value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection as database

from connections.actions import authorizations, connection_tests, revocations
from connections.actions.connection_tests import Candidate
from connections.actions.errors import GrantError
from connections.models import Actor, Connection, Event, Team
from connections.models.choices import Status
from tests.factories import SENTINEL
from tests.unit.oauth.loopback import Server
from tests.unit.oauth.provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    SESSION,
    as_stored,
    asked_at,
    authorize,
    authorized,
    changed,
    connection_at,
    provider,
    refreshed,
)

BACK = authorizations.redirect_uri()


@pytest.fixture
def server() -> Iterator[Server]:
    with provider() as running:
        yield running


@pytest.fixture
def connection(server: Server, team: Team) -> Connection:
    return connection_at(
        server, team, fields=[["tenant", "acme"], ["blank", ""]],
        encrypted_fields=f'{{"api_key": "{SENTINEL}"}}', encrypted_field_names=["api_key"],
    )  # fmt: skip


ALL = ("client_id", "client_secret", "field.tenant", "encrypted.api_key")
FILLED = [CLIENT_ID, CLIENT_SECRET, "acme", SENTINEL]
REQUESTS: dict[str, tuple[tuple[str, ...], list[str]]] = {
    "token": (("code", "redirect_uri", "query.shop"), ["the-code", BACK, "shop-7"]),
    "refresh": (("refresh_token", "redirect_uri"), ["old-refresh-token", BACK]),
    "revoke": (("token", "refresh_token"), ["old-refresh-token", "old-refresh-token"]),
}


def send(request: str, connection: Connection, by: Actor) -> None:
    """Make one request. Raises GrantError where it could not be made."""
    if request == "token":
        _, attempt = authorize(connection, by=by, shop="shop-7", empty="")
        if attempt.failure:
            raise GrantError("misconfigured", connection_tests.Failure(**attempt.failure))
        return
    authorized(connection)
    if request == "refresh":
        refreshed(connection, by=by)
    else:
        revocations.revoke(as_stored(connection), by=by)


@pytest.mark.parametrize("part", ["headers", "body"])
@pytest.mark.parametrize("request_name", REQUESTS)
def test_every_name_is_filled_in(
    server: Server, connection: Connection, by: Actor, request_name: str, part: str
) -> None:
    names, expected = REQUESTS[request_name]
    rows = [[f"X-{number}", f"<{{{{ {name} }}}}>"] for number, name in enumerate((*names, *ALL))]

    send(request_name, changed(connection, by=by, **{f"{request_name}_{part}": rows}), by)

    asked = server.asked[0]
    carried: Any = asked.headers if part == "headers" else asked.form
    assert [carried[name] for name, _ in rows] == [f"<{text}>" for text in [*expected, *FILLED]]


@pytest.mark.parametrize(
    ("request_name", "part", "name"),
    [
        ("token", "body", "query.locale"),
        ("token", "headers", "query.empty"),
        ("token", "body", "encrypted.other"),
        ("refresh", "headers", "encrypted.other"),
        ("refresh", "body", "field.other"),
        ("refresh", "body", "field.blank"),
        ("revoke", "headers", "field.other"),
        ("revoke", "body", "encrypted.other"),
    ],
)
def test_a_name_without_a_value_sends_nothing_and_says_which(
    server: Server, connection: Connection, by: Actor, request_name: str, part: str, name: str
) -> None:
    connection = changed(connection, by=by, **{f"{request_name}_{part}": [["X-One", f"{{{{ {name} }}}}"]]})

    with pytest.raises(GrantError) as caught:
        send(request_name, connection, by)

    failure = caught.value.failure
    assert (caught.value.code, failure.error) == ("misconfigured", "placeholder_missing")
    assert f"{{{{ {name} }}}} has no value" in failure.description
    assert connection.provider.explain(failure).action == "edit_connection"
    assert server.asked == []


@pytest.mark.parametrize("setting", ["token_body", "authorization_params"])
def test_nobody_is_sent_away_for_a_name_that_can_have_no_value(
    server: Server, connection: Connection, by: Actor, setting: str
) -> None:
    connection = changed(connection, by=by, **{setting: [["x", "{{ field.other }}"]]})

    with pytest.raises(GrantError) as caught:
        authorizations.begin(connection, by=by, session_secret=SESSION)

    assert caught.value.failure.error == "placeholder_missing"
    assert not connection.attempts.exists()


def test_a_refresh_that_cannot_be_made_puts_the_connection_offline_and_keeps_the_grant(
    server: Server, connection: Connection, by: Actor
) -> None:
    authorized(connection)
    changed(connection, by=by, refresh_body=[["x", "{{ field.other }}"]])

    with pytest.raises(GrantError):
        refreshed(connection, by=by)

    stored = as_stored(connection)
    assert (stored.status, stored.failure and stored.failure["error"]) == (Status.OFFLINE, "placeholder_missing")
    changed(connection, by=by, fields=[["other", "now there"]])
    refreshed(connection, by=by)
    assert as_stored(connection).status == Status.ONLINE


@pytest.mark.parametrize("name", ["encrypted.api_key", "client_secret", "code", "refresh_token"])
def test_the_authorization_url_takes_no_secret(server: Server, connection: Connection, by: Actor, name: str) -> None:
    """The form refuses such a row; one that got past it is not filled either."""
    connection = changed(connection, by=by, authorization_params=[["x", f"{{{{ {name} }}}}"]])

    with pytest.raises(GrantError) as caught:
        authorizations.begin(connection, by=by, session_secret=SESSION)

    assert caught.value.failure.error == "placeholder_missing"


def test_the_authorization_url_takes_the_open_names(server: Server, connection: Connection, by: Actor) -> None:
    rows = [["x", "{{ client_id }} {{ field.tenant }}"], ["y", "{{redirect_uri}}"]]

    sent, _ = authorize(changed(connection, by=by, authorization_params=rows), by=by)

    assert (sent["x"], sent["y"]) == ("the client acme", BACK)


def test_a_value_is_not_looked_at_for_further_placeholders(server: Server, connection: Connection, by: Actor) -> None:
    connection = changed(connection, by=by, token_body=[["shop", "{{ query.shop }}"]])

    authorize(connection, by=by, shop="{{ client_secret }}")

    assert server.asked[0].form["shop"] == "{{ client_secret }}"


@pytest.mark.parametrize("shop", ["a\r\nX-Evil: 1", "a\nb", "ünïcode", "tab\there"])
def test_a_callback_cannot_smuggle_in_a_header(server: Server, connection: Connection, by: Actor, shop: str) -> None:
    connection = changed(connection, by=by, token_headers=[["X-Shop", "{{ query.shop }}"]])

    _, attempt = authorize(connection, by=by, shop=shop)

    assert attempt.failure is not None
    assert attempt.failure["error"] == "placeholder_unusable"
    assert server.asked == []


def damage(connection: Connection) -> None:
    with database.cursor() as cursor:
        cursor.execute("UPDATE connections_connection SET encrypted_fields = %s", ["g1:00000000:damaged"])


def test_encrypted_fields_are_opened_only_for_a_request_that_carries_one(
    server: Server, connection: Connection, by: Actor
) -> None:
    authorized(connection)
    changed(connection, by=by, token_body=[["key", "{{ encrypted.api_key }}"]])
    damage(connection)

    refreshed(connection, by=by)
    with pytest.raises(GrantError) as caught:
        authorizations.begin(as_stored(connection), by=by, session_secret=SESSION)

    assert (caught.value.code, caught.value.failure.error) == ("secret_unreadable", "custom_fields_unreadable")


@pytest.mark.parametrize("part", ["headers", "body"])
def test_a_provider_that_echoes_a_custom_field_does_not_make_it_known(
    server: Server, connection: Connection, by: Actor, part: str
) -> None:
    authorized(connection)
    changed(connection, by=by, **{f"refresh_{part}": [["X-Key", "ApiKey {{ encrypted.api_key }}, v1"]]})
    server.json({"error": "invalid_request", "error_description": f"What is {SENTINEL}?"}, 400)

    with pytest.raises(GrantError) as caught:
        refreshed(connection, by=by)

    assert caught.value.failure.description == "What is ••••••?"
    told = [repr(vars(as_stored(connection))), *(repr(event.detail) for event in Event.objects.all())]
    assert SENTINEL not in "".join(told)


def test_the_test_of_an_unsaved_connection_sends_the_overrides_too(
    server: Server, connection: Connection, by: Actor
) -> None:
    rows = [["code2", "{{ code }}"], ["shop", "{{ query.shop }}"], ["key", "{{ encrypted.api_key }}"]]
    connection = changed(connection, by=by, token_body=rows)
    server.json({"error": "invalid_grant"}, 400)

    steps = list(connection_tests.run(Candidate(connection), by=by))

    assert {step.name: step.ok for step in steps}["client"] is True
    form = asked_at(server, "/token")[0].form
    assert (form["code2"], form["shop"], form["key"]) == ("connection-test", "connection-test", SENTINEL)
