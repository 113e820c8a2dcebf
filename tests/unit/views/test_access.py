"""Who may open and press what: every address, every role."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver, reverse

from connections.actions import api_keys
from connections.models import Actor, ApiKey, Connection, Membership, Role
from tests import factories
from tests.conftest import signed_in
from tests.unit.views.pages import visit

# Address, argument, whether somebody who only watches may GET it, and POST to it. None: that method does not exist.
ADDRESSES: list[tuple[str, str, bool | None, bool | None]] = [
    ("home", "", True, None),
    ("connections", "", True, None),
    ("application_list", "", False, None),
    ("connection_create", "application", False, False),
    ("connection_create_fields", "application", None, False),
    ("connection_create_client", "application", None, False),
    ("connection_test_unsaved", "", None, False),
    ("connection_edit", "connection", True, False),
    ("connection_edit_fields", "connection", None, False),
    ("connection_edit_client", "connection", None, False),
    ("connection_delete", "connection", False, False),
    ("connection_test", "connection", False, False),
    ("connection_authorize", "connection", True, False),
    ("authorization_confirm", "connection", None, False),
    ("authorization_cancel", "connection", None, False),
    ("connection_revoke", "connection", False, False),
    ("connection_debug", "connection", False, False),
    ("connection_debug_download", "connection", False, None),
    ("connection_use", "connection", True, None),
    ("connection_history", "connection", True, None),
    ("connection_used_by", "connection", True, None),
    ("connection_clone", "connection", False, False),
    ("connection_replace", "connection", False, False),
    ("connection_export", "connection", False, None),
    ("connections_export", "", False, None),
    ("connections_import", "", False, False),
    ("connections_import_apply", "", None, False),
    ("guide", "application", True, None),
    ("oauth_login", "", False, False),
    ("clients", "", True, None),
    ("client_create", "", False, False),
    ("client_edit", "client", False, False),
    ("client_delete", "client", False, False),
    ("api_keys", "", False, None),
    ("api_key_create", "", False, False),
    ("api_key_revoke", "api_key", False, False),
]
ADMINISTRATION = {"api_key_create", "api_key_revoke"}  # not for who manages connections either
OPEN = {"setup", "healthz", "readyz", "metrics", "oauth_callback"}  # reachable without signing in
WITH_CONNECTION = [row for row in ADDRESSES if row[1] in ("connection", "client", "api_key")]
NAMES = [row[0] for row in ADDRESSES]


API_KEY = uuid.UUID(int=3)


@pytest.fixture(autouse=True)
def api_key(alice: Membership) -> ApiKey:
    return api_keys.create(by=Actor.member(alice), id=API_KEY, name="Order import", scopes=["tokens"])[0]


def address(name: str, argument: str, connection: Connection) -> str:
    kwargs: dict[str, Any] = {
        "connection": {"id": connection.pk},
        "client": {"id": connection.oauth_client_id},
        "api_key": {"id": API_KEY},
        "application": {"application": "http"},
        "": {},
    }[argument]
    return reverse(name, kwargs=kwargs)


def test_the_table_here_names_every_address() -> None:
    patterns = [pattern.name for pattern in get_resolver().url_patterns if isinstance(pattern, URLPattern)]
    assert set(patterns) <= {*NAMES, *OPEN, "integrations"}


@pytest.mark.parametrize(("name", "argument", "get", "post"), ADDRESSES, ids=NAMES)
class TestEveryAddress:
    def test_opens_for_owner_and_manager(
        self, name: str, argument: str, get: bool | None, post: bool | None,
        as_alice: Client, as_bob: Client, connection: Connection,
    ) -> None:  # fmt: skip
        expected = {None: (405,), True: (200, 302), False: (200, 302, 400)}[get]
        assert as_alice.get(address(name, argument, connection)).status_code in expected
        expected = (403,) if name in ADMINISTRATION else expected
        assert as_bob.get(address(name, argument, connection)).status_code in expected

    def test_lets_somebody_who_watches_see_and_change_nothing(
        self, name: str, argument: str, get: bool | None, post: bool | None, as_mona: Client, connection: Connection
    ) -> None:
        where = address(name, argument, connection)
        assert as_mona.get(where).status_code in ((200, 302) if get else (403, 405))
        assert as_mona.post(where).status_code in ((403,) if post is False else (403, 405, 302))
        connection.refresh_from_db()
        assert connection.version == 1

    def test_sends_a_stranger_to_sign_in(
        self, name: str, argument: str, get: bool | None, post: bool | None, alice: Membership, connection: Connection,
        client: Client,
    ) -> None:  # fmt: skip
        where = address(name, argument, connection)
        if name == "home":
            where = "/connections/"
        for answer in (client.get(where), client.post(where)):
            assert answer.status_code == 302
            assert answer["Location"].startswith("/accounts/login/?next=")

    def test_refuses_methods_that_do_not_exist(
        self, name: str, argument: str, get: bool | None, post: bool | None, as_alice: Client, connection: Connection
    ) -> None:
        if name == "home":
            return  # Django's own redirect answers any method with a redirect
        where = address(name, argument, connection)
        for method in ("put", "delete", "patch"):
            assert getattr(as_alice, method)(where).status_code == 405
        if post is None:
            assert as_alice.post(where).status_code == 405
        if get is None:
            assert as_alice.get(where).status_code == 405

    def test_takes_no_post_from_elsewhere(
        self, name: str, argument: str, get: bool | None, post: bool | None, alice: Membership, connection: Connection
    ) -> None:
        if post is None:
            return
        person = Client(enforce_csrf_checks=True)
        person.force_login(alice.user)
        answer = person.post(address(name, argument, connection), {"name": "x", "then": "close"})
        assert answer.status_code == 403
        assert "can no longer be sent" in answer.content.decode()


@pytest.mark.parametrize(("name", "argument", "get", "post"), WITH_CONNECTION, ids=[row[0] for row in WITH_CONNECTION])
def test_another_teams_things_do_not_exist(
    name: str, argument: str, get: bool | None, post: bool | None, as_charlie: Client, connection: Connection
) -> None:
    where = address(name, argument, connection)
    nowhere = where
    for id in (connection.pk, connection.oauth_client_id, API_KEY):
        nowhere = nowhere.replace(str(id), str(uuid.uuid4()))
    for method in ("get", "post"):
        answers = [getattr(as_charlie, method)(path) for path in (where, nowhere)]
        expected = 405 if {"get": get, "post": post}[method] is None else 404
        assert [answer.status_code for answer in answers] == [expected, expected]
        assert "Purchase orders" not in answers[0].content.decode()
    assert Connection.objects.filter(pk=connection.pk).exists()


def test_lists_show_only_ones_own_team(as_charlie: Client, connection: Connection) -> None:
    for path in ("/connections/", "/clients/", "/team/api-keys/"):
        text = visit(as_charlie, path).text
        assert "Order import" not in text
        assert "Purchase orders" not in text
        assert "Simulator app" not in text


@pytest.mark.parametrize("path", ["/connections/", "/clients/", "pane", "authorize"])
def test_somebody_who_watches_sees_no_button_that_writes(as_mona: Client, connection: Connection, path: str) -> None:
    where = {"pane": f"/connections/{connection.pk}/", "authorize": f"/connections/{connection.pk}/authorize/"}
    page = visit(as_mona, where.get(path, path))
    buttons = [button.text for form in page.forms for button in form.buttons if form.action != "/accounts/logout/"]
    assert buttons == []
    assert "+ Create" not in page.text
    assert page.html.count("hx-post") == page.html.count('<form class="pane"')  # no field posts by itself


def test_somebody_who_watches_sees_no_button_while_others_authorize(
    as_mona: Client, as_alice: Client, connection: Connection
) -> None:
    as_alice.post(f"/connections/{connection.pk}/authorize/")
    for path in (f"/connections/{connection.pk}/", f"/connections/{connection.pk}/authorize/"):
        page = visit(as_mona, path)
        assert [b.text for form in page.forms for b in form.buttons if form.action != "/accounts/logout/"] == []
        assert "Waiting for" in page.text


def test_only_who_began_an_authorization_is_asked_about_it(
    as_bob: Client, as_alice: Client, connection: Connection
) -> None:
    as_alice.post(f"/connections/{connection.pk}/authorize/")
    assert "Cancel" not in [b.text for b in visit(as_bob, f"/connections/{connection.pk}/").form.buttons]
    assert "Cancel" in [b.text for b in visit(as_alice, f"/connections/{connection.pk}/").form.buttons]


def test_somebody_in_no_team_is_told_so(as_alice: Client, alice: Membership) -> None:
    alice.delete()
    answer = as_alice.get("/connections/")
    assert answer.status_code == 403
    assert "belong to no team" in answer.content.decode()


def test_who_was_switched_off_is_signed_out(as_alice: Client, alice: Membership) -> None:
    alice.user.is_active = False
    alice.user.save()
    assert as_alice.get("/connections/").status_code == 302


def test_a_role_that_was_lowered_counts_at_once(as_bob: Client, bob: Membership, connection: Connection) -> None:
    bob.role = Role.MONITOR
    bob.save()
    assert as_bob.post(f"/connections/{connection.pk}/", {}).status_code == 403


def test_the_refusal_names_the_role(as_mona: Client) -> None:
    assert "Your role in Bolt &amp; Nut is Monitor." in as_mona.get("/clients/new/").content.decode()


def test_signing_in_leads_back_but_never_elsewhere(alice: Membership) -> None:
    for wanted, leads_to in (
        ("/clients/", "/clients/"),
        ("https://evil.example/", "/connections/"),
        ("//evil.example/", "/connections/"),
        ("/\\evil.example/", "/connections/"),
        ("javascript:alert(1)", "/connections/"),
    ):
        person = Client()
        answer = person.post(
            "/accounts/login/", {"login": "alice@example.com", "password": factories.PASSWORD, "next": wanted}
        )
        assert answer["Location"] == leads_to


def test_nobody_signs_up_by_themselves(alice: Membership, client: Client) -> None:
    answer = client.post(
        "/accounts/signup/", {"email": "eve@example.com", "password1": "x" * 20, "password2": "x" * 20}
    )
    assert not Membership.objects.filter(user__email="eve@example.com").exists()
    assert answer.status_code in (200, 302)
    assert not type(alice.user).objects.filter(email="eve@example.com").exists()


def test_a_second_team_is_another_world(alice: Membership, charlie: Membership, connection: Connection) -> None:
    """Alice joins charlie's team too: she sees one team at a time, and the one she asks for only if she is in it."""
    factories.Membership.objects.create(team=charlie.team, user=alice.user, role=Role.MONITOR)
    person = signed_in(alice)
    assert "Purchase orders" in visit(person, "/connections/").text
    session = person.session
    session["team"] = str(charlie.team_id)
    session.save()
    assert "Purchase orders" not in visit(person, "/connections/").text
    assert person.get(f"/connections/{connection.pk}/").status_code == 404
