"""The first start: one link, one owner; before that nothing else is reachable."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from connections.actions import teams
from connections.models import Membership, User
from tests import factories
from tests.unit.views.pages import press, visit

TYPED = {"team_name": "Bolt & Nut", "email": "alice@example.com", "password": factories.SENTINEL,
         "password_again": factories.SENTINEL}  # fmt: skip


@pytest.fixture
def link(db: None) -> str:
    return urlsplit(teams.setup_link()).path


def test_the_link_makes_owner_and_team_and_signs_in(client: Client, link: str) -> None:
    answer = press(client, visit(client, link), "Create owner and team", TYPED)
    assert answer.status == 302
    membership = Membership.objects.get()
    assert (membership.role, membership.team.name, membership.user.email) == (
        "owner",
        "Bolt & Nut",
        "alice@example.com",
    )
    assert visit(client, answer.response["Location"]).status == 200


def test_the_link_works_once(client: Client, link: str) -> None:
    page = visit(client, link)
    press(client, page, "Create owner and team", TYPED)
    again = press(Client(), page, "Create owner and team", TYPED | {"email": "eve@example.com"})
    assert again.status == 404
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("team_name", "", "required"), ("team_name", "x" * 101, "100"), ("team_name", "a\nb", "line break"),
        ("email", "", "required"), ("email", "nonsense", "valid email"), ("email", "a@" + "b" * 60 + ".example" * 30, ""),
        ("email", "x" * 64 + "@" + ".".join(["y" * 60] * 4) + ".org", "254"), ("email", "a\x00@example.com", ""),
        ("password", "short", "too short"), ("password", "1234567890", "common"), ("password", "", "required"),
        ("password_again", "something else", "differ"), ("password", "x" * 1001, "1000"),
    ],
)  # fmt: skip
def test_bad_input_says_so_and_is_kept(client: Client, link: str, name: str, value: str, says: str) -> None:
    page = press(client, visit(client, link), "Create owner and team", TYPED | {name: value})
    assert page.status == 422
    assert says in page.error(name)
    assert page.value("email") == (value if name == "email" else "alice@example.com")
    assert factories.SENTINEL not in page.html
    assert not User.objects.exists()


@pytest.mark.parametrize("token", ["nonsense", "a:b:c", "%00", "x" * 2000])
def test_a_made_up_link_does_not_work(client: Client, db: None, token: str) -> None:
    page = visit(client, f"/setup/{token}/")
    assert page.status == 404
    assert "This setup link does not work" in page.words
    assert client.post(f"/setup/{token}/", TYPED).status_code == 404
    assert not User.objects.exists()


def test_a_link_ends_after_a_week(client: Client, link: str) -> None:
    with time_machine.travel(timezone.now() + timedelta(days=8)):
        assert visit(client, link).status == 404


def test_nothing_else_is_reachable_before(client: Client, db: None) -> None:
    for path in ("/", "/connections/", "/accounts/login/", "/oauth/callback/?state=x", "/nowhere/"):
        page = visit(client, path)
        assert page.status == 503
        assert "setup link" in page.words
    assert client.get("/healthz").status_code == 200


def test_it_takes_no_post_from_elsewhere(link: str) -> None:
    assert Client(enforce_csrf_checks=True).post(link, TYPED).status_code == 403
    assert not User.objects.exists()


def test_other_methods_do_not_exist(client: Client, link: str) -> None:
    for method in ("put", "delete", "patch"):
        assert getattr(client, method)(link).status_code == 405
