"""Revoking: the provider ends the tokens (RFC 7009), then they are gone here; and nothing brings them back."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection as database

from connections.actions import grants, revocations
from connections.actions.errors import GrantError
from connections.models import Actor, Connection, Event, Grant, Team
from connections.models.choices import Status
from connections.oauth.tokens import Tokens
from tests.unit.oauth.loopback import Server
from tests.unit.oauth.provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    TOKENS,
    as_stored,
    asked_at,
    authorized,
    changed,
    connection_at,
    provider,
    refreshed,
    revealed,
)


@pytest.fixture
def server() -> Iterator[Server]:
    with provider() as running:
        yield running


@pytest.fixture
def connection(server: Server, team: Team) -> Connection:
    return connection_at(server, team, status=Status.ONLINE)


Answer = tuple[int, dict[str, Any]]


def answering(server: Server, **answers: Answer | None) -> None:
    """Answer by the token_type_hint; None hangs up."""

    def respond(handler: Any) -> None:
        answer = answers[server.asked[-1].form["token_type_hint"]]
        if answer is None:
            handler.close_connection = True
            return
        server.json(answer[1], answer[0])
        now, server.respond = server.respond, respond
        now(handler)

    server.respond = respond


OK: Answer = (200, {})
UNSUPPORTED: Answer = (400, {"error": "unsupported_token_type"})
BUSY: Answer = (503, {"error": "temporarily_unavailable"})


def events(connection: Connection, action: str) -> list[dict[str, Any]]:
    found = Event.objects.filter(object_id=str(connection.pk), action=action).order_by("number")
    return [event.detail for event in found]


def is_kept(connection: Connection) -> bool:
    """The grant is there, whole and free, and the connection as it was."""
    grant = Grant.objects.get(connection=connection)
    assert revealed(grant) == ("old-access-token", "old-refresh-token")
    assert (grant.lease_owner, grant.lease_expires_at) == ("", None)
    assert as_stored(connection).status == Status.ONLINE
    return True


def test_both_tokens_are_given_back_and_then_forgotten(server: Server, connection: Connection, by: Actor) -> None:
    authorized(connection)

    outcome = revocations.revoke(connection, by=by)

    assert (outcome.ended, outcome.refused) == (("refresh_token", "access_token"), None)
    credentials = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    assert [asked.form for asked in asked_at(server, "/revoke")] == [
        credentials | {"token": "old-refresh-token", "token_type_hint": "refresh_token"},
        credentials | {"token": "old-access-token", "token_type_hint": "access_token"},
    ]
    assert not Grant.objects.exists()
    assert (as_stored(connection).status, connection.status) == (Status.DRAFT, Status.DRAFT)
    assert events(connection, "grant.revoke") == [{"ended": ["refresh_token", "access_token"], "failure": None}]


def test_client_credentials_have_one_token_to_give_back(server: Server, connection: Connection, by: Actor) -> None:
    connection = changed(connection, by=by, grant_type="client_credentials")
    authorized(connection, refresh_token=None)

    assert revocations.revoke(connection, by=by).ended == ("access_token",)

    assert [asked.form["token"] for asked in server.asked] == ["old-access-token"]


@pytest.mark.parametrize(
    "answer", [OK, (200, {"error": "invalid_token"}), (400, {"error": "invalid_token"}), (204, {})]
)
def test_a_token_that_the_provider_does_not_know_is_as_good_as_revoked(
    server: Server, connection: Connection, by: Actor, answer: Answer
) -> None:
    authorized(connection)
    answering(server, refresh_token=answer, access_token=answer)

    assert revocations.revoke(connection, by=by).ended == ("refresh_token", "access_token")

    assert not Grant.objects.exists()


@pytest.mark.parametrize(
    ("answer", "code", "error"),
    [
        (BUSY, "provider_unavailable", "temporarily_unavailable"),
        ((401, {"error": "invalid_client"}), "client_rejected", "invalid_client"),
        ((403, {}), "misconfigured", "http_403"),
        ((404, {}), "misconfigured", "http_404"),
        (UNSUPPORTED, "misconfigured", "unsupported_token_type"),
        (None, "provider_unavailable", "broken_answer"),
    ],
)
def test_a_refusal_drops_nothing(
    server: Server, connection: Connection, by: Actor, answer: Answer | None, code: str, error: str
) -> None:
    authorized(connection)
    answering(server, refresh_token=answer, access_token=answer)

    with pytest.raises(GrantError) as caught:
        revocations.revoke(connection, by=by)

    assert (caught.value.code, caught.value.failure.error) == (code, error)
    assert is_kept(connection)
    assert [detail["failure"]["error"] for detail in events(connection, "grant.revoke_fail")] == [error]
    server.json(TOKENS)
    refreshed(connection, by=by)


def test_an_unreachable_provider_drops_nothing_until_somebody_says_so(
    server: Server, connection: Connection, by: Actor
) -> None:
    authorized(connection)
    Connection.objects.update(revoke_url="http://127.0.0.1:1/revoke")
    client = connection.oauth_client
    assert client is not None
    client.secret_hosts += ["127.0.0.1:1"]
    client.save()

    with pytest.raises(GrantError) as caught:
        revocations.revoke(as_stored(connection), by=by)

    assert caught.value.failure.error == "unreachable"
    assert is_kept(connection)
    grants.drop(connection, by=by)
    assert not Grant.objects.exists()
    assert as_stored(connection).status == Status.DRAFT


@pytest.mark.parametrize(
    ("answers", "ended", "refused"),
    [
        ({"refresh_token": UNSUPPORTED, "access_token": OK}, ("access_token",), "unsupported_token_type"),
        ({"refresh_token": OK, "access_token": UNSUPPORTED}, ("refresh_token",), "unsupported_token_type"),
        ({"refresh_token": OK, "access_token": BUSY}, ("refresh_token",), "temporarily_unavailable"),
    ],
)
def test_one_token_that_ended_ends_the_grant(
    server: Server, connection: Connection, by: Actor, answers: dict[str, Answer], ended: tuple[str, ...], refused: str
) -> None:
    authorized(connection)
    answering(server, **answers)

    outcome = revocations.revoke(connection, by=by)

    assert outcome.ended == ended
    assert outcome.refused is not None
    assert outcome.refused.error == refused
    assert not Grant.objects.exists()
    assert events(connection, "grant.revoke")[0]["failure"]["error"] == refused


def test_without_a_revoke_url_nothing_is_done(server: Server, connection: Connection, by: Actor) -> None:
    authorized(connection)
    connection = changed(connection, by=by, revoke_url="")

    with pytest.raises(GrantError) as caught:
        revocations.revoke(connection, by=by)

    assert (revocations.can_revoke(connection), caught.value.failure.error) == (False, "no_revoke_url")
    assert is_kept(connection)


def test_without_tokens_there_is_nothing_to_revoke(server: Server, connection: Connection, by: Actor) -> None:
    with pytest.raises(GrantError) as caught:
        revocations.revoke(connection, by=by)

    assert (caught.value.code, server.asked) == ("not_authorized_yet", [])


def test_an_unreadable_token_is_not_forgotten_by_itself(server: Server, connection: Connection, by: Actor) -> None:
    grant = authorized(connection)
    with database.cursor() as cursor:
        cursor.execute("UPDATE connections_grant SET refresh_token = 'g1:00000000:damaged'")

    with pytest.raises(GrantError) as caught:
        revocations.revoke(connection, by=by)

    assert (caught.value.code, server.asked) == ("secret_unreadable", [])
    assert Grant.objects.get().pk == grant.pk


def test_a_redirect_takes_no_token_along(server: Server, connection: Connection, by: Actor) -> None:
    authorized(connection)
    with Server() as other:
        server.answer(307, location=f"{other.url}/revoke")

        with pytest.raises(GrantError) as caught:
            revocations.revoke(connection, by=by)

        assert (caught.value.failure.error, other.asked) == ("redirected", [])
    assert is_kept(connection)


# Races


@pytest.fixture
def in_thread(transactional_db: None) -> Iterator[Callable[[Callable[[], object]], Any]]:
    """Runs something beside the test; calling what it gives back waits for the result, an exception included."""
    started: list[threading.Thread] = []

    def run(work: Callable[[], object]) -> Callable[[], object]:
        results: list[object] = []

        def target() -> None:
            try:
                results.append(work())
            except GrantError as error:
                results.append(error)
            finally:
                database.close()

        thread = threading.Thread(target=target)
        thread.start()
        started.append(thread)

        def result() -> object:
            thread.join(20)
            return results[0]

        return result

    yield run
    for thread in started:
        thread.join(20)


class Gate:
    """Holds the server's answers to one path until it is opened."""

    def __init__(self, server: Server, path: str) -> None:
        self.reached, self.opened = threading.Event(), threading.Event()

        def respond(handler: Any) -> None:
            if server.asked[-1].path == path:
                self.reached.set()
                self.opened.wait(20)
            handler.send_response(200)
            body = json.dumps(TOKENS).encode()
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        server.respond = respond


