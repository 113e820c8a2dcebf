"""Amazon opens our login URL by itself (amazon.md §1.3); the browser says where it wants to go back, so that is checked."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.test import Client

from connections.models import AuthorizationAttempt, Connection, Membership, Team
from tests import factories
from tests.conftest import Simulator
from tests.unit.views.pages import Page, press, visit

LOGIN = "/oauth/login/"
CONFIRM = "https://vendorcentral.amazon.com/apps/authorize/confirm/amzn1.sp.solution.x"


def opened(callback: str, **more: str) -> dict[str, str]:
    return {"amazon_callback_uri": callback, "amazon_state": "amazon's state", "selling_partner_id": "VENDOR1"} | more


@pytest.fixture
def vendor(team: Team) -> Connection:
    made = factories.connection(
        team, name="Vendor US", oauth_client=factories.oauth_client(team, secret_hosts=["api.amazon.com"])
    )
    factories.grant(made, upstream_identity="VENDOR1")
    factories.connection(team, name="A plain one", application="http", base_uri="https://api.example.com",
                         authorization_url="https://id.example.com/authorize")  # fmt: skip
    factories.connection(team, name="Another vendor")
    return made


def test_it_goes_back_to_amazon_with_both_states(as_bob: Client, vendor: Connection) -> None:
    page = visit(as_bob, f"{LOGIN}?{urlencode(opened(CONFIRM, version='beta'))}")
    assert page.value("connection") == str(vendor.pk)  # the one that was authorized as this account
    assert "A plain one" not in page.words
    sent = press(as_bob, page, "Continue to Amazon")
    parts = urlsplit(sent.response["Location"])
    assert f"https://{parts.netloc}{parts.path}" == CONFIRM
    query = parse_qs(parts.query)
    assert query["amazon_state"] == ["amazon's state"]
    assert query["version"] == ["beta"]
    assert query["redirect_uri"] == ["https://gatehouse.example.com/oauth/callback/"]
    assert len(query["state"][0]) >= 43


def test_the_whole_way_with_the_simulator(as_bob: Client, connection: Connection, simulator: Simulator) -> None:
    asked = opened(f"{simulator.url}/apps/authorize/confirm/{factories.APPLICATION_ID}")
    page = visit(as_bob, f"{LOGIN}?{urlencode(asked)}")
    assert page.status == 200
    assert simulator.url in press(as_bob, page, "Continue to Amazon").response["Location"]


@pytest.mark.parametrize(
    "callback",
    [
        "", "nonsense", "https://evil.example/", "https://amazon.com.evil.net/x", "https://evilamazon.com/x",
        "http://vendorcentral.amazon.com/x", "https://user:pw@vendorcentral.amazon.com/x",
        "https://vendorcentral.amazon.com@evil.example/x", "https://evil.example/https://amazon.com",
        "https://evil.example?vendorcentral.amazon.com", "https://evil.example#.amazon.com",
        "https://evil.example\\.amazon.com/", "https:/\\evil.example", "//vendorcentral.amazon.com/x",
        "javascript:alert(1)//amazon.com", "https://vendorcentral.amazon.com:8443/x", "https://amazon.evil/x",
        "https://vendorcentral.amazon.com\n.evil.example/", "https://vendorcentral.amazon.com%2eevil.example/",
        "https://vendorcentral.amazon.com\x00.evil.example/", "data:text/html,x",
        "https://amazon.com。evil.example/", "https://аmazon.com/x",
    ],
)  # fmt: skip
class TestAnAddressThatIsNotAmazons:
    def test_is_refused_by_a_sentence(self, as_bob: Client, vendor: Connection, callback: str) -> None:
        page = visit(as_bob, f"{LOGIN}?{urlencode(opened(callback))}")
        assert page.status == 400
        assert "This is not a link from Amazon" in page.words
        assert "evil" not in page.html

    def test_is_refused_in_a_tampered_form(self, as_bob: Client, vendor: Connection, callback: str) -> None:
        answer = as_bob.post(LOGIN, opened(callback, connection=str(vendor.pk)))
        assert answer.status_code == 400
        assert not AuthorizationAttempt.objects.exists()


@pytest.mark.parametrize(
    "callback",
    [
        "https://.amazon.com/",
        CONFIRM + "?a=1?b=2",
        CONFIRM + "#part",
        CONFIRM + "?x=" + "y" * 3000,
        CONFIRM + "?state=mine",
    ],
)
def test_an_odd_address_of_amazons_breaks_nothing(as_bob: Client, vendor: Connection, callback: str) -> None:
    answer = as_bob.post(LOGIN, opened(callback, connection=str(vendor.pk)))
    assert answer.status_code in (303, 400)
    if "vendorcentral" in answer.get("Location", ""):
        assert parse_qs(urlsplit(answer["Location"]).query)["state"] != ["mine"]


def test_without_amazons_state_it_is_no_link_of_amazons(as_bob: Client, vendor: Connection) -> None:
    assert as_bob.get(LOGIN, opened(CONFIRM, amazon_state="")).status_code == 400


@pytest.mark.parametrize("chosen", ["", "nonsense", "6f1c5d0e-0000-4000-8000-000000000000", "theirs", "plain"])
def test_only_a_fitting_connection_of_the_team_can_be_chosen(
    as_bob: Client, vendor: Connection, charlie: Membership, chosen: str
) -> None:
    theirs = factories.connection(charlie.team, name="Theirs")
    plain = Connection.objects.get(name="A plain one")
    answer = as_bob.post(
        LOGIN, opened(CONFIRM, connection={"theirs": str(theirs.pk), "plain": str(plain.pk)}.get(chosen, chosen))
    )
    assert answer.status_code == 422
    assert "Theirs" not in answer.content.decode()
    assert not AuthorizationAttempt.objects.exists()


def test_signing_in_first_keeps_amazons_parameters(alice: Membership, client: Client) -> None:
    asked = opened(CONFIRM)
    location = client.get(LOGIN, asked)["Location"]
    page = press(
        client, visit(client, location), "Sign in", {"login": "alice@example.com", "password": factories.PASSWORD}
    )
    parts = urlsplit(page.response["Location"])
    assert (parts.path, {name: value[0] for name, value in parse_qs(parts.query).items()}) == (LOGIN, asked)


def test_hostile_values_are_shown_as_text(as_bob: Client, vendor: Connection) -> None:
    hostile = '"><script>alert(1)</script>'
    page: Page = visit(
        as_bob, f"{LOGIN}?{urlencode(opened(CONFIRM, amazon_state=hostile, selling_partner_id=hostile))}"
    )
    assert "<script>alert" not in page.html
    assert page.value("amazon_state") == hostile


def test_without_a_connection_it_says_how_to_make_one(as_bob: Client, db: Any) -> None:
    assert "There is no Amazon connection yet." in visit(as_bob, f"{LOGIN}?{urlencode(opened(CONFIRM))}").words
