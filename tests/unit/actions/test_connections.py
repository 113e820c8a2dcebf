import uuid

import pytest

from connections.actions import clients, connections
from connections.actions.errors import SecretHostError, StaleError
from connections.models import Actor, Connection, Event, Grant
from tests import factories
from tests.factories import SENTINEL
from tests.unit.actions.moves import everything_told, expire, stored

FIELDS = {
    "name": "Orders",
    "base_uri": "https://api.example.com/v1",
    "token_url": "https://login.example.com/token",
    "auth_type": "oauth2",
    "grant_type": "authorization_code",
}


@pytest.fixture
def client(by):
    return clients.create(
        by=by, name="Bolt", client_id="id-1", client_secret=SENTINEL, secret_hosts=["login.example.com"]
    )


@pytest.fixture
def connection(by, client):
    return connections.create(by=by, application="http", oauth_client=client, **FIELDS)


@pytest.fixture
def held(connection):
    """The same connection with tokens, online."""
    factories.grant(connection, access_token=SENTINEL, refresh_token=SENTINEL)
    Connection.objects.update(status="online")
    return Connection.objects.get()


def test_create_keeps_the_id_that_the_pane_was_opened_with(by):
    id = uuid.uuid4()
    assert connections.create(by=by, application="http", id=id, name="A", base_uri="https://a.example.com").pk == id
    assert Connection.objects.get().status == "draft"


def test_the_same_id_is_not_created_twice(by, connection):
    from django.db import IntegrityError, transaction

    with pytest.raises(IntegrityError), transaction.atomic():
        connections.create(by=by, application="http", id=connection.pk, name="B", base_uri="https://evil.example.com")
    assert Connection.objects.get().name == "Orders"


def test_create_binds_the_client_to_its_first_token_host(by):
    client = clients.create(by=by, name="New", client_id="id", client_secret=SENTINEL)
    connections.create(by=by, application="http", oauth_client=client, **FIELDS)
    client.refresh_from_db()
    assert client.secret_hosts == ["login.example.com"]


def test_create_refuses_to_send_a_secret_elsewhere(by, client):
    elsewhere = FIELDS | {"token_url": "https://evil.example.com/token"}
    with pytest.raises(SecretHostError):
        connections.create(by=by, application="http", oauth_client=client, **elsewhere)
    assert not Connection.objects.exists()


def test_update_refuses_to_send_a_secret_elsewhere(by, held):
    with pytest.raises(SecretHostError):
        connections.update(held, by=by, version=1, token_url="https://evil.example.com/token")
    assert Connection.objects.get().token_url == FIELDS["token_url"]
    assert Grant.objects.exists()


def test_another_member_cannot_have_a_fresh_secret_sent_to_a_host_of_theirs(by, bob):
    client = clients.create(by=by, name="New", client_id="id", client_secret=SENTINEL)
    with pytest.raises(SecretHostError):
        connections.create(
            by=Actor.member(bob), application="http", oauth_client=client,
            **FIELDS | {"token_url": "https://evil.example.com/token"},
        )  # fmt: skip


@pytest.mark.parametrize(
    "changed",
    [
        {"base_uri": "https://evil.example.com/v1"},
        {"base_uri": "https://api.example.com:8443/v1"},
        {"base_uri": "https://api.example.com.evil.example.com"},
        {"token_url": "https://other.example.com/token"},
        {"auth_type": "none"},
        {"oauth_client": None},
    ],
)
def test_tokens_are_dropped_when_the_connection_is_pointed_elsewhere(by, held, client, changed):
    clients.update(
        client, by=by, version=1, client_secret=SENTINEL, secret_hosts=["login.example.com", "other.example.com"]
    )
    connections.update(held, by=by, version=1, **changed)
    assert not Grant.objects.exists()
    assert Connection.objects.get().status == "draft"
    assert Event.objects.filter(action="grant.drop").count() == 1


def test_tokens_are_dropped_when_another_client_is_chosen(by, held):
    other = clients.create(
        by=by, name="Other", client_id="id-2", client_secret=SENTINEL, secret_hosts=["login.example.com"]
    )
    connections.update(held, by=by, version=1, oauth_client=other)
    assert not Grant.objects.exists()


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "Renamed"},
        {"base_uri": "https://api.example.com/v2?beta=1"},
        {"base_uri": "https://API.example.com:443/v1"},
        {"token_url": "https://login.example.com/v2/token"},
        {"scope": "more", "ping_path": "/ping"},
    ],
)
def test_tokens_are_kept_when_only_the_path_or_the_name_changes(by, held, changed):
    connections.update(held, by=by, version=1, **changed)
    assert stored(held).refresh_token.reveal() == SENTINEL
    assert Connection.objects.get().status == "online"


def test_an_edit_ends_a_back_off(by, held):
    expire(held, failures=4, retry_at="2099-01-01T00:00Z")
    connections.update(held, by=by, version=1, scope="right")
    assert (stored(held).failures, stored(held).retry_at) == (0, None)


def test_a_stale_edit_is_refused_and_shows_what_is_stored(by, connection):
    connections.update(connection, by=by, version=1, name="First")
    with pytest.raises(StaleError) as error:
        connections.update(connection, by=by, version=1, name="Second")
    assert error.value.current.name == Connection.objects.get().name == "First"


def test_saving_without_a_change_changes_nothing(by, connection):
    connections.update(connection, by=by, version=1, **FIELDS)
    assert Connection.objects.get().version == 1
    assert not Event.objects.filter(action="connection.update").exists()


def test_delete_takes_the_tokens_along(by, held):
    connections.delete(held, by=by)
    assert not Connection.objects.exists()
    assert not Grant.objects.exists()


def test_a_status_that_stays_leaves_no_event(by, held):
    connections.set_status(held, connections.Status.ONLINE, None, by=by)
    assert not Event.objects.filter(action__startswith="connection.online").exists()


def test_every_write_leaves_an_event_with_before_and_after_and_no_secret(by, held):
    connections.update(held, by=by, version=1, name="Renamed", headers=[["X-Tenant", "7"]])
    connections.delete(Connection.objects.get(), by=by)
    kept = {event.action: event for event in Event.objects.all()}
    assert kept["connection.create"].detail["changes"]["name"] == [None, "Orders"]
    assert kept["connection.update"].detail["changes"] == {
        "name": ["Orders", "Renamed"],
        "headers": [[], [["X-Tenant", "7"]]],
    }
    assert kept["connection.delete"].detail["changes"]["name"] == [None, "Renamed"]
    assert kept["connection.delete"].object_id == str(held.pk)
    assert SENTINEL not in everything_told()
