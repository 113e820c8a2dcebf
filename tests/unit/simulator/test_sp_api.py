"""The Selling Partner API: who gets in, and every way of being refused."""

import pytest
from werkzeug.test import TestResponse

from connections.simulator.registry import CLIENT_ID, CUSTOMERS

from .walks import Amazon

ORDERS = "/vendor/orders/v1/purchaseOrders"
DESTINATIONS = "/notifications/v1/destinations"
PARTICIPATIONS = "/sellers/v1/marketplaceParticipations"
SECRET = "/applications/2023-11-30/clientSecret"
NOTIFICATIONS = "sellingpartnerapi::notifications"
ROTATION = "sellingpartnerapi::client_credential:rotation"


def _is_denied(response: TestResponse, details: str = "") -> bool:
    item = {"code": "Unauthorized", "message": "Access to requested resource is denied.", "details": details}
    assert response.status_code == 403
    assert response.headers["x-amzn-ErrorType"] == "AccessDeniedException"
    assert response.headers["x-amzn-RequestId"]
    assert "x-amzn-RateLimit-Limit" not in response.headers
    assert response.get_json() == {"errors": [item]}
    return True


def test_a_missing_token_is_named(amazon: Amazon) -> None:
    assert _is_denied(amazon.client.get(ORDERS), "Access token is missing in the request header.")


@pytest.mark.parametrize("token", ["Atza|garbage", "garbage", "Bearer x", "Atza|" + "A" * 347, "é"])
def test_a_made_up_token_is_refused(amazon: Amazon, token: str) -> None:
    assert _is_denied(amazon.get(ORDERS, token), "The access token you provided is revoked, malformed or invalid.")


def test_an_expired_token_is_refused(amazon: Amazon) -> None:
    token = amazon.grant()["access_token"]

    amazon.clock.now += 3599
    assert amazon.get(ORDERS, token).status_code == 200
    amazon.clock.now += 1
    assert _is_denied(amazon.get(ORDERS, token), "The access token you provided has expired.")


def test_a_revoked_grant_takes_its_access_tokens_along(amazon: Amazon) -> None:
    tokens = amazon.grant()
    amazon.client.post("/_control/revoke", json={"refresh_token": tokens["refresh_token"]})

    assert _is_denied(
        amazon.get(ORDERS, tokens["access_token"]), "The access token you provided is revoked, malformed or invalid."
    )


def test_an_expired_client_secret_is_named(amazon: Amazon) -> None:
    token = amazon.grant()["access_token"]
    amazon.configure(client_secret_expired=True)

    assert _is_denied(amazon.get(ORDERS, token), "The LWA secret token you provided has expired.")


def test_a_missing_role_an_unknown_path_and_a_wrong_method_look_alike(amazon: Amazon) -> None:
    token = amazon.grant()["access_token"]
    amazon.configure(missing_roles=["/vendor/orders/"])

    assert _is_denied(amazon.get(ORDERS, token))
    assert _is_denied(amazon.get("/orders/v0/orders", token))
    assert _is_denied(amazon.post("/vendor/shipping/v1/shipmentConfirmation", token))
    assert _is_denied(amazon.client.delete("/vendor/shipping/v1/shipments", headers={"x-amz-access-token": token}))
    assert amazon.get("/vendor/shipping/v1/shipments", token).status_code == 200


def test_a_seller_cannot_read_vendor_orders_nor_a_vendor_a_sellers_marketplaces(amazon: Amazon) -> None:
    vendor, seller = amazon.grant()["access_token"], amazon.grant("A1SIMULATOR01")["access_token"]

    assert _is_denied(amazon.get(ORDERS, seller))
    assert _is_denied(amazon.get(PARTICIPATIONS, vendor))
    assert amazon.get(ORDERS, vendor).status_code == 200
    assert amazon.get(PARTICIPATIONS, seller).get_json()["payload"][0]["participation"]["isParticipating"] is True


def test_a_grantless_token_opens_its_own_scope_only(amazon: Amazon) -> None:
    notifications, rotation = amazon.grantless(NOTIFICATIONS), amazon.grantless(ROTATION)

    assert amazon.get(DESTINATIONS, notifications).status_code == 200
    assert _is_denied(amazon.get(ORDERS, notifications))
    assert _is_denied(amazon.get(DESTINATIONS, rotation))
    assert _is_denied(amazon.get(DESTINATIONS, amazon.grant()["access_token"]))


@pytest.mark.parametrize("name", ["marketplaceIds", "MarketplaceIds"])
def test_a_marketplace_of_another_region_is_refused(amazon: Amazon, name: str) -> None:
    token = amazon.grant()["access_token"]
    germany, america = "A1PA6795UKMFR9", "ATVPDKIKX0DER"

    assert amazon.get(ORDERS, token, **{name: america}).status_code == 200
    for wrong in (germany, f"{america},{germany}"):
        assert _is_denied(
            amazon.get(ORDERS, token, **{name: wrong}), "The marketplaces you provided are not valid for region."
        )
    amazon.configure(region="EU")
    assert amazon.get(ORDERS, token, **{name: germany}).status_code == 200


