"""Save & authorize without script and with a window; tokens without a person; a pasted token."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from connections.models import AuthorizationAttempt, Connection, Grant, OAuthClient, Team
from tests import factories
from tests.conftest import Simulator
from tests.unit.views.pages import Page, press, visit

NEW = "/connections/new/amazon-simulator/"
Typed = Callable[..., dict[str, Any]]


def came_back(person: Client, url: str) -> Page:
    return Page(person.get("/oauth/callback/?" + urlsplit(url).query))


def test_the_whole_way_without_script(as_bob: Client, typed: Typed, simulator: Simulator) -> None:
    sent = press(as_bob, visit(as_bob, NEW), "Save & authorize", typed())
    assert sent.status == 303
    saved = Connection.objects.get()
    assert saved.status == "draft"
    back = came_back(as_bob, simulator.consent(sent.response["Location"]))
    assert (back.status, back.response["Location"]) == (302, f"/connections/{saved.pk}/")
    page = visit(as_bob, f"/connections/{saved.pk}/")
    assert "Authorized. The refresh token is encrypted and stored for" in page.words
    assert "Online" in page.words
    assert "Online" in visit(as_bob, "/connections/").words
    grant = Grant.objects.get()
    assert grant.refresh_token is not None
    assert grant.refresh_token.reveal() not in page.html
    assert "The test passed." in press(as_bob, page, "Test connection").words


def test_the_state_is_stored_hashed_and_as_long_as_promised(as_bob: Client, connection: Connection) -> None:
    url = as_bob.post(f"/connections/{connection.pk}/authorize/")["Location"]
    state = parse_qs(urlsplit(url).query)["state"][0]
    assert len(state) >= 43
    attempt = AuthorizationAttempt.objects.get()
    assert state not in str(attempt.__dict__)
    assert state not in str(as_bob.session.items())
    assert 590 <= (attempt.expires_at - attempt.started_at).total_seconds() <= 610


def test_a_draft_application_asks_for_the_beta_version(as_bob: Client, typed: Typed) -> None:
    sent = press(as_bob, visit(as_bob, NEW), "Save & authorize", typed(draft_application="on")).response
    assert parse_qs(urlsplit(sent["Location"]).query)["version"] == ["beta"]


def test_a_plain_provider_gets_the_standard_parameters_with_pkce(as_bob: Client, team: Team) -> None:
    client = factories.oauth_client(team, client_id="me & you", secret_hosts=["id.example.com"])
    typed = {"name": "Any", "base_uri": "https://api.example.com", "oauth_client": str(client.pk), "scope": "read write",
             "authorization_url": "https://id.example.com/authorize?audience=x", "pkce": "S256",
             "token_url": "https://id.example.com/token"}  # fmt: skip
    page = visit(as_bob, "/connections/new/http/")
    query = parse_qs(urlsplit(press(as_bob, page, "Save & authorize", typed).response["Location"]).query)
    assert query.pop("state")
    assert len(query.pop("code_challenge")[0]) == 43
    assert query == {
        "audience": ["x"], "response_type": ["code"], "client_id": ["me & you"], "scope": ["read write"],
        "redirect_uri": ["https://gatehouse.example.com/oauth/callback/"], "code_challenge_method": ["S256"],
    }  # fmt: skip


class TestInAWindow:
    def test_the_pane_stays_and_its_script_gets_the_address(self, as_bob: Client, typed: Typed) -> None:
        values = typed(in_popup="1", id="6f1c5d0e-0000-4000-8000-00000000000a")
        answer = as_bob.post(NEW, values, headers={"HX-Request": "true"})
        saved = Connection.objects.get()
        assert answer.status_code == 200
        triggered = json.loads(answer["HX-Trigger-After-Settle"])
        assert "/apps/authorize/consent?application_id=" in triggered["gatehouse:authorize"]["url"]
        assert answer["HX-Push-Url"] == f"/connections/{saved.pk}/"
        page = Page(answer)
        assert page.html.lstrip().startswith("<form")
        assert "Waiting for Amazon" in page.words

    def test_the_window_says_what_became_of_it_and_closes(
        self, as_bob: Client, connection: Connection, simulator: Simulator
    ) -> None:
        url = self.begin(as_bob, connection)
        page = came_back(as_bob, simulator.consent(url))
        assert page.status == 200
        assert "data-closes-window" in page.html
        assert "Purchase orders is online" in page.words
        assert page.response["Referrer-Policy"] == "no-referrer"

    def test_the_page_that_waits_learns_it_from_the_server(
        self, as_bob: Client, connection: Connection, simulator: Simulator
    ) -> None:
        url = self.begin(as_bob, connection)
        where = f"/connections/{connection.pk}/authorize/"
        assert "Waiting for" in visit(as_bob, where, headers={"HX-Request": "true"}).words
        came_back(as_bob, simulator.consent(url))
        page = visit(as_bob, where, headers={"HX-Request": "true"})
        assert "Authorized." in page.words
        assert "every 2s" not in page.html

    def test_without_script_the_popup_flag_is_ignored(self, as_bob: Client, connection: Connection) -> None:
        answer = as_bob.post(f"/connections/{connection.pk}/authorize/", {"in_popup": "1"})
        assert answer.status_code == 303

    def test_a_window_that_was_closed_can_be_cancelled_or_opened_again(
        self, as_bob: Client, connection: Connection, simulator: Simulator
    ) -> None:
        first = self.begin(as_bob, connection)
        again = press(as_bob, visit(as_bob, f"/connections/{connection.pk}/"), "Open the window again").response
        assert again["Location"] != first
        press(as_bob, visit(as_bob, f"/connections/{connection.pk}/"), "Cancel")
        assert (
            "Nothing was changed. Save & authorize starts again."
            in visit(as_bob, f"/connections/{connection.pk}/").words
        )
        page = came_back(as_bob, simulator.consent(again["Location"]))
        assert page.response["Location"] == f"/connections/{connection.pk}/"
        assert not Grant.objects.exists()

    @staticmethod
    def begin(person: Client, connection: Connection) -> str:
        answer = person.post(
            f"/connections/{connection.pk}/authorize/", {"in_popup": "1"}, headers={"HX-Request": "true"}
        )
        url: str = json.loads(answer["HX-Trigger-After-Settle"])["gatehouse:authorize"]["url"]
        return url


class TestAnotherAccount:
    @pytest.fixture
    def asked(self, as_bob: Client, connection: Connection, simulator: Simulator) -> Page:
        factories.grant(connection, access_token="Atza|old", refresh_token="Atzr|old", upstream_identity="SOMEBODY")
        Connection.objects.filter(pk=connection.pk).update(status="online")
        url = as_bob.post(f"/connections/{connection.pk}/authorize/")["Location"]
        came_back(as_bob, simulator.consent(url))
        return visit(as_bob, f"/connections/{connection.pk}/")

    def refresh_token(self) -> str:
        token = Grant.objects.get().refresh_token
        assert token is not None
        return token.reveal()

    def test_is_asked_about_before_anything_is_replaced(self, asked: Page) -> None:
        assert "This is another account than before." in asked.words
        assert self.refresh_token() == "Atzr|old"

    def test_takes_over_with_a_yes(self, asked: Page, as_bob: Client) -> None:
        yes = next(button.text for button in asked.form.buttons if button.text.startswith("Use "))
        assert press(as_bob, asked, yes).status == 303
        assert self.refresh_token().startswith("Atzr|")
        assert self.refresh_token() != "Atzr|old"
        assert Grant.objects.get().upstream_identity != "SOMEBODY"

    def test_stays_out_with_a_no(self, asked: Page, as_bob: Client) -> None:
        press(as_bob, asked, "Keep SOMEBODY")
        assert self.refresh_token() == "Atzr|old"
        attempt = AuthorizationAttempt.objects.get()
        assert (attempt.state, attempt.access_token, attempt.refresh_token) == ("cancelled", None, None)

    def test_nobody_else_says_yes(self, asked: Page, as_alice: Client, connection: Connection) -> None:
        attempt = AuthorizationAttempt.objects.get()
        for verb in ("confirm", "cancel"):
            answer = as_alice.post(f"/connections/{connection.pk}/authorize/{verb}/", {"attempt": str(attempt.pk)})
            assert answer.status_code == 404
        assert self.refresh_token() == "Atzr|old"


class TestClientCredentials:
    SCOPE = "sellingpartnerapi::notifications"

    def test_gets_a_token_and_tests_without_leaving(self, as_bob: Client, typed: Typed, simulator: Simulator) -> None:
        values = typed(grant_type="client_credentials", scope=self.SCOPE, authorization_url=None, pkce=None)
        answer = as_bob.post(NEW, values | {"then": "authorize"})
        saved = Connection.objects.get()
        assert (answer.status_code, answer["Location"]) == (303, f"/connections/{saved.pk}/")
        assert saved.status == "online"
        assert saved.last_test is not None
        assert "is saved and has a token." in visit(as_bob, answer["Location"]).words
        assert simulator.calls("/apps/") == []

    def test_a_wrong_secret_is_saved_and_says_what_is_wrong(
        self, as_bob: Client, typed: Typed, oauth_client: OAuthClient
    ) -> None:
        oauth_client.client_secret = "wrong-secret"
        oauth_client.save()
        values = typed(grant_type="client_credentials", scope=self.SCOPE, authorization_url=None, pkce=None)
        page = Page(as_bob.post(NEW, values))
        assert page.status == 422
        assert "The connection is saved, but:" in page.words
        assert "invalid_client" in page.words
        assert Connection.objects.get().status == "offline"
        assert page.form.action == f"/connections/{Connection.objects.get().pk}/"
        assert "wrong-secret" not in page.html

    def test_without_a_scope_amazon_is_not_even_asked(self, as_bob: Client, typed: Typed, simulator: Simulator) -> None:
        page = Page(as_bob.post(NEW, typed(grant_type="client_credentials", authorization_url=None)))
        assert "only for a scope" in page.error("scope")
        assert simulator.calls() == []


class TestAPastedToken:
    def test_is_tried_sealed_and_tested(self, as_bob: Client, typed: Typed, simulator: Simulator) -> None:
        token = simulator.refresh_token()
        answer = as_bob.post(NEW, typed(refresh_token=token))
        saved = Connection.objects.get()
        assert (answer.status_code, saved.status) == (303, "online")
        page = visit(as_bob, answer["Location"])
        assert "is saved and has a token." in page.words
        assert token not in page.html

    def test_of_another_client_is_refused_and_says_so(
        self, as_bob: Client, typed: Typed, simulator: Simulator, oauth_client: OAuthClient
    ) -> None:
        simulator.fault(path="/auth/o2/token", status=400, body={"error": "unauthorized_client",
                        "error_description": "Not authorized for requested operation"})  # fmt: skip
        page = Page(as_bob.post(NEW, typed(refresh_token="Atzr|of-another-client")))
        assert page.status == 422
        assert "The connection is saved, but:" in page.words
        assert "unauthorized_client" in page.words
        assert "Atzr|of-another-client" not in page.html
        assert not Grant.objects.filter(refresh_token__isnull=False).exists()

    def test_that_fails_leaves_the_good_one(self, as_bob: Client, connection: Connection, simulator: Simulator) -> None:
        good = simulator.refresh_token()
        page = visit(as_bob, f"/connections/{connection.pk}/")
        press(as_bob, page, "Save & authorize", {"refresh_token": good})
        page = visit(as_bob, f"/connections/{connection.pk}/")
        answer = press(as_bob, page, "Save & authorize", {"refresh_token": "Atzr|made-up"})
        assert answer.status == 422
        token = Grant.objects.get().refresh_token
        assert token is not None
        assert token.reveal() == good
        connection.refresh_from_db()
        assert connection.status == "online"
