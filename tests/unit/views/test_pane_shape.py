"""The pane follows what is chosen: first values, fields that come and go, addresses that fill themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from connections import applications
from connections.models import Connection
from tests import factories
from tests.unit.views.pages import press, visit

VENDOR = "/connections/new/amazon-vendor-central/"
HTTP = "/connections/new/http/"
UPDATE = "Update the fields below"
Typed = Callable[..., dict[str, Any]]


@pytest.mark.parametrize("slug", ["http", "amazon-vendor-central", "amazon-seller-central", "login-with-amazon"])
def test_each_application_opens(as_bob: Client, slug: str) -> None:
    page = visit(as_bob, f"/connections/new/{slug}/")
    assert page.status == 200
    assert applications.available()[slug].name in page.text


def test_a_new_pane_takes_first_values_from_its_query_string(as_bob: Client) -> None:
    page = visit(
        as_bob,
        HTTP + "?name=Orders&auth_type=oauth2&grant_type=client_credentials&base_uri=https://api.example.com/v1"
        "&token_url=https://id.example.com/token&scope=a+b&media_type=xml&client_authentication=client_secret_basic"
        "&headers=X-One:%201&ping_path=/ping&ping_method=HEAD",
    )
    values = {name: page.value(name) for name in ("name", "grant_type", "base_uri", "token_url", "scope", "media_type",
              "client_authentication", "headers_name", "headers_value", "ping_path", "ping_method")}  # fmt: skip
    assert values == {
        "name": "Orders", "grant_type": "client_credentials", "base_uri": "https://api.example.com/v1",
        "token_url": "https://id.example.com/token", "scope": "a b", "media_type": "xml",
        "client_authentication": "client_secret_basic", "headers_name": "X-One", "headers_value": "1",
        "ping_path": "/ping", "ping_method": "HEAD",
    }  # fmt: skip
    assert "authorization_url" not in page.form.values


def test_no_secret_and_no_hidden_value_comes_from_the_query_string(as_bob: Client, connection: Connection) -> None:
    page = visit(
        as_bob, HTTP + f"?refresh_token={factories.SENTINEL}&client_secret={factories.SENTINEL}"
        f"&id={connection.pk}&version=99&filled_for=x&in_popup=1&application=nope",
    )  # fmt: skip
    assert factories.SENTINEL not in page.html
    assert page.value("id") != str(connection.pk)
    assert (page.value("version"), page.value("in_popup"), page.value("application")) == ("1", "", "http")


@pytest.mark.parametrize("query", ["region=zz", "marketplace=zz", "region=fe&marketplace=US", "auth_type=nope",
                                   "grant_type=%00", "oauth_client=x", "draft_application=maybe", "headers=:::"])  # fmt: skip
def test_nonsense_in_the_query_string_opens_a_pane_all_the_same(as_bob: Client, query: str) -> None:
    assert visit(as_bob, f"{VENDOR}?{query}").status == 200


@pytest.mark.parametrize(
    ("region", "marketplace", "host"),
    [("na", "US", "vendorcentral.amazon.com"), ("eu", "UK", "vendorcentral.amazon.co.uk"),
     ("fe", "JP", "vendorcentral.amazon.co.jp")],
)  # fmt: skip
class TestARegion:
    def test_fills_both_addresses(self, as_bob: Client, region: str, marketplace: str, host: str) -> None:
        page = press(as_bob, visit(as_bob, VENDOR), UPDATE, {"region": region})
        assert page.status == 200
        assert page.value("base_uri") == f"https://sellingpartnerapi-{region}.amazon.com"
        assert page.value("marketplace") == marketplace
        assert page.value("authorization_url") == f"https://{host}/apps/authorize/consent"
        assert page.value("token_url") == "https://api.amazon.com/auth/o2/token"

    def test_fills_them_from_the_query_string_too(
        self, as_bob: Client, region: str, marketplace: str, host: str
    ) -> None:
        page = visit(as_bob, f"{VENDOR}?region={region}&marketplace={marketplace}")
        assert page.value("base_uri") == f"https://sellingpartnerapi-{region}.amazon.com"
        assert page.value("authorization_url") == f"https://{host}/apps/authorize/consent"

    def test_leaves_alone_what_somebody_typed(self, as_bob: Client, region: str, marketplace: str, host: str) -> None:
        typed = {
            "base_uri": "https://proxy.example.com/spapi",
            "authorization_url": "https://proxy.example.com/consent",
        }
        page = press(as_bob, visit(as_bob, VENDOR), UPDATE, typed | {"region": region})
        assert {name: page.value(name) for name in typed} == typed

    def test_keeps_the_sandbox(self, as_bob: Client, region: str, marketplace: str, host: str) -> None:
        page = press(as_bob, visit(as_bob, VENDOR), "Sandbox")
        assert page.value("base_uri") == "https://sandbox.sellingpartnerapi-na.amazon.com"
        page = press(as_bob, page, UPDATE, {"region": region})
        assert page.value("base_uri") == f"https://sandbox.sellingpartnerapi-{region}.amazon.com"


def test_every_marketplace_fills_its_own_consent_page(as_bob: Client) -> None:
    vendor = applications.available()["amazon-vendor-central"]
    page = visit(as_bob, VENDOR)
    for market in vendor.marketplaces:
        page = press(as_bob, page, UPDATE, {"region": market.region, "marketplace": market.code})
        assert page.value("authorization_url") == vendor.authorization_url(market.code)
        assert page.value("base_uri") == vendor.base_uri(market.region)


def test_an_edit_in_the_filled_pane_survives_the_next_update(as_bob: Client) -> None:
    page = press(as_bob, visit(as_bob, VENDOR), UPDATE, {"region": "eu", "marketplace": "DE"})
    page = press(as_bob, page, UPDATE, {"authorization_url": "https://vendorcentral.amazon.de/other", "name": "Mine"})
    assert page.value("authorization_url") == "https://vendorcentral.amazon.de/other"
    assert page.value("name") == "Mine"


def test_fields_follow_the_grant_type_and_what_was_typed_comes_back(as_bob: Client) -> None:
    typed = {"authorization_url": "https://id.example.com/authorize", "pkce": "plain", "scope": "read", "name": "Mine"}
    page = press(as_bob, visit(as_bob, HTTP), UPDATE, typed | {"grant_type": "client_credentials"})
    assert "authorization_url" not in page.controls or page.controls["authorization_url"]["type"] == "hidden"
    assert "refresh_token" not in page.controls
    page = press(as_bob, page, UPDATE, {"auth_type": "none"})
    assert "grant_type" not in page.form.choices
    assert "Save & close" in [button.text for button in page.form.buttons]
    page = press(as_bob, page, UPDATE, {"auth_type": "oauth2"})
    page = press(as_bob, page, UPDATE, {"grant_type": "authorization_code"})
    assert {name: page.value(name) for name in typed} == typed


def test_the_body_of_the_test_call_follows_its_method(as_bob: Client) -> None:
    page = press(as_bob, visit(as_bob, HTTP), UPDATE, {"ping_method": "POST"})
    assert page.controls["ping_body"]["id"] == "id_ping_body"
    page = press(as_bob, page, UPDATE, {"ping_body": '{"a": 1}\n<b>', "ping_method": "GET"})
    page = press(as_bob, page, UPDATE, {"ping_method": "PUT"})
    assert page.value("ping_body").replace("\r\n", "\n") == '{"a": 1}\n<b>'


def test_headers_survive_an_update(as_bob: Client) -> None:
    rows = {"headers_name": ["X-One", "X-Two"], "headers_value": ["1", "2"]}
    page = press(as_bob, visit(as_bob, HTTP), UPDATE, rows)
    assert page.form.values["headers_name"][:2] == ["X-One", "X-Two"]
    assert page.form.values["headers_value"][:2] == ["1", "2"]


def test_an_update_never_gives_a_typed_token_back(as_bob: Client) -> None:
    page = press(as_bob, visit(as_bob, HTTP), UPDATE, {"refresh_token": factories.SENTINEL})
    assert factories.SENTINEL not in page.html


def test_an_update_saves_nothing(as_bob: Client, connection: Connection) -> None:
    page = visit(as_bob, f"/connections/{connection.pk}/")
    page = press(as_bob, page, UPDATE, {"name": "Not saved", "region": "eu"})
    assert (page.status, page.value("name")) == (200, "Not saved")
    connection.refresh_from_db()
    assert (connection.name, connection.region) == ("Purchase orders", "na")


def test_hidden_leftovers_are_not_saved_where_they_do_not_apply(as_bob: Client, connection: Connection) -> None:
    page = press(as_bob, visit(as_bob, f"/connections/{connection.pk}/"), UPDATE, {"auth_type": "none"})
    tampered = {"token_url": "https://evil.example/token", "authorization_url": "javascript:alert(1)"}
    assert press(as_bob, page, "Save & close", tampered).status == 303
    connection.refresh_from_db()
    assert connection.auth_type == "none"
    assert "evil" not in connection.token_url
    assert connection.authorization_url.endswith("/apps/authorize/consent")


def test_a_one_click_value_fills_only_the_fields_it_may(as_bob: Client) -> None:
    page = visit(as_bob, HTTP)
    values = {name: value[0] for name, value in page.form.values.items()}
    for fill in ("name=evil", "refresh_token=x", "id=1", "nonsense", "=", "oauth_client=1"):
        answer = as_bob.post(HTTP + "fields/", values | {"fill": fill})
        assert answer.status_code == 200
        assert 'value="evil"' not in answer.content.decode()


def test_the_application_list_is_searched_without_script(as_bob: Client) -> None:
    assert "Vendor Central" in visit(as_bob, "/connections/new/?q=VENDOR+amazon").text
    nothing = visit(as_bob, '/connections/new/?q="><script>')
    assert "No application fits" in nothing.words
    assert "<script>" not in nothing.html.replace("<script src", "")


def test_the_redirect_url_is_shown_with_what_is_wrong_with_it(as_bob: Client, settings: Any) -> None:
    page = visit(as_bob, VENDOR)
    assert "https://gatehouse.example.com/oauth/callback/" in page.html
    assert "You opened Gatehouse at testserver" in page.words
    assert "only https" not in page.words
    settings.PUBLIC_URL, settings.IS_HTTPS = "http://testserver", False
    page = visit(as_bob, VENDOR)
    assert "Amazon accepts only https redirect URLs" in page.words
    assert "You opened Gatehouse" not in page.words


def test_a_client_that_looks_mixed_up_is_warned_of(as_bob: Client, team: Any) -> None:
    mixed = factories.oauth_client(team, client_id=factories.APPLICATION_ID, secret_hosts=["api.amazon.com"])
    page = visit(as_bob, f"{VENDOR}?oauth_client={mixed.pk}")
    assert "This looks like an Application ID" in page.words
