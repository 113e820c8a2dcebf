"""What a teammate who may manage, and a stranger, tried on the whole pane; each ends without a secret in their hands."""

import json
import uuid

import pytest

from connections import outbound
from connections.actions import connections as actions
from connections.actions import grants, recordings
from connections.actions.errors import ReachError
from connections.models import Actor, Connection, Grant, Recording
from tests import factories
from tests.factories import SENTINEL


def saved(connection):
    return Connection.objects.get(pk=connection.pk)


def test_a_revoke_url_elsewhere_drops_the_tokens_before_they_could_be_sent_there(simulator, team, by):
    client = factories.oauth_client(team, secret_hosts=[simulator.host, "b.example.com"])
    connection = factories.connection(team, simulator.url, oauth_client=client)
    grants.paste(connection, simulator.refresh_token(), by=by)
    actions.update(saved(connection), by=by, version=1, revoke_url="https://b.example.com/revoke")
    assert not Grant.objects.filter(connection=connection).exists()


def test_a_revoke_url_beside_the_token_url_keeps_them(simulator, team, by):
    client = factories.oauth_client(team, secret_hosts=[simulator.host])
    connection = factories.connection(team, simulator.url, oauth_client=client)
    grants.paste(connection, simulator.refresh_token(), by=by)
    actions.update(saved(connection), by=by, version=1, revoke_url=f"{simulator.url}/revoke")
    assert Grant.objects.filter(connection=connection).exists()


@pytest.mark.parametrize(("kind", "address"), [("cookie", "cookie_url"), ("token", "token_refresh_url")])
def test_an_address_that_lay_dormant_gets_no_secret_by_switching_back(team, by, kind, address):
    connection = factories.connection(
        team, oauth_client=None, auth_type="basic", username="x", **{address: "https://evil.example.com/"}
    )
    rows = {"encrypted_fields": [["X", SENTINEL]]}
    actions.update(saved(connection), by=by, version=1, secrets=rows)
    actions.update(saved(connection), by=by, version=2, auth_type=kind)
    assert saved(connection).encrypted_fields is None


def test_a_placeholder_as_a_name_is_not_recorded(team, by):
    connection = factories.connection(team, oauth_client=None, auth_type="basic", username="x", password=SENTINEL)
    recordings.start(connection, by=by, minutes=15)
    body = json.dumps({SENTINEL: 1, "ordinary": 2}).encode()
    recordings.token_request(connection, "POST", "https://a.example.com/", 200, 1, sent=body, received=body)
    row = Recording.objects.get()
    assert SENTINEL not in f"{row.request_body}{row.response_body}"
    assert "ordinary" in row.request_body


def test_a_test_under_the_id_of_another_teams_connection_uses_none_of_its_things(as_charlie, team):
    theirs = factories.connection(team, oauth_client=None, auth_type="none")
    values = factories.pane_values(theirs, application="http", auth_type="none", region="", marketplace="")
    answer = as_charlie.post("/connections/test/", values)
    assert answer.status_code == 200
    b"".join(answer.streaming_content)
    assert saved(theirs).last_test is None
    assert uuid.UUID(values["id"]) == theirs.pk


@pytest.fixture
def unattended(simulator, team, alice):
    """Client credentials of a client whose secret alice entered."""
    client = factories.oauth_client(team, secret_hosts=[simulator.host], secret_set_by=alice.user)
    return factories.connection(
        team,
        simulator.url,
        oauth_client=client,
        grant_type="client_credentials",
        scope="sellingpartnerapi::notifications",
    )


def test_client_credentials_are_not_pointed_elsewhere_by_a_teammate(unattended, bob, simulator):
    by = Actor.member(bob)
    with pytest.raises(ReachError):
        actions.update(saved(unattended), by=by, version=1, base_uri="https://evil.example.com")
    actions.update(saved(unattended), by=by, version=1, base_uri=f"{simulator.url}/other/path")


def test_nor_tried_elsewhere_without_saving(unattended, as_bob, simulator):
    values = factories.pane_values(unattended, base_uri="http://127.0.0.1:9")
    outbound.configure(private_hosts_allowed=[simulator.host, "127.0.0.1:9"])
    before = len(simulator.calls("/auth/o2/token"))
    b"".join(as_bob.post("/connections/test/", values).streaming_content)
    assert len(simulator.calls("/auth/o2/token")) == before


def test_who_entered_the_secret_may(unattended, alice):
    actions.update(saved(unattended), by=Actor.member(alice), version=1, base_uri="https://b.example.com")
    assert saved(unattended).base_uri == "https://b.example.com"
