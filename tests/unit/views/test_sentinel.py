"""A secret is planted in every place that takes one, every page is driven, and it is looked for everywhere it could come out."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable
from typing import Any, NoReturn
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from django.contrib.sessions.models import Session
from django.core import mail
from django.http import HttpRequest
from django.test import Client
from django.urls import include, path

from connections.models import AuthorizationAttempt, Connection, Event, Grant, Membership
from tests import factories
from tests.conftest import Simulator, signed_in
from tests.unit.views.pages import Page, press, visit

SECRET = factories.SENTINEL
REFRESH = "Atzr|" + SECRET
ENCODED = base64.b64encode(SECRET.encode()).decode().rstrip("=")[:-2]
FORMS = (SECRET, quote(SECRET), ENCODED, json.dumps(SECRET)[1:-1], SECRET[::-1])
Typed = Callable[..., dict[str, Any]]


def broken(request: HttpRequest) -> NoReturn:
    """A page that fails while it has secrets in its variables, as any page of ours might."""
    secret = factories.SENTINEL
    posted = request.POST.get("client_secret")
    kept = {"client_secret": secret, "token": posted}
    raise RuntimeError(f"broke with {len(secret)} {len(kept)}")


urlpatterns = [path("broken/", broken), path("", include("connections.urls"))]
handler500 = "connections.views.errors.server_error"


class Everything:
    """Collects what comes out; `assert_clean` looks for the secret in all of it."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self.caplog, self.told = caplog, ""

    def see(self, answer: Any) -> Page:
        page = answer if isinstance(answer, Page) else Page(answer)
        self.told += page.html + str(page.response.headers) + str(page.response.cookies)
        return page

    def assert_clean(self) -> None:
        rows = [list(model.objects.values()) for model in (Event, AuthorizationAttempt, Connection)]
        sessions = [session.get_decoded() for session in Session.objects.all()]
        mails = [message.message().as_string() for message in mail.outbox]
        logs = self.caplog.text + "".join(str(record.__dict__) for record in self.caplog.records)
        for where, text in {
            "a page": self.told, "an audit row, attempt or connection": str(rows), "a session": str(sessions),
            "an email": "".join(mails), "the log": logs,
        }.items():  # fmt: skip
            for form in FORMS:
                assert form not in text, f"the secret is in {where}"


@pytest.fixture
def everything(caplog: pytest.LogCaptureFixture) -> Everything:
    caplog.set_level(logging.DEBUG)
    return Everything(caplog)


def test_a_client_secret(as_bob: Client, connection: Connection, everything: Everything, simulator: Simulator) -> None:
    see, secret = everything.see, {"client_secret": SECRET}
    where = f"/clients/{connection.oauth_client_id}/"
    see(press(as_bob, see(visit(as_bob, "/clients/new/")), "Save", secret | {"name": ""}))
    see(press(as_bob, visit(as_bob, "/clients/new/"), "Save", secret | {"client_id": "x", "name": "X"}))
    see(press(as_bob, see(visit(as_bob, where)), "Save", secret | {"version": "0"}))
    see(press(as_bob, visit(as_bob, where), "Save", secret | {"secret_hosts": "!"}))
    see(press(as_bob, visit(as_bob, where), "Save", secret))
    for page in ("/clients/", where, where + "delete/", "/connections/", f"/connections/{connection.pk}/"):
        see(visit(as_bob, page))
    see(press(as_bob, visit(as_bob, f"/connections/{connection.pk}/"), "Test connection"))
    see(as_bob.post(f"/connections/{connection.pk}/test/", headers={"X-Steps": "1"}))
    url = as_bob.post(f"/connections/{connection.pk}/authorize/")["Location"]
    everything.told += url
    see(as_bob.get("/oauth/callback/?" + urlsplit(simulator.consent(url)).query))  # refused: the secret is wrong
    see(visit(as_bob, f"/connections/{connection.pk}/"))
    see(as_bob.get("/readyz"))
    everything.assert_clean()


@pytest.mark.parametrize("authentication", ["client_secret_post", "client_secret_basic"])
def test_a_client_secret_that_a_provider_echoes(
    as_bob: Client, connection: Connection, everything: Everything, simulator: Simulator, authentication: str
) -> None:
    assert connection.oauth_client is not None
    connection.oauth_client.client_secret = SECRET
    connection.oauth_client.save()
    factories.grant(connection, refresh_token=REFRESH)
    Connection.objects.filter(pk=connection.pk).update(client_authentication=authentication)
    echo = {"error": "invalid_client", "error_description": f"wrong secret {SECRET} for {quote(REFRESH)} {REFRESH}"}
    simulator.fault(path="/auth/o2/token", status=401, times=9, body=echo)
    everything.see(as_bob.post(f"/connections/{connection.pk}/test/"))
    url = as_bob.post(f"/connections/{connection.pk}/authorize/")["Location"]
    everything.see(as_bob.get("/oauth/callback/?" + urlsplit(simulator.consent(url)).query))
    for page in (f"/connections/{connection.pk}/", "/connections/"):
        assert SECRET not in everything.see(visit(as_bob, page)).html
    everything.assert_clean()


