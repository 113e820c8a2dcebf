"""Background work: what is due is done, nothing else, and one that fails stops nobody."""

import base64
import os
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from connections import sealing, tasks
from connections.actions import connection_tests, grants, pairs
from connections.actions.connection_tests import Candidate
from connections.actions.errors import GrantError
from connections.models import Actor, AuthorizationAttempt, Connection, Grant
from tests import factories
from tests.unit.actions.moves import TOKEN_PATH, expire, stored

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def authorized(simulator, team):
    """Makes authorized connections of the simulator, good for an hour."""

    def make(**fields):
        connection = factories.connection(team, simulator.url, status="online")
        good = {
            "access_token": "Atza|old",
            "refresh_token": simulator.refresh_token(),
            "expires_at": timezone.now() + timedelta(hours=1),
        }
        fields = good | fields
        factories.grant(connection, refresh_at=fields["expires_at"] - pairs.AHEAD, **fields)
        return connection

    return make


def run_due():
    """What `worker --once` does. Returns how many grants were tried."""
    DBTaskResult.objects.all().delete()
    call_command("worker", once=True)
    assert not DBTaskResult.objects.exclude(status="SUCCESSFUL").exists()
    return sum(DBTaskResult.objects.values_list("return_value", flat=True))


def refreshes(simulator):
    return len(simulator.calls(TOKEN_PATH, "refresh_token"))


def test_once_refreshes_what_ends_soon_and_nothing_else(authorized, simulator):
    soon = [authorized(expires_at=timezone.now() + timedelta(minutes=minutes)) for minutes in (-60, 1, 4)]
    later = [
        authorized(),
        authorized(expires_at=timezone.now() + timedelta(minutes=6)),
        authorized(expires_at=timezone.now(), is_refused=True),
        authorized(expires_at=timezone.now(), retry_at=timezone.now() + timedelta(minutes=1)),
        authorized(expires_at=timezone.now(), refresh_token=None),
    ]
    call_command("worker", once=True)
    assert {grant.connection for grant in Grant.objects.filter(generation=2)} == set(soon)
    assert {grant.connection for grant in Grant.objects.filter(generation=1)} == set(later)
    assert refreshes(simulator) == len(soon)


def test_a_second_run_has_nothing_to_do(authorized, simulator):
    authorized(expires_at=timezone.now())
    assert run_due() == 1
    assert run_due() == 0
    assert refreshes(simulator) == 1


def test_a_dead_connection_stops_nobody_else(authorized, simulator):
    dead, no_client, no_url, alive = (authorized(expires_at=timezone.now()) for _ in range(4))
    grant = stored(dead)
    grant.refresh_token = "Atzr|revoked"
    grant.save()
    Connection.objects.filter(pk=no_client.pk).update(oauth_client=None)
    Connection.objects.filter(pk=no_url.pk).update(token_url="nonsense")
    call_command("worker", once=True)
    assert stored(alive).generation == 2
    assert Connection.objects.get(pk=alive.pk).status == "online"
    for each in (dead, no_client, no_url):
        assert Connection.objects.get(pk=each.pk).status == "offline"
    assert run_due() == 0, "none of them is asked for again at once"


def test_a_row_that_breaks_stops_nobody_else(authorized):
    broken = authorized(expires_at=timezone.now() - timedelta(hours=1))
    alive = authorized(expires_at=timezone.now())
    Connection.objects.filter(pk=broken.pk).update(failure={"of": "another version"})
    call_command("worker", once=True)
    assert stored(alive).generation == 2


def test_a_dead_connection_costs_the_provider_one_call(authorized, simulator):
    authorized(expires_at=timezone.now())
    simulator.post("/_control/revoke")
    for _ in range(5):
        run_due()
    assert refreshes(simulator) == 1


def test_a_connection_comes_back_when_its_provider_does(authorized, simulator):
    connection = authorized(expires_at=timezone.now())
    simulator.fault(path=TOKEN_PATH, status=503)
    run_due()
    assert Connection.objects.get().status == "offline"
    expire(connection, retry_at=timezone.now())
    run_due()
    assert Connection.objects.get().status == "online"


def test_unreadable_secrets_do_not_keep_it_busy_for_ever(authorized, simulator, monkeypatch):
    """With as many of them as fit into one batch, --once must still end and the others still get their turn."""
    monkeypatch.setattr(tasks, "CHUNK", 2)
    before = sealing.keyring()
    for _ in range(2):
        authorized(expires_at=timezone.now() - timedelta(days=1))
    sealing.configure([base64.b64encode(os.urandom(32)).decode()])
    try:
        alive = authorized(expires_at=timezone.now())
        call_command("worker", once=True)
    finally:
        sealing._keyring = before
    assert stored(alive).generation == 2
    assert refreshes(simulator) == 1


def test_two_workers_at_once_do_the_work_once(authorized, simulator):
    from tests.unit.actions.moves import at_once

    for _ in range(4):
        authorized(expires_at=timezone.now())
    at_once(3, lambda: call_command("worker", once=True))
    assert refreshes(simulator) == 4
    assert Grant.objects.filter(generation=2).count() == 4