def test_the_quota_is_a_token_bucket_for_each_operation_and_account(amazon: Amazon) -> None:
    token, other = amazon.grant()["access_token"], amazon.grant("VGSIMULATOR02")["access_token"]
    amazon.configure(rate_limit=0.5, rate_burst=2)

    assert [amazon.get(ORDERS, token).status_code for _ in range(3)] == [200, 200, 429]
    response = amazon.get(ORDERS, token)
    assert response.get_json()["errors"] == [
        {"code": "QuotaExceeded", "message": "You exceeded your quota for the requested resource.", "details": ""}
    ]
    assert "x-amzn-RateLimit-Limit" not in response.headers
    assert amazon.get(ORDERS, other).status_code == 200
    amazon.clock.now += 2
    assert [amazon.get(ORDERS, token).status_code for _ in range(2)] == [200, 429]


def test_the_rate_is_told_on_success_and_bad_input_only(amazon: Amazon) -> None:
    token = amazon.grant()["access_token"]

    assert amazon.get(ORDERS, token).headers["x-amzn-RateLimit-Limit"] == "10.0"
    assert amazon.get(ORDERS, token, limit="0").headers["x-amzn-RateLimit-Limit"] == "10.0"
    assert amazon.get(f"{ORDERS}/NONE", token).headers["x-amzn-RateLimit-Limit"] == "10.0"


def test_an_endless_user_agent_is_refused(amazon: Amazon) -> None:
    headers = {"x-amz-access-token": amazon.grant()["access_token"], "User-Agent": "x" * 500}
    assert amazon.client.get(ORDERS, headers=headers).status_code == 200

    response = amazon.client.get(ORDERS, headers={**headers, "User-Agent": "x" * 501})

    assert response.status_code == 400
    assert response.get_json()["errors"][0]["code"] == "InvalidInput"


def test_any_host_and_unknown_parameters_are_tolerated(amazon: Amazon) -> None:
    headers = {"x-amz-access-token": amazon.grant()["access_token"], "Host": "sellingpartnerapi-na.amazon.com"}

    assert amazon.client.get(f"{ORDERS}?whatever=1", headers=headers).status_code == 200


def test_a_sign_in_token_opens_nothing_here(amazon: Amazon) -> None:
    grant = amazon.state.create_grant(CLIENT_ID, next(iter(CUSTOMERS.values())), "profile")

    assert _is_denied(amazon.get(ORDERS, amazon.refresh(grant.refresh_token).get_json()["access_token"]))


def test_rotating_the_client_secret_leaves_the_old_one_seven_days(amazon: Amazon) -> None:
    refresh_token = amazon.grant()["refresh_token"]

    response = amazon.post(SECRET, amazon.grantless(ROTATION))

    assert (response.status_code, response.get_data()) == (204, b"")
    new = amazon.client.get("/_control/config").get_json()["client_secret"]
    assert amazon.refresh(refresh_token, client_secret=new).status_code == 200
    amazon.clock.now += 7 * 24 * 3600 - 1
    assert amazon.refresh(refresh_token).status_code == 200
    amazon.clock.now += 1
    assert amazon.refresh(refresh_token).status_code == 401


def test_rotation_needs_enrolment(amazon: Amazon) -> None:
    amazon.configure(rotation_enrolled=False)

    response = amazon.post(SECRET, amazon.grantless(ROTATION))

    assert response.status_code == 400
    assert "not enrolled for rotation" in response.get_json()["errors"][0]["message"]


def test_a_restricted_data_token_works_like_an_access_token(amazon: Amazon) -> None:
    resource = {"method": "GET", "path": "/vendor/directFulfillment/orders/v1/purchaseOrders"}

    body = amazon.post(
        "/tokens/2021-03-01/restrictedDataToken",
        amazon.grant()["access_token"],
        {"restrictedResources": [resource]},
    ).get_json()

    assert body["restrictedDataToken"].startswith("Atz.sprdt|")
    assert body["expiresIn"] == 3600
    assert amazon.get(ORDERS, body["restrictedDataToken"]).status_code == 200


@pytest.mark.parametrize(
    "body", [None, {}, {"restrictedResources": []}, {"restrictedResources": [{"method": "", "path": "/x"}]}, [1]]
)
def test_a_restricted_data_token_needs_resources(amazon: Amazon, body: object) -> None:
    response = amazon.post("/tokens/2021-03-01/restrictedDataToken", amazon.grant()["access_token"], body)

    assert response.status_code == 400
    assert response.get_json()["errors"][0]["code"] == "InvalidRequest"


def test_the_sandbox_answers_what_fits_and_refuses_the_rest(amazon: Amazon) -> None:
    token = amazon.grant()["access_token"]
    amazon.configure(sandbox=True)

    response = amazon.get(ORDERS, token, limit="1")
    assert response.get_json()["payload"]["orders"][0]["purchaseOrderNumber"] == "mock-purchaseOrderNumber1"
    assert response.headers["x-amzn-RateLimit-Limit"] == "5.0"
    assert amazon.get(ORDERS, token, createdBefore="2019-09-2100:00:00").status_code == 400
    assert amazon.get(f"{ORDERS}/X", token).get_json()["payload"]["purchaseOrderNumber"] == "mock-purchaseOrderNumber"
    assert amazon.get(f"{ORDERS}Status", token).status_code == 200
    assert amazon.get("/vendor/transactions/v1/transactions/x", token).status_code == 200
    assert amazon.post("/vendor/orders/v1/acknowledgements", token, {}).status_code == 202
    assert (
        amazon.post("/vendor/payments/v1/invoices", token, {"invoices": [{"id": "TestInvoice202"}]}).status_code == 202
    )
    response = amazon.post("/vendor/payments/v1/invoices", token, {"invoices": [{"id": "other"}]})
    assert response.status_code == 400
    assert response.get_json()["errors"] == [
        {"code": "InvalidInput", "message": "Could not match input arguments", "details": ""}
    ]
