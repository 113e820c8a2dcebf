import pytest
from django.core.management import CommandError, call_command

from connections.models import Membership, Role, Team, User
from tests.factories import PASSWORD


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("OWNER_PASSWORD", PASSWORD)


def test_it_makes_the_user_and_the_new_team(db, capsys):
    call_command("create_owner", email="Owner@Example.com", team="Bolt & Nut")
    membership = Membership.objects.get()
    assert (membership.user.email, membership.team.name, membership.level) == (
        "owner@example.com", "Bolt & Nut", Role.OWNER,
    )  # fmt: skip
    assert membership.user.check_password(PASSWORD)
    said = capsys.readouterr().out
    assert "owner@example.com owns the team Bolt & Nut" in said
    assert PASSWORD not in said


def test_it_adds_an_owner_to_a_team_that_exists(team):
    call_command("create_owner", email="a@example.com", team=team.name)
    assert Team.objects.get() == Membership.objects.get().team == team


def test_an_email_that_is_taken_is_refused_and_nothing_changes(alice):
    with pytest.raises(CommandError, match="taken"):
        call_command("create_owner", email="ALICE@example.com", team="Another")
    assert (User.objects.count(), Team.objects.count()) == (1, 1)


@pytest.mark.parametrize("weak", ["x1y2z3", "1234567890123", "password123", "owner@example.com"])
def test_a_weak_password_is_refused_and_not_repeated(db, monkeypatch, weak):
    monkeypatch.setenv("OWNER_PASSWORD", weak)
    with pytest.raises(CommandError) as error:
        call_command("create_owner", email="owner@example.com")
    assert weak not in str(error.value)
    assert not User.objects.exists()
    assert not Team.objects.exists()


@pytest.mark.parametrize("email", ["", "owner", "owner@", "a b@example.com"])
def test_what_is_no_email_is_refused(db, email):
    with pytest.raises(CommandError):
        call_command("create_owner", email=email)
    assert not User.objects.exists()
