"""The row actions of a connection: used by, clone, replace, delete."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from connections.models import Connection
from tests import factories

HOSTILE = "<script>alert(1)</script>"
CHANGING = ("clone", "replace", "delete")


def connection(team: Any, **fields: Any) -> Connection:
    client = factories.oauth_client(team, secret_hosts=["api.amazon.com"])
    return factories.connection(team, **{"oauth_client": client} | fields)


@pytest.fixture
def lender(team: Any) -> Connection:
    return connection(team, name="Lender")


@pytest.fixture
def borrower(lender: Connection) -> Connection:
    return connection(lender.team, name="Borrower", borrow_from=lender)


def test_the_list_and_the_pane_offer_every_action(as_alice: Client, lender: Connection) -> None:
    page = as_alice.get("/connections/").content.decode()
    for action in ("used-by", "clone", "replace", "export", "debug", "revoke", "delete"):
        assert f'href="/connections/{lender.pk}/{action}/"' in page


def test_who_only_watches_is_offered_none(as_mona: Client, lender: Connection) -> None:
    page = as_mona.get("/connections/").content.decode()
    assert f"/connections/{lender.pk}/clone/" not in page


def test_used_by_says_in_words_that_nothing_does(as_alice: Client, lender: Connection) -> None:
    assert "Nothing in Gatehouse." in as_alice.get(f"/connections/{lender.pk}/used-by/").content.decode()


def test_used_by_names_what_does(as_mona: Client, lender: Connection, borrower: Connection) -> None:
    page = as_mona.get(f"/connections/{lender.pk}/used-by/").content.decode()
    assert f'<a href="/connections/{borrower.pk}/">Borrower</a> borrows its concurrency level' in page
    assert "Replace it there" not in page


def test_clone_asks_first_and_then_opens_the_draft(as_bob: Client, lender: Connection) -> None:
    page = as_bob.get(f"/connections/{lender.pk}/clone/").content.decode()
    assert "Tokens and secrets are not copied." in page
    assert Connection.objects.count() == 1
    response = as_bob.post(f"/connections/{lender.pk}/clone/")
    made = Connection.objects.get(name="Lender (copy)")
    assert response.status_code == 303
    assert response.url == f"/connections/{made.pk}/"
    assert as_bob.get(response.url).status_code == 200


def test_clone_names_the_secrets_to_enter_again(as_alice: Client, team: Any) -> None:
    original = connection(team, auth_type="basic", username="u", password=factories.SENTINEL, oauth_client=None)
    page = as_alice.get(f"/connections/{original.pk}/clone/").content.decode()
    assert "Enter again: Password." in page
    assert factories.SENTINEL not in page


def test_a_clone_whose_client_may_not_be_used_is_refused_with_a_sentence(as_alice: Client, team: Any) -> None:
    original = factories.connection(team)
    response = as_alice.post(f"/connections/{original.pk}/clone/", follow=True)
    assert "was not cloned" in response.content.decode()
    assert Connection.objects.count() == 1


def test_replace_shows_the_list_first(as_alice: Client, lender: Connection, borrower: Connection) -> None:
    other = connection(lender.team, name="Other")
    page = as_alice.get(f"/connections/{lender.pk}/replace/").content.decode()
    assert "Borrower" in page
    assert f'<option value="{other.pk}">Other (Draft)</option>' in page
    assert "Replace 1 use" in page
    response = as_alice.post(f"/connections/{lender.pk}/replace/", {"replacement": str(other.pk)})
    assert response.url == f"/connections/{other.pk}/used-by/"
    borrower.refresh_from_db()
    assert borrower.borrow_from == other


def test_replace_says_when_there_is_nothing_to_do(as_alice: Client, lender: Connection) -> None:
    assert "nothing to point elsewhere" in as_alice.get(f"/connections/{lender.pk}/replace/").content.decode()


def test_replace_says_when_nothing_can_take_the_place(
    as_alice: Client, lender: Connection, borrower: Connection
) -> None:
    assert (
        "no connection that could take its place" in as_alice.get(f"/connections/{lender.pk}/replace/").content.decode()
    )


@pytest.mark.parametrize("chosen", ["", "nonsense", "stranger"])
def test_replace_takes_only_what_is_offered(
    as_alice: Client, lender: Connection, borrower: Connection, charlie: Any, chosen: str
) -> None:
    connection(lender.team, name="Other")
    value = str(factories.connection(charlie.team).pk) if chosen == "stranger" else chosen
    response = as_alice.post(f"/connections/{lender.pk}/replace/", {"replacement": value})
    assert response.status_code == 422
    borrower.refresh_from_db()
    assert borrower.borrow_from == lender


def test_delete_is_refused_while_in_use_and_names_the_users(
    as_alice: Client, lender: Connection, borrower: Connection
) -> None:
    page = as_alice.get(f"/connections/{lender.pk}/delete/").content.decode()
    assert "Lender is in use" in page
    assert "Borrower" in page
    response = as_alice.post(f"/connections/{lender.pk}/delete/", follow=True)
    assert "cannot be deleted. Still used by Borrower." in response.content.decode()
    assert Connection.objects.filter(pk=lender.pk).exists()


def test_delete_offers_to_revoke_first_where_there_is_a_grant(as_alice: Client, lender: Connection) -> None:
    link = f"/connections/{lender.pk}/revoke/"
    assert link not in as_alice.get(f"/connections/{lender.pk}/delete/").content.decode()
    factories.grant(lender)
    assert link in as_alice.get(f"/connections/{lender.pk}/delete/").content.decode()
    assert as_alice.post(f"/connections/{lender.pk}/delete/").status_code == 303
    assert not Connection.objects.filter(pk=lender.pk).exists()


@pytest.mark.parametrize("action", CHANGING)
def test_who_only_watches_may_not(as_mona: Client, lender: Connection, action: str) -> None:
    assert as_mona.get(f"/connections/{lender.pk}/{action}/").status_code == 403
    assert as_mona.post(f"/connections/{lender.pk}/{action}/").status_code == 403
    assert Connection.objects.count() == 1


@pytest.mark.parametrize("action", [*CHANGING, "used-by"])
def test_strangers_get_404(as_charlie: Client, lender: Connection, action: str) -> None:
    assert as_charlie.get(f"/connections/{lender.pk}/{action}/").status_code == 404
    assert as_charlie.post(f"/connections/{lender.pk}/{action}/").status_code in (404, 405)
    assert Connection.objects.count() == 1


@pytest.mark.parametrize("action", CHANGING)
def test_another_method_is_refused(as_alice: Client, lender: Connection, action: str) -> None:
    assert as_alice.put(f"/connections/{lender.pk}/{action}/").status_code == 405


def test_hostile_names_are_only_text(as_alice: Client, team: Any) -> None:
    lender = connection(team, name=HOSTILE)
    connection(team, name=HOSTILE, borrow_from=lender)
    for action in (*CHANGING, "used-by"):
        assert HOSTILE not in as_alice.get(f"/connections/{lender.pk}/{action}/").content.decode()
