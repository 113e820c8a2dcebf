"""Uses, clone, replace, and the guard before a delete."""

from __future__ import annotations

from typing import Any

import pytest

from connections.actions import copies
from connections.actions.errors import ActionError, InUseError
from connections.models import Connection, Event, Grant
from connections.models.pane import PLAIN, SECRET
from tests import factories


def connection(team: Any, **fields: Any) -> Connection:
    """Its client's secret is bound to Amazon's host, as after a save."""
    client = factories.oauth_client(team, secret_hosts=["api.amazon.com"])
    return factories.connection(team, **{"oauth_client": client} | fields)


@pytest.fixture
def lender(team: Any) -> Connection:
    return connection(team, name="Lender")


def borrower(lender: Connection, name: str = "Borrower") -> Connection:
    return connection(lender.team, name=name, borrow_from=lender)


def test_uses_names_those_that_borrow(lender: Connection) -> None:
    assert copies.uses(lender) == []
    two, one = borrower(lender, "Two"), borrower(lender, "One")
    assert [(use.name, use.pk) for use in copies.uses(lender)] == [("One", str(one.pk)), ("Two", str(two.pk))]


def test_clone_copies_the_settings_and_shares_the_client(lender: Connection, by: Any) -> None:
    original = borrower(lender)
    made = copies.clone(original, by=by)
    made.refresh_from_db()
    assert made.pk != original.pk
    assert made.name == "Borrower (copy)"
    assert (made.application, made.status, made.version) == (original.application, "draft", 1)
    for name in PLAIN:
        assert getattr(made, name) == getattr(original, name), name


def test_clone_copies_no_secret_and_no_token(team: Any, by: Any) -> None:
    original = factories.connection(team, auth_type="basic", username="u", oauth_client=None)
    for name in SECRET:
        setattr(original, name, factories.SENTINEL)
    original.encrypted_field_names = ["key"]
    original.save()
    factories.grant(original, access_token=factories.SENTINEL, refresh_token=factories.SENTINEL)
    made = copies.clone(original, by=by)
    made.refresh_from_db()
    assert all(getattr(made, name) is None for name in SECRET)
    assert made.encrypted_field_names == []
    assert made.failure["error"] == "secret_missing"
    assert not Grant.objects.filter(connection=made).exists()
    assert factories.SENTINEL not in str(list(Event.objects.values_list("detail", flat=True)))


def test_clone_does_not_share_rows_with_the_original(team: Any, by: Any) -> None:
    original = connection(team, headers=[["X", "1"]])
    made = copies.clone(original, by=by)
    made.headers.append(["Y", "2"])
    assert original.headers == [["X", "1"]]


def test_clone_leaves_events(lender: Connection, by: Any) -> None:
    made = copies.clone(lender, by=by)
    actions = Event.objects.filter(object_id=str(made.pk)).order_by("number")
    assert list(actions.values_list("action", flat=True)) == ["connection.create", "connection.clone"]
    assert actions[1].detail == {"source": str(lender.pk)}


def test_a_second_clone_has_a_number(lender: Connection, by: Any) -> None:
    assert [copies.clone(lender, by=by).name for _ in range(3)] == [
        "Lender (copy)",
        "Lender (copy 2)",
        "Lender (copy 3)",
    ]


def test_the_name_of_a_copy_is_never_too_long() -> None:
    assert copies.copy_name("x" * 100, ()) == "x" * 93 + " (copy)"
    assert len(copies.copy_name("x" * 100, {"x" * 93 + " (copy)"})) == 100


def test_replace_moves_every_use_with_an_event_each(lender: Connection, by: Any) -> None:
    one, two, other = borrower(lender, "One"), borrower(lender, "Two"), factories.connection(lender.team, name="Other")
    moved = copies.replace(lender, by=by, replacement=other)
    assert [use.name for use in moved] == ["One", "Two"]
    for moved_one in (one, two):
        moved_one.refresh_from_db()
        assert moved_one.borrow_from == other
    assert copies.uses(lender) == []
    told = Event.objects.filter(action="connection.update")
    assert {event.object_name for event in told} == {"One", "Two"}
    assert told[0].detail["changes"] == {"borrow_from": [str(lender.pk), str(other.pk)]}


def test_replace_refuses_what_cannot_take_the_place(lender: Connection, by: Any, charlie: Any) -> None:
    used = borrower(lender)
    bad = [
        lender,
        borrower(lender, "Borrows itself"),
        factories.connection(lender.team, application="http"),
        factories.connection(charlie.team),
    ]
    for replacement in bad:
        with pytest.raises(ActionError):
            copies.replace(lender, by=by, replacement=replacement)
    used.refresh_from_db()
    assert used.borrow_from == lender


def test_replace_is_all_or_nothing(lender: Connection, by: Any, monkeypatch: Any) -> None:
    borrower(lender, "One"), borrower(lender, "Two")
    other, update, done = factories.connection(lender.team), copies.connections.update, []

    def breaks(connection: Connection, **kwargs: Any) -> Connection:
        done.append(connection)
        if len(done) == 2:
            raise ActionError("no")
        return update(connection, **kwargs)

    monkeypatch.setattr(copies.connections, "update", breaks)
    with pytest.raises(ActionError):
        copies.replace(lender, by=by, replacement=other)
    assert len(copies.uses(lender)) == 2
    assert not Event.objects.filter(action="connection.update").exists()


def test_what_is_used_cannot_be_deleted(lender: Connection, by: Any) -> None:
    used_by = borrower(lender)
    with pytest.raises(InUseError) as caught:
        copies.delete_unused(lender, by=by)
    assert caught.value.users == ["Borrower"]
    copies.delete_unused(used_by, by=by)
    copies.delete_unused(lender, by=by)
    assert Connection.objects.count() == 0
