"""What follows from the region and marketplace that are chosen in the pane."""

from __future__ import annotations

from typing import Any

from connections.applications import Application


def refilled(application: Application, values: dict[str, Any], filled_for: str, given: set[str]) -> dict[str, Any]:
    """Marketplace and URLs that follow from the region: whatever a person typed themselves stays."""
    region, market = str(values.get("region") or ""), str(values.get("marketplace") or "")
    markets = application.marketplaces_in(region)
    result: dict[str, Any] = {}
    if markets and market not in {known.code for known in markets}:
        market = result["marketplace"] = markets[0].code
    if f"{region}:{market}" == filled_for or not application.regions:
        return result
    base_uri = str(values.get("base_uri") or "").rstrip("/")
    production = {known.base_uri for known in application.regions}
    sandbox = {known.sandbox_base_uri for known in application.regions}
    if "base_uri" not in given and base_uri in production | sandbox | {""}:
        result["base_uri"] = application.base_uri(region, sandbox=base_uri in sandbox - production)
    consent_pages = {application.authorization_url(known.code) for known in application.marketplaces}
    if "authorization_url" not in given and str(values.get("authorization_url") or "") in consent_pages | {""}:
        result["authorization_url"] = application.authorization_url(market)
    return result
