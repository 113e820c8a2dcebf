"""Somebody who follows the help article to the letter names Amazon's sign-in page as access token URL (pane.md)."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from connections.models import Connection, Membership, OAuthClient, Team
from tests import factories
from tests.conftest import Simulator
from tests.unit.views.pages import press, visit

SIGN_IN = "https://www.amazon.com/ap/oa"
TOKEN = "https://api.amazon.com/auth/o2/token"


@pytest.fixture
def vendor_app(team: Team) -> OAuthClient:
    return factories.oauth_client(team, name="Vendor app", secret_hosts=["api.amazon.com"])


@pytest.mark.parametrize("application", ["http", "amazon-vendor-central", "login-with-amazon"])
@pytest.mark.parametrize(
    "url", [SIGN_IN, SIGN_IN + "/", SIGN_IN + "?x=1", "https://WWW.Amazon.com:443/ap/oa", "https://www.amazon.com./ap/oa",
            " " + SIGN_IN + "\n", "https://amazon.com/AP/oa", "https://eu.account.amazon.com/ap/oa"],
)  # fmt: skip
def test_it_is_refused_with_one_sentence_and_the_right_address_in_one_click(
    as_bob: Client, vendor_app: OAuthClient, application: str, url: str
) -> None:
    page = visit(as_bob, f"/connections/new/{application}/")
    typed = {"name": "Vendor Central", "base_uri": "https://sellingpartnerapi-na.amazon.com", "token_url": url,
             "authorization_url": "https://vendorcentral.amazon.com/apps/authorize/consent",
             "oauth_client": str(vendor_app.pk)}  # fmt: skip
    answer = press(as_bob, page, "Save & authorize", typed)
    assert answer.status == 422
    assert answer.error("token_url") == (
        f"This is Amazon’s sign-in page, where a person signs in. Tokens come from {TOKEN}."
    )
    assert answer.value("token_url").strip() == url.strip()  # never silently changed
    assert not Connection.objects.exists()
    corrected = press(as_bob, answer, f"Use {TOKEN}")
    assert corrected.status == 200
    assert {name: corrected.value(name) for name in typed} == typed | {"token_url": TOKEN}
    assert press(as_bob, corrected, "Save & authorize").status == 303


def test_it_is_told_before_anything_is_saved(as_bob: Client, db: None) -> None:
    page = visit(as_bob, f"/connections/new/http/?token_url={SIGN_IN}")
    assert "This is Amazon’s sign-in page, not its token address." in page.words
    assert f"Use {TOKEN}" in [button.text for button in page.form.buttons]


def test_a_test_posts_no_secret_to_it(
    as_bob: Client, connection: Connection, simulator: Simulator, vendor_app: OAuthClient
) -> None:
    page = visit(as_bob, f"/connections/{connection.pk}/")
    for url in (f"{simulator.url}/ap/oa", SIGN_IN):
        answer = press(as_bob, page, "Test connection", {"token_url": url})
        assert answer.status == 422
        assert "sign-in page" in answer.error("token_url")
    assert simulator.calls() == []


def test_a_connection_that_was_stored_with_it_still_posts_no_secret_there(
    as_bob: Client, connection: Connection, simulator: Simulator
) -> None:
    Connection.objects.filter(pk=connection.pk).update(token_url=f"{simulator.url}/ap/oa")
    page = press(as_bob, visit(as_bob, f"/connections/{connection.pk}/"), "Save & authorize")
    assert (page.status, simulator.calls()) == (422, [])
    corrected = press(as_bob, page, f"Use {simulator.url}/auth/o2/token")
    assert press(as_bob, corrected, "Save & authorize").status == 303


def help_article(simulator: Simulator, client: OAuthClient, **changed: str) -> dict[str, str]:
    """The article's fields for the plain HTTP pane, pointed at the simulator."""
    return {
        "name": "Amazon Vendor Central", "base_uri": simulator.url, "media_type": "json", "auth_type": "oauth2",
        "oauth_client": str(client.pk), "grant_type": "authorization_code",
        "authorization_url": f"{simulator.url}/apps/authorize/consent", "token_url": f"{simulator.url}/ap/oa",
    } | changed  # fmt: skip


@pytest.mark.parametrize("pkce", ["S256", "off", "plain"])
def test_the_help_article_to_the_letter_ends_in_a_working_connection(
    as_bob: Client, simulator: Simulator, oauth_client: OAuthClient, pkce: str
) -> None:
    page = visit(as_bob, "/connections/new/http/")
    refused = press(as_bob, page, "Save & authorize", help_article(simulator, oauth_client, pkce=pkce))
    corrected = press(as_bob, refused, f"Use {simulator.url}/auth/o2/token")
    sent = press(as_bob, corrected, "Save & authorize").response
    query = parse_qs(urlsplit(sent["Location"]).query)
    assert query["application_id"] == [factories.APPLICATION_ID]
    assert query["redirect_uri"] == ["https://gatehouse.example.com/oauth/callback/"]
    assert set(query) <= {"application_id", "state", "redirect_uri", "version"}
    back = simulator.consent(sent["Location"])
    answer = as_bob.get("/oauth/callback/?" + urlsplit(back).query)
    assert answer.status_code == 302
    saved = Connection.objects.get()
    assert saved.status == "online"
    test = visit(as_bob, answer["Location"])
    assert "Authorized." in test.words
    result = press(as_bob, test, "Test connection")
    assert "The test passed." in result.words
    assert [call["status"] for call in simulator.calls("/vendor/orders/v1/purchaseOrders")] == [200]


def test_the_real_addresses_of_the_help_article_lead_to_vendor_centrals_consent_page(
    as_bob: Client, vendor_app: OAuthClient
) -> None:
    typed: dict[str, Any] = {
        "name": "Amazon Vendor Central", "base_uri": "https://sellingpartnerapi-na.amazon.com", "token_url": SIGN_IN,
        "authorization_url": "https://vendorcentral.amazon.com/apps/authorize/consent",
        "oauth_client": str(vendor_app.pk),
    }  # fmt: skip
    refused = press(as_bob, visit(as_bob, "/connections/new/http/"), "Save & authorize", typed)
    sent = press(as_bob, press(as_bob, refused, f"Use {TOKEN}"), "Save & authorize").response
    parts = urlsplit(sent["Location"])
    assert (parts.netloc, parts.path) == ("vendorcentral.amazon.com", "/apps/authorize/consent")
    assert set(parse_qs(parts.query)) == {"application_id", "state", "redirect_uri"}
    saved = Connection.objects.get()
    assert saved.provider.placement.name == "x-amz-access-token"


def test_a_client_without_application_id_is_told_before_anybody_is_sent_away(
    as_bob: Client, simulator: Simulator, team: Team, bob: Membership
) -> None:
    client = factories.oauth_client(team, application_id="", secret_hosts=[simulator.host])
    typed = help_article(simulator, client, token_url=f"{simulator.url}/auth/o2/token")
    page = press(as_bob, visit(as_bob, "/connections/new/http/"), "Save & authorize", typed)
    assert "no Application ID" in page.error("oauth_client")
