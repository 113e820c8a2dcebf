"""Many callers, one refresh: the lease, and what happens to a refresh while something else happens."""

import threading
from datetime import timedelta

import pytest
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from connections.actions import clients, connections, grants, leases, pairs
from connections.actions.errors import GrantError
from connections.models import Connection, Event, Grant
from connections.oauth.tokens import Tokens
from tests.factories import CLIENT_SECRET, SENTINEL
from tests.unit.actions.conftest import TOKENS
from tests.unit.actions.moves import (
    TOKEN_PATH,
    Thread,
    at_once,
    everything_told,
    expire,
    somebody_waits_for_a_lock,
    stored,
    until,
)

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 12


@pytest.fixture
def held_up(server):
    """The server answers only when told to; `asked` of it counts up before."""
    go = threading.Event()
    server.json(TOKENS | {"refresh_token": "Atzr|rotated"})
    answer = server.respond

    def wait_and_answer(handler):
        go.wait(10)
        answer(handler)

    server.respond = wait_and_answer
    yield go
    go.set()


def refreshing(connection, by, server, **how):
    """A thread in the middle of a refresh: the provider has been asked and has not answered."""
    before = len(server.asked)
    thread = Thread(lambda: grants.refresh(Connection.objects.get(pk=connection.pk), by=by, **how))
    until(lambda: len(server.asked) > before, "the provider to be asked")
    return thread


def refreshes(simulator):
    return len(simulator.calls(TOKEN_PATH, "refresh_token"))


def test_many_callers_cost_the_provider_one_call(authorized, simulator, by):
    expire(authorized)
    before = refreshes(simulator)
    got = at_once(MANY, lambda: grants.current(Connection.objects.get(), by=by).access_token.reveal())
    assert refreshes(simulator) == before + 1
    assert len(set(got)) == 1
    assert got[0].startswith("Atza|")
    assert Event.objects.filter(action="grant.refresh").count() == 1


def test_many_callers_survive_a_rotation(authorized, simulator, by):
    simulator.config(rotate_refresh_tokens=True)
    for _ in range(3):
        expire(authorized)
        before = refreshes(simulator)
        got = at_once(MANY, lambda: grants.current(Connection.objects.get(), by=by).access_token.reveal())
        assert refreshes(simulator) == before + 1
        assert len(set(got)) == 1
    assert Connection.objects.get().status == "online"


def test_many_callers_wait_for_a_slow_provider(authorized, simulator, by):
    expire(authorized)
    simulator.fault(path=TOKEN_PATH, status=None, delay_ms=700)
    before = refreshes(simulator)
    got = at_once(MANY, lambda: grants.current(Connection.objects.get(), by=by).access_token.reveal())
    assert refreshes(simulator) == before + 1
    assert len(set(got)) == 1


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (503, None, "provider_unavailable"),
        (401, None, "client_rejected"),
        (400, {"error": "invalid_grant"}, "reauthorization_required"),
        (400, {"error": "invalid_scope"}, "misconfigured"),
    ],
)
def test_many_callers_of_a_failing_refresh_are_all_told_the_same(authorized, simulator, by, status, body, code):
    expire(authorized)
    simulator.fault(path=TOKEN_PATH, status=status, body=body, times=99, delay_ms=200)
    before = refreshes(simulator)
    got = at_once(MANY, lambda: grants.current(Connection.objects.get(), by=by))
    assert refreshes(simulator) == before + 1
    assert {type(error) for error in got} == {GrantError}
    assert {(error.code, error.failure.status) for error in got} == {(code, status)}
    assert stored(authorized).failures == 1


def test_many_callers_with_client_credentials_cost_one_call(unauthorized, simulator, by):
    Connection.objects.update(grant_type="client_credentials", scope="sellingpartnerapi::notifications")
    got = at_once(MANY, lambda: grants.current(Connection.objects.get(), by=by).access_token.reveal())
    assert len(set(got)) == 1
    assert len(simulator.calls(TOKEN_PATH, "client_credentials")) == 1