def test_a_refresh_under_way_is_waited_for_and_its_new_tokens_are_given_back(
    in_thread: Any, server: Server, connection: Connection, by: Actor
) -> None:
    authorized(connection)
    gate = Gate(server, "/token")
    refreshing = in_thread(lambda: refreshed(connection, by=by))
    assert gate.reached.wait(20)
    revoking = in_thread(lambda: revocations.revoke(as_stored(connection), by=by))
    assert asked_at(server, "/revoke") == []

    gate.opened.set()

    assert refreshing() is not None
    assert revoking().ended == ("refresh_token", "access_token")
    given_back = [asked.form["token"] for asked in asked_at(server, "/revoke")]
    assert given_back == ["the-refresh-token", "the-access-token"]
    assert not Grant.objects.exists()


def test_a_refresh_that_comes_during_a_revocation_finds_nothing(
    in_thread: Any, server: Server, connection: Connection, by: Actor
) -> None:
    authorized(connection)
    gate = Gate(server, "/revoke")
    revoking = in_thread(lambda: revocations.revoke(as_stored(connection), by=by))
    assert gate.reached.wait(20)
    refreshing = in_thread(lambda: refreshed(connection, by=by))

    gate.opened.set()

    assert revoking().ended == ("refresh_token", "access_token")
    late = refreshing()
    assert isinstance(late, GrantError)
    assert late.code == "not_authorized_yet"
    assert asked_at(server, "/token") == []
    assert not Grant.objects.exists()
    assert as_stored(connection).status == Status.DRAFT


def test_who_authorizes_anew_during_a_revocation_keeps_the_new_tokens(
    in_thread: Any, server: Server, connection: Connection, by: Actor
) -> None:
    authorized(connection)
    gate = Gate(server, "/revoke")
    revoking = in_thread(lambda: revocations.revoke(as_stored(connection), by=by))
    assert gate.reached.wait(20)
    grants.store(as_stored(connection), Tokens("newest-access", "newest-refresh"), by=by)

    gate.opened.set()

    assert revoking().ended == ("refresh_token", "access_token")
    assert revealed(Grant.objects.get()) == ("newest-access", "newest-refresh")
    assert as_stored(connection).status == Status.ONLINE
    refreshed(connection, by=by)