def test_it_works_with_the_authority_of_the_system(authorized):
    connection = authorized(expires_at=timezone.now())
    run_due()
    event = connection.team.events.get(action="grant.refresh")
    assert (event.user, event.actor) == (None, "Gatehouse")


def test_what_a_failure_logs_holds_no_secret(authorized, simulator, caplog):
    connection = authorized(expires_at=timezone.now())
    token = stored(connection).refresh_token.reveal()
    body = {"error": "bad", "error_description": f"{token} {factories.CLIENT_SECRET}"}
    simulator.fault(path=TOKEN_PATH, status=400, body=body)
    run_due()
    assert str(connection.pk) in caplog.text
    assert token not in caplog.text
    assert factories.CLIENT_SECRET not in caplog.text


def test_old_attempts_are_cleared_away(authorized, alice):
    connection = authorized()
    long_ago = timezone.now() - timedelta(days=2)
    AuthorizationAttempt.objects.create(
        connection=connection, state_hash="s", session_hash="s", started_by=alice.user, expires_at=long_ago,
        redirect_uri="https://x.example.com", bound_to=[],
    )  # fmt: skip
    assert run_due() == 0
    assert not AuthorizationAttempt.objects.exists()


def test_what_failed_before_it_ever_had_a_token_is_tried_again(simulator, team):
    """Client credentials whose first request met a provider that was away."""
    connection = factories.connection(
        team, simulator.url, grant_type="client_credentials", scope="sellingpartnerapi::notifications"
    )
    simulator.fault(path=TOKEN_PATH, status=503)
    with pytest.raises(GrantError):
        grants.current(connection, by=Actor(team))
    assert Connection.objects.get().status == "offline"
    Grant.objects.update(retry_at=timezone.now())
    run_due()
    assert Connection.objects.get().status == "online"


def test_a_token_that_nobody_can_renew_takes_its_connection_offline_when_it_ends(authorized, simulator):
    connection = authorized(expires_at=timezone.now() - timedelta(seconds=1), refresh_token=None)
    run_due()
    assert Connection.objects.get(pk=connection.pk).status == "offline"
    assert refreshes(simulator) == 0
    assert run_due() == 0, "that is said once"


def test_renewals_of_what_was_authorized_together_are_spread(authorized, by):
    waits = set()
    for _ in range(8):
        connection = authorized(expires_at=timezone.now())
        grant = grants.refresh(connection, by=by)
        ahead = grant.expires_at - grant.refresh_at
        assert pairs.AHEAD <= ahead <= 2 * pairs.AHEAD
        waits.add(ahead)
    assert len(waits) == 8


def test_a_token_that_comes_again_until_it_ends_is_not_asked_for_ahead_of_time(authorized, simulator, by):
    connection = authorized(expires_at=timezone.now() + timedelta(minutes=4))
    body = {"access_token": "Atza|old", "token_type": "bearer", "expires_in": 240}
    simulator.fault(path=TOKEN_PATH, status=200, body=body)
    grant = grants.refresh(connection, by=by)
    assert grant.refresh_at == grant.expires_at


def test_a_grant_whose_token_lasts_for_years_is_still_used_every_week(authorized, simulator, by):
    simulator.config(access_token_ttl=300 * 86400)
    grant = grants.refresh(authorized(), by=by)
    assert grant.refresh_at < timezone.now() + timedelta(days=8)
    assert grant.expires_at > timezone.now() + timedelta(days=299)


@pytest.fixture
def broken(simulator, team, by):
    """A connection with a password that the API has just refused."""
    connection = factories.connection(
        team, simulator.url, application="http", auth_type="basic", oauth_client=None, ping_path="/vendor/orders/v1/x",
        auth_fail_status="403", username="somebody", password="wrong",
    )  # fmt: skip
    checked(connection, by)
    return connection


def checked(connection, by):
    for _ in connection_tests.run(Candidate(connection, stored=connection), by=by):
        pass


def test_a_connection_that_was_refused_is_tested_again_and_comes_back_by_itself(broken, simulator):
    assert Connection.objects.get().status == "offline"
    simulator.fault(path="/vendor/orders/v1/x", status=200, times=9)
    Connection.objects.update(check_at=timezone.now())
    call_command("worker", once=True)
    after = Connection.objects.get()
    assert (after.status, after.check_at, after.check_failures) == ("online", None, 0)


def test_it_is_tested_less_often_the_longer_it_fails(broken, simulator):
    waits = []
    for _ in range(9):
        now = timezone.now()
        Connection.objects.update(check_at=now)
        call_command("worker", once=True)
        waits.append(Connection.objects.get().check_at - now)
    assert waits[0] < waits[2] < waits[4]
    assert timedelta(hours=5) < waits[-1] < timedelta(hours=7)
    assert Connection.objects.get().status == "offline"


def test_nothing_is_due_in_an_empty_database(db):
    assert run_due() == 0
    call_command("worker", once=True)
    assert pairs.AHEAD.total_seconds() > grants.MIN_VALID, "the worker is ahead of the callers"
