"""Saving a pane: once, never over somebody else's words, never into another team."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections as databases
from django.test import Client

from connections.models import Connection, Event, Grant, Membership, OAuthClient
from tests import factories
from tests.conftest import Simulator, signed_in
from tests.unit.views.pages import Page, press, visit

NEW = "/connections/new/amazon-simulator/"
Typed = Callable[..., dict[str, Any]]


def filled(person: Client, typed: Typed, **changed: Any) -> Page:
    """A new pane with its own hidden values, filled in; not sent yet."""
    page = visit(person, NEW)
    fields = dict(page.form.fields) | typed(**changed)
    page.form.fields = list(fields.items())
    return page


def test_the_same_form_sent_twice_makes_one_connection(as_bob: Client, typed: Typed) -> None:
    page = filled(as_bob, typed)
    answers = [press(as_bob, page, "Save & authorize") for _ in range(2)]
    assert [answer.status for answer in answers] == [303, 303]
    assert Connection.objects.count() == 1
    assert all("/apps/authorize/consent?" in answer.response["Location"] for answer in answers)


def test_the_same_form_sent_again_with_other_words_changes_the_one_connection(as_bob: Client, typed: Typed) -> None:
    page = filled(as_bob, typed)
    press(as_bob, page, "Save & authorize")
    press(as_bob, page, "Save & authorize", {"name": "Renamed"})
    assert [connection.name for connection in Connection.objects.all()] == ["Renamed"]


@pytest.mark.django_db(transaction=True)
def test_a_double_click_makes_one_connection(bob: Membership, typed: Typed) -> None:
    people = [signed_in(bob) for _ in range(2)]
    values = typed(id=str(uuid.uuid4()), version="1", then="close")
    begin = threading.Barrier(2)
    statuses = []

    def send(person: Client) -> None:
        begin.wait(5)
        try:
            statuses.append(person.post(NEW, values).status_code)
        finally:
            databases.close_all()

    threads = [threading.Thread(target=send, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert statuses == [303, 303]
    assert Connection.objects.count() == 1


def test_the_id_of_another_teams_connection_touches_nothing_there(
    as_bob: Client, typed: Typed, charlie: Membership, simulator: Simulator
) -> None:
    theirs = factories.connection(charlie.team, simulator.url, name="Theirs")
    for path in (NEW, "/connections/test/"):
        answer = as_bob.post(path, typed(id=str(theirs.pk), then="close", application="amazon-simulator", version="1"))
        assert answer.status_code in (200, 303)
        b"".join(answer.streaming_content if answer.streaming else [])
    theirs.refresh_from_db()
    assert (theirs.name, theirs.version, theirs.last_test) == ("Theirs", 1, None)
    mine = Connection.objects.exclude(pk=theirs.pk).get()
    assert (mine.team.name, mine.name) == ("Bolt & Nut", "Purchase orders")


def test_the_id_of_another_applications_connection_touches_nothing_there(
    as_bob: Client, typed: Typed, team: Any
) -> None:
    vendor = factories.connection(team, name="Real one")
    assert as_bob.post(NEW, typed(id=str(vendor.pk), then="close", version="1")).status_code == 303
    vendor.refresh_from_db()
    assert vendor.name == "Real one"


def test_a_create_form_never_overwrites_a_later_version(as_bob: Client, connection: Connection, typed: Typed) -> None:
    Connection.objects.filter(pk=connection.pk).update(version=7)
    answer = Page(as_bob.post(NEW, typed(id=str(connection.pk), version="1", name="Over it")))
    connection.refresh_from_db()
    assert (answer.status, connection.name) == (409, "Purchase orders")


class TestAStaleEdit:
    @pytest.fixture
    def stale(self, as_alice: Client, as_bob: Client, connection: Connection) -> Page:
        """Bob opened the pane, alice saved, bob saves."""
        page = visit(as_bob, f"/connections/{connection.pk}/")
        alices = visit(as_alice, f"/connections/{connection.pk}/")
        press(as_alice, alices, "Save & authorize", {"name": "Alice's name", "ping_path": "/alice"})
        return press(as_bob, page, "Save & authorize", {"name": "Bob's name", "media_type": "xml"})

    def test_shows_both_versions_and_who_saved(self, stale: Page) -> None:
        assert stale.status == 409
        for told in ("alice@example.com saved this connection", "Alice's name", "Bob's name", "/alice"):
            assert told in stale.words

    def test_changes_nothing(self, stale: Page, connection: Connection) -> None:
        connection.refresh_from_db()
        assert (connection.name, connection.media_type, connection.version) == ("Alice's name", "json", 2)

    def test_keeps_what_was_typed(self, stale: Page) -> None:
        assert (stale.value("name"), stale.value("media_type"), stale.value("version")) == ("Bob's name", "xml", "2")

    def test_can_be_saved_again_on_purpose(self, stale: Page, as_bob: Client, connection: Connection) -> None:
        assert press(as_bob, stale, "Save & authorize").status == 303
        connection.refresh_from_db()
        assert (connection.name, connection.media_type, connection.version) == ("Bob's name", "xml", 3)

    def test_is_stale_again_when_somebody_was_faster_again(
        self, stale: Page, as_bob: Client, connection: Connection
    ) -> None:
        Connection.objects.filter(pk=connection.pk).update(version=9, name="Faster")
        again = press(as_bob, stale, "Save & authorize")
        assert (again.status, again.value("name")) == (409, "Bob's name")


def test_saving_nothing_new_is_no_new_version(as_bob: Client, connection: Connection) -> None:
    page = visit(as_bob, f"/connections/{connection.pk}/")
    assert press(as_bob, page, "Save & authorize").status == 303
    connection.refresh_from_db()
    assert connection.version == 1


def test_pointing_an_authorized_connection_elsewhere_drops_its_tokens_and_says_so(
    as_bob: Client, connection: Connection
) -> None:
    factories.grant(connection, access_token="Atza|a", refresh_token="Atzr|a")
    Connection.objects.filter(pk=connection.pk).update(status="online")
    page = visit(as_bob, f"/connections/{connection.pk}/")
    assert press(as_bob, page, "Save & close", {"base_uri": "https://elsewhere.example"}).status == 303
    connection.refresh_from_db()
    assert connection.status == "draft"
    assert not Grant.objects.filter(connection=connection).exists()
    assert Event.objects.filter(action="grant.drop", object_id=str(connection.pk)).exists()


def test_a_connection_without_sign_in_is_saved_and_closed(as_bob: Client, db: None) -> None:
    page = visit(as_bob, "/connections/new/http/?auth_type=none")
    assert "Save & authorize" not in [button.text for button in page.form.buttons]
    answer = press(as_bob, page, "Save & close", {"name": "Open data", "base_uri": "https://api.example.com"})
    assert (answer.status, answer.response["Location"]) == (303, "/connections/")
    assert Connection.objects.get().auth_type == "none"


def test_deleting_asks_first_and_says_what_goes(as_bob: Client, connection: Connection) -> None:
    page = visit(as_bob, f"/connections/{connection.pk}/delete/")
    assert "Delete Purchase orders?" in page.words
    assert Connection.objects.exists()
    assert press(as_bob, page, "Delete").status == 303
    assert not Connection.objects.exists()
    assert as_bob.get(f"/connections/{connection.pk}/").status_code == 404
    assert OAuthClient.objects.exists()
