"""Vendor Central again, with every address pointed at the Amazon simulator.

Its credentials are public and open nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from connections.applications import amazon_errors, amazon_vendor_central
from connections.applications.application import Application, host_of

APPLICATION_ID = "amzn1.sp.solution.simulator"
CLIENT_ID = "amzn1.application-oa2-client.simulator"
CLIENT_SECRET = "amzn1.oa2-cs.v1.simulator"  # noqa: S105  public, and good for the simulator only


@lru_cache(maxsize=8)
def at(simulator_url: str) -> Application:
    """The application for a simulator at `simulator_url`, e.g. http://127.0.0.1:8899."""
    origin = simulator_url.strip().rstrip("/")
    host = host_of(origin)
    vendor_central = amazon_vendor_central.APPLICATION
    consent_url, token_url = f"{origin}/apps/authorize/consent", f"{origin}/auth/o2/token"
    return replace(
        vendor_central,
        slug="amazon-simulator",
        name="Amazon simulator",
        summary="Vendor Central for practice: nothing leaves this installation. "
        f"Application ID {APPLICATION_ID}, Client ID {CLIENT_ID}.",
        keywords=(*vendor_central.keywords, "simulator", "practice", "test", "demo"),
        hint=f"The simulator's Client secret is {CLIENT_SECRET}",
        initial={
            **vendor_central.initial,
            "base_uri": origin,
            "authorization_url": consent_url,
            "token_url": token_url,
        },
        regions=tuple(replace(region, base_uri=origin, sandbox_base_uri=origin) for region in vendor_central.regions),
        marketplaces=tuple(replace(marketplace, host=host, note="") for marketplace in vendor_central.marketplaces),
        authorization_url_template=consent_url,
        token_hosts=(host,),
        https_redirect_only=False,
        login_hosts=(),
        login_origins=(origin.lower(),),
        rules=amazon_errors.selling_partner_rules(
            token_url=token_url, account="vendor", roles=amazon_vendor_central.ROLES
        ),
    )
