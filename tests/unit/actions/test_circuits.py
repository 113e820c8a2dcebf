"""When many connections of one client fail together, one of them asks for all."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connections.actions import circuits, clients, grants
from connections.actions.errors import GrantError
from connections.models import Circuit, Connection, Grant
from tests import factories
from tests.unit.actions.moves import TOKEN_PATH, at_once, expire, stored

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def family(authorized, simulator, team):
    """Five connections of one client, authorized, their tokens ended."""
    others = [
        factories.connection(team, simulator.url, oauth_client=authorized.oauth_client, status="online")
        for _ in range(4)
    ]
    for other in others:
        factories.grant(other, access_token="Atza|old", refresh_token=simulator.refresh_token())
    for each in (family := [authorized, *others]):
        expire(each)
    return family


def refreshes(simulator):
    return len(simulator.calls(TOKEN_PATH, "refresh_token"))


def code(connection, by, **how):
    """What comes of asking for a token."""
    try:
        if how:
            grants.refresh(Connection.objects.get(pk=connection.pk), by=by, **how)
        else:
            grants.current(Connection.objects.get(pk=connection.pk), by=by)
    except GrantError as error:
        return error.code
    return "token"


def later(**fields):
    """The circuit's pause is over."""
    Circuit.objects.update(retry_at=timezone.now(), **fields)


@pytest.mark.parametrize(("status", "told"), [(503, "provider_unavailable"), (401, "client_rejected")])
def test_the_third_connection_that_fails_opens_it_and_the_others_are_not_asked_for(family, simulator, by, status, told):
    simulator.fault(path=TOKEN_PATH, status=status, times=99)
    before = refreshes(simulator)
    assert [code(each, by) for each in family] == [told] * 5
    assert refreshes(simulator) == before + circuits.OPENS_AT


def test_one_connection_that_fails_again_and_again_opens_nothing(family, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, times=6)
    for _ in range(6):
        expire(family[0], retry_at=None)
        code(family[0], by)
    assert [code(each, by) for each in family[1:]] == ["token"] * 4


def test_a_grant_that_is_refused_is_its_connection_s_own_matter(family, simulator, by):
    simulator.post("/_control/revoke")
    assert [code(each, by) for each in family] == ["reauthorization_required"] * 5
    assert not Circuit.objects.exists()


def test_a_success_in_between_counts(family, simulator, by):
    for each in family[:2]:
        simulator.fault(path=TOKEN_PATH, status=503)
        code(each, by)
    assert code(family[2], by) == "token"
    simulator.fault(path=TOKEN_PATH, status=503, times=2)
    code(family[3], by)
    code(family[4], by)
    assert Circuit.objects.get().opened_at is None


def test_when_its_pause_is_over_one_asks_and_not_all(family, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, times=99, delay_ms=150)
    for each in family:
        code(each, by)
    later()
    Grant.objects.update(retry_at=None)
    before = refreshes(simulator)
    waiting = iter(family)
    at_once(5, lambda: code(next(waiting), by))
    assert refreshes(simulator) == before + 1


def test_the_first_success_closes_it_and_all_come_back(family, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, times=3)
    for each in family:
        code(each, by)
    later()
    Grant.objects.filter(connection=family[4]).update(retry_at=None)
    assert code(family[4], by) == "token"
    assert not Circuit.objects.exists()
    assert [code(each, by) for each in family] == ["token"] * 5
    assert set(Connection.objects.values_list("status", flat=True)) == {"online"}


def test_a_probe_that_fails_waits_longer(family, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, times=99)
    for each in family:
        code(each, by)
    pauses = []
    for _ in range(6):
        later()
        Grant.objects.update(retry_at=None)
        code(family[0], by)
        pauses.append((Circuit.objects.get().retry_at - timezone.now()).total_seconds())
    assert pauses[0] > 20
    assert pauses[3] > 2 * pauses[0]
    assert pauses[-1] < 400


def test_retry_after_holds_for_all(family, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=429, times=99, headers={"Retry-After": "1200"})
    for each in family:
        code(each, by)
    assert Circuit.objects.get().retry_at > timezone.now() + timedelta(seconds=1100)


def test_a_token_that_is_still_good_is_handed_out_while_it_is_open(family, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, times=99)
    for each in family[:3]:
        code(each, by)
    good_until = timezone.now() + timedelta(seconds=40)
    Grant.objects.filter(connection=family[4]).update(expires_at=good_until)
    assert grants.current(family[4], by=by).expires_at == good_until
    assert Connection.objects.get(pk=family[4].pk).status == "online"


def test_a_connection_whose_token_has_ended_says_so_although_it_was_not_asked_for(family, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, times=99)
    for each in family:
        code(each, by)
    told = Connection.objects.get(pk=family[4].pk)
    assert (told.status, told.failure["status"]) == ("offline", 503)
    assert stored(family[4]).failures == 0


def test_a_person_who_insists_asks_all_the_same(family, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, times=3)
    for each in family:
        code(each, by)
    assert code(family[4], by, insist=True) == "token"
    assert not Circuit.objects.exists(), "what was found out by insisting is good for the others, too"


def test_whoever_corrects_the_client_need_not_wait(family, simulator, by):
    simulator.config(client_secret="rotated-" + factories.CLIENT_SECRET)
    for each in family:
        code(each, by)
    client = family[0].oauth_client
    clients.update(client, by=by, version=client.version, client_secret="rotated-" + factories.CLIENT_SECRET)
    assert code(family[4], by) == "token"
    assert not Circuit.objects.exists()


def test_another_token_endpoint_of_the_client_has_a_circuit_of_its_own(family, simulator, by):
    """Three connections that somebody pointed at a dead address do not keep the others from their tokens."""
    Connection.objects.filter(pk__in=[each.pk for each in family[:3]]).update(token_url="https://dead.invalid/token")
    client = family[0].oauth_client
    client.secret_hosts = [*client.secret_hosts, "dead.invalid"]
    client.save()
    for each in family[:3]:
        code(each, by)
    assert Circuit.objects.get().opened_at
    assert [code(each, by) for each in family[3:]] == ["token"] * 2


def test_failures_an_hour_apart_have_nothing_to_do_with_each_other(family, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, times=3)
    for each in family[:3]:
        code(each, by)
        Circuit.objects.update(first_at=timezone.now() - timedelta(hours=1))
    assert Circuit.objects.get().opened_at is None


def test_a_clock_that_was_put_back_does_not_keep_it_open(family, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, times=3)
    for each in family[:3]:
        code(each, by)
    Circuit.objects.update(retry_at=timezone.now() + timedelta(days=30))
    Grant.objects.update(retry_at=None)
    assert code(family[4], by) == "token"
