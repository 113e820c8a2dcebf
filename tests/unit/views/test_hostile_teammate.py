"""Bob may manage, and is up to no good: he is after a secret, a token, or somebody else's account, by way of the pages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.test import Client

from connections import outbound
from connections.models import Connection, Event, Grant, Membership, OAuthClient, Team
from tests import factories
from tests.conftest import Simulator
from tests.unit.oauth.loopback import Server
from tests.unit.views.pages import Page, press, visit


@pytest.fixture
def bobs(simulator: Simulator) -> Iterator[Server]:
    """A server of bob's, which the operator happens to allow and which remembers what it was sent."""
    with Server() as server:
        outbound.configure(private_hosts_allowed=[simulator.host, host(server)])
        server.json({"access_token": "Atza|bobs", "refresh_token": "Atzr|bobs", "expires_in": 3600})
        yield server


def host(server: Server) -> str:
    return server.url.removeprefix("http://")


def sent(server: Server) -> str:
    return str([(asked.path, dict(asked.headers), asked.body) for asked in server.asked])


def at_bobs(server: Server, client: OAuthClient, **more: Any) -> dict[str, Any]:
    return {"name": "Trap", "base_uri": server.url, "authorization_url": server.url + "/authorize",
            "token_url": server.url + "/token", "oauth_client": str(client.pk)} | more  # fmt: skip


@pytest.mark.parametrize("hosts", [["listed"], []], ids=["a list of hosts", "no list yet"])
@pytest.mark.parametrize("button", ["Save & authorize", "Test connection"])
@pytest.mark.parametrize("grant_type", ["authorization_code", "client_credentials"])
def test_a_client_of_alices_is_not_sent_to_bobs_server(
    as_bob: Client, alice: Membership, team: Team, bobs: Server, hosts: list[str], button: str, grant_type: str
) -> None:
    client = factories.oauth_client(team, client_secret=factories.SENTINEL, secret_set_by=alice.user,
                                    secret_hosts=["api.amazon.com"] if hosts else [])  # fmt: skip
    page = visit(as_bob, f"/connections/new/http/?grant_type={grant_type}")
    answer = press(as_bob, page, button, at_bobs(bobs, client))
    assert "The test passed." not in answer.words
    assert factories.SENTINEL not in sent(bobs)
    client.refresh_from_db()
    assert host(bobs) not in client.secret_hosts


def test_emptying_the_list_of_hosts_does_not_help_him(as_bob: Client, oauth_client: OAuthClient, bobs: Server) -> None:
    page = visit(as_bob, f"/clients/{oauth_client.pk}/")
    assert press(as_bob, page, "Save", {"secret_hosts": ""}).status == 422
    press(as_bob, visit(as_bob, "/connections/new/http/"), "Test connection", at_bobs(bobs, oauth_client))
    assert factories.CLIENT_SECRET not in sent(bobs)


def test_a_secret_that_alice_enters_later_is_not_sent_to_a_connection_bob_prepared(
    as_alice: Client, as_bob: Client, bob: Membership, team: Team, bobs: Server
) -> None:
    """Bob makes client and connection with a secret of his own; alice puts the real one in and the right host."""
    client = factories.oauth_client(team, client_secret="bobs", secret_set_by=bob.user, secret_hosts=[host(bobs)])
    trap = at_bobs(bobs, client, grant_type="client_credentials")
    press(as_bob, visit(as_bob, "/connections/new/http/?grant_type=client_credentials"), "Save & authorize", trap)
    page = visit(as_alice, f"/clients/{client.pk}/")
    real = {"client_secret": factories.SENTINEL, "secret_hosts": "api.amazon.com"}
    assert press(as_alice, page, "Save", real).status == 303
    Grant.objects.all().update(expires_at=None)
    for _ in range(2):  # with and without the other steps
        pane = visit(as_bob, f"/connections/{Connection.objects.get().pk}/")
        press(as_bob, pane, "Save & authorize")
        press(as_bob, pane, "Test connection")
    assert factories.SENTINEL not in sent(bobs)


def test_a_host_that_was_taken_off_the_list_gets_the_secret_no_more(
    as_alice: Client, as_bob: Client, connection: Connection, oauth_client: OAuthClient, simulator: Simulator
) -> None:
    page = visit(as_alice, f"/clients/{oauth_client.pk}/")
    press(as_alice, page, "Save", {"secret_hosts": "api.amazon.com", "client_secret": factories.SENTINEL})
    url = as_bob.post(f"/connections/{connection.pk}/authorize/").get("Location", "")
    if "/apps/authorize/consent" in url:
        as_bob.get("/oauth/callback/?" + urlsplit(simulator.consent(url)).query)
    assert simulator.calls("/auth/o2/token") == []


@pytest.fixture
def authorized(as_alice: Client, connection: Connection, simulator: Simulator) -> Connection:
    """By alice, as the simulator's first account."""
    url = as_alice.post(f"/connections/{connection.pk}/authorize/")["Location"]
    as_alice.get("/oauth/callback/?" + urlsplit(simulator.consent(url)).query)
    assert Grant.objects.get().upstream_identity
    return connection


