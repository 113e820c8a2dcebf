"""Vendor orders, shipments, invoices and transactions."""

from datetime import UTC, datetime, timedelta

import pytest

from .walks import Amazon

ORDERS = "/vendor/orders/v1/purchaseOrders"


@pytest.fixture
def token(amazon: Amazon) -> str:
    return str(amazon.grant()["access_token"])


def _ago(amazon: Amazon, **span: float) -> str:
    return (datetime.fromtimestamp(amazon.clock.now, UTC) - timedelta(**span)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_the_connection_tests_question_is_answered_briefly(amazon: Amazon, token: str) -> None:
    query = {"createdAfter": _ago(amazon, days=6.99), "createdBefore": _ago(amazon), "includeDetails": "false"}

    orders = amazon.get(ORDERS, token, limit="1", **query).get_json()["payload"]["orders"]

    assert len(orders) == 1
    assert set(orders[0]) == {"purchaseOrderNumber", "purchaseOrderState"}


def test_created_dates_bound_the_orders(amazon: Amazon, token: str) -> None:
    after, before = _ago(amazon, days=5), _ago(amazon, days=2)

    orders = amazon.get(ORDERS, token, createdAfter=after, createdBefore=before).get_json()["payload"]["orders"]

    assert orders
    assert all(after <= order["orderDetails"]["purchaseOrderDate"] < before for order in orders)


def test_pages_hold_every_order_once(amazon: Amazon, token: str) -> None:
    numbers: list[str] = []
    query: dict[str, str] = {"limit": "7"}
    while True:
        payload = amazon.get(ORDERS, token, **query).get_json()["payload"]
        numbers += [order["purchaseOrderNumber"] for order in payload["orders"]]
        if "pagination" not in payload:
            break
        query["nextToken"] = payload["pagination"]["nextToken"]

    assert len(numbers) == len(set(numbers)) == 30


def test_the_order_of_the_orders_can_be_turned(amazon: Amazon, token: str) -> None:
    newest_first = amazon.get(ORDERS, token).get_json()["payload"]["orders"]

    assert amazon.get(ORDERS, token, sortOrder="ASC").get_json()["payload"]["orders"] == newest_first[::-1]


def test_states_and_vendor_codes_filter(amazon: Amazon, token: str) -> None:
    new = amazon.get(ORDERS, token, purchaseOrderState="New").get_json()["payload"]["orders"]
    coded = amazon.get(ORDERS, token, orderingVendorCode="EXUS1").get_json()["payload"]["orders"]

    assert {order["purchaseOrderState"] for order in new} == {"New"}
    assert {order["orderDetails"]["sellingParty"]["partyId"] for order in coded} == {"EXUS1"}


def test_each_vendor_group_has_its_own_orders(amazon: Amazon, token: str) -> None:
    other = amazon.grant("VGSIMULATOR02")["access_token"]
    number = amazon.get(ORDERS, token).get_json()["payload"]["orders"][0]["purchaseOrderNumber"]

    assert amazon.get(f"{ORDERS}/{number}", token).get_json()["payload"]["purchaseOrderNumber"] == number
    assert amazon.get(f"{ORDERS}/{number}", other).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "101"},
        {"limit": "many"},
        {"limit": "²"},
        {"createdAfter": "yesterday"},
        {"createdAfter": "2026-01-01T00:00:00Z", "createdBefore": "2026-01-09T00:00:00Z"},
        {"createdAfter": "2026-01-02T00:00:00Z", "createdBefore": "2026-01-01T00:00:00Z"},
        {"createdAfter": "2020-01-01T00:00:00Z"},
        {"sortOrder": "UP"},
        {"includeDetails": "maybe"},
        {"nextToken": "!"},
        {"nextToken": "eA=="},
        {"purchaseOrderState": "Lost"},
    ],
)
def test_bad_input_is_named(amazon: Amazon, token: str, query: dict[str, str]) -> None:
    response = amazon.get(ORDERS, token, **query)

    assert response.status_code == 400
    error = response.get_json()["errors"][0]
    assert (error["code"], error["message"]) == ("InvalidInput", "The request is invalid.")
    assert next(iter(query)) in error["details"]


def test_seven_days_exactly_are_allowed(amazon: Amazon, token: str) -> None:
    assert amazon.get(ORDERS, token, createdAfter=_ago(amazon, days=7), createdBefore=_ago(amazon)).status_code == 200


def test_an_acknowledged_order_is_acknowledged(amazon: Amazon, token: str) -> None:
    number = amazon.get(ORDERS, token).get_json()["payload"]["orders"][0]["purchaseOrderNumber"]
    item = {"purchaseOrderNumber": number, "sellingParty": {"partyId": "EXUS1"}}

    response = amazon.post("/vendor/orders/v1/acknowledgements", token, {"acknowledgements": [item]})

    assert response.status_code == 202
    assert amazon.get(f"{ORDERS}/{number}", token).get_json()["payload"]["purchaseOrderState"] == "Acknowledged"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (
            "/vendor/shipping/v1/shipmentConfirmations",
            {"shipmentConfirmations": [{"shipmentIdentifier": "S", "sellingParty": {}, "shipFromParty": {}}]},
        ),
        (
            "/vendor/shipping/v1/shipments",
            {"shipments": [{"vendorShipmentIdentifier": "S", "transactionType": "New", "sellingParty": {}}]},
        ),
        ("/vendor/payments/v1/invoices", {"invoices": [{"invoiceType": "Invoice", "id": "I", "date": "2026-01-01"}]}),
    ],
)
def test_a_submission_becomes_a_transaction_that_succeeds(amazon: Amazon, token: str, path: str, body: object) -> None:
    response = amazon.post(path, token, body)
    assert response.status_code == 202
    transaction = f"/vendor/transactions/v1/transactions/{response.get_json()['payload']['transactionId']}"

    assert amazon.get(transaction, token).get_json()["payload"]["transactionStatus"]["status"] == "Processing"
    amazon.clock.now += 10
    assert amazon.get(transaction, token).get_json()["payload"]["transactionStatus"]["status"] == "Success"

    for incomplete in (None, {}, {next(iter(body)): []}, {next(iter(body)): [{}]}, {next(iter(body)): [1]}):  # type: ignore[call-overload]
        assert amazon.post(path, token, incomplete).get_json()["errors"][0]["code"] == "InvalidInput"


def test_transactions_fail_are_unknown_or_malformed(amazon: Amazon, token: str) -> None:
    path = "/vendor/transactions/v1/transactions/"

    failed = amazon.get(path + "20190918190535-eef8cad8-418e-456f-ac72-789e2ee6813c", token).get_json()
    assert failed["payload"]["transactionStatus"]["status"] == "Failure"
    assert failed["payload"]["transactionStatus"]["errors"]
    assert amazon.get(path + "20200918190535-eef8cad8-418e-456f-ac72-789e2ee6813c", token).status_code == 404
    assert amazon.get(path + "Tran0904190535", token).status_code == 400


def test_order_status_and_shipments_are_listed(amazon: Amazon, token: str) -> None:
    number = amazon.get(ORDERS, token).get_json()["payload"]["orders"][0]["purchaseOrderNumber"]

    status = amazon.get(f"{ORDERS}Status", token, purchaseOrderNumber=number).get_json()["payload"]["ordersStatus"]
    shipments = amazon.get("/vendor/shipping/v1/shipments", token, limit="3").get_json()["payload"]["shipments"]

    assert [each["purchaseOrderNumber"] for each in status] == [number]
    assert len(shipments) == 3
