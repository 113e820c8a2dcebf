"""Applications: what differs between providers, as data, one file each, and what their errors mean.

A new application is one file with an `APPLICATION` in it and its line in `_APPLICATIONS`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

from connections.applications import (
    amazon,
    amazon_seller_central,
    amazon_simulator,
    amazon_vendor_central,
    http,
    login_with_amazon,
)
from connections.applications.amazon_consent import CONSENT_ERRORS
from connections.applications.application import (
    Application,
    Choice,
    Explanation,
    Failure,
    Marketplace,
    Region,
    SdkCall,
    TestCall,
    TokenPlacement,
    host_of,
)

__all__ = [
    "CONSENT_ERRORS",
    "Application",
    "Choice",
    "Explanation",
    "Failure",
    "Marketplace",
    "Region",
    "SdkCall",
    "TestCall",
    "TokenPlacement",
    "available",
    "get",
    "recognise",
    "sign_in_page",
]

_APPLICATIONS = (
    http.APPLICATION,
    amazon_vendor_central.APPLICATION,
    amazon_seller_central.APPLICATION,
    login_with_amazon.APPLICATION,
)


def available(*, simulator_url: str = "") -> dict[str, Application]:
    """Every application by slug, in display order. The simulator is there only when it has an address."""
    simulator = (amazon_simulator.at(simulator_url),) if simulator_url else ()
    return {application.slug: application for application in (*_APPLICATIONS, *simulator)}


def get(slug: str, *, simulator_url: str = "") -> Application | None:
    return available(simulator_url=simulator_url).get(slug)


def sign_in_page(url: str, *, simulator_url: str = "") -> str:
    """The token URL to offer where `url` is Login with Amazon's page for the browser; "" where it is not.

    A secret must never be posted to that page, however its address is written.
    """
    try:
        parts = urlsplit(url.strip())
        host, port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or parts.path.rstrip("/").lower() != "/ap/oa":
        return ""
    if host in amazon.SIGN_IN_HOSTS or re.search(r"(^|\.)amazon\.(com?\.)?[a-z]{2,3}$", host):
        return amazon.TOKEN_URL
    simulator = urlsplit(simulator_url)
    if simulator_url and (host, port) == (simulator.hostname, simulator.port):
        return f"{simulator_url.rstrip('/')}/auth/o2/token"
    return ""


def recognise(
    application: Application, *, base_uri: str, authorization_url: str, simulator_url: str = ""
) -> Application:
    """The application with what its addresses tell of it.

    A plain HTTP connection that is pointed at Amazon's Selling Partner API, as Amazon's help articles for HTTP connections
    have it, must still send the token where Amazon reads it and ask for consent in Amazon's way.
    """
    if application.slug != http.APPLICATION.slug:
        return application
    vendor = amazon_vendor_central.APPLICATION
    simulator = amazon_simulator.at(simulator_url) if simulator_url else None
    hosts = {host_of(uri) for region in vendor.regions for uri in (region.base_uri, region.sandbox_base_uri)}
    known = application
    if host_of(base_uri) in hosts:
        known = _calling_like(known, vendor)
    elif simulator and host_of(base_uri) == host_of(simulator_url):
        known = _calling_like(known, simulator)
    if urlsplit(authorization_url).path.rstrip("/") == "/apps/authorize/consent":
        known = replace(
            known,
            consent=vendor.consent,
            code_param=vendor.code_param,
            identity_param=vendor.identity_param,
            asks_application_id=True,
            offers_draft=True,
            rotates_refresh_tokens=False,
        )
    return known


def _calling_like(application: Application, other: Application) -> Application:
    return replace(
        application,
        vendor=other.vendor,
        placement=other.placement,
        user_agent=other.user_agent,
        call=other.call,
        sandbox_call=other.sandbox_call,
        grantless_calls=other.grantless_calls,
        regions=other.regions,
        rules=other.rules,
        scopes=other.scopes,
        authorization_lifetime_days=other.authorization_lifetime_days,
        client_secret_lifetime_days=other.client_secret_lifetime_days,
    )
