"""Pages of the connections list: each row once, whichever way one leafs, and links that lead on whatever happens meanwhile."""

from __future__ import annotations

import re
from html import unescape

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from connections.models import Connection, OAuthClient, Team
from connections.views import connections as view
from connections.views import paging
from tests import factories
from tests.unit.views.pages import Page

LIST = "/connections/"
NAMES = ["Same", "Same", "Same", "same", "", "a.b", "ä&ö=?#%", "Z" * 100, "1,204", "\N{PILE OF POO}", "0", "Same"]


@pytest.fixture
def oauth_client(team: Team) -> OAuthClient:
    return factories.oauth_client(team)


@pytest.fixture(autouse=True)
def short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "PAGE", 5)


@pytest.fixture
def listed(team: Team, oauth_client: OAuthClient) -> list[Connection]:
    """Twelve, as the database puts them in order."""
    for name in NAMES:
        factories.connection(team, oauth_client=oauth_client, name=name)
    return list(Connection.objects.filter(team=team).order_by("name", "id"))


def link(page: Page, kind: str) -> str:
    found = re.search(rf'href="([^"]*)" rel="{kind}"', page.html)
    return LIST + unescape(found[1]) if found else ""


def ids(page: Page) -> list[str]:
    return re.findall(r'class="list-main"><a href="/connections/([0-9a-f-]{36})/"', page.html)


def leaf(person: Client, start: str, kind: str) -> list[Page]:
    pages = [Page(person.get(start))]
    while following := link(pages[-1], kind):
        pages.append(Page(person.get(following)))
        assert len(pages) < 10
    return pages


def note(page: Page) -> str:
    found = re.search(r"\S+ of (more than )?[\d,]+", page.words)
    return found[0] if found else ""


def test_leafing_on_shows_each_row_once_in_order(as_bob: Client, listed: list[Connection]) -> None:
    pages = leaf(as_bob, LIST, "next")
    assert [id for page in pages for id in ids(page)] == [str(row.pk) for row in listed]
    assert [note(page) for page in pages] == ["1–5 of 12", "6–10 of 12", "11–12 of 12"]


def test_leafing_back_shows_the_same_pages(as_bob: Client, listed: list[Connection]) -> None:
    forth = leaf(as_bob, LIST, "next")
    assert not link(forth[0], "prev")
    back = [Page(as_bob.get(link(forth[2], "prev")))]
    back.append(Page(as_bob.get(link(back[0], "prev"))))
    assert [ids(page) for page in back] == [ids(forth[1]), ids(forth[0])]
    assert [note(page) for page in back] == ["6–10 of 12", "1–5 of 12"]
    assert not link(back[1], "prev")


def test_a_page_that_fits_has_no_links(as_bob: Client, team: Team, oauth_client: OAuthClient) -> None:
    for _ in range(5):
        factories.connection(team, oauth_client=oauth_client)
    page = Page(as_bob.get(LIST))
    assert (len(ids(page)), link(page, "next"), link(page, "prev"), note(page)) == (5, "", "", "")


def test_a_link_leads_on_where_its_row_has_been_deleted(as_bob: Client, listed: list[Connection]) -> None:
    following = link(Page(as_bob.get(LIST)), "next")
    listed[4].delete()
    page = Page(as_bob.get(following))
    assert ids(page) == [str(row.pk) for row in listed[5:10]]
    assert (note(page), bool(link(page, "prev"))) == ("5–9 of 11", True)


def test_where_everything_behind_a_link_is_gone_the_first_page_comes(as_bob: Client, listed: list[Connection]) -> None:
    following = link(Page(as_bob.get(LIST)), "next")
    Connection.objects.filter(pk__in=[row.pk for row in listed[5:]]).delete()
    page = Page(as_bob.get(following))
    assert ids(page) == [str(row.pk) for row in listed[:5]]
    assert not link(page, "prev") and not link(page, "next")


def test_before_a_row_near_the_beginning_the_first_page_comes_whole(as_bob: Client, listed: list[Connection]) -> None:
    page = Page(as_bob.get(LIST, {"before": f"{listed[2].pk}.{listed[2].name}"}))
    assert ids(page) == [str(row.pk) for row in listed[:5]]


def test_a_link_shows_no_row_of_another_team(as_charlie: Client, as_bob: Client, listed: list[Connection]) -> None:
    for kind in ("after", "before"):
        assert ids(Page(as_charlie.get(LIST, {kind: f"{listed[5].pk}.{listed[5].name}"}))) == []


@pytest.mark.parametrize(
    "text", ["", "x", ".", "x.y", "\0", "{id}", "{id}.\0", "{id}.", "{id}." + "x" * 5000, "{id}.\ud800", "9" * 5000]
)
def test_what_no_link_holds_shows_a_page_all_the_same(as_bob: Client, listed: list[Connection], text: str) -> None:
    for kind in ("after", "before", "page"):
        sent = text.replace("{id}", str(listed[0].pk)).encode("utf-8", "surrogatepass")
        page = Page(as_bob.get(LIST, {kind: sent}))
        assert (page.status, len(ids(page)) > 0) == (200, True)


def test_beyond_what_is_counted_nobody_is_told_a_number_that_is_not_known(
    as_bob: Client, listed: list[Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "COUNTED", 7)
    assert [note(page) for page in leaf(as_bob, LIST, "next")] == [
        "1–5 of more than 7",
        "6–10 of more than 7",
        "2 of more than 7",
    ]
    monkeypatch.setattr(paging, "COUNTED", 12)
    assert note(leaf(as_bob, LIST, "next")[-1]) == "11–12 of 12"


def test_no_page_is_found_by_counting_the_rows_before_it(as_bob: Client, listed: list[Connection]) -> None:
    for page in leaf(as_bob, LIST, "next"):
        with CaptureQueriesContext(database) as captured:
            as_bob.get(page.response.request["PATH_INFO"] + "?" + page.response.request["QUERY_STRING"])
        statements = [query["sql"] for query in captured if "connections_connection" in query["sql"]]
        assert statements and all("LIMIT" in statement for statement in statements)
        assert not any("OFFSET" in statement for statement in statements)
        assert len(captured) <= 8


def test_the_row_s_menu_leads_to_its_own_row(as_bob: Client, listed: list[Connection]) -> None:
    html = Page(as_bob.get(LIST)).html
    for row in listed[:5]:
        for what in ("use", "history", "used-by", "clone", "replace", "export", "debug", "revoke", "delete"):
            assert html.count(f'href="/connections/{row.pk}/{what}/"') == 1, what
    assert view.ADDRESS not in html


def test_who_only_looks_gets_no_menu(as_mona: Client, listed: list[Connection]) -> None:
    html = Page(as_mona.get(LIST)).html
    assert "/delete/" not in html and f"/connections/{listed[0].pk}/" in html
