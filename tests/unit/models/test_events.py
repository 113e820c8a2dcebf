"""The audit trail is only ever added to, and shows when somebody did otherwise."""

import json

import pytest
from django.db import IntegrityError, transaction
from django.db import connection as database

from connections.actions import events
from connections.models import Event, Team
from tests import factories


@pytest.fixture
def chain(by, team):
    client = factories.oauth_client(team)
    changes = {
        "name": ["a", "ä→🔑"],
        "headers": [[], [["B", "1"], ["A", "2"]]],
        "n": [None, 1.5],
        "z": {"b": 1, "a": 2},
    }
    for number in range(4):
        events.record(by=by, action="client.update", about=client, changes=changes, number=number)
    return team


def broken_at(team):
    """The numbers of the events that do not fit, by the hashes alone."""
    team = Team.objects.get(pk=team.pk)
    previous, wrong = "", []
    rows = list(Event.objects.filter(team=team).order_by("number"))
    for expected, event in enumerate(rows, start=1):
        if (event.number, event.previous_hash, event.hash) != (expected, previous, event.computed_hash()):
            wrong.append(event.number)
        previous = event.hash
    if (len(rows), previous) != (team.last_event_number, team.last_event_hash):
        wrong.append(team.last_event_number)
    return wrong


def sql(statement, *values):
    with database.cursor() as cursor:
        cursor.execute(statement, values)


def test_an_untouched_chain_fits(chain):
    assert Event.objects.count() == 4
    assert broken_at(chain) == []


def test_an_event_tells_who_what_when_and_from_where(chain, by):
    event = Event.objects.first()
    assert (event.actor, event.user, event.address, event.user_agent) == (
        "alice@example.com", by.user, "192.0.2.1", "tests",
    )  # fmt: skip
    assert (event.action, event.object_type) == ("client.update", "oauthclient")
    assert event.at.tzinfo is not None


def test_an_event_cannot_be_saved_again_or_deleted(chain):
    event = Event.objects.first()
    event.action = "client.nothing"
    with pytest.raises(TypeError):
        event.save()
    with pytest.raises(TypeError):
        event.delete()
    assert Event.objects.first().action == "client.update"


@pytest.mark.parametrize(
    "column", ["actor", "action", "object_type", "object_id", "object_name", "address", "user_agent"]
)
def test_a_column_altered_behind_our_back_breaks_the_chain(chain, column):
    sql(f"UPDATE connections_event SET {column} = 'x' WHERE number = 2")  # noqa: S608  names of ours
    assert broken_at(chain) == [2]


def test_an_altered_time_breaks_the_chain(chain):
    sql("UPDATE connections_event SET at = '2020-01-01 00:00:00+00:00' WHERE number = 2")
    assert broken_at(chain) == [2]


def test_an_altered_detail_breaks_the_chain(chain):
    sql("UPDATE connections_event SET detail = %s WHERE number = 3", json.dumps({"number": 7}))
    assert broken_at(chain) == [3]


def test_an_event_hashed_anew_breaks_the_chain_at_the_next(chain):
    event = Event.objects.get(number=2)
    event.actor = "nobody@example.com"
    sql("UPDATE connections_event SET actor = %s, hash = %s WHERE number = 2", event.actor, event.computed_hash())
    assert broken_at(chain) == [3]


def test_an_event_taken_from_the_middle_breaks_the_chain(chain):
    sql("DELETE FROM connections_event WHERE number = 2")
    assert broken_at(chain)


def test_an_event_taken_from_the_end_breaks_the_chain(chain):
    sql("DELETE FROM connections_event WHERE number = 4")
    assert broken_at(chain) == [4]


def test_two_events_never_share_a_number(chain):
    first = Event.objects.get(number=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        Event.objects.create(team=chain, number=1, at=first.at, actor="x", action="x", hash="x")


def test_each_team_has_a_chain_of_its_own(chain, charlie):
    events.record(by=factories.Actor.member(charlie), action="team.join", about=charlie.team)
    assert Event.objects.get(team=charlie.team).number == 1
    assert broken_at(chain) == broken_at(charlie.team) == []


def test_the_chain_still_fits_when_a_person_is_gone(chain, alice):
    alice.user.delete()
    assert Event.objects.filter(user=None).count() == 4
    assert broken_at(chain) == []


def test_changes_are_before_and_after_of_what_differs():
    assert events.changes({"a": 1, "b": 2}, {"a": 1, "b": 3, "c": 4}) == {"b": [2, 3], "c": [None, 4]}


def test_an_event_is_undone_with_what_it_tells_of(by, team):
    with pytest.raises(RuntimeError), transaction.atomic():
        events.record(by=by, action="team.rename", about=team)
        raise RuntimeError
    assert not Event.objects.exists()
    assert broken_at(team) == []
