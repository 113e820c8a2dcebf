"""What every answer carries besides its page: CSP, opener and referrer policy, caching, cookies; and how many queries it took."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from connections.models import Connection, Membership, Team
from tests import factories
from tests.conftest import Simulator
from tests.unit.views.pages import Page

PAGES = ["/connections/", "/connections/new/", "/connections/new/http/", "pane", "pane/authorize/", "pane/delete/",
         "pane/use/", "pane/history/",
         "/clients/", "/clients/new/", "client", "client/delete/", "/team/api-keys/", "/oauth/callback/", "/oauth/login/", "/nowhere/",
         "/accounts/login/", "/accounts/password/reset/", "/healthz", "/readyz", "/setup/x/"]  # fmt: skip


def addresses(path: str, connection: Connection) -> str:
    path = path.replace("pane/", f"/connections/{connection.pk}/").replace(
        "client/", f"/clients/{connection.oauth_client_id}/"
    ) if not path.startswith("/") and "/" in path else path  # fmt: skip
    known = {"pane": f"/connections/{connection.pk}/", "client": f"/clients/{connection.oauth_client_id}/"}
    return known.get(path, path)


def policy(answer: Any) -> dict[str, str]:
    directives = (part.strip().partition(" ") for part in answer["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in directives}


def assert_hardened(answer: Any) -> None:
    csp = policy(answer)
    assert csp["default-src"] == "'none'"
    assert csp["base-uri"] == csp["frame-ancestors"] == "'none'"
    assert csp["script-src"] == csp["style-src"] == csp["connect-src"] == "'self'"
    assert "unsafe" not in str(csp)
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    assert answer["Referrer-Policy"] in ("same-origin", "no-referrer")
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_hardened_and_kept_by_nobody(as_bob: Client, connection: Connection, path: str) -> None:
    where = addresses(path, connection)
    answer = as_bob.get(where)
    assert answer.status_code != 500
    assert_hardened(answer)
    if where.startswith(("/connections/", "/clients/", "/oauth/", "/team/")) and answer.status_code == 200:
        assert "no-store" in answer["Cache-Control"]
        assert "private" in answer["Cache-Control"]


@pytest.mark.parametrize("path", PAGES)
def test_no_page_has_inline_script_style_or_handler(as_bob: Client, connection: Connection, path: str) -> None:
    html = as_bob.get(addresses(path, connection)).content.decode()
    for inline in (" onclick=", " onload=", " onchange=", " style=", "<style", "hx-on", "javascript:"):
        assert inline not in html
    assert html.count("<script") == html.count("<script src=") + html.count("<script defer src=")


def test_posts_and_refusals_are_hardened_too(
    as_bob: Client, as_mona: Client, connection: Connection, client: Client
) -> None:
    pane = f"/connections/{connection.pk}/"
    enforcing = Client(enforce_csrf_checks=True)
    for answer in (
        as_bob.post(pane, {}), as_mona.post(pane, {}), as_bob.post(pane + "test/"), as_bob.post(pane + "authorize/"),
        as_bob.put(pane), as_bob.get("/connections/nope/"), client.get(pane), enforcing.post(pane),
        as_bob.post("/connections/test/", {"id": str(connection.pk)}),
    ):  # fmt: skip
        assert_hardened(answer)
        b"".join(answer.streaming_content if answer.streaming else [])  # type: ignore[attr-defined]


def test_forms_may_lead_to_a_provider_only_where_they_do(as_bob: Client, connection: Connection) -> None:
    assert policy(as_bob.get(f"/connections/{connection.pk}/"))["form-action"] == "'self' https:"
    for path in ("/connections/", "/clients/new/", "/connections/new/"):
        assert policy(as_bob.get(path))["form-action"] == "'self'"


def test_cookies_are_out_of_reach_of_scripts_and_other_sites(alice: Membership) -> None:
    person = Client()
    person.get("/accounts/login/")
    person.post("/accounts/login/", {"login": "alice@example.com", "password": factories.PASSWORD}, secure=True)
    person.post("/clients/new/", {"name": "x", "client_id": "y", "client_secret": "z"}, secure=True)
    assert {"gatehouse_session", "gatehouse_csrf"} <= set(person.cookies)
    for cookie in person.cookies.values():
        assert cookie["httponly"], cookie.key
        assert cookie["samesite"] == "Lax", cookie.key
        assert cookie["secure"], cookie.key


def test_an_unknown_host_gets_a_plain_page(as_bob: Client, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["gatehouse.example.com"]
    answer = as_bob.get("/connections/", headers={"Host": "evil.example"})
    assert answer.status_code == 400
    assert "evil" not in answer.content.decode()
    assert policy(answer)["default-src"] == "'none'"


def test_readiness_tells_no_more_than_which_part(client: Client, db: None) -> None:
    assert client.get("/readyz").json() == {"database": True, "keys": True}
    assert client.get("/healthz").content == b"ok\n"


def queries(person: Client, path: str) -> int:
    with CaptureQueriesContext(database) as captured:
        assert person.get(path).status_code == 200
    return len(captured)


@pytest.mark.parametrize(("path", "most"), [("/connections/", 8), ("/clients/", 8)])
def test_a_list_takes_as_many_queries_with_60_rows_as_with_one(
    as_bob: Client, team: Team, simulator: Simulator, path: str, most: int
) -> None:
    def add(rows: int) -> None:
        for _ in range(rows):
            client = factories.oauth_client(team)
            failing = factories.connection(team, simulator.url, oauth_client=client, status="offline",
                                           failure={"error": "invalid_grant", "where": "token"})  # fmt: skip
            factories.grant(failing, access_token="a", refresh_token="b")

    add(1)
    as_bob.get(path)
    few = queries(as_bob, path)
    add(60)
    assert queries(as_bob, path) == queries(as_bob, path + "?page=2") == few
    assert few <= most


def test_a_list_says_which_page_it_is_and_bears_any_number(as_bob: Client, team: Team) -> None:
    for _ in range(60):
        factories.oauth_client(team)
    assert "51–60 of 60" in Page(as_bob.get("/clients/?page=2")).words
    for page in ("0", "-1", "999", "x", "%00", "9" * 5000, "1e9"):
        assert as_bob.get(f"/clients/?page={page}").status_code == 200


def test_error_pages_are_plain(as_bob: Client, client: Client, db: None) -> None:
    factories.membership(factories.team())
    for person in (as_bob, client):
        page = Page(person.get("/nowhere/"))
        assert page.status in (302, 404)
    page = Page(as_bob.get(f"/connections/{uuid.UUID(int=7)}/"))
    assert (page.status, "There is nothing here" in page.words) == (404, True)
    assert Page(client.get("/setup/x/")).status == 404
