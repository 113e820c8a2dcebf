"""A token is had, kept and renewed: the ways that go well."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connections.actions import connections, grants
from connections.actions.errors import GrantError
from connections.models import Connection, Event, Grant
from tests import factories
from tests.factories import SENTINEL
from tests.unit.actions.moves import TOKEN_PATH, everything_told, expire, stored


def lasts(grant, seconds):
    return abs((grant.expires_at - timezone.now()).total_seconds() - seconds) < 30


def test_paste_stores_a_good_token_and_goes_online(unauthorized, simulator, by):
    token = simulator.refresh_token()
    grant = grants.paste(unauthorized, token, by=by)
    assert grant.access_token.reveal().startswith("Atza|")
    assert stored(unauthorized).refresh_token.reveal() == token
    assert (stored(unauthorized).authorized_by, Connection.objects.get().status) == (by.user, "online")
    assert token not in everything_told()


@pytest.mark.parametrize("token", ["Atzr|made-up", "x", "Atza|access"])
def test_paste_replaces_nothing_with_a_bad_token(authorized, by, token):
    before = stored(authorized)
    with pytest.raises(GrantError) as error:
        grants.paste(authorized, token, by=by)
    assert error.value.code == "reauthorization_required"
    after = stored(authorized)
    assert (after.generation, after.refresh_token.reveal()) == (before.generation, before.refresh_token.reveal())
    assert Connection.objects.get().status == "online"


def test_paste_replaces_nothing_when_the_provider_is_away(authorized, simulator, by):
    before = stored(authorized)
    simulator.fault(path=TOKEN_PATH, status=503)
    with pytest.raises(GrantError) as error:
        grants.paste(authorized, simulator.refresh_token(), by=by)
    assert error.value.code == "provider_unavailable"
    assert stored(authorized).generation == before.generation


def test_paste_keeps_the_token_that_the_provider_gave_in_exchange(unauthorized, simulator, by):
    simulator.config(rotate_refresh_tokens=True)
    token = simulator.refresh_token()
    grant = grants.paste(unauthorized, token, by=by)
    assert grant.refresh_token.reveal() != token
    expire(unauthorized)
    assert grants.refresh(unauthorized, by=by).access_token.reveal().startswith("Atza|")


def test_paste_takes_the_place_of_a_refused_grant(authorized, simulator, by):
    simulator.post("/_control/revoke")
    expire(authorized)
    with pytest.raises(GrantError):
        grants.refresh(authorized, by=by)
    grants.paste(authorized, simulator.refresh_token(), by=by)
    assert not stored(authorized).is_refused
    assert Connection.objects.get().status == "online"
    assert Connection.objects.get().failure is None


def test_a_token_that_is_good_is_handed_out_without_a_call(authorized, simulator, by):
    before = len(simulator.calls())
    assert grants.current(authorized, by=by).access_token.readable
    assert len(simulator.calls()) == before


def test_a_token_that_has_ended_is_refreshed_first(authorized, simulator, by):
    old = stored(authorized).access_token.reveal()
    expire(authorized)
    grant = grants.current(authorized, by=by)
    assert grant.access_token.reveal() != old
    assert lasts(grant, 3600)
    assert Event.objects.filter(action="grant.refresh").count() == 1


def test_a_token_that_ends_too_soon_is_refreshed_first(authorized, by):
    soon = timezone.now() + timedelta(seconds=100)
    Grant.objects.update(expires_at=soon, refreshed_at=timezone.now() - timedelta(hours=1))
    assert grants.current(authorized, by=by, min_valid=60).expires_at == soon
    assert grants.current(authorized, by=by, min_valid=200).expires_at > soon


def test_a_token_that_lives_shorter_than_is_asked_for_is_not_fetched_on_every_call(authorized, simulator, by):
    simulator.config(access_token_ttl=50)
    grants.refresh(authorized, by=by)
    before = len(simulator.calls("/auth/o2/token"))
    for _ in range(3):
        assert grants.current(authorized, by=by, min_valid=60).access_token.readable
    assert len(simulator.calls("/auth/o2/token")) == before


def test_without_authorization_it_says_so(unauthorized, by):
    with pytest.raises(GrantError) as error:
        grants.current(unauthorized, by=by)
    assert error.value.code == "not_authorized_yet"


def test_refresh_keeps_the_old_refresh_token_when_none_comes_back(authorized, simulator, by):
    before = stored(authorized).refresh_token.reveal()
    simulator.config(omit_refresh_token=True)
    grants.refresh(authorized, by=by)
    assert stored(authorized).refresh_token.reveal() == before


@pytest.mark.parametrize("nothing", [None, "", "  ", 5, []])
def test_refresh_keeps_the_old_refresh_token_when_nonsense_comes_back(served, server, by, nothing):
    server.json({"access_token": "Atza|new", "refresh_token": nothing})
    grants.refresh(served, by=by)
    assert stored(served).refresh_token.reveal() == "Atzr|stored"


def test_refresh_stores_the_refresh_token_that_comes_back(authorized, simulator, by):
    simulator.config(rotate_refresh_tokens=True)
    seen = {stored(authorized).refresh_token.reveal()}
    for _ in range(3):
        grants.refresh(authorized, by=by)
        seen.add(stored(authorized).refresh_token.reveal())
    assert len(seen) == 4


def test_without_a_lifetime_the_last_one_known_is_taken(authorized, simulator, by):
    simulator.config(access_token_ttl=900)
    assert lasts(grants.refresh(authorized, by=by), 900)
    simulator.config(access_token_ttl=3600, omit_expires_in=True)
    assert lasts(grants.refresh(authorized, by=by), 900)


def test_without_any_known_lifetime_it_is_an_hour(unauthorized, simulator, by):
    simulator.config(omit_expires_in=True, access_token_ttl=60)
    assert lasts(grants.paste(unauthorized, simulator.refresh_token(), by=by), 3600)


def test_a_lifetime_as_text_counts(authorized, simulator, by):
    simulator.config(access_token_ttl=1200, expires_in_as_text=True)
    assert lasts(grants.refresh(authorized, by=by), 1200)


@pytest.mark.parametrize("lifetime", [0, -1, "soon", None, True, [], {}, "1e999", float("nan")])
def test_a_lifetime_that_is_none_is_not_believed(served, server, by, lifetime):
    server.json({"access_token": "Atza|new", "expires_in": lifetime})
    assert lasts(grants.refresh(served, by=by), 3600)


@pytest.mark.parametrize("lifetime", [10**12, 1e300, "9" * 300])
def test_a_lifetime_beyond_all_reason_is_cut(served, server, by, lifetime):
    server.json({"access_token": "Atza|new", "expires_in": lifetime})
    assert grants.refresh(served, by=by).expires_at < timezone.now() + timedelta(days=4000)


@pytest.mark.parametrize(
    "odd",
    [
        {"scope": "read\x00write"},
        {"token_type": "bea\x00rer"},
        {"scope": "x" * 5000},
        {"token_type": "y" * 500},
        {"scope": ["a", "b", 3]},
        {"scope": {"a": 1}},
        {"scope": "broken \ud800 text"},
        {"something": {"else": [1, 2, {"deep": None}]}},
    ],
)
def test_an_odd_answer_does_not_cost_the_tokens_that_came_with_it(served, server, by, odd):
    """A provider that rotates has already forgotten the old ones."""
    server.json({"access_token": "Atza|new", "refresh_token": "Atzr|new", "expires_in": 3600} | odd)
    grants.refresh(served, by=by)
    assert stored(served).access_token.reveal() == "Atza|new"
    assert stored(served).refresh_token.reveal() == "Atzr|new"


def test_a_token_of_8_kilobytes_is_kept(served, server, by):
    server.json({"access_token": "eyJ" + "x" * 8189, "expires_in": 3600})
    assert len(grants.refresh(served, by=by).access_token.reveal()) == 8192


def test_client_credentials_need_no_person(unauthorized, simulator, by):
    Connection.objects.update(grant_type="client_credentials", scope="sellingpartnerapi::notifications")
    grant = grants.current(Connection.objects.get(), by=by)
    assert grant.access_token.readable
    assert grant.refresh_token is None
    assert (grant.authorized_by, Connection.objects.get().status) == (None, "online")
    assert len(simulator.calls(TOKEN_PATH, "client_credentials")) == 1


def test_client_credentials_are_asked_for_again_when_the_token_has_ended(unauthorized, simulator, by):
    Connection.objects.update(grant_type="client_credentials", scope="sellingpartnerapi::notifications")
    connection = Connection.objects.get()
    grants.current(connection, by=by)
    expire(connection)
    grants.current(connection, by=by)
    assert len(simulator.calls(TOKEN_PATH, "client_credentials")) == 2


def test_credentials_go_as_basic_auth_where_it_is_chosen(served, server, by):
    Connection.objects.update(client_authentication="client_secret_basic")
    grants.refresh(served, by=by)
    assert server.asked[-1].headers["Authorization"].startswith("Basic ")
    assert "client_secret" not in server.asked[-1].form


def test_drop_forgets_the_tokens(authorized, by):
    grants.drop(authorized, by=by)
    assert not Grant.objects.exists()
    assert Connection.objects.get().status == "draft"
    assert Event.objects.filter(action="grant.drop").count() == 1


def test_drop_without_tokens_does_nothing(unauthorized, by):
    grants.drop(unauthorized, by=by)
    assert not Event.objects.exists()


def test_no_token_is_told_by_the_trail(authorized, simulator, by):
    simulator.config(rotate_refresh_tokens=True)
    seen = []
    for _ in range(2):
        seen += [stored(authorized).refresh_token.reveal(), stored(authorized).access_token.reveal()]
        expire(authorized)
        grants.current(authorized, by=by)
    connections.delete(authorized, by=by)
    told = everything_told()
    assert all(token not in told for token in [*seen, factories.CLIENT_SECRET, SENTINEL])
