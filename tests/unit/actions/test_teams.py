import pytest
import time_machine

from connections.actions import teams
from connections.actions.errors import ActionError
from connections.models import Event, Membership, Role, Team, User
from tests.factories import PASSWORD
from tests.unit.actions.moves import at_once


def set_up(email="owner@example.com"):
    return teams.set_up(email=email, password=PASSWORD, team_name="Bolt & Nut", address="192.0.2.9")


def test_set_up_makes_the_owner_the_team_and_an_event(db):
    membership = set_up("Owner@Example.com")
    assert (membership.user.email, membership.team.name, membership.level) == (
        "owner@example.com", "Bolt & Nut", Role.OWNER,
    )  # fmt: skip
    assert membership.user.check_password(PASSWORD)
    event = Event.objects.get()
    assert (event.action, event.address, event.team) == ("team.join", "192.0.2.9", membership.team)


def test_set_up_works_once(db):
    set_up()
    with pytest.raises(ActionError, match="already set up"):
        set_up("another@example.com")
    assert User.objects.count() == Team.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_who_set_up_at_once_one_gets_through():
    outcomes = at_once(6, set_up)
    assert sum(isinstance(outcome, Membership) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, ActionError) for outcome in outcomes) == 5
    assert (User.objects.count(), Team.objects.count(), Event.objects.count()) == (1, 1, 1)


def test_a_setup_link_works_for_a_week(db, settings):
    with time_machine.travel("2030-01-01T00:00:00Z", tick=False):
        token = teams.setup_token()
    with time_machine.travel("2030-01-07T23:59:00Z", tick=False):
        teams.check_setup_token(token)
    with time_machine.travel("2030-01-08T00:01:00Z", tick=False), pytest.raises(ActionError):
        teams.check_setup_token(token)


@pytest.mark.parametrize("token", ["", "x", "x:y:z"])
def test_a_made_up_setup_link_is_refused(db, token):
    with pytest.raises(ActionError):
        teams.check_setup_token(token)


def test_a_setup_link_signed_with_another_key_is_refused(db, settings):
    token = teams.setup_token()
    settings.SECRET_KEY = "another"
    with pytest.raises(ActionError):
        teams.check_setup_token(token)


def test_the_setup_link_leads_to_this_installation(db, settings):
    assert teams.setup_link().startswith(f"{settings.PUBLIC_URL}/setup/")


def test_a_second_owner_joins_the_team_of_that_name(db):
    first = teams.create_owner(email="a@example.com", password=PASSWORD, team_name="Bolt & Nut")
    second = teams.create_owner(email="b@example.com", password=PASSWORD, team_name="Bolt & Nut")
    assert first.team == second.team
    assert Event.objects.filter(action="team.join").count() == 2


def test_an_email_that_is_taken_is_refused_and_no_team_is_left_behind(db):
    teams.create_owner(email="a@example.com", password=PASSWORD, team_name="First")
    with pytest.raises(ActionError, match="taken"):
        teams.create_owner(email="A@EXAMPLE.com", password=PASSWORD, team_name="Second")
    assert Team.objects.get().name == "First"
