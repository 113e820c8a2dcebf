"""Names that are markup are shown as text, on every page."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from connections.models import Connection, Membership
from tests import factories
from tests.conftest import Simulator, signed_in
from tests.unit.views.pages import Page, press, visit

HOSTILE = '"><script>alert(1)</script>{{ 7|add:"7" }}{% now "Y" %}\'`<!-- the steps come here -->'
FIRST = HOSTILE[:100]


@pytest.fixture
def hostile(db: None, simulator: Simulator) -> Connection:
    team = factories.team(FIRST)
    client = factories.oauth_client(
        team, name=FIRST, client_id=HOSTILE, application_id=HOSTILE, secret_hosts=[simulator.host]
    )
    return factories.connection(
        team, simulator.url, name=FIRST, oauth_client=client, headers=[["X-A", HOSTILE]], ping_path="/" + HOSTILE,
        ping_method="POST", ping_body="</textarea>" + HOSTILE, status="offline",
        failure={"error": HOSTILE, "description": HOSTILE, "status": 400, "request_id": HOSTILE, "where": "token"},
        last_test=[{"name": "call", "title": HOSTILE, "state": "failed", "ms": 1, "detail": HOSTILE, "hint": HOSTILE}],
        last_test_at="2026-01-01T00:00:00Z",
    )  # fmt: skip


@pytest.fixture
def person(hostile: Connection) -> Client:
    member = factories.membership(hostile.team, email="o'brien@example.com")
    member.user.name = FIRST
    member.user.save()
    return signed_in(member)


def assert_text(page: Page) -> None:
    assert page.status != 500
    assert "<script>alert" not in page.html
    assert '</textarea>"' not in page.html
    assert "</textarea><script" not in page.html


def test_on_every_page(person: Client, hostile: Connection) -> None:
    pane, client = f"/connections/{hostile.pk}/", f"/clients/{hostile.oauth_client_id}/"
    for path in ("/connections/", pane, pane + "delete/", pane + "authorize/", pane + "use/",
                 pane + "history/", "/team/api-keys/new/", "/clients/", client, client + "delete/",
                 "/connections/new/http/"):  # fmt: skip
        for headers in ({}, {"HX-Request": "true"}):
            assert_text(visit(person, path, headers=headers))


def test_in_a_refused_stale_and_tested_pane(person: Client, hostile: Connection) -> None:
    page = visit(person, f"/connections/{hostile.pk}/")
    assert_text(press(person, page, "Save & authorize", {"base_uri": HOSTILE, "version": HOSTILE, "id": HOSTILE}))
    assert_text(press(person, page, "Save & authorize", {"version": "0", "name": FIRST[:-1], "ping_path": "/"}))
    tested = press(person, page, "Test connection", {"ping_path": "/" + HOSTILE[:40], "headers_value": HOSTILE[:27]})
    assert_text(tested)
    assert "The test did not pass." in tested.words
    assert tested.html.count("<html") == 1
    assert_text(press(person, page, "Update the fields below", {"auth_type": "none", "scope": HOSTILE}))


def test_in_messages_and_events_for_the_script(person: Client, hostile: Connection) -> None:
    client = f"/clients/{hostile.oauth_client_id}/"
    person.post(client + "delete/")
    assert_text(visit(person, "/clients/"))
    page = visit(person, client, headers={"HX-Request": "true"})
    answer = press(person, page, "Save", {"client_id": "x", "name": FIRST}, headers={"HX-Request": "true"})
    assert_text(answer)
    assert json.loads(answer.response["HX-Trigger"])["gatehouse:client"]["name"] == FIRST


def test_in_first_values(person: Client) -> None:
    names = ("name", "base_uri", "scope", "token_url", "authorization_url", "ping_path", "headers", "region",
             "marketplace", "auth_type", "grant_type", "oauth_client", "pkce", "media_type")  # fmt: skip
    for application in ("http", "amazon-vendor-central"):
        page = Page(person.get(f"/connections/new/{application}/", dict.fromkeys(names, HOSTILE)))
        assert_text(page)


def test_in_what_people_choose_from(person: Client, hostile: Connection, charlie: Membership) -> None:
    factories.connection(hostile.team, name=FIRST)
    query = {"amazon_callback_uri": "https://vendorcentral.amazon.com/x", "amazon_state": HOSTILE,
             "selling_partner_id": HOSTILE, "version": HOSTILE}  # fmt: skip
    assert_text(Page(person.get("/oauth/login/", query)))


def test_after_coming_back(person: Client, hostile: Connection, simulator: Simulator) -> None:
    answer = person.post(f"/connections/{hostile.pk}/authorize/")
    assert answer.status_code == 303
    assert_text(visit(person, f"/connections/{hostile.pk}/"))