def test_the_lease_of_a_process_that_died_is_taken_over(authorized, by):
    ended = timezone.now() - timedelta(seconds=1)
    expire(authorized, lease_owner="killed", lease_expires_at=ended)
    assert grants.current(authorized, by=by).valid_for(timezone.now()) > timedelta(0)
    assert stored(authorized).lease_owner == ""


def test_a_live_lease_of_another_is_not_stolen(authorized, simulator, by, monkeypatch):
    monkeypatch.setattr(grants, "WAIT", 0.3)
    expire(authorized, lease_owner="another", lease_expires_at=timezone.now() + timedelta(seconds=50))
    before = refreshes(simulator)
    with pytest.raises(GrantError) as error:
        grants.refresh(authorized, by=by, insist=True)
    assert (error.value.code, error.value.failure.error) == ("provider_unavailable", "busy")
    assert error.value.retry_after
    assert refreshes(simulator) == before
    assert stored(authorized).lease_owner == "another"


def test_a_live_lease_of_another_is_waited_for(authorized, simulator, by):
    expire(authorized, lease_owner="another", lease_expires_at=timezone.now() + timedelta(seconds=50))
    before = refreshes(simulator)
    grant = stored(authorized)
    waiting = Thread(lambda: grants.refresh(Connection.objects.get(), by=by, stale=grant.generation))
    fields = pairs.token_fields(grant, Tokens(access_token="Atza|theirs"))
    Grant.objects.filter(pk=grant.pk).update(**fields)
    assert waiting.result().access_token.reveal() == "Atza|theirs"
    assert refreshes(simulator) == before


def test_the_lease_outlasts_the_longest_answer():
    from connections.outbound.adapter import DEADLINE

    assert timedelta(seconds=DEADLINE) < leases.LEASE
    assert grants.WAIT > DEADLINE


def test_no_transaction_is_open_while_the_provider_answers(served, server, by, held_up):
    """Somebody else can write to the same rows meanwhile, on either database."""
    thread = refreshing(served, by, server)
    Grant.objects.update(failures=7)
    connections.set_status(Connection.objects.get(), connections.Status.OFFLINE, None, by=by)
    assert Grant.objects.get().failures == 7
    held_up.set()
    assert thread.result().access_token.reveal() == "Atza|new"


def test_the_lease_is_given_back_when_a_refresh_fails(served, server, by):
    server.json({"error": "invalid_scope"}, status=400)
    with pytest.raises(GrantError):
        grants.refresh(served, by=by)
    assert (stored(served).lease_owner, stored(served).lease_expires_at) == ("", None)


def test_what_was_authorized_meanwhile_is_not_overwritten(served, server, by, held_up):
    thread = refreshing(served, by, server)
    grants.store(Connection.objects.get(), Tokens(access_token="Atza|theirs", refresh_token="Atzr|theirs"), by=by)
    held_up.set()
    assert thread.result().access_token.reveal() == "Atza|theirs"
    assert stored(served).refresh_token.reveal() == "Atzr|theirs"


def test_a_refusal_of_the_old_grant_does_not_touch_the_new_one(served, server, by, held_up):
    refuse = server.respond
    server.json({"error": "invalid_grant"}, status=400)
    answer = server.respond
    server.respond = lambda handler: (held_up.wait(10), answer(handler))
    assert refuse
    thread = refreshing(served, by, server)
    grants.store(Connection.objects.get(), Tokens(access_token="Atza|theirs", refresh_token="Atzr|theirs"), by=by)
    held_up.set()
    assert thread.result().access_token.reveal() == "Atza|theirs"
    assert not stored(served).is_refused
    assert Connection.objects.get().status == "online"


