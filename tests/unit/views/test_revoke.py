"""The page that asks before tokens are revoked, and what it says when the provider does not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from connections.actions.errors import problem
from connections.models import Connection, Event, Grant, Membership, Team
from connections.models.choices import Status
from tests import factories
from tests.unit.oauth.loopback import Server
from tests.unit.oauth.provider import as_stored, authorized, connection_at, provider


@pytest.fixture
def server() -> Iterator[Server]:
    with provider() as running:
        running.json({})
        yield running


@pytest.fixture
def connection(server: Server, team: Team) -> Connection:
    connection = connection_at(server, team, name="Purchase orders", status=Status.ONLINE)
    authorized(connection)
    return connection


def address(connection: Connection) -> str:
    return reverse("connection_revoke", args=[connection.pk])


def text(response: Any) -> str:
    return " ".join(response.content.decode().split())


def messages(client: Client, response: Any) -> str:
    return text(client.get(response.headers["Location"]))


def test_the_page_asks_and_changes_nothing(as_bob: Client, connection: Connection, server: Server) -> None:
    response = as_bob.get(address(connection))

    assert response.status_code == 200
    assert "Revoke the tokens of Purchase orders?" in text(response)
    assert 'value="revoke"' in text(response)
    assert 'value="forget"' not in text(response)
    assert (Grant.objects.count(), server.asked) == (1, [])


def test_a_yes_revokes_and_goes_back_to_the_connection(as_bob: Client, connection: Connection, server: Server) -> None:
    response = as_bob.post(address(connection), {"then": "revoke"})

    assert (response.status_code, response.headers["Location"]) == (303, f"/connections/{connection.pk}/")
    assert "The tokens of Purchase orders are revoked and deleted." in messages(as_bob, response)
    assert (Grant.objects.count(), len(server.asked)) == (0, 2)
    assert as_stored(connection).status == Status.DRAFT
    event = Event.objects.get(action="grant.revoke")
    assert (event.actor, event.object_name) == ("bob@example.com", "Purchase orders")


def test_a_refusal_is_shown_and_offers_to_forget(as_bob: Client, connection: Connection, server: Server) -> None:
    server.json({"error": "access_denied", "error_description": "Ask <the> administrator"}, 403)

    response = as_bob.post(address(connection), {"then": "revoke"})

    assert response.status_code == 422
    assert "The tokens were not revoked. Nothing was deleted." in text(response)
    assert "Ask &lt;the&gt; administrator" in text(response)
    assert "Delete them here anyway" in text(response)
    assert "old-refresh-token" not in text(response)
    assert Grant.objects.count() == 1

    response = as_bob.post(address(connection), {"then": "forget"})

    assert "The tokens of Purchase orders are deleted here." in messages(as_bob, response)
    assert (Grant.objects.count(), len(server.asked)) == (0, 1)


def test_a_provider_that_cannot_be_reached_is_named(as_bob: Client, connection: Connection) -> None:
    Connection.objects.update(revoke_url="http://127.0.0.1:1/revoke")
    client = connection.oauth_client
    assert client is not None
    client.secret_hosts = ["127.0.0.1:1"]
    client.save()

    response = as_bob.post(address(connection), {"then": "revoke"})

    assert response.status_code == 422
    assert "127.0.0.1:1" in text(response)
    assert "Access token URL" not in text(response)


def test_what_is_in_the_way_here_is_explained(as_bob: Client, connection: Connection) -> None:
    Connection.objects.update(revoke_body=[["x", "{{ field.gone }}"]])

    response = as_bob.post(address(connection), {"then": "revoke"})

    assert response.status_code == 422
    assert "{{ field.gone }} has no value" in text(response)
    assert connection.provider.explain(problem("placeholder_missing")).next_step in text(response)


@pytest.mark.parametrize(
    ("refused", "sentence"),
    [("access_token", "it ends with its time"), ("refresh_token", "its refresh token may still be good")],
)
def test_a_token_that_stays_good_is_told(
    as_bob: Client, connection: Connection, server: Server, refused: str, sentence: str
) -> None:
    def respond(handler: Any) -> None:
        is_refused = server.asked[-1].form["token_type_hint"] == refused
        server.json({"error": "unsupported_token_type"} if is_refused else {}, 400 if is_refused else 200)
        now, server.respond = server.respond, respond
        now(handler)

    server.respond = respond

    assert sentence in messages(as_bob, as_bob.post(address(connection), {"then": "revoke"}))


def test_without_a_revoke_url_only_forgetting_is_offered(as_bob: Client, connection: Connection) -> None:
    Connection.objects.update(revoke_url="")

    page = text(as_bob.get(address(connection)))

    assert "This connection has no Revoke token URL." in page
    assert ('value="forget"' in page, 'value="revoke"' in page) == (True, False)
    assert as_bob.post(address(connection), {"then": "revoke"}).status_code == 422
    assert Grant.objects.count() == 1
    as_bob.post(address(connection), {"then": "forget"})
    assert Grant.objects.count() == 0


def test_amazon_is_told_as_it_is(as_bob: Client, team: Team) -> None:
    connection = factories.connection(team)
    authorized(connection)

    page = text(as_bob.get(address(connection)))

    assert "Amazon lets only the account’s owner end an authorization" in page
    assert "Disable authorization" in page
    assert ('value="forget"' in page, 'value="revoke"' in page) == (True, False)


def test_client_credentials_are_told_that_the_next_use_gets_a_token(as_bob: Client, connection: Connection) -> None:
    Connection.objects.update(grant_type="client_credentials")

    assert "the next use gets a new token by itself" in text(as_bob.get(address(connection)))


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_tokens_there_is_nothing_to_do(as_bob: Client, connection: Connection, method: str) -> None:
    Grant.objects.all().delete()

    response = getattr(as_bob, method)(address(connection))

    assert response.status_code == 200
    assert "There is nothing to revoke." in text(response)


def test_a_stranger_finds_nothing(as_charlie: Client, connection: Connection) -> None:
    assert as_charlie.get(address(connection)).status_code == 404
    assert as_charlie.post(address(connection), {"then": "forget"}).status_code == 404
    assert Grant.objects.count() == 1


def test_who_only_watches_may_not(as_mona: Client, connection: Connection) -> None:
    assert as_mona.get(address(connection)).status_code == 403
    assert as_mona.post(address(connection), {"then": "forget"}).status_code == 403
    assert Grant.objects.count() == 1


def test_who_is_not_signed_in_is_sent_to_sign_in(bob: Membership, connection: Connection) -> None:
    response = Client().post(address(connection), {"then": "forget"})

    assert (response.status_code, Grant.objects.count()) == (302, 1)


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(as_bob: Client, connection: Connection, method: str) -> None:
    assert getattr(as_bob, method)(address(connection)).status_code == 405


def test_a_connection_that_is_not_there(as_bob: Client, team: Team) -> None:
    assert as_bob.get(reverse("connection_revoke", args=[uuid.uuid4()])).status_code == 404
