"""Test connection: the steps alone for the page's script, the whole page without; a token goes only where it was meant to."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from connections import outbound
from connections.models import Connection, Event, Membership, OAuthClient
from tests import factories
from tests.conftest import Simulator
from tests.unit.oauth.loopback import Server
from tests.unit.views.pages import Page, press, visit

STEPS = {"X-Steps": "1"}


@pytest.fixture
def online(connection: Connection, simulator: Simulator) -> Connection:
    """Authorized, by a refresh token that the simulator knows; its access token has run out."""
    factories.grant(connection, refresh_token=simulator.refresh_token())
    Connection.objects.filter(pk=connection.pk).update(status="online")
    return connection


def pane(person: Client, connection: Connection) -> Page:
    return visit(person, f"/connections/{connection.pk}/")


def test_the_script_gets_the_steps_alone(as_bob: Client, online: Connection) -> None:
    page = press(as_bob, pane(as_bob, online), "Test connection", headers=STEPS)
    assert page.status == 200
    assert page.html.lstrip().startswith('<section class="test"')
    assert page.html.count("<li data-state=") == 5
    assert "The test passed." in page.words
    assert page.response["X-Accel-Buffering"] == "no"


def test_without_script_the_steps_come_inside_the_page(as_bob: Client, online: Connection) -> None:
    page = press(as_bob, pane(as_bob, online), "Test connection", {"name": "Typed, not saved"})
    assert page.html.lstrip().startswith("<!doctype html>")
    assert page.html.rstrip().endswith("</html>")
    assert "The test passed." in page.words
    assert page.value("name") == "Typed, not saved"
    online.refresh_from_db()
    assert online.name == "Purchase orders"


def test_a_test_of_what_is_saved_is_kept_and_shown_again(as_bob: Client, online: Connection) -> None:
    page = Page(as_bob.post(f"/connections/{online.pk}/test/"))
    assert "The test passed." in page.words
    assert "Last test," in pane(as_bob, online).words
    assert as_bob.get(f"/connections/{online.pk}/test/")["Location"] == f"/connections/{online.pk}/"


def test_leaving_the_page_stops_the_test(as_bob: Client, online: Connection, simulator: Simulator) -> None:
    answer: Any = as_bob.post(f"/connections/{online.pk}/test/", headers=STEPS)
    parts = answer.streaming_content
    next(parts), next(parts)
    answer._iterator.close()  # what the server does when the browser is gone
    assert simulator.calls("/vendor/") == []
    event = Event.objects.get(action="connection.test")
    assert event.detail["cancelled"] is True


def test_values_that_were_not_saved_are_tested_and_not_saved(as_bob: Client, online: Connection) -> None:
    page = press(as_bob, pane(as_bob, online), "Test connection", {"ping_path": "/nowhere/at/all"}, headers=STEPS)
    assert "/nowhere/at/all" in page.words
    assert "The test did not pass." in page.words
    online.refresh_from_db()
    assert (online.ping_path, online.last_test) == ("", None)


def test_a_new_connection_is_tested_before_it_exists(
    as_bob: Client, oauth_client: OAuthClient, simulator: Simulator
) -> None:
    page = visit(as_bob, "/connections/new/amazon-simulator/")
    typed = {"name": "New", "oauth_client": str(oauth_client.pk), "refresh_token": simulator.refresh_token()}
    answer = press(as_bob, page, "Test connection", typed, headers=STEPS)
    assert "The test passed." in answer.words
    assert typed["refresh_token"] not in answer.html
    assert not Connection.objects.exists()


def test_fields_that_need_another_look_are_named_and_nothing_is_sent(
    as_bob: Client, online: Connection, simulator: Simulator
) -> None:
    simulator.reset()
    typed = {"name": "", "base_uri": "javascript:alert(1)"}
    page = press(as_bob, pane(as_bob, online), "Test connection", typed, headers=STEPS)
    assert page.status == 422
    assert "Nothing was tested" in page.words
    assert "Name: This field is required." in page.words
    whole = press(as_bob, pane(as_bob, online), "Test connection", typed)
    assert (whole.status, whole.error("name")) == (422, "This field is required.")
    assert simulator.calls() == []


@pytest.mark.parametrize("address", ["base_uri", "token_url", "both"])
def test_a_changed_host_never_gets_the_stored_token_or_secret(
    as_bob: Client, online: Connection, settings: Any, simulator: Simulator, address: str
) -> None:
    """The attack of a teammate: type an address of one's own, press Test connection."""
    with Server() as mine:
        outbound.configure(private_hosts_allowed=[simulator.host, mine.url.removeprefix("http://")])
        mine.json({"access_token": "Atza|mine", "expires_in": 3600})
        typed = {name: mine.url for name in ("base_uri", "token_url") if address in (name, "both")}
        page = press(as_bob, pane(as_bob, online), "Test connection", typed, headers=STEPS)
        assert "The test passed." not in page.words
        told = [(asked.headers, asked.body) for asked in mine.asked]
    assert "Atz" not in str(told)
    assert factories.CLIENT_SECRET not in str(told)


