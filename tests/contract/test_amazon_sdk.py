"""Amazon's own SDK against the simulator in its own process: what satisfies this client is shaped as Amazon shapes it.

The SDK reads every answer into its models and raises on what does not fit. Only paths that succeed are walked with it:
on a refusal of the token endpoint it waits 14 seconds and hides the answer.
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from spapi import SPAPIClient, SPAPIConfig
from spapi.api.notifications_v1.notifications_api import NotificationsApi
from spapi.api.sellers_v1.sellers_api import SellersApi
from spapi.api.vendor_orders_v1.vendor_orders_api import VendorOrdersApi
from spapi.api.vendor_shipments_v1.vendor_shipment_api import VendorShipmentApi
from spapi.api.vendor_transaction_status_v1.vendor_transaction_api import VendorTransactionApi

ROOT = Path(__file__).resolve().parents[2]
CLIENT = {"client_id": "amzn1.application-oa2-client.simulator", "client_secret": "amzn1.oa2-cs.v1.simulator"}
REDIRECT_URI = "http://127.0.0.1:8000/oauth/callback/"

pytestmark = pytest.mark.contract


@pytest.fixture(scope="module")
def amazon() -> Iterator[str]:
    """The address of a simulator that listens on a free port; it ends with code 0."""
    command = [sys.executable, "-m", "connections.simulator", "--port", "0"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().split()[-1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0


def _consent(amazon: str, account: str) -> dict[str, str]:
    """Walk the consent page as a browser does, choosing `account`; the answer that the redirect carries."""
    query = {"application_id": "amzn1.sp.solution.simulator", "state": "state-1", "redirect_uri": REDIRECT_URI}
    page = requests.get(f"{amazon}/apps/authorize/consent", params=query, timeout=10)
    page.raise_for_status()
    assert account in [unescape(value) for value in re.findall(r'<option value="([^"]+)"', page.text)]
    form = {"account": account, "decision": "confirm"}
    back = requests.post(page.url, data=form, timeout=10, allow_redirects=False)
    assert back.status_code == 302
    assert back.headers["Location"].startswith(REDIRECT_URI)
    answer = {name: values[0] for name, values in parse_qs(urlsplit(back.headers["Location"]).query).items()}
    assert answer["state"] == "state-1"
    return answer


def _client(amazon: str, account: str) -> Any:
    """The SDK's client, authorized by `account`."""
    form = {**CLIENT, "grant_type": "authorization_code", "redirect_uri": REDIRECT_URI}
    form["code"] = _consent(amazon, account)["spapi_oauth_code"]
    tokens = requests.post(f"{amazon}/auth/o2/token", data=form, timeout=10).json()
    config = SPAPIConfig(**CLIENT, refresh_token=tokens["refresh_token"], region="NA")
    return SPAPIClient(config, oauth_endpoint=f"{amazon}/auth/o2/token", endpoint=amazon).api_client


@pytest.fixture(scope="module")
def vendor(amazon: str) -> Any:
    return _client(amazon, "VGSIMULATOR01")


def test_the_sdk_exchanges_the_refresh_token_and_lists_orders(amazon: str, vendor: Any) -> None:
    now = datetime.now(UTC)

    response = VendorOrdersApi(vendor).get_purchase_orders(
        limit=2, created_after=now - timedelta(days=6), created_before=now, include_details="true"
    )

    assert len(response.payload.orders) == 2
    assert response.payload.pagination.next_token
    order = response.payload.orders[0]
    assert order.purchase_order_state in ("New", "Acknowledged", "Closed")
    assert order.order_details.items[0].net_cost.currency_code == "USD"
    called = requests.get(f"{amazon}/_control/calls", timeout=10).json()
    assert ("/auth/o2/token", "refresh_token", 200) in [(c["path"], c["grant_type"], c["status"]) for c in called]


def test_the_sdk_reads_one_order(vendor: Any) -> None:
    orders = VendorOrdersApi(vendor)
    number = orders.get_purchase_orders(limit=1, include_details="false").payload.orders[0].purchase_order_number

    assert orders.get_purchase_order(number).payload.purchase_order_number == number


def test_the_sdk_reads_status_shipments_and_transactions(vendor: Any) -> None:
    status = VendorOrdersApi(vendor).get_purchase_orders_status(limit=1).payload.orders_status
    shipments = VendorShipmentApi(vendor).get_shipment_details(limit=1).payload.shipments
    transaction = VendorTransactionApi(vendor).get_transaction("20190904190535-eef8cad8-418e-4ed3-ac72-789e2ee6214a")

    assert status[0].item_status[0].receiving_status is not None
    assert shipments[0].transaction_type == "New"
    assert transaction.payload.transaction_status.status == "Processing"


def test_the_sdk_reads_destinations_with_a_grantless_token(amazon: str) -> None:
    config = SPAPIConfig(**CLIENT, region="NA", scope="sellingpartnerapi::notifications")
    client = SPAPIClient(config, oauth_endpoint=f"{amazon}/auth/o2/token", endpoint=amazon).api_client

    assert NotificationsApi(client).get_destinations().payload[0].resource.sqs.arn.startswith("arn:aws:sqs:")


def test_the_sdk_reads_a_sellers_marketplaces(amazon: str) -> None:
    seller = _client(amazon, "A1SIMULATOR01")

    assert SellersApi(seller).get_marketplace_participations().payload[0].marketplace.id == "ATVPDKIKX0DER"


def test_the_sdk_reads_what_the_sandbox_answers(amazon: str, vendor: Any) -> None:
    requests.post(f"{amazon}/_control/config", json={"sandbox": True}, timeout=10).raise_for_status()
    try:
        orders = VendorOrdersApi(vendor).get_purchase_orders(limit=1).payload.orders
        assert orders[0].purchase_order_number == "mock-purchaseOrderNumber1"
        assert VendorOrdersApi(vendor).get_purchase_order("4Z32PABC").payload.order_details.items
    finally:
        requests.post(f"{amazon}/_control/config", json={"sandbox": False}, timeout=10).raise_for_status()
