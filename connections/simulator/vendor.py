"""The vendor operations: orders, shipments, invoices, transactions. Shapes: Amazon's vendor models."""

import base64
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connections.simulator.answers import Answer, Caller, invalid, not_found
from connections.simulator.purchase_orders import PurchaseOrder, recent

LONGEST_RANGE: Final = timedelta(days=7)
PROCESSING_SECONDS: Final = 10
_TRANSACTION_ID: Final = re.compile(r"\d{14}-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# The two ids of Amazon's transaction status model that always exist.
_KNOWN_TRANSACTIONS: Final[dict[str, dict[str, Any]]] = {
    "20190904190535-eef8cad8-418e-4ed3-ac72-789e2ee6214a": {"status": "Processing"},
    "20190918190535-eef8cad8-418e-456f-ac72-789e2ee6813c": {
        "status": "Failure",
        "errors": [{"code": "INVALID_ORDER_ID", "message": "Invalid order ID."}],
    },
}


def get_purchase_orders(caller: Caller) -> Answer:
    """createdAfter and createdBefore (at most 7 days), limit 1-100, includeDetails, sortOrder, nextToken, filters."""
    sent = caller.request.args
    created = _range(caller, "created")
    changed = _range(caller, "changed")
    with_details = _flag(caller, "includeDetails", default=True)
    only_changed = _flag(caller, "isPOChanged", default=False) or "changedAfter" in sent or "changedBefore" in sent
    state = _choice(caller, "purchaseOrderState", "New", "Acknowledged", "Closed")
    _choice(caller, "poItemState", "Cancelled")
    code = sent.get("orderingVendorCode")
    orders = [
        order
        for order in _orders(caller)
        if created(order.created_at)
        and changed(order.created_at)
        and (not only_changed or order.changed)
        and state in (None, order.state)
        and code in (None, order.vendor_code)
        and "poItemState" not in sent
    ]
    page, pagination = _page(caller, orders)
    rows = [order.details() if with_details else order.summary() for order in page]
    return 200, {"payload": {**pagination, "orders": rows}}


def get_purchase_order(caller: Caller, number: str) -> Answer:
    """One order of this vendor group, or 404."""
    order = next((each for each in _orders(caller) if each.number == number), None)
    if order is None:
        raise not_found()
    return 200, {"payload": order.details()}


def get_purchase_orders_status(caller: Caller) -> Answer:
    """How far each order has come; the same dates and paging as the orders."""
    created = _range(caller, "created")
    updated = _range(caller, "updated")
    status = _choice(caller, "purchaseOrderStatus", "OPEN", "CLOSED")
    number = caller.request.args.get("purchaseOrderNumber")
    orders = [
        order
        for order in _orders(caller)
        if created(order.created_at)
        and updated(order.created_at)
        and status in (None, order.status()["purchaseOrderStatus"])
        and number in (None, order.number)
    ]
    page, pagination = _page(caller, orders)
    return 200, {"payload": {**pagination, "ordersStatus": [order.status() for order in page]}}


def submit_acknowledgement(caller: Caller) -> Answer:
    """Takes the acknowledgements; the orders they name become Acknowledged."""
    for item in _submitted(caller, "acknowledgements", "purchaseOrderNumber", "sellingParty"):
        caller.state.acknowledged.add((caller.vendor.id, str(item["purchaseOrderNumber"])))
    return _accepted(caller)


def submit_shipment_confirmations(caller: Caller) -> Answer:
    """Takes shipment confirmations."""
    _submitted(caller, "shipmentConfirmations", "shipmentIdentifier", "sellingParty", "shipFromParty")
    return _accepted(caller)


def submit_shipments(caller: Caller) -> Answer:
    """Takes shipments."""
    _submitted(caller, "shipments", "vendorShipmentIdentifier", "transactionType", "sellingParty")
    return _accepted(caller)


def submit_invoices(caller: Caller) -> Answer:
    """Takes invoices."""
    for item in _submitted(caller, "invoices", "invoiceType", "id", "date"):
        if item["invoiceType"] not in ("Invoice", "CreditNote"):
            raise invalid(f"The value '{item['invoiceType']}' of element 'invoiceType' is not valid.")
    return _accepted(caller)


def get_shipments(caller: Caller) -> Answer:
    """A shipment for each closed order."""
    created = _range(caller, "created")
    wanted = caller.request.args.get("vendorShipmentIdentifier")
    orders = [order for order in _orders(caller) if order.state == "Closed" and created(order.created_at)]
    page, pagination = _page(caller, [order for order in orders if wanted in (None, f"S{order.number}")])
    return 200, {"payload": {**pagination, "shipments": [_shipment(order) for order in page]}}


def get_transaction(caller: Caller, transaction_id: str) -> Answer:
    """Processing for ten seconds after the submission, then Success."""
    if not _TRANSACTION_ID.fullmatch(transaction_id):
        raise invalid(message="Invalid transmission ID.")
    status = _KNOWN_TRANSACTIONS.get(transaction_id)
    if status is None:
        submitted_at = caller.state.transactions.get(transaction_id)
        if submitted_at is None:
            raise not_found()
        done = caller.state.clock() - submitted_at >= PROCESSING_SECONDS
        status = {"status": "Success" if done else "Processing"}
    return 200, {"payload": {"transactionStatus": {"transactionId": transaction_id, **status}}}


def _orders(caller: Caller) -> list[PurchaseOrder]:
    return recent(caller.vendor, caller.state.clock(), caller.state.acknowledged)


def _shipment(order: PurchaseOrder) -> dict[str, Any]:
    address = {"name": "Example warehouse", "addressLine1": "1 Example Street", "countryCode": order.account.country}
    return {
        "vendorShipmentIdentifier": f"S{order.number}",
        "transactionType": "New",
        "transactionDate": order.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "currentShipmentStatus": "Shipped",
        "shipmentFreightTerm": "Prepaid",
        "sellingParty": {"partyId": order.vendor_code},
        "shipFromParty": {"partyId": order.vendor_code, "address": address},
        "shipToParty": {"partyId": "ABCD"},
        "purchaseOrders": [{"purchaseOrderNumber": order.number}],
    }


def _submitted(caller: Caller, name: str, *required: str) -> list[dict[str, Any]]:
    """The items of a submission, each with what it must have."""
    body = caller.request.get_json(silent=True, force=True)
    items = body.get(name) if isinstance(body, dict) else None
    if not isinstance(items, list) or not items:
        raise invalid(f"The content is not complete. '{name}' is expected.")
    for item in items:
        for key in required:
            if not isinstance(item, dict) or key not in item:
                raise invalid(f"The content of element '{name}' is not complete. '{key}' is expected.")
    return items


def _accepted(caller: Caller) -> Answer:
    moment = datetime.fromtimestamp(caller.state.clock(), UTC).strftime("%Y%m%d%H%M%S")
    transaction_id = f"{moment}-{uuid.uuid4()}"
    caller.state.add_transaction(transaction_id)
    return 202, {"payload": {"transactionId": transaction_id}}


def _range(caller: Caller, name: str) -> Callable[[datetime], bool]:
    """Whether a time lies between {name}After and {name}Before; the two may be seven days apart at most."""
    after, before = _time(caller, f"{name}After"), _time(caller, f"{name}Before")
    if after or before:
        start = after or before
        end = before or datetime.fromtimestamp(caller.state.clock(), UTC)
        assert start is not None
        if before and start > end:
            raise invalid(f"{name}After must be before {name}Before.")
        if after and end - start > LONGEST_RANGE:
            raise invalid(f"The range between {name}After and {name}Before must not exceed 7 days.")
    return lambda moment: (after is None or moment >= after) and (before is None or moment < before)


def _time(caller: Caller, name: str) -> datetime | None:
    text = caller.request.args.get(name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise invalid(f"{name} must be in ISO-8601 date/time format.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _flag(caller: Caller, name: str, *, default: bool) -> bool:
    text = _choice(caller, name, "true", "false", "True", "False")
    return default if text is None else text.lower() == "true"


def _choice(caller: Caller, name: str, *choices: str) -> str | None:
    text = caller.request.args.get(name)
    if text is not None and text not in choices:
        raise invalid(f"{name} must be one of {', '.join(choices)}.")
    return text


def _page(caller: Caller, orders: list[PurchaseOrder]) -> tuple[list[PurchaseOrder], dict[str, Any]]:
    """(the page, {} or the pagination that leads to the next one)."""
    sent = caller.request.args
    limit = sent.get("limit", "100")
    if not limit.isascii() or not limit.isdigit() or not 1 <= int(limit) <= 100:
        raise invalid("limit must be between 1 and 100.")
    if _choice(caller, "sortOrder", "ASC", "DESC") == "ASC":
        orders = orders[::-1]
    start = _offset(sent["nextToken"]) if "nextToken" in sent else 0
    end = start + int(limit)
    pagination = {"nextToken": base64.b64encode(f"{end:010d}".encode()).decode()} if end < len(orders) else None
    return orders[start:end], {"pagination": pagination} if pagination else {}


def _offset(token: str) -> int:
    try:
        return int(base64.b64decode(token, validate=True).decode("ascii"))
    except ValueError:
        raise invalid("nextToken is not valid.") from None
