"""The addresses and ids of Amazon, row by row: a wrong letter here sends a person to the wrong place."""

from __future__ import annotations

import pytest

from connections.applications import amazon, get
from connections.applications.application import Application

SIMULATOR = "http://127.0.0.1:8899"
ROWS = [
    ("CA", "A2EUQ1WTGCTBG2", "na", "vendorcentral.amazon.ca", "sellercentral.amazon.ca"),
    ("US", "ATVPDKIKX0DER", "na", "vendorcentral.amazon.com", "sellercentral.amazon.com"),
    ("MX", "A1AM78C64UM0Y8", "na", "vendorcentral.amazon.com.mx", "sellercentral.amazon.com.mx"),
    ("BR", "A2Q3Y263D00KWC", "na", "vendorcentral.amazon.com.br", "sellercentral.amazon.com.br"),
    ("IE", "A28R8C7NBKEWEA", "eu", None, "sellercentral.amazon.ie"),
    ("ES", "A1RKKUPIHCS9HS", "eu", "vendorcentral.amazon.es", "sellercentral-europe.amazon.com"),
    ("UK", "A1F83G8C2ARO7P", "eu", "vendorcentral.amazon.co.uk", "sellercentral-europe.amazon.com"),
    ("FR", "A13V1IB3VIYZZH", "eu", "vendorcentral.amazon.fr", "sellercentral-europe.amazon.com"),
    ("BE", "AMEN7PMS3EDWL", "eu", "vendorcentral.amazon.com.be", "sellercentral.amazon.com.be"),
    ("NL", "A1805IZSGTT6HS", "eu", "vendorcentral.amazon.nl", "sellercentral.amazon.nl"),
    ("DE", "A1PA6795UKMFR9", "eu", "vendorcentral.amazon.de", "sellercentral-europe.amazon.com"),
    ("IT", "APJ6JRA9NG5V4", "eu", "vendorcentral.amazon.it", "sellercentral-europe.amazon.com"),
    ("SE", "A2NODRKZP88ZB9", "eu", "vendorcentral.amazon.se", "sellercentral.amazon.se"),
    ("ZA", "AE08WJ6YKNBMC", "eu", "vendorcentral.amazon.co.za", "sellercentral.amazon.co.za"),
    ("PL", "A1C3SOZRARQ6R3", "eu", "vendorcentral.amazon.pl", "sellercentral.amazon.pl"),
    ("EG", "ARBP9OOSHTCHU", "eu", "vendorcentral.amazon.me", "sellercentral.amazon.eg"),
    ("TR", "A33AVAJ2PDY3EV", "eu", "vendorcentral.amazon.com.tr", "sellercentral.amazon.com.tr"),
    ("SA", "A17E79C6D8DWNP", "eu", "vendorcentral.amazon.me", "sellercentral.amazon.sa"),
    ("AE", "A2VIGQ35RCS4UG", "eu", "vendorcentral.amazon.me", "sellercentral.amazon.ae"),
    ("IN", "A21TJRUUN4KGV", "eu", "www.vendorcentral.in", "sellercentral.amazon.in"),
    ("SG", "A19VAU5U5O7RUS", "fe", "vendorcentral.amazon.com.sg", "sellercentral.amazon.sg"),
    ("AU", "A39IBJ37TRP1C6", "fe", "vendorcentral.amazon.com.au", "sellercentral.amazon.com.au"),
    ("JP", "A1VC38T7YXB528", "fe", "vendorcentral.amazon.co.jp", "sellercentral.amazon.co.jp"),
]


def application(slug: str) -> Application:
    found = get(slug, simulator_url=SIMULATOR)
    assert found
    return found


@pytest.mark.parametrize(("code", "marketplace_id", "region", "vendor_host", "seller_host"), ROWS)
def test_each_marketplace_has_its_id_region_and_hosts(
    code: str, marketplace_id: str, region: str, vendor_host: str | None, seller_host: str
) -> None:
    for slug, host in (("amazon-vendor-central", vendor_host), ("amazon-seller-central", seller_host)):
        marketplace = application(slug).marketplace(code)
        assert marketplace
        assert (marketplace.id, marketplace.region, marketplace.host) == (marketplace_id, region, host)
        expected = f"https://{host}/apps/authorize/consent" if host else ""
        assert application(slug).authorization_url(code) == expected


@pytest.mark.parametrize("slug", ["amazon-vendor-central", "amazon-seller-central", "amazon-simulator"])
def test_all_23_marketplaces_can_be_chosen_through_their_regions(slug: str) -> None:
    chosen = [found.code for region in ("na", "eu", "fe") for found in application(slug).marketplaces_in(region)]
    assert sorted(chosen) == sorted(row[0] for row in ROWS)
    assert len(chosen) == 23


@pytest.mark.parametrize(
    ("slug", "name", "aws_region"),
    [("na", "North America", "us-east-1"), ("eu", "Europe", "eu-west-1"), ("fe", "Far East", "us-west-2")],
)
def test_each_region_has_its_production_and_sandbox_address(slug: str, name: str, aws_region: str) -> None:
    vendor_central = application("amazon-vendor-central")
    region = vendor_central.region(slug)
    assert region
    assert (region.name, region.aws_region) == (name, aws_region)
    assert vendor_central.base_uri(slug) == f"https://sellingpartnerapi-{slug}.amazon.com"
    assert vendor_central.base_uri(slug, sandbox=True) == f"https://sandbox.sellingpartnerapi-{slug}.amazon.com"
    assert [preset.value for preset in vendor_central.base_uri_presets(slug)] == [
        f"https://sellingpartnerapi-{slug}.amazon.com",
        f"https://sandbox.sellingpartnerapi-{slug}.amazon.com",
    ]


def test_ireland_says_that_no_vendor_central_is_known_and_how_to_go_on() -> None:
    marketplace = application("amazon-vendor-central").marketplace("IE")
    assert marketplace
    assert "/apps/authorize/consent" in marketplace.note
    assert application("amazon-vendor-central").authorization_url("IE") == ""


def test_india_names_both_addresses() -> None:
    marketplace = application("amazon-vendor-central").marketplace("IN")
    assert marketplace
    assert marketplace.host == "www.vendorcentral.in"
    assert "vendorcentral.amazon.in" in marketplace.note


def test_vendor_notes_do_not_show_up_for_sellers() -> None:
    assert not any(found.note for found in application("amazon-seller-central").marketplaces)


def test_login_hosts_are_whole_domains() -> None:
    assert {"amazon.com", "amazon.co.uk", "amazon.com.be", "amazon.me", "vendorcentral.in"} <= set(amazon.LOGIN_HOSTS)
    assert all("." in host and host.startswith(("amazon.", "vendorcentral.")) for host in amazon.LOGIN_HOSTS)


@pytest.mark.parametrize("code", [row[0] for row in ROWS])
def test_the_simulator_stands_in_for_every_marketplace(code: str) -> None:
    assert application("amazon-simulator").authorization_url(code) == f"{SIMULATOR}/apps/authorize/consent"


@pytest.mark.parametrize("region", ["na", "eu", "fe"])
def test_the_simulator_stands_in_for_every_region(region: str) -> None:
    simulator = application("amazon-simulator")
    assert simulator.base_uri(region) == simulator.base_uri(region, sandbox=True) == SIMULATOR
    assert [preset.value for preset in simulator.base_uri_presets(region)] == [SIMULATOR]
