"""Amazon's static sandbox: the same answer for every request that fits a pattern, “Could not match” for the others.

Patterns: the `x-amzn-api-sandbox` cases of Amazon's vendor models. An operation whose cases include an empty pattern
answers every request with it.
"""

from datetime import UTC, datetime
from typing import Any, Final

from connections.simulator.answers import Answer, Caller, invalid, no_match
from connections.simulator.purchase_orders import PurchaseOrder
from connections.simulator.registry import PARTNERS

_TRANSACTION: Final = "20190904190535-eef8cad8-418e-4ed3-ac72-789e2ee6214a"

# operation: (the list in the body, the key of its first item, the value that matches)
_SUBMISSIONS: Final = {
    "submit_shipment_confirmations": ("shipmentConfirmations", "shipmentIdentifier", "TestShipmentConfirmation202"),
    "submit_shipments": ("shipments", "vendorShipmentIdentifier", "00050003"),
    "submit_invoices": ("invoices", "id", "TestInvoice202"),
}


def answer(operation: str, caller: Caller, number: str = "", transaction_id: str = "") -> Answer:
    """The static case for `operation`. Raises ApiError."""
    match operation:
        case "get_purchase_orders" | "get_purchase_orders_status":
            return _orders(caller, operation)
        case "get_purchase_order":
            if number == "null":
                raise invalid(
                    "purchaseOrderNumber cannot be null",
                    "Request is missing or has invalid parameters",
                    "InvalidRequest",
                )
            return 200, {"payload": _order("mock-purchaseOrderNumber").details()}
        case "submit_acknowledgement":
            return 202, {"payload": {"transactionId": f"mock-TransactionId-{_TRANSACTION}"}}
        case "get_transaction":
            if transaction_id.startswith("Tran"):
                raise invalid(message="Invalid transmission ID.")
            return 200, {"payload": {"transactionStatus": {"transactionId": _TRANSACTION, "status": "Processing"}}}
        case "get_destinations":
            arn = "arn:aws:sqs:us-east-2:444455556666:queue1"
            resource = {"sqs": {"arn": arn}}
            return 200, {
                "payload": [{"destinationId": "TEST_CASE_200", "name": "SQSDestination", "resource": resource}]
            }
        case "rotate_application_client_secret":
            raise invalid(
                message="Application is not enrolled for rotation notification. "
                "Please update application notification preference in Developer console."
            )
    if operation in _SUBMISSIONS and _fits(caller, *_SUBMISSIONS[operation]):
        return 202, {"payload": {"transactionId": _TRANSACTION}}
    raise no_match()


def _orders(caller: Caller, operation: str) -> Answer:
    for name in ("createdAfter", "createdBefore", "updatedBefore", "updatedAfter"):
        try:
            datetime.fromisoformat(caller.request.args.get(name, "2020-01-01"))
        except ValueError:
            raise invalid(code="InvalidRequest") from None
    order = _order("mock-purchaseOrderNumber1")
    if operation == "get_purchase_orders_status":
        return 200, {"payload": {"ordersStatus": [order.status()]}}
    return 200, {"payload": {"orders": [order.details()]}}


def _order(number: str) -> PurchaseOrder:
    return PurchaseOrder(number, "New", datetime(2019, 8, 14, 13, 51, tzinfo=UTC), next(iter(PARTNERS.values())), 2)


def _fits(caller: Caller, name: str, key: str, value: str) -> bool:
    body: Any = caller.request.get_json(silent=True, force=True)
    items = body.get(name) if isinstance(body, dict) else None
    return isinstance(items, list) and bool(items) and isinstance(items[0], dict) and items[0].get(key) == value