def test_a_pasted_token(
    as_bob: Client, connection: Connection, everything: Everything, typed: Typed, simulator: Simulator
) -> None:
    see, pasted = everything.see, {"refresh_token": REFRESH}
    new, pane = "/connections/new/amazon-simulator/", f"/connections/{connection.pk}/"
    wrong: list[dict[str, str]] = [{"name": ""}, {"refresh_token": "  x" + SECRET}, {"refresh_token": "Atza|" + SECRET}]
    for where in (new, pane):
        page = see(visit(as_bob, where))
        for changed in (*wrong, {"version": "0"}, {}):
            see(press(as_bob, page, "Save & authorize", typed() | pasted | changed))
        for button in ("Test connection", "Update the fields below", "New OAuth 2.0 client", "Edit OAuth 2.0 client"):
            see(press(as_bob, visit(as_bob, where), button, typed() | pasted))
    see(as_bob.post(pane, typed() | pasted, headers={"HX-Request": "true"}))
    see(visit(as_bob, pane + "?draft=1"))
    see(visit(as_bob, "/connections/"))
    everything.assert_clean()


def test_stored_tokens(
    as_bob: Client, as_mona: Client, connection: Connection, everything: Everything, simulator: Simulator
) -> None:
    see, pane = everything.see, f"/connections/{connection.pk}/"
    factories.grant(connection, access_token="Atza|" + SECRET, refresh_token=REFRESH, upstream_identity="OLD")
    Connection.objects.filter(pk=connection.pk).update(status="online")
    for person in (as_bob, as_mona):
        for page in (pane, pane + "authorize/", pane + "use/", pane + "history/", "/connections/", "/clients/"):
            see(visit(person, page))
    see(as_bob.post(pane + "test/"))
    url = as_bob.post(pane + "authorize/")["Location"]
    see(as_bob.get("/oauth/callback/?" + urlsplit(simulator.consent(url)).query))
    held = AuthorizationAttempt.objects.get()
    assert held.state == "confirming"
    held.access_token = held.refresh_token = SECRET  # type: ignore[assignment]
    held.save()
    page = see(visit(as_bob, pane))
    everything.assert_clean()
    see(press(as_bob, page, next(b.text for b in page.form.buttons if b.text.startswith("Use "))))
    see(visit(as_bob, pane))
    see(press(as_bob, visit(as_bob, pane), "Save & close", {"base_uri": "https://elsewhere.example"}))
    see(press(as_bob, visit(as_bob, pane + "delete/"), "Delete"))
    everything.assert_clean()


def test_the_tokens_of_a_whole_authorization(
    as_bob: Client, connection: Connection, everything: Everything, simulator: Simulator
) -> None:
    url = as_bob.post(f"/connections/{connection.pk}/authorize/")["Location"]
    back = urlsplit(simulator.consent(url)).query
    code = parse_qs(back)["spapi_oauth_code"][0]
    everything.see(as_bob.get(f"/oauth/callback/?{back}"))
    everything.see(as_bob.post(f"/connections/{connection.pk}/test/"))
    everything.see(visit(as_bob, f"/connections/{connection.pk}/"))
    grant = Grant.objects.get()
    assert grant.access_token and grant.refresh_token
    secrets = {grant.access_token.reveal(), grant.refresh_token.reveal()}
    told = everything.told + everything.caplog.text + str(list(Event.objects.values()))
    for secret in secrets:
        assert secret not in told
        assert quote(secret) not in told
    assert code not in everything.told + str(list(Event.objects.values()))


def test_a_password(alice: Membership, everything: Everything) -> None:
    see = everything.see
    for email in ("alice@example.com", "nobody@example.com"):
        person = Client()
        page = see(visit(person, "/accounts/login/"))
        see(press(person, page, "Sign in", {"login": email, "password": SECRET}))
    alice.user.set_password(SECRET)
    alice.user.save()
    person = Client()
    see(press(person, visit(person, "/accounts/login/"), "Sign in", {"login": "alice@example.com", "password": SECRET}))
    see(visit(person, "/connections/"))
    see(
        person.post(
            "/accounts/password/change/", {"oldpassword": SECRET, "password1": SECRET + "1", "password2": SECRET + "2"}
        )
    )
    see(person.post("/accounts/password/reset/", {"email": "alice@example.com"}))
    everything.assert_clean()


class TestAPageThatBreaks:
    """An exception is forced while secrets are in variables and in the post."""

    @pytest.fixture(autouse=True)
    def at_broken(self, settings: Any) -> None:
        settings.ROOT_URLCONF = __name__
        settings.ADMINS = [("Operator", "operator@example.com")]

    def ask(self, alice: Membership, headers: dict[str, str]) -> Any:
        person = signed_in(alice)
        person.raise_request_exception = False
        posted = {"client_secret": SECRET, "refresh_token": REFRESH, "password": SECRET}
        return person.post("/broken/", posted, headers={"Authorization": f"Bearer {SECRET}"} | headers)

    @pytest.mark.parametrize("debug", [False, True])
    @pytest.mark.parametrize("accept", ["text/html", "text/plain", "application/json"])
    def test_tells_no_secret(
        self, alice: Membership, everything: Everything, settings: Any, debug: bool, accept: str
    ) -> None:
        settings.DEBUG = debug
        page = everything.see(self.ask(alice, {"Accept": accept}))
        assert page.status == 500
        assert ("RuntimeError" in page.html) is debug
        everything.assert_clean()

    def test_says_what_to_do(self, alice: Membership) -> None:
        page = Page(self.ask(alice, {}))
        assert "Something broke here" in page.words
        assert "This is our mistake." in page.words
