"""Amazon Seller Central: the Selling Partner API for sellers.

Like Vendor Central but for the sign-in hosts, the test call and the words.
"""

from __future__ import annotations

from dataclasses import replace

from connections.applications import amazon, amazon_errors, amazon_vendor_central
from connections.applications.application import SdkCall, TestCall

_PARTICIPATIONS = TestCall(
    method="GET",
    path="/sellers/v1/marketplaceParticipations",
    note="Lists the marketplaces the seller takes part in. Amazon allows about one such call a minute.",
    sdk=SdkCall(module="spapi.api.sellers_v1.sellers_api", api="SellersApi", call="get_marketplace_participations()"),
)

APPLICATION = replace(
    amazon_vendor_central.APPLICATION,
    slug="amazon-seller-central",
    name="Amazon Seller Central",
    summary="Orders, listings and reports for sellers on Amazon's marketplaces, through the Selling Partner API.",
    keywords=(
        "amazon",
        "seller",
        "seller central",
        "selling partner",
        "sp-api",
        "spapi",
        "marketplace",
        "third-party",
        "3p",
    ),
    initial={
        **amazon_vendor_central.APPLICATION.initial,
        "authorization_url": "https://sellercentral.amazon.com/apps/authorize/consent",
    },
    marketplaces=amazon.marketplaces("seller"),
    call=_PARTICIPATIONS,
    sandbox_call=replace(_PARTICIPATIONS, note="Asks the sandbox for its example list of marketplaces."),
    rules=amazon_errors.selling_partner_rules(
        token_url=amazon.TOKEN_URL, account="seller", roles="the one its operation names in Amazon's documentation"
    ),
)
