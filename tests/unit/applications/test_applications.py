"""The list of applications, and what holds for each of them."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import connections.applications
from connections.applications import Application, available, get, sign_in_page

SIMULATOR = "http://127.0.0.1:8899"
ALL = available(simulator_url=SIMULATOR)
# The `key` column of the pane's table of fields.
PANE_KEYS = {
    "name",
    "application",
    "region",
    "marketplace",
    "base_uri",
    "headers",
    "media_type",
    "success_media_type",
    "error_media_type",
    "auth_type",
    "oauth_client",
    "grant_type",
    "client_authentication",
    "authorization_url",
    "scope",
    "pkce",
    "token_url",
    "refresh_token",
    "revoke_url",
    "scope_delimiter",
    "authorization_params",
    "code_param",
    "token_headers",
    "token_body",
    "refresh_headers",
    "refresh_body",
    "revoke_headers",
    "revoke_body",
    "access_token_path",
    "refresh_token_path",
    "expires_in_path",
    "token",
    "token_location",
    "token_header",
    "token_scheme",
    "token_param",
    "auth_fail_status",
    "auth_fail_path",
    "auth_fail_values",
    "rate_wait_ms",
    "rate_fail_status",
    "rate_fail_path",
    "rate_fail_values",
    "retry_header",
    "ping_method",
    "ping_path",
    "ping_body",
    "ping_success_path",
    "ping_success_values",
    "ping_fail_path",
    "ping_fail_values",
    "ping_error_path",
    "concurrency",
    "borrow_from",
}


@pytest.fixture
def vendor_central() -> Application:
    return ALL["amazon-vendor-central"]


@pytest.fixture
def simulator() -> Application:
    return ALL["amazon-simulator"]


def test_applications_come_in_display_order_and_the_simulator_only_with_an_address() -> None:
    real = ["http", "amazon-vendor-central", "amazon-seller-central", "login-with-amazon"]
    assert list(available()) == real
    assert list(available(simulator_url=SIMULATOR)) == [*real, "amazon-simulator"]
    assert get("amazon-simulator") is None
    assert get("no-such-application") is None


@pytest.mark.parametrize("slug", ALL)
def test_first_values_are_fields_of_the_pane(slug: str) -> None:
    assert set(ALL[slug].initial) <= PANE_KEYS
    assert ALL[slug].initial["code_param"] == ALL[slug].code_param


@pytest.mark.parametrize("slug", ALL)
def test_a_secret_may_only_be_posted_where_the_first_token_url_points(slug: str) -> None:
    token_url = ALL[slug].initial.get("token_url", "")
    assert urlsplit(token_url).netloc in (ALL[slug].token_hosts or ("",))
    assert sign_in_page(token_url, simulator_url=SIMULATOR) == ""


@pytest.mark.parametrize("slug", [slug for slug, found in ALL.items() if found.regions])
def test_first_region_marketplace_and_addresses_belong_together(slug: str) -> None:
    application, initial = ALL[slug], ALL[slug].initial
    assert initial["base_uri"] == application.base_uri(initial["region"])
    assert initial["authorization_url"] == application.authorization_url(initial["marketplace"])
    assert initial["marketplace"] in {found.code for found in application.marketplaces_in(initial["region"])}


def test_vendor_central_is_set_up_the_way_amazon_wants_it(vendor_central: Application) -> None:
    assert vendor_central.initial["token_url"] == "https://api.amazon.com/auth/o2/token"
    assert vendor_central.initial["pkce"] == "off"
    assert (vendor_central.placement.location, vendor_central.placement.name) == ("header", "x-amz-access-token")
    assert vendor_central.placement.prefix == ""
    assert (vendor_central.code_param, vendor_central.identity_param) == ("spapi_oauth_code", "selling_partner_id")
    assert not vendor_central.rotates_refresh_tokens
    assert (vendor_central.authorization_lifetime_days, vendor_central.client_secret_lifetime_days) == (365, 180)


def test_any_http_api_starts_with_pkce_and_a_bearer_header() -> None:
    http = ALL["http"]
    assert http.initial["pkce"] == "S256"
    assert (http.placement.name, http.placement.prefix) == ("Authorization", "Bearer")
    assert (http.authorization_url("US"), http.base_uri("na"), http.base_uri_presets("na")) == ("", "", ())


def test_login_with_amazon_sends_the_browser_to_the_sign_in_page() -> None:
    assert ALL["login-with-amazon"].authorization_url("") == "https://www.amazon.com/ap/oa"
    assert {scope.value for scope in ALL["login-with-amazon"].scopes} == {"profile", "profile:user_id", "postal_code"}


def test_the_simulator_never_leads_to_amazon(simulator: Application) -> None:
    addresses = [simulator.initial[key] for key in ("base_uri", "authorization_url", "token_url")]
    assert all(address.startswith(SIMULATOR) for address in addresses)
    assert simulator.token_hosts == ("127.0.0.1:8899",)
    assert not simulator.https_redirect_only


def test_the_simulator_tells_what_to_type(simulator: Application) -> None:
    assert "amzn1.sp.solution.simulator" in simulator.summary
    assert "amzn1.application-oa2-client.simulator" in simulator.summary
    assert "amzn1.oa2-cs.v1.simulator" in simulator.hint
    assert "amzn1.oa2-cs.v1.simulator" not in simulator.summary


def test_a_slash_after_the_simulator_address_does_no_harm() -> None:
    application = get("amazon-simulator", simulator_url=SIMULATOR + "/")
    assert application
    assert application.initial["token_url"] == f"{SIMULATOR}/auth/o2/token"


def consent(application: Application, **changes: object) -> dict[str, str]:
    values: dict[str, object] = {
        "application_id": "amzn1.sp.solution.1",
        "client_id": "client",
        "redirect_uri": "https://gatehouse.example/oauth/callback/",
        "state": "state",
        "draft": False,
        "scope": "",
        "code_challenge": "",
        "code_challenge_method": "",
        "extra": {},
    }
    return application.consent_params(**(values | changes))  # type: ignore[arg-type]


def test_amazon_consent_gets_its_own_parameters_and_no_oauth_ones(vendor_central: Application) -> None:
    typed = {"scope": "profile", "code_challenge": "challenge", "code_challenge_method": "S256"}
    assert consent(vendor_central, **typed) == {
        "application_id": "amzn1.sp.solution.1",
        "redirect_uri": "https://gatehouse.example/oauth/callback/",
        "state": "state",
    }


def test_a_draft_application_asks_for_its_beta_version(vendor_central: Application) -> None:
    asked = consent(vendor_central, draft=True)
    assert asked.pop("version") == "beta"
    assert asked == consent(vendor_central)


def test_standard_consent_follows_rfc_6749_and_7636() -> None:
    assert consent(ALL["http"], scope="a b", code_challenge="challenge", code_challenge_method="S256") == {
        "response_type": "code",
        "client_id": "client",
        "redirect_uri": "https://gatehouse.example/oauth/callback/",
        "scope": "a b",
        "state": "state",
        "code_challenge": "challenge",
        "code_challenge_method": "S256",
    }


def test_standard_consent_leaves_out_what_is_empty() -> None:
    asked = consent(ALL["login-with-amazon"], code_challenge_method="S256", draft=True)
    assert set(asked) == {"response_type", "client_id", "redirect_uri", "state"}


@pytest.mark.parametrize("slug", ALL)
def test_extra_parameters_are_added_but_never_replace_the_state(slug: str) -> None:
    asked = consent(ALL[slug], extra={"prompt": "consent", "state": "forged", "redirect_uri": "https://evil.example/"})
    assert asked["prompt"] == "consent"
    assert asked["state"] == "state"
    assert asked["redirect_uri"] == "https://gatehouse.example/oauth/callback/"


NOW = datetime(2026, 3, 29, 1, 30, 15, 999999, tzinfo=UTC)


@pytest.mark.parametrize("now", [NOW, NOW.astimezone(timezone(timedelta(hours=13))), datetime(2028, 3, 1, tzinfo=UTC)])
def test_the_window_of_the_vendor_test_is_under_seven_days_and_ends_now(
    vendor_central: Application, now: datetime
) -> None:
    call = vendor_central.test_call(
        grant_type="authorization_code", base_uri="https://sellingpartnerapi-eu.amazon.com", scope=""
    )
    query = parse_qs(urlsplit(call.resolve(now)).query)
    after, before = (datetime.fromisoformat(query[name][0]) for name in ("createdAfter", "createdBefore"))
    assert timedelta(days=6, hours=23) < before - after < timedelta(days=7)
    assert before == now.replace(microsecond=0)
    assert (query["limit"], query["includeDetails"]) == (["1"], ["false"])
    assert call.method == "GET"
    assert call.path.startswith("/vendor/orders/v1/purchaseOrders?")


@pytest.mark.parametrize("region", ["na", "eu", "fe"])
def test_the_sandbox_is_asked_without_dates(vendor_central: Application, region: str) -> None:
    base_uri = vendor_central.base_uri(region, sandbox=True) + "/"
    call = vendor_central.test_call(grant_type="authorization_code", base_uri=base_uri, scope="")
    assert call.resolve(NOW) == "/vendor/orders/v1/purchaseOrders?limit=1"


def test_the_simulator_is_asked_as_production_is(simulator: Application, vendor_central: Application) -> None:
    call = simulator.test_call(grant_type="authorization_code", base_uri=SIMULATOR, scope="")
    assert call == vendor_central.call


def test_client_credentials_are_tested_by_their_scope(vendor_central: Application) -> None:
    def path(scope: str) -> str:
        return vendor_central.test_call(
            grant_type="client_credentials", base_uri=vendor_central.base_uri("na"), scope=scope
        ).path

    assert path("sellingpartnerapi::notifications") == "/notifications/v1/destinations"
    assert path("sellingpartnerapi::client_credential:rotation sellingpartnerapi::notifications") == (
        "/notifications/v1/destinations"
    )


@pytest.mark.parametrize("scope", ["sellingpartnerapi::client_credential:rotation", "anything", ""])
def test_a_scope_without_a_harmless_call_is_tested_by_its_token_alone(vendor_central: Application, scope: str) -> None:
    call = vendor_central.test_call(grant_type="client_credentials", base_uri="https://x.example", scope=scope)
    assert (call.method, call.path) == ("", "")
    assert call.note


def test_sellers_are_never_tested_with_a_vendor_call_and_nobody_with_one_that_changes_things() -> None:
    seller = ALL["amazon-seller-central"]
    for sandbox in (False, True):
        base_uri = seller.base_uri("na", sandbox=sandbox)
        call = seller.test_call(grant_type="authorization_code", base_uri=base_uri, scope="")
        assert call.path == "/sellers/v1/marketplaceParticipations"
    for application in ALL.values():
        calls = [application.call, application.sandbox_call, *application.grantless_calls.values()]
        assert {call.method for call in calls if call} <= {"GET", ""}


@pytest.mark.parametrize(
    "url",
    [
        "https://www.amazon.com/ap/oa",
        "http://www.amazon.com/ap/oa",
        "https://www.amazon.com/ap/oa/",
        "HTTPS://WWW.Amazon.COM/ap/oa",
        "  https://www.amazon.com/ap/oa?client_id=x&scope=profile ",
        "https://www.amazon.com:443/ap/oa#top",
        "https://amazon.com/ap/oa",
        "https://eu.account.amazon.com/ap/oa",
        "https://apac.account.amazon.com/ap/oa",
    ],
)
def test_the_sign_in_page_is_recognised_however_it_is_written(url: str) -> None:
    assert sign_in_page(url) == "https://api.amazon.com/auth/o2/token"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://api.amazon.com/auth/o2/token",
        "https://www.amazon.com/",
        "https://www.amazon.com/ap/oauth",
        "https://www.amazon.com.evil.net/ap/oa",
        "https://www.amazon.com@evil.net/ap/oa",
        "https://evilamazon.com/ap/oa",
        "https://provider.example/ap/oa",
        f"{SIMULATOR}/ap/oa",
        "https://[broken/ap/oa",
        "https://www.amazon.com:port/ap/oa",
        "not an address",
    ],
)
def test_other_addresses_are_not_taken_for_the_sign_in_page(url: str) -> None:
    assert sign_in_page(url) == ""


@pytest.mark.parametrize("url", [f"{SIMULATOR}/ap/oa", f"{SIMULATOR}/ap/oa/?x=1", "HTTP://127.0.0.1:8899/ap/oa"])
def test_the_simulator_has_a_sign_in_page_too(url: str) -> None:
    assert sign_in_page(url, simulator_url=SIMULATOR + "/") == f"{SIMULATOR}/auth/o2/token"
    assert sign_in_page("http://127.0.0.1:9999/ap/oa", simulator_url=SIMULATOR) == ""


def test_applications_know_neither_django_nor_the_rest_of_the_product() -> None:
    for file in Path(connections.applications.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                assert not name.startswith("django"), file
                assert not name.startswith("connections") or name.startswith("connections.applications"), file


@pytest.mark.parametrize("host", ["www.amazon.co.uk", "www.amazon.de", "www.amazon.co.jp", "www.amazon.com.br"])
def test_a_countrys_sign_in_page_is_known_too(host):
    assert sign_in_page(f"https://{host}/ap/oa") == "https://api.amazon.com/auth/o2/token"


@pytest.mark.parametrize("host", ["amazon.example.com", "www.notamazon.com", "amazon.com.evil.example"])
def test_a_host_that_only_looks_like_amazon_is_not_taken_for_it(host):
    assert sign_in_page(f"https://{host}/ap/oa") == ""
