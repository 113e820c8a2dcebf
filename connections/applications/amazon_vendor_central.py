"""Amazon Vendor Central: the Selling Partner API for first-party vendors."""

from __future__ import annotations

from dataclasses import replace

from connections.applications import amazon, amazon_errors
from connections.applications.application import Application, SdkCall, TestCall, TokenPlacement

ORDERS_API = SdkCall(
    module="spapi.api.vendor_orders_v1.vendor_orders_api",
    api="VendorOrdersApi",
    call="get_purchase_orders(limit=1, created_after=datetime.now(timezone.utc) - timedelta(days=6))",
)
ROLES = "Amazon Fulfillment or Inventory and Order Tracking"

# A client-credentials token belongs to the application, not to an account, so it can read no purchase orders.
GRANTLESS_CALLS = {
    "sellingpartnerapi::notifications": TestCall(
        method="GET",
        path="/notifications/v1/destinations",
        note="Lists the application's notification destinations; an empty list passes. At most one call a second.",
        sdk=SdkCall(
            module="spapi.api.notifications_v1.notifications_api", api="NotificationsApi", call="get_destinations()"
        ),
    ),
    "": TestCall(
        method="", path="", note="Getting a token is the whole test: no harmless call is known for this scope."
    ),
}

APPLICATION = Application(
    slug="amazon-vendor-central",
    name="Amazon Vendor Central",
    summary="Purchase orders, shipments and invoices for vendors who sell to Amazon, through the Selling Partner API.",
    keywords=(
        "amazon",
        "vendor",
        "vendor central",
        "selling partner",
        "sp-api",
        "spapi",
        "purchase orders",
        "first-party",
        "1p",
    ),
    vendor="Amazon",
    consent="spapi",
    initial={
        "region": "na",
        "marketplace": "US",
        "base_uri": "https://sellingpartnerapi-na.amazon.com",
        "media_type": "json",
        "auth_type": "oauth2",
        "grant_type": "authorization_code",
        "client_authentication": "client_secret_post",
        "authorization_url": "https://vendorcentral.amazon.com/apps/authorize/consent",
        "token_url": amazon.TOKEN_URL,
        "scope": "",
        "pkce": "off",  # not documented for /apps/authorize/consent
        "code_param": "spapi_oauth_code",
        "revoke_url": "",  # only the vendor can withdraw an authorization, at Amazon
        "ping_method": "GET",
    },
    regions=amazon.REGIONS,
    marketplaces=amazon.marketplaces("vendor"),
    authorization_url_template="https://{host}/apps/authorize/consent",
    token_hosts=(amazon.TOKEN_HOST,),
    code_param="spapi_oauth_code",
    identity_param="selling_partner_id",
    placement=TokenPlacement(location="header", name="x-amz-access-token", prefix=""),
    user_agent=True,
    asks_application_id=True,
    offers_paste=True,
    offers_draft=True,
    https_redirect_only=True,
    rotates_refresh_tokens=False,
    client_id_prefixes=amazon.CLIENT_ID_PREFIXES,
    client_secret_prefixes=amazon.CLIENT_SECRET_PREFIXES,
    application_id_prefixes=amazon.APPLICATION_ID_PREFIXES,
    refresh_token_prefix=amazon.REFRESH_TOKEN_PREFIX,
    access_token_prefix=amazon.ACCESS_TOKEN_PREFIX,
    refresh_token_max_bytes=2048,
    scopes=amazon.GRANTLESS_SCOPES,
    login_hosts=amazon.LOGIN_HOSTS,
    authorization_lifetime_days=365,
    client_secret_lifetime_days=180,
    call=TestCall(
        method="GET",
        path="/vendor/orders/v1/purchaseOrders?limit=1&includeDetails=false"
        "&createdAfter={created_after}&createdBefore={created_before}",
        note="Asks for the number of one purchase order of the last 7 days; none at all passes too. "
        f"Needs the role {ROLES}.",
        sdk=ORDERS_API,
    ),
    # With dates the sandbox might look for an example of just these dates.
    sandbox_call=TestCall(
        method="GET",
        path="/vendor/orders/v1/purchaseOrders?limit=1",
        note="Asks the sandbox for its example purchase order.",
        sdk=replace(ORDERS_API, call="get_purchase_orders(limit=1)"),
    ),
    grantless_calls=GRANTLESS_CALLS,
    rules=amazon_errors.selling_partner_rules(token_url=amazon.TOKEN_URL, account="vendor", roles=ROLES),
)
