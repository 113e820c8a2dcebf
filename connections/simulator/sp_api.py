"""The gate of the Selling Partner API: which operations there are, and who may call them.

The checks come in this order, each with Amazon's own answer: user agent, token, client secret, path, account and role,
marketplace, quota. Source: Amazon, “Connecting to the Selling Partner API”, “Usage plans”, and recorded answers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Request, Response

from connections.simulator import platform_operations, sandbox, vendor
from connections.simulator.answers import Answer, ApiError, Caller, denied, invalid, refusal, success, throttled
from connections.simulator.registry import MARKETPLACES
from connections.simulator.state import State

USER_AGENT_AT_MOST: Final = 500
_MARKETPLACE_PARAMETERS: Final = ("marketplaceIds", "MarketplaceIds", "marketplaceId", "MarketplaceId")


@dataclass(frozen=True)
class Operation:
    """`open_to` is an account kind, `partner` for any selling partner, or the scope of a grantless token."""

    act: Callable[..., Answer]
    open_to: str
    rate: str = "10.0"


_VENDOR: Final = (
    ("GET", "/vendor/orders/v1/purchaseOrders", vendor.get_purchase_orders),
    ("GET", "/vendor/orders/v1/purchaseOrders/<number>", vendor.get_purchase_order),
    ("GET", "/vendor/orders/v1/purchaseOrdersStatus", vendor.get_purchase_orders_status),
    ("POST", "/vendor/orders/v1/acknowledgements", vendor.submit_acknowledgement),
    ("POST", "/vendor/shipping/v1/shipmentConfirmations", vendor.submit_shipment_confirmations),
    ("GET", "/vendor/shipping/v1/shipments", vendor.get_shipments),
    ("POST", "/vendor/shipping/v1/shipments", vendor.submit_shipments),
    ("POST", "/vendor/payments/v1/invoices", vendor.submit_invoices),
    ("GET", "/vendor/transactions/v1/transactions/<transaction_id>", vendor.get_transaction),
)

_OPERATIONS: Final = Map(
    [
        *(Rule(path, methods=[method], endpoint=Operation(act, "vendor")) for method, path, act in _VENDOR),
        Rule(
            "/notifications/v1/destinations",
            methods=["GET"],
            endpoint=Operation(platform_operations.get_destinations, "sellingpartnerapi::notifications", "1.0"),
        ),
        Rule(
            "/sellers/v1/marketplaceParticipations",
            methods=["GET"],
            endpoint=Operation(platform_operations.get_marketplace_participations, "seller", "0.016"),
        ),
        Rule(
            "/tokens/2021-03-01/restrictedDataToken",
            methods=["POST"],
            endpoint=Operation(platform_operations.create_restricted_data_token, "partner", "1.0"),
        ),
        Rule(
            "/applications/2023-11-30/clientSecret",
            methods=["POST"],
            endpoint=Operation(
                platform_operations.rotate_application_client_secret,
                "sellingpartnerapi::client_credential:rotation",
                "0.0167",
            ),
        ),
    ],
    merge_slashes=False,
)


def call(state: State, request: Request) -> Response:
    """Answer a call of any path that is not a page's or the token endpoint's."""
    rate = ""
    try:
        if len(request.headers.get("User-Agent", "")) > USER_AGENT_AT_MOST:
            raise invalid("The user-agent header is longer than 500 characters.")
        caller = _authenticate(state, request)
        operation, named = _find(request)
        rate = _rate(state, operation)
        _authorize(caller, operation)
        if not state.take_quota(operation.act.__name__, _who(caller), caller.claims.client_id):
            raise throttled()
        if state.configuration.sandbox and operation.open_to != "seller":
            return success(*sandbox.answer(operation.act.__name__, caller, **named), rate)
        return success(*operation.act(caller, **named), rate)
    except ApiError as error:
        return refusal(error, rate)


def _authenticate(state: State, request: Request) -> Caller:
    token = request.headers.get("x-amz-access-token")
    if not token:
        raise denied("Access token is missing in the request header.")
    claims = state.mint.read(token)
    grant = state.grants.get(claims.grant_id) if claims else None
    if claims is None or (claims.grant_id and grant is None):
        raise denied("The access token you provided is revoked, malformed or invalid.")
    if state.clock() >= claims.expires_at:
        raise denied("The access token you provided has expired.")
    if state.configuration.client_secret_expired:
        raise denied("The LWA secret token you provided has expired.")
    return Caller(state, request, claims, grant.account if grant else None)


def _find(request: Request) -> tuple[Operation, dict[str, str]]:
    """The operation and what its path names; an unknown path is denied like a missing role."""
    try:
        operation, named = _OPERATIONS.bind("", path_info=request.path).match(method=request.method)
    except HTTPException:
        raise denied() from None
    return operation, dict(named)


def _authorize(caller: Caller, operation: Operation) -> None:
    if caller.account is None:
        allowed = set(caller.claims.scope.split())
    else:
        allowed = {str(caller.account.kind)} | ({"partner"} if caller.account.kind != "customer" else set())
    roles = caller.state.configuration.missing_roles
    if operation.open_to not in allowed or any(caller.request.path.startswith(path) for path in roles):
        raise denied()
    here = MARKETPLACES[caller.state.configuration.region]
    for name in _MARKETPLACE_PARAMETERS:
        for value in caller.request.args.getlist(name):
            if not here.issuperset(value.split(",")):
                raise denied("The marketplaces you provided are not valid for region.")


def _rate(state: State, operation: Operation) -> str:
    if state.configuration.sandbox:
        return "5.0"
    limit = state.configuration.rate_limit
    return operation.rate if limit is None else str(float(limit))


def _who(caller: Caller) -> str:
    return caller.account.id if caller.account else ""