@pytest.mark.parametrize("grant_type", ["authorization_code", "client_credentials"])
@pytest.mark.parametrize("answer", ["tokens", "refusal"])
def test_a_connection_deleted_during_its_refresh_stays_deleted(served, server, by, held_up, grant_type, answer):
    Connection.objects.update(grant_type=grant_type)
    if answer == "refusal":
        server.json({"error": "invalid_client"}, status=401)
        refuse = server.respond
        server.respond = lambda handler: (held_up.wait(10), refuse(handler))
    thread = refreshing(served, by, server)
    connections.delete(Connection.objects.get(), by=by)
    held_up.set()
    error = thread.result()
    assert isinstance(error, GrantError), repr(error)
    assert error.code == "not_authorized_yet"
    assert not Grant.objects.exists()
    assert not Connection.objects.exists()


@pytest.mark.parametrize("grant_type", ["authorization_code", "client_credentials"])
def test_a_connection_pointed_elsewhere_during_its_refresh_does_not_keep_the_tokens(
    served, server, by, held_up, grant_type
):
    Connection.objects.update(grant_type=grant_type)
    thread = refreshing(served, by, server)
    connections.update(Connection.objects.get(), by=by, version=1, base_uri="https://elsewhere.example.com")
    held_up.set()
    outcome = thread.result()
    assert isinstance(outcome, GrantError), repr(outcome)
    assert not [grant for grant in Grant.objects.all() if grant.access_token]


def test_a_connection_pointed_elsewhere_while_a_token_is_pasted_does_not_get_it(served, server, by, held_up):
    thread = Thread(lambda: grants.paste(Connection.objects.get(), "Atzr|pasted", by=by))
    until(lambda: bool(server.asked), "the provider to be asked")
    connections.update(Connection.objects.get(), by=by, version=1, base_uri="https://elsewhere.example.com")
    held_up.set()
    assert isinstance(thread.result(), GrantError)
    assert not Grant.objects.exists()


def test_a_connection_deleted_while_a_token_is_pasted_stays_deleted(served, server, by, held_up):
    thread = Thread(lambda: grants.paste(Connection.objects.get(), "Atzr|pasted", by=by))
    until(lambda: bool(server.asked), "the provider to be asked")
    connections.delete(Connection.objects.get(), by=by)
    held_up.set()
    assert isinstance(thread.result(), GrantError)
    assert not Grant.objects.exists()


def test_a_save_during_a_refresh_does_not_cost_the_rotated_token(served, server, by, held_up):
    """A save locks the connection, then its grant. A refresh that locks them the other way round would be the one that
    the database throws out, and with it the only refresh token that still works."""
    Connection.objects.update(status="offline")
    thread = refreshing(served, by, server)
    with transaction.atomic():
        Connection.objects.select_for_update().get(pk=served.pk)
        held_up.set()
        if database.vendor == "postgresql":
            until(somebody_waits_for_a_lock, "the refresh to write its result")
        Grant.objects.filter(connection=served).update(retry_at=None)
    assert thread.result().access_token.reveal() == "Atza|new"
    assert stored(served).refresh_token.reveal() == "Atzr|rotated"


def test_a_client_updated_during_a_refresh_is_not_blamed_for_its_old_secret(served, server, by, held_up):
    server.json({"error": "invalid_client"}, status=401)
    refuse = server.respond
    server.respond = lambda handler: (held_up.wait(10), refuse(handler))
    thread = refreshing(served, by, server)
    clients.update(served.oauth_client, by=by, version=1, client_secret="right-" + SENTINEL)
    held_up.set()
    assert isinstance(thread.result(), GrantError)
    server.json(TOKENS)
    assert grants.current(Connection.objects.get(), by=by).access_token.reveal() == "Atza|new"


def test_nothing_of_all_that_tells_a_secret(authorized, simulator, by):
    expire(authorized)
    at_once(4, lambda: grants.current(Connection.objects.get(), by=by))
    grant = stored(authorized)
    told = everything_told()
    for secret in (CLIENT_SECRET, grant.access_token.reveal(), grant.refresh_token.reveal()):
        assert secret not in told