def identity() -> str:
    return Grant.objects.get().upstream_identity


def test_leaving_the_account_out_of_the_callback_does_not_swap_it_unasked(
    as_bob: Client, authorized: Connection, simulator: Simulator
) -> None:
    """Bob agrees as an account of his own and cuts selling_partner_id out of the address."""
    before = Grant.objects.get().generation
    url = as_bob.post(f"/connections/{authorized.pk}/authorize/")["Location"]
    query = parse_qsl(urlsplit(simulator.consent(url)).query)
    as_bob.get("/oauth/callback/?" + urlencode([pair for pair in query if pair[0] != "selling_partner_id"]))
    assert Grant.objects.get().generation == before


def test_a_pasted_token_does_not_pass_for_the_account_that_was_there_before(
    as_bob: Client, authorized: Connection, simulator: Simulator
) -> None:
    before = identity()
    page = visit(as_bob, f"/connections/{authorized.pk}/")
    press(as_bob, page, "Save & authorize", {"refresh_token": simulator.refresh_token()})
    assert f"as {before}" not in visit(as_bob, f"/connections/{authorized.pk}/").words


def test_pointing_a_connection_elsewhere_leaves_a_trace_and_no_token(
    as_bob: Client, authorized: Connection, bobs: Server
) -> None:
    page = visit(as_bob, f"/connections/{authorized.pk}/")
    press(as_bob, page, "Save & close", {"base_uri": bobs.url})
    press(as_bob, visit(as_bob, f"/connections/{authorized.pk}/"), "Test connection")
    assert "Atza|" not in sent(bobs).replace("Atza|bobs", "")
    changes = [event.detail.get("changes", {}) for event in Event.objects.filter(user__email="bob@example.com")]
    assert any("base_uri" in change for change in changes)
    assert Event.objects.filter(action="grant.drop").exists()


@pytest.mark.parametrize(
    "path", ["@{host}/x", "//{host}/x", "/\\{host}", "http://{host}/", "?@{host}", ".{host}/", ":80@{host}/"]
)
@pytest.mark.parametrize("button", ["Save & close", "Test connection"])
def test_a_test_path_does_not_carry_the_token_off(
    as_bob: Client, authorized: Connection, bobs: Server, path: str, button: str
) -> None:
    page = visit(as_bob, f"/connections/{authorized.pk}/")
    press(as_bob, page, button, {"ping_path": path.format(host=host(bobs))})
    b"".join(as_bob.post(f"/connections/{authorized.pk}/test/").streaming_content)  # type: ignore[attr-defined]
    assert bobs.asked == []


@pytest.mark.parametrize(
    "hidden", [{"application": "http"}, {"id": ""}, {"id": "6f1c5d0e-0000-4000-8000-000000000000"}, {"filled_for": "x:y"},
               {"oauth_client": "theirs"}],
)  # fmt: skip
def test_tampering_with_hidden_fields_of_a_test_sends_the_token_nowhere_else(
    as_bob: Client, authorized: Connection, bobs: Server, hidden: dict[str, str], charlie: Membership
) -> None:
    if hidden.get("oauth_client"):
        hidden = {"oauth_client": str(factories.oauth_client(charlie.team).pk)}
    page = visit(as_bob, f"/connections/{authorized.pk}/")
    press(as_bob, page, "Test connection", hidden | {"base_uri": bobs.url})
    assert "Atza|" not in sent(bobs)
    assert factories.CLIENT_SECRET not in sent(bobs)


def test_he_cannot_end_alices_authorization(
    as_alice: Client, as_bob: Client, connection: Connection, simulator: Simulator
) -> None:
    url = as_alice.post(f"/connections/{connection.pk}/authorize/")["Location"]
    for verb in ("cancel", "confirm"):
        assert as_bob.post(f"/connections/{connection.pk}/authorize/{verb}/").status_code == 404
    as_bob.post(f"/connections/{connection.pk}/authorize/")  # a later attempt of his own does not push hers out
    as_alice.get("/oauth/callback/?" + urlsplit(simulator.consent(url)).query)
    connection.refresh_from_db()
    assert connection.status == "online"


def test_a_session_of_his_does_not_survive_being_signed_over(as_bob: Client, alice: Membership) -> None:
    """Session fixation: alice signs in within bob's session; what bob put aside there is not hers."""
    before = as_bob.session.session_key
    press(as_bob, visit(as_bob, "/connections/new/http/"), "New OAuth 2.0 client", {"name": "Bob's draft"})
    as_bob.post("/accounts/logout/")
    as_bob.post("/accounts/login/", {"login": "alice@example.com", "password": factories.PASSWORD})
    assert as_bob.session.session_key != before
    assert "Bob's draft" not in Page(as_bob.get("/connections/new/http/?draft=1")).html
