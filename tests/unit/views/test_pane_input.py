"""Bad input: each field of the pane says plainly what is wrong, and what was typed is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils.html import escape

from connections.models import Connection, Membership, OAuthClient
from tests import factories
from tests.conftest import Simulator
from tests.unit.views.pages import Page, press, visit

NEW = "/connections/new/amazon-simulator/"
NEW_HTTP = "/connections/new/http/"
Typed = Callable[..., dict[str, Any]]

URLS = ("base_uri", "authorization_url", "token_url")
BAD_URLS = {
    "not a URL": "just words",
    "no scheme": "api.example.com/v1",
    "no host": "https://",
    "javascript": "javascript:alert(1)",
    "file": "file:///etc/passwd",
    "data": "data:text/html,<script>alert(1)</script>",
    "ftp": "ftp://api.example.com",
    "credentials": "https://user:hunter2@api.example.com",
    "fragment": "https://api.example.com/#part",
    "blank inside": "https://api.example.com/a b",
    "newline": "https://api.example.com/a\nb",
    "NUL": "https://api.example.com/a\x00b",
    "line separator": "https://api.example.com/a\u2028b",
    "backslash": "https://api.example.com\\@evil.example",
    "port": "https://api.example.com:99999",
    "too long": "https://api.example.com/" + "x" * 2000,
    "plain http": "http://api.example.com",
}
LINES = {"NUL": "a\x00b", "newline": "a\nb", "line separator": "a\u2028b", "escape": "a\x1bb"}


def refused(page: Page, name: str) -> str:
    """The sentence at the field; nothing may have been saved."""
    assert page.status == 422
    assert "Not saved yet." in page.words
    assert not Connection.objects.exists()
    sentence = page.error(name)
    assert sentence.endswith((".", "?")), sentence
    return sentence


@pytest.mark.parametrize(
    "name", ["name", "base_uri", "oauth_client", "authorization_url", "token_url", "media_type", "auth_type",
             "grant_type", "client_authentication", "region", "marketplace"],
)  # fmt: skip
def test_a_required_field_that_is_empty_says_so(as_bob: Client, typed: Typed, name: str) -> None:
    page = Page(as_bob.post(NEW, typed(**{name: ""})))
    assert "required" in refused(page, name)
    kept = {"name": "Purchase orders"} if name != "name" else {"media_type": "json"}
    assert all(page.value(field) == value for field, value in kept.items())


@pytest.mark.parametrize("name", URLS)
@pytest.mark.parametrize("kind", BAD_URLS)
def test_an_address_that_cannot_be_used_is_refused_and_kept(as_bob: Client, typed: Typed, name: str, kind: str) -> None:
    url = BAD_URLS[kind]
    page = Page(as_bob.post(NEW, typed(**{name: url})))
    refused(page, name)
    assert page.value(name).replace("\r\n", "\n") == url.replace("\x00", "\x00")
    assert page.value("name") == "Purchase orders"


@pytest.mark.parametrize("name", ["name", "ping_path"])
@pytest.mark.parametrize("kind", LINES)
def test_a_line_with_invisible_characters_is_refused(as_bob: Client, typed: Typed, name: str, kind: str) -> None:
    refused(Page(as_bob.post(NEW, typed(**{name: LINES[kind]}))), name)


@pytest.mark.parametrize("kind", LINES)
def test_a_scope_with_invisible_characters_is_refused(as_bob: Client, typed: Typed, kind: str) -> None:
    values = typed(grant_type="client_credentials", scope=LINES[kind], authorization_url=None)
    refused(Page(as_bob.post(NEW, values)), "scope")


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", "x" * 101), ("ping_path", "/" + "x" * 2000), ("refresh_token", "Atzr|" + "x" * 20_000)],
)
def test_what_is_too_long_is_refused(as_bob: Client, typed: Typed, name: str, value: str) -> None:
    page = Page(as_bob.post(NEW, typed(**{name: value})))
    assert refused(page, name)
    assert (value in page.html) is (name != "refresh_token")


@pytest.mark.parametrize(
    "name", ["media_type", "auth_type", "grant_type", "client_authentication", "pkce", "region", "marketplace",
             "ping_method"],
)  # fmt: skip
@pytest.mark.parametrize("value", ["nonsense", "json\x00", "é" * 500])
def test_a_choice_that_does_not_exist_is_refused(as_bob: Client, typed: Typed, name: str, value: str) -> None:
    assert refused(Page(as_bob.post(NEW, typed(**{name: value}))), name)


def test_another_teams_client_cannot_be_chosen(as_bob: Client, typed: Typed, charlie: Membership) -> None:
    theirs = factories.oauth_client(charlie.team, name="Strangers' app")
    page = Page(as_bob.post(NEW, typed(oauth_client=str(theirs.pk))))
    assert refused(page, "oauth_client") == "Choose one of your team’s clients."
    assert "Strangers" not in page.html
    assert str(theirs.pk) not in page.form.choices["oauth_client"]


@pytest.mark.parametrize(
    "value", ["nonsense", "6f1c5d0e-0000-4000-8000-000000000000", "\x00", "'; DROP TABLE", "٣" * 32, "{" * 40]
)
def test_a_client_that_does_not_exist_cannot_be_chosen(as_bob: Client, typed: Typed, value: str) -> None:
    assert refused(Page(as_bob.post(NEW, typed(oauth_client=value))), "oauth_client")


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("••••••", "dots"),
        ("******", "dots"),
        ("●●●", "dots"),
        ("Atza|access", "access token"),
        ("Atzr|one\nAtzr|two", ""),
        ("Atzr|a\x00b", ""),
        ("nonsense", "Atzr|"),
    ],
)
def test_a_refresh_token_that_is_none_is_refused_and_not_shown(
    as_bob: Client, typed: Typed, value: str, says: str
) -> None:
    page = Page(as_bob.post(NEW, typed(refresh_token=value)))
    assert says in refused(page, "refresh_token")
    assert f'value="{escape(value)}"' not in page.html


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Bad header", "x"), ("X:", "x"), ("", "orphan"), ("Authorization", "Bearer x"), ("Host", "evil.example"),
        ("Cookie", "a=b"), ("X-Ok", "two\nlines"), ("X-Ok", "caf\u00e9"), ("X-Ok", "x" * 4001), ("X-A\x00", "x"),
        ("x-amz-access-token", "Atza|mine"), ("Transfer-Encoding", "chunked"),
    ],
)  # fmt: skip
def test_a_header_that_cannot_be_sent_is_refused_and_kept(as_bob: Client, typed: Typed, name: str, value: str) -> None:
    page = Page(as_bob.post(NEW, typed() | {"headers_name": [name], "headers_value": [value]}))
    assert page.status == 422
    assert page.errors["id_headers_error"].strip()
    assert not Connection.objects.exists()
    assert value.strip() in page.form.values["headers_value"]


def test_51_headers_are_too_many(as_bob: Client, typed: Typed) -> None:
    names = [f"X-{n}" for n in range(51)]
    page = Page(as_bob.post(NEW, typed() | {"headers_name": names, "headers_value": names}))
    assert "50 rows are the most." in page.errors["id_headers_error"]


@pytest.mark.parametrize(
    "path", ["//evil.example/x", "https://evil.example/x", "\\\\evil.example", "/a#b", "/../../x", "/a\\b"]
)
def test_a_test_path_never_leaves_the_base_uri(as_bob: Client, typed: Typed, path: str) -> None:
    assert "after the base URI" in refused(Page(as_bob.post(NEW, typed(ping_path=path))), "ping_path")


@pytest.mark.parametrize("application", ["nope", "HTTP", "amazon", "http-2"])
def test_an_application_that_does_not_exist_is_not_found(as_bob: Client, typed: Typed, application: str) -> None:
    for path in ("", "fields/", "client/"):
        assert as_bob.post(f"/connections/new/{application}/{path}", typed()).status_code == 404
    assert as_bob.post("/connections/test/", typed(application=application)).status_code == 404


def test_the_simulator_is_there_only_when_it_has_an_address(as_bob: Client, db: None) -> None:
    assert as_bob.get(NEW).status_code == 404
    assert "simulator" not in as_bob.get("/connections/new/").content.decode().lower()


def test_unknown_fields_are_ignored(as_bob: Client, typed: Typed, charlie: Membership) -> None:
    extra = {"team": str(charlie.team_id), "status": "online", "team_id": str(charlie.team_id), "created_by": "1",
             "pk": "1", "__class__": "x", "failure": "{}", "last_test": "[]"}  # fmt: skip
    assert as_bob.post(NEW, typed() | extra | {"then": "close"}).status_code == 303
    saved = Connection.objects.get()
    assert (saved.team.name, saved.status, saved.failure, saved.last_test) == ("Bolt & Nut", "draft", None, None)


@pytest.mark.parametrize("version", ["nonsense", "-1", "1.5", "1e3", "99999999999999999999999", "\x00", "٣", ""])
def test_a_garbled_version_counts_as_stale_and_never_overwrites(
    as_bob: Client, connection: Connection, version: str
) -> None:
    page = visit(as_bob, f"/connections/{connection.pk}/")
    answer = press(as_bob, page, "Save & authorize", {"name": "Mine", "version": version})
    connection.refresh_from_db()
    assert (answer.status, connection.name) == (409, "Purchase orders")
    assert press(as_bob, answer, "Save & authorize").status == 303
    connection.refresh_from_db()
    assert connection.name == "Mine"


@pytest.mark.parametrize("id", ["nonsense", "\x00", "", "0", "1" * 5000])
def test_a_garbled_id_makes_a_new_connection(as_bob: Client, typed: Typed, id: str) -> None:
    assert as_bob.post(NEW, typed(id=id, then="close")).status_code == 303
    assert Connection.objects.count() == 1


def test_a_garbled_filled_for_is_no_obstacle(as_bob: Client, typed: Typed) -> None:
    assert as_bob.post(NEW, typed(filled_for="\x00" * 10, then="close")).status_code == 303


def test_blanks_and_quotes_around_what_was_pasted_are_left_out(
    as_bob: Client, typed: Typed, simulator: Simulator
) -> None:
    token = simulator.refresh_token()
    for dressed in (f'  "{token}"\n', f"“{token}”", f"'{token}' ", f"\u200b{token}\ufeff"):
        answer = as_bob.post(
            NEW, typed(refresh_token=dressed, name="  Purchase orders ", base_uri=f" {simulator.url} ")
        )
        saved = Connection.objects.get()
        assert (answer.status_code, saved.status, saved.name) == (303, "online", "Purchase orders")
        assert saved.base_uri == simulator.url
        saved.delete()


def test_a_body_that_is_far_too_big_gets_a_sentence(as_bob: Client, typed: Typed) -> None:
    answer = as_bob.post(NEW, typed(ping_body="x" * 1_100_000, ping_method="POST"))
    assert answer.status_code == 400
    assert "made no sense" in answer.content.decode()
    answer = as_bob.post(NEW, typed() | {"headers_name": ["X-A"] * 2000})
    assert answer.status_code == 400


def test_a_body_that_is_too_big_for_the_field_says_so(as_bob: Client, typed: Typed) -> None:
    refused(Page(as_bob.post(NEW, typed(ping_body="x" * 100_001, ping_method="POST"))), "ping_body")


@pytest.mark.parametrize(
    "url", ["https://login.example.com/authorize?a=1?version=beta", "https://login.example.com/?x?y"]
)
def test_an_authorization_url_with_two_question_marks_is_refused(
    as_bob: Client, team: Any, oauth_client: OAuthClient, typed: Typed, url: str
) -> None:
    """Amazon answers MD9999 to them (amazon.md §1.2)."""
    assert "question mark" in refused(Page(as_bob.post(NEW, typed(authorization_url=url))), "authorization_url")


def test_it_is_said_at_the_field_also_for_htmx(as_bob: Client, typed: Typed) -> None:
    page = Page(as_bob.post(NEW, typed(base_uri="ftp://x"), headers={"HX-Request": "true"}))
    assert page.status == 422
    assert page.html.lstrip().startswith("<form")
    assert page.error("base_uri") == "Start the address with https://."
