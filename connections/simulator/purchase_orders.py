"""Purchase orders out of nothing: each vendor group gets a new one every eleven hours, the same for everyone who asks.

Shapes: Amazon's vendorOrders model, Order and OrderStatus.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from connections.simulator.registry import Account

EVERY: Final = timedelta(hours=11)
KEPT: Final = 30
_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRSTUVWXYZ"
_PRODUCTS: Final = (
    ("B0EXAMPLE1", "0012345000010", "24.90"),
    ("B0EXAMPLE2", "0012345000027", "7.45"),
    ("B0EXAMPLE3", "0012345000034", "112.00"),
)
_CURRENCIES: Final = {"US": "USD", "DE": "EUR", "JP": "JPY"}
_STATES: Final = ("New", "Acknowledged", "Closed")


@dataclass(frozen=True)
class PurchaseOrder:
    """One order of one vendor group."""

    number: str
    state: str
    created_at: datetime
    account: Account
    slot: int

    @property
    def vendor_code(self) -> str:
        """The vendor code it was placed with; a group has two."""
        return f"EX{self.account.country}{self.slot % 2 + 1}"

    @property
    def changed(self) -> bool:
        """Whether Amazon changed it after it was placed."""
        return self.slot % 5 == 0

    def summary(self) -> dict[str, Any]:
        """Only number and state."""
        return {"purchaseOrderNumber": self.number, "purchaseOrderState": self.state}

    def details(self) -> dict[str, Any]:
        """The whole order."""
        day = self.created_at + timedelta(days=2)
        window = f"{_iso(day)}--{_iso(day + timedelta(days=6))}"
        party = {"partyId": "ABCD"}
        order = {
            "purchaseOrderDate": _iso(self.created_at),
            "purchaseOrderStateChangedDate": _iso(self.created_at),
            "purchaseOrderType": "RegularOrder",
            "paymentMethod": "Invoice",
            "buyingParty": party,
            "sellingParty": {"partyId": self.vendor_code},
            "shipToParty": party,
            "billToParty": party,
            "shipWindow": window,
            "items": [
                {
                    "itemSequenceNumber": sequence,
                    "amazonProductIdentifier": asin,
                    "vendorProductIdentifier": ean,
                    "orderedQuantity": amount,
                    "isBackOrderAllowed": False,
                    "netCost": cost,
                    "listPrice": cost,
                }
                for sequence, asin, ean, amount, cost in self._items()
            ],
        }
        if self.changed:
            order["purchaseOrderChangedDate"] = _iso(self.created_at + timedelta(hours=3))
        return {**self.summary(), "orderDetails": order}

    def status(self) -> dict[str, Any]:
        """How far it has come."""
        open_ = self.state != "Closed"
        return {
            "purchaseOrderNumber": self.number,
            "purchaseOrderStatus": "OPEN" if open_ else "CLOSED",
            "purchaseOrderDate": _iso(self.created_at),
            "lastUpdatedDate": _iso(self.created_at),
            "sellingParty": {"partyId": self.vendor_code},
            "shipToParty": {"partyId": "ABCD"},
            "itemStatus": [
                {
                    "itemSequenceNumber": sequence,
                    "buyerProductIdentifier": asin,
                    "vendorProductIdentifier": ean,
                    "netCost": cost,
                    "listPrice": cost,
                    "orderedQuantity": {"orderedQuantity": amount},
                    "acknowledgementStatus": {
                        "confirmationStatus": "UNCONFIRMED" if self.state == "New" else "ACCEPTED",
                        "acceptedQuantity": {**amount, "amount": 0 if self.state == "New" else amount["amount"]},
                    },
                    "receivingStatus": {
                        "receiveStatus": "NOT_RECEIVED" if open_ else "RECEIVED",
                        "receivedQuantity": {**amount, "amount": 0 if open_ else amount["amount"]},
                    },
                }
                for sequence, asin, ean, amount, cost in self._items()
            ],
        }

    def _items(self) -> list[tuple[str, str, str, dict[str, Any], dict[str, str]]]:
        currency = _CURRENCIES.get(self.account.country, "USD")
        return [
            (
                str(place),
                asin,
                ean,
                {"amount": 4 * place + self.slot % 7, "unitOfMeasure": "Eaches", "unitSize": 1},
                {"amount": price, "currencyCode": currency},
            )
            for place, (asin, ean, price) in enumerate(_PRODUCTS[: self.slot % 3 + 1], 1)
        ]


def recent(account: Account, now: float, acknowledged: set[tuple[str, str]]) -> list[PurchaseOrder]:
    """The vendor group's last orders, newest first. `now` is in epoch seconds."""
    newest = int(now // EVERY.total_seconds())
    return [_order(account, newest - age, age, acknowledged) for age in range(KEPT)]


def _order(account: Account, slot: int, age: int, acknowledged: set[tuple[str, str]]) -> PurchaseOrder:
    digest = hashlib.sha256(f"{account.id} {slot}".encode()).digest()
    number = "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in digest[:8])
    state = _STATES[0 if age < 4 else 1 if age < 12 else 2]
    if state == "New" and (account.id, number) in acknowledged:
        state = "Acknowledged"
    created_at = datetime.fromtimestamp(slot * EVERY.total_seconds(), UTC)
    return PurchaseOrder(number, state, created_at, account, slot)


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