@pytest.mark.parametrize("button", ["Save & authorize", "Save & close"])
def test_saving_another_host_sends_it_neither_token_nor_secret(
    as_bob: Client, online: Connection, simulator: Simulator, button: str
) -> None:
    with Server() as mine:
        outbound.configure(private_hosts_allowed=[simulator.host, mine.url.removeprefix("http://")])
        page = press(as_bob, pane(as_bob, online), button, {"token_url": mine.url + "/token"})
        assert "may go only to" in page.error("token_url")
        press(as_bob, pane(as_bob, online), button, {"base_uri": mine.url})
        b"".join(as_bob.post(f"/connections/{online.pk}/test/").streaming_content)
        told = [(asked.headers, asked.body) for asked in mine.asked]
    assert "Atz" not in str(told)
    assert factories.CLIENT_SECRET not in str(told)


def test_another_teams_connection_lends_its_token_to_nobody(
    as_charlie: Client, charlie: Membership, online: Connection, simulator: Simulator
) -> None:
    values = factories.pane_values(online) | {"application": "amazon-simulator"}
    simulator.reset()
    page = Page(as_charlie.post("/connections/test/", values, headers=STEPS))
    assert page.status == 422  # the client is not charlie's
    assert simulator.calls() == []
    own = factories.oauth_client(charlie.team, secret_hosts=[simulator.host])
    page = Page(as_charlie.post("/connections/test/", values | {"oauth_client": str(own.pk)}, headers=STEPS))
    assert "Nobody has authorized this connection yet." in page.words
    assert simulator.calls("/vendor/") == []


def test_a_provider_that_echoes_the_token_in_its_error_does_not_get_it_shown(
    as_bob: Client, team: Any, simulator: Simulator
) -> None:
    """Some APIs quote the Authorization header in their error."""
    token = {"access_token": factories.SENTINEL, "refresh_token": "r", "expires_in": 3600}
    echo = {"errors": [{"code": "Bad", "message": f"bad header: Bearer {factories.SENTINEL}"}]}
    with Server() as api:
        outbound.configure(private_hosts_allowed=[api.url.removeprefix("http://")])
        answers_of = {"/token": (200, token)}

        def respond(handler: Any) -> None:
            status, body = answers_of.get(handler.path, (400, echo))
            content = json.dumps(body).encode()
            handler.send_response(status)
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)

        api.respond = respond
        connection = factories.connection(
            team, application="http", base_uri=api.url, auth_type="oauth2", grant_type="authorization_code",
            token_url=api.url + "/token", authorization_url=api.url + "/authorize",
            oauth_client=factories.oauth_client(team, secret_hosts=[api.url.removeprefix("http://")]),
        )  # fmt: skip
        factories.grant(connection, refresh_token="r")
        answers = [Page(as_bob.post(f"/connections/{connection.pk}/test/", headers=STEPS)), pane(as_bob, connection)]
    assert "bad header" in answers[0].words
    assert factories.SENTINEL not in "".join(page.html for page in answers)
    connection.refresh_from_db()
    assert factories.SENTINEL not in str(connection.last_test)
