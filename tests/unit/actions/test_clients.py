import pytest

from connections.actions import clients, grants
from connections.actions.errors import ActionError, GrantError, InUseError, SecretHostError, StaleError
from connections.models import Actor, Event, Grant, OAuthClient
from tests import factories
from tests.factories import SENTINEL
from tests.unit.actions.moves import everything_told, expire, stored

HOST = "api.example.com"


@pytest.fixture
def client(by):
    return clients.create(
        by=by, name="Bolt", client_id="id-1", client_secret=SENTINEL, application_id="app", secret_hosts=[HOST]
    )


@pytest.fixture
def bob_acts(bob):
    return Actor.member(bob)


def test_create_stores_who_entered_the_secret(client, by, team):
    assert (client.team, client.secret_set_by, client.created_by) == (team, by.user, by.user)
    assert OAuthClient.objects.get().client_secret.reveal() == SENTINEL


def test_a_blank_secret_keeps_the_stored_one(client, by):
    updated = clients.update(client, by=by, version=1, name="Nut")
    kept = OAuthClient.objects.get()
    assert (kept.name, kept.version, updated.version) == ("Nut", 2, 2)
    assert kept.client_secret.reveal() == SENTINEL
    assert kept.secret_set_at == client.secret_set_at


def test_a_new_secret_replaces_the_stored_one_and_says_who_did(client, bob_acts):
    clients.update(client, by=bob_acts, version=1, client_secret="new-" + SENTINEL)
    kept = OAuthClient.objects.get()
    assert kept.client_secret.reveal() == "new-" + SENTINEL
    assert kept.secret_set_by == bob_acts.user


def test_the_dots_are_not_taken_for_a_secret(client, by):
    with pytest.raises(ValueError, match="not a secret"):
        clients.update(client, by=by, version=1, client_secret="••••••")
    assert OAuthClient.objects.get().client_secret.reveal() == SENTINEL


def test_a_stale_edit_is_refused_and_shows_what_is_stored(client, by):
    clients.update(client, by=by, version=1, name="Nut")
    with pytest.raises(StaleError) as error:
        clients.update(client, by=by, version=1, name="Screw", client_secret="other")
    assert error.value.current.name == "Nut"
    assert OAuthClient.objects.get().client_secret.reveal() == SENTINEL


def test_saving_without_a_change_changes_nothing(client, by):
    clients.update(client, by=by, version=1, name="Bolt")
    assert OAuthClient.objects.get().version == 1
    assert not Event.objects.filter(action="client.update").exists()


def test_a_host_is_added_only_together_with_the_secret(client, by):
    with pytest.raises(ActionError, match="enter the client secret again"):
        clients.update(client, by=by, version=1, secret_hosts=[HOST, "evil.example.com"])
    assert OAuthClient.objects.get().secret_hosts == [HOST]
    clients.update(client, by=by, version=1, secret_hosts=[HOST, "b.example.com"], client_secret=SENTINEL)
    assert OAuthClient.objects.get().secret_hosts == [HOST, "b.example.com"]


def test_a_host_is_not_swapped_for_another_without_the_secret(client, by):
    with pytest.raises(ActionError):
        clients.update(client, by=by, version=1, secret_hosts=["evil.example.com"])


def test_a_host_is_taken_away_without_the_secret(client, by):
    OAuthClient.objects.update(secret_hosts=[HOST, "b.example.com"])
    clients.update(client, by=by, version=1, secret_hosts=[HOST])
    assert OAuthClient.objects.get().secret_hosts == [HOST]


def test_an_emptied_list_needs_the_secret_since_any_first_host_would_do(client, by):
    OAuthClient.objects.update(secret_hosts=[HOST])
    with pytest.raises(ActionError):
        clients.update(client, by=by, version=1, secret_hosts=[])


def test_the_first_host_is_chosen_by_who_entered_the_secret(by):
    client = clients.create(by=by, name="Bolt", client_id="id", client_secret=SENTINEL)
    clients.bind_host(client, HOST, by=by)
    assert OAuthClient.objects.get().secret_hosts == [HOST]
    assert Event.objects.filter(action="client.update").get().detail["changes"] == {"secret_hosts": [[], [HOST]]}


def test_nobody_else_chooses_the_first_host(by, bob_acts):
    client = clients.create(by=by, name="Bolt", client_id="id", client_secret=SENTINEL)
    with pytest.raises(SecretHostError):
        clients.bind_host(client, "evil.example.com", by=bob_acts)
    assert OAuthClient.objects.get().secret_hosts == []


def test_a_host_on_the_list_is_for_everybody(client, bob_acts):
    clients.bind_host(client, HOST, by=bob_acts)
    assert OAuthClient.objects.get().secret_hosts == [HOST]


def test_another_host_is_refused_even_to_who_entered_the_secret(client, by):
    with pytest.raises(SecretHostError) as error:
        clients.bind_host(client, "other.example.com", by=by)
    assert (error.value.host, error.value.allowed) == ("other.example.com", [HOST])


def test_a_host_that_is_taken_off_the_list_gets_the_secret_no_more(authorized, by, simulator):
    """Also for the connections that were saved while it was on the list."""
    expire(authorized)
    clients.update(authorized.oauth_client, by=by, version=1, secret_hosts=["api.amazon.com"], client_secret=SENTINEL)
    before = len(simulator.calls("/auth/o2/token"))
    with pytest.raises(GrantError) as error:
        grants.refresh(authorized, by=by, insist=True)
    assert len(simulator.calls("/auth/o2/token")) == before
    assert simulator.host in error.value.failure.description


def test_delete_removes_it(client, by):
    clients.delete(client, by=by)
    assert not OAuthClient.objects.exists()
    assert Event.objects.get(action="client.delete").detail["changes"]["name"] == [None, "Bolt"]


def test_delete_is_refused_while_in_use_and_names_the_users(client, by, team):
    for name in ("Orders US", "Orders CA"):
        factories.connection(team, oauth_client=client, name=name)
    with pytest.raises(InUseError) as error:
        clients.delete(client, by=by)
    assert error.value.users == ["Orders CA", "Orders US"]
    assert "Orders CA, Orders US" in str(error.value)
    assert OAuthClient.objects.exists()


def test_new_credentials_are_tried_at_once(client, by, team):
    connection = factories.connection(team, oauth_client=client)
    factories.grant(connection, refresh_token="r")
    expire(connection, failures=4, retry_at="2099-01-01T00:00Z")
    clients.update(client, by=by, version=1, client_secret="new")
    assert (stored(connection).failures, stored(connection).retry_at) == (0, None)


def test_a_name_does_not_end_a_back_off(client, by, team):
    connection = factories.connection(team, oauth_client=client)
    factories.grant(connection, refresh_token="r")
    expire(connection, failures=4, retry_at="2099-01-01T00:00Z")
    clients.update(client, by=by, version=1, name="Nut")
    assert Grant.objects.get().failures == 4


def test_every_write_leaves_an_event_and_no_secret(client, by):
    clients.update(client, by=by, version=1, name="Nut", client_secret="second-" + SENTINEL)
    clients.delete(OAuthClient.objects.get(), by=by)
    assert list(Event.objects.order_by("number").values_list("action", flat=True)) == [
        "client.create", "client.update", "client.delete",
    ]  # fmt: skip
    changes = Event.objects.get(action="client.update").detail["changes"]
    assert changes == {"name": ["Bolt", "Nut"], "client_secret": ["replaced", "replaced"]}
    assert SENTINEL not in everything_told()
