"""Coming back from the provider: every way it can go ends in a plain sentence, and only the right one in tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from connections.models import AuthorizationAttempt, Connection, Grant, Membership, Role
from tests import factories
from tests.conftest import Simulator, signed_in
from tests.unit.views.pages import Page, visit

CALLBACK = "/oauth/callback/"
NOTHING = "Nothing was changed. Open the connection and press Save & authorize again."
HOSTILE = '"><script>alert(1)</script>'


@pytest.fixture
def url(as_bob: Client, connection: Connection) -> str:
    """Where bob was sent."""
    location: str = as_bob.post(f"/connections/{connection.pk}/authorize/")["Location"]
    return location


@pytest.fixture
def state(url: str) -> str:
    return parse_qs(urlsplit(url).query)["state"][0]


@pytest.fixture
def query(url: str, simulator: Simulator) -> str:
    """What the provider sends bob back with."""
    return urlsplit(simulator.consent(url)).query


def back(person: Client, query: str | dict[str, Any]) -> Page:
    page = Page(person.get(f"{CALLBACK}?{query if isinstance(query, str) else urlencode(query, doseq=True)}"))
    assert page.response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in page.response["Cache-Control"]
    return page


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("", "This link is incomplete"),
        ("code=x", "This link is incomplete"),
        ("state=&code=x", "This link is incomplete"),
        ("state=unknown&code=x", "This answer belongs to nothing here"),
        ("state=%00&code=x", "This answer belongs to nothing here"),
        (f"state={quote(HOSTILE)}&code={quote(HOSTILE)}", "This answer belongs to nothing here"),
        ("state=" + "x" * 5000, "This answer belongs to nothing here"),
        ("state=%ff%fe", "This answer belongs to nothing here"),
        ("error=access_denied", "This link is incomplete"),
    ],
)
def test_an_answer_that_belongs_to_nothing(as_bob: Client, query: str, says: str) -> None:
    page = back(as_bob, query)
    assert page.status == 400
    assert says in page.words
    assert NOTHING in page.words
    assert "<script>alert" not in page.html


def test_somebody_who_was_signed_out_meanwhile(client: Client, query: str) -> None:
    page = back(client, query)
    assert page.status == 400
    assert "You are signed out" in page.words
    assert NOTHING in page.words
    assert 'href="/accounts/login/"' in page.html
    assert not Grant.objects.exists()


def test_somebody_elses_answer(as_alice: Client, as_charlie: Client, query: str) -> None:
    """The attack: send somebody the end of one's own authorization, so that theirs is bound to another account."""
    for person in (as_alice, as_charlie):
        assert "This answer is somebody else’s" in back(person, query).words
    assert not Grant.objects.exists()
    assert AuthorizationAttempt.objects.get().state == "pending"


def test_the_same_person_in_another_browser(bob: Membership, query: str) -> None:
    assert "in another browser session" in back(signed_in(bob), query).words
    assert not Grant.objects.exists()


def test_an_answer_works_once(as_bob: Client, query: str, connection: Connection, simulator: Simulator) -> None:
    assert back(as_bob, query).status == 302
    stored = Grant.objects.get().generation
    assert back(as_bob, query).response["Location"] == f"/connections/{connection.pk}/"
    assert Grant.objects.get().generation == stored
    assert len(simulator.calls("/auth/o2/token", "authorization_code")) == 1


def test_an_answer_that_comes_too_late(as_bob: Client, query: str, connection: Connection) -> None:
    with time_machine.travel(timezone.now() + timedelta(seconds=601)):
        back(as_bob, query)
        assert "The authorization took too long." in visit(as_bob, f"/connections/{connection.pk}/").words
    assert not Grant.objects.exists()


def test_a_refusal(as_bob: Client, state: str, connection: Connection) -> None:
    query = {"error": "access_denied", "error_description": HOSTILE, "state": state}
    assert back(as_bob, query).response["Location"] == f"/connections/{connection.pk}/"
    page = visit(as_bob, f"/connections/{connection.pk}/")
    assert "Save & authorize" in page.words
    assert "<script>alert" not in page.html
    assert AuthorizationAttempt.objects.get().state == "failed"
    assert as_bob.post(f"/connections/{connection.pk}/authorize/").status_code == 303


def test_an_answer_without_a_code(as_bob: Client, state: str, connection: Connection, simulator: Simulator) -> None:
    back(as_bob, {"state": state})
    assert "sent no code" in visit(as_bob, f"/connections/{connection.pk}/").words
    assert simulator.calls("/auth/o2/token") == []


