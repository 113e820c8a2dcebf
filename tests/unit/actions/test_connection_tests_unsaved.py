"""Test connection with values that are typed and not saved: nothing stored may go where they lead."""

import copy

import pytest

from connections import outbound
from connections.actions import connection_tests
from connections.actions.connection_tests import Candidate, passed
from connections.models import Connection, Event, OAuthClient
from connections.sealing import Sealed
from tests import factories
from tests.factories import CLIENT_SECRET
from tests.unit.actions.moves import TOKEN_PATH, stored
from tests.unit.oauth.loopback import Server


@pytest.fixture
def evil(simulator):
    with Server() as running:
        outbound.configure(private_hosts_allowed=[simulator.host, f"127.0.0.1:{running.port}"])
        running.json({"access_token": "Atza|theirs", "token_type": "bearer", "expires_in": 3600})
        yield running


def typed(connection, by, refresh_token=None, is_new=False, **values):
    """The steps of a test of the connection with other values typed over it."""
    values_typed = copy.copy(connection)
    for name, value in values.items():
        setattr(values_typed, name, value)
    pasted = Sealed.of(refresh_token) if refresh_token else None
    candidate = Candidate(values_typed, stored=None if is_new else connection, refresh_token=pasted)
    return {step.name: step for step in connection_tests.run(candidate, by=by)}


def received(server):
    return "".join(f"{asked.path} {dict(asked.headers)} {asked.body.decode()}" for asked in server.asked)


def secrets_of(connection):
    grant = stored(connection)
    return [CLIENT_SECRET, grant.access_token.reveal(), grant.refresh_token.reveal()]


def test_the_saved_tokens_serve_while_the_values_lead_where_the_saved_ones_do(authorized, by, simulator):
    steps = typed(authorized, by, name="Typed", ping_path="/vendor/orders/v1/purchaseOrders/PO-NONE?x=1")
    assert steps["token"].ok
    assert simulator.calls("/vendor/orders/v1/purchaseOrders/PO-NONE")


def test_a_test_of_typed_values_saves_nothing(authorized, by):
    typed(authorized, by, name="Typed")
    connection = Connection.objects.get()
    assert (connection.name, connection.last_test) == (authorized.name, None)
    assert Event.objects.get(action="connection.test").detail["saved"] is False


def test_another_base_uri_never_gets_the_stored_token(authorized, by, evil):
    steps = typed(authorized, by, base_uri=evil.url, ping_path="/collect")
    assert steps["token"].ok is False
    assert steps["token"].action == "authorize"
    assert not any(secret in received(evil) for secret in secrets_of(authorized))
    assert not [asked for asked in evil.asked if asked.path == "/collect"]


def test_another_token_url_never_gets_the_secret_or_the_refresh_token(authorized, by, evil):
    steps = typed(authorized, by, token_url=f"{evil.url}/token")
    assert steps["client"].ok is False
    assert steps["client"].action == "edit_client"
    assert evil.asked == []


@pytest.mark.parametrize("refresh_token", [None, "Atzr|pasted"])
def test_a_new_connection_never_sends_a_stored_secret_to_a_host_off_its_list(unauthorized, by, evil, refresh_token):
    steps = typed(unauthorized, by, refresh_token=refresh_token, is_new=True, token_url=f"{evil.url}/token")
    assert steps["client"].ok is False
    assert evil.asked == []


def test_nobody_but_who_entered_a_secret_can_have_it_tried_at_a_first_host(unauthorized, bob, evil):
    OAuthClient.objects.update(secret_hosts=[])
    connection = Connection.objects.select_related("oauth_client").get()
    actor = connection_tests.Actor.member(bob)
    steps = typed(connection, actor, is_new=True, token_url=f"{evil.url}/token")
    assert steps["client"].ok is False
    assert evil.asked == []


def test_the_secret_of_another_client_is_not_used_with_the_saved_tokens(authorized, by, team, simulator):
    other = factories.oauth_client(
        team, client_id="amzn1.application-oa2-client.simulator-2", client_secret="amzn1.oa2-cs.v1.simulator-2",
        secret_hosts=[simulator.host],
    )  # fmt: skip
    before = len(simulator.calls(TOKEN_PATH, "refresh_token"))
    steps = typed(authorized, by, oauth_client=other)
    assert steps["client"].ok
    assert steps["token"].ok is False
    assert len(simulator.calls(TOKEN_PATH, "refresh_token")) == before


def test_a_pasted_token_is_tried_and_not_stored(unauthorized, by, simulator):
    steps = typed(unauthorized, by, refresh_token=simulator.refresh_token(), is_new=True)
    assert passed(list(steps.values()))
    assert not Connection.objects.filter(grant__isnull=False).exists()


def test_a_pasted_token_that_is_wrong_fails_at_the_token(unauthorized, by):
    steps = typed(unauthorized, by, refresh_token="Atzr|mistyped", is_new=True)
    assert (steps["client"].ok, steps["token"].ok) == (True, False)
    assert "mistyped" not in str(steps)


def test_a_pasted_token_does_not_go_to_another_base_uri_as_the_stored_one(authorized, by, evil, simulator):
    pasted = simulator.refresh_token(account="VGSIMULATOR02")
    typed(authorized, by, refresh_token=pasted, base_uri=evil.url, ping_path="/x")
    assert not any(secret in received(evil) for secret in [*secrets_of(authorized), pasted])


def test_where_refresh_tokens_rotate_a_pasted_one_is_not_used_up_by_a_test(unauthorized, by, simulator):
    token = simulator.refresh_token()
    generic = {"application": "http", "base_uri": f"{simulator.url}/x", "authorization_url": f"{simulator.url}/ap/oa"}
    steps = typed(unauthorized, by, refresh_token=token, is_new=True, **generic)
    assert steps["token"].ok is None
    assert simulator.calls(TOKEN_PATH, "refresh_token") == []
