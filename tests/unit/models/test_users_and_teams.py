import pytest
from django.contrib.auth import authenticate
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from connections.models import Connection, Grant, Membership, OAuthClient, Role, User
from tests import factories
from tests.factories import PASSWORD, SENTINEL


def test_an_email_is_kept_in_lower_case(db):
    assert User.objects.create_user("Alice@Example.COM", PASSWORD).email == "alice@example.com"
    user = User(email="BOB@example.com")
    user.save()
    assert User.objects.get(pk=user.pk).email == "bob@example.com"


def test_an_email_is_found_however_it_is_written(db):
    user = User.objects.create_user("alice@example.com", PASSWORD)
    assert User.objects.get_by_natural_key("ALICE@example.com") == user


def test_the_same_email_in_other_letters_is_refused(db):
    User.objects.create_user("alice@example.com", PASSWORD)
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create_user("Alice@EXAMPLE.com", PASSWORD)


def test_sign_in_takes_the_email_in_any_case(db, rf):
    user = User.objects.create_user("alice@example.com", PASSWORD)
    assert authenticate(rf.get("/"), email="Alice@Example.com", password=PASSWORD) == user


def test_one_membership_in_a_team(alice, team):
    with pytest.raises(IntegrityError), transaction.atomic():
        Membership.objects.create(team=team, user=alice.user, role=Role.MONITOR)


def test_one_grant_for_a_connection(team):
    connection = factories.connection(team)
    factories.grant(connection)
    with pytest.raises(IntegrityError), transaction.atomic():
        factories.grant(connection)


def test_a_client_in_use_is_kept_by_the_database(team):
    connection = factories.connection(team)
    with pytest.raises(ProtectedError):
        connection.oauth_client.delete()


def test_deleting_a_connection_takes_its_grant_along(team):
    connection = factories.connection(team)
    factories.grant(connection, refresh_token=SENTINEL)
    connection.delete()
    assert not Grant.objects.exists()
    assert OAuthClient.objects.exists()


@pytest.mark.parametrize(
    ("role", "may_administer", "may_manage"),
    [
        (Role.OWNER, True, True),
        (Role.ADMINISTRATOR, True, True),
        (Role.MANAGE, False, True),
        (Role.MONITOR, False, False),
    ],
)
def test_what_each_role_may_do(role, may_administer, may_manage):
    assert (role.may_administer, role.may_manage) == (may_administer, may_manage)


def test_only_the_own_team_s_objects_are_visible(by, team, charlie):
    mine, theirs = factories.connection(team), factories.connection(charlie.team)
    assert list(Connection.objects.visible_to(by)) == [mine]
    assert list(OAuthClient.objects.visible_to(by)) == [mine.oauth_client]
    assert theirs not in Connection.objects.visible_to(by)


def test_an_application_that_is_gone_is_treated_as_any_http_api(team):
    assert factories.connection(team, application="no-longer-there").provider.code_param