@pytest.mark.parametrize("name", ["spapi_oauth_code", "code", "state", "selling_partner_id", "error"])
def test_a_parameter_that_comes_twice(
    as_bob: Client, query: str, name: str, connection: Connection, simulator: Simulator
) -> None:
    """RFC 6749 §3.1: once each; which of two was meant nobody can tell."""
    page = back(as_bob, f"{query}&{name}=other&{name}=another")
    assert not Grant.objects.exists()
    assert simulator.calls("/auth/o2/token") == []
    told = page.words if page.status == 400 else visit(as_bob, f"/connections/{connection.pk}/").words
    assert "twice" in told


@pytest.mark.parametrize("identity", ["%00", "%0a", "x" * 5000, quote(HOSTILE), "%ff", "%E2%80%A8"])
def test_a_strange_account_name_breaks_nothing(
    as_bob: Client, query: str, connection: Connection, identity: str
) -> None:
    pairs = [pair for pair in query.split("&") if not pair.startswith("selling_partner_id=")]
    assert back(as_bob, "&".join([*pairs, f"selling_partner_id={identity}"])).status in (200, 302)
    page = visit(as_bob, f"/connections/{connection.pk}/")
    assert page.status == 200
    assert "<script>alert" not in page.html


@pytest.mark.parametrize("error", ["%00", "x" * 5000, quote(HOSTILE), "server_error%0a", "%E2%80%A8"])
def test_a_strange_error_breaks_nothing(as_bob: Client, state: str, connection: Connection, error: str) -> None:
    back(as_bob, f"state={state}&error={error}&error_description={error}&error_uri=javascript:alert(1)")
    page = visit(as_bob, f"/connections/{connection.pk}/")
    assert page.status == 200
    assert "<script>alert" not in page.html
    assert "javascript:alert" not in page.html


def test_somebody_whose_role_was_lowered_meanwhile(as_bob: Client, bob: Membership, query: str) -> None:
    bob.role = Role.MONITOR
    bob.save()
    assert "You may not do this any more" in back(as_bob, query).words
    assert not Grant.objects.exists()


def test_somebody_who_left_the_team_meanwhile(as_bob: Client, bob: Membership, query: str) -> None:
    bob.delete()
    assert "You may not do this any more" in back(as_bob, query).words
    assert not Grant.objects.exists()


def test_a_connection_that_was_deleted_meanwhile(as_bob: Client, query: str, connection: Connection) -> None:
    connection.delete()
    assert "This answer belongs to nothing here" in back(as_bob, query).words


def test_a_connection_that_was_pointed_elsewhere_meanwhile(
    as_bob: Client, query: str, connection: Connection, simulator: Simulator
) -> None:
    Connection.objects.filter(pk=connection.pk).update(base_uri="https://evil.example")
    back(as_bob, query)
    assert "edited while you were away" in visit(as_bob, f"/connections/{connection.pk}/").words
    assert simulator.calls("/auth/o2/token") == []


def test_a_second_team_chosen_meanwhile_does_not_matter(
    as_bob: Client, bob: Membership, charlie: Membership, query: str
) -> None:
    """The team that the connection is of counts, not the one that is looked at."""
    factories.Membership.objects.create(team=charlie.team, user=bob.user, role=Role.MONITOR)
    session = as_bob.session
    session["team"] = str(charlie.team_id)
    session.save()
    back(as_bob, query)
    assert Grant.objects.filter(refresh_token__isnull=False).exists()


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        ({"status": 400, "body": {"error": "invalid_grant"}}, "Save & authorize"),
        ({"status": 401, "body": {"error": "invalid_client", "error_description": HOSTILE}}, "invalid_client"),
        ({"status": 503, "body": "<html>" + HOSTILE}, "503"),
        ({"status": 200, "body": {"nothing": "useful"}}, "No token came back"),
    ],
)
def test_a_provider_that_refuses_the_code_is_explained(
    as_bob: Client, query: str, connection: Connection, simulator: Simulator, fault: dict[str, Any], says: str
) -> None:
    simulator.fault(path="/auth/o2/token", **fault)
    back(as_bob, query)
    page = visit(as_bob, f"/connections/{connection.pk}/")
    assert says in page.words
    assert "<script>alert" not in page.html
    assert not Grant.objects.filter(refresh_token__isnull=False).exists()


def test_looking_is_not_using(as_bob: Client, query: str) -> None:
    for method in ("head", "post", "put", "options"):
        assert getattr(as_bob, method)(f"{CALLBACK}?{query}").status_code == 405
    assert AuthorizationAttempt.objects.get().state == "pending"
