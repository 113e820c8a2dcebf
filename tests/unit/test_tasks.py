"""Background work: what is due is done, nothing else, and one that fails stops nobody."""

import base64
import os
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from connections import sealing, tasks
from connections.actions import grants
from connections.models import AuthorizationAttempt, Connection, Grant
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
        factories.grant(connection, refresh_at=fields["expires_at"] - grants.AHEAD, **fields)
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


def test_nothing_is_due_in_an_empty_database(db):
    assert run_due() == 0
    call_command("worker", once=True)
    assert grants.AHEAD.total_seconds() > grants.MIN_VALID, "the worker is ahead of the callers"
