"""Connection guides: one for every application, with this server's addresses and every code of Amazon's consent page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from connections import applications
from connections.applications import CONSENT_ERRORS

SELLING_PARTNER = ("amazon-vendor-central", "amazon-seller-central")


@pytest.fixture(autouse=True)
def address(settings: Any) -> None:
    settings.PUBLIC_URL, settings.IS_HTTPS = "https://gatehouse.example.com", True


def page(client: Client, slug: str) -> str:
    response = client.get(f"/guides/{slug}/")
    assert response.status_code == 200
    return response.content.decode()


@pytest.mark.parametrize("slug", [*applications.available(simulator_url="http://127.0.0.1:8899")])
def test_every_application_has_a_guide(as_mona: Client, settings: Any, slug: str) -> None:
    settings.SIMULATOR_URL = "http://127.0.0.1:8899"
    found = page(as_mona, slug)
    assert f"Connection guide: {applications.get(slug, simulator_url=settings.SIMULATOR_URL).name}" in found  # type: ignore[union-attr]
    ids = re.findall(r' id="([^"]+)"', found)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', found)) <= set(ids)


@pytest.mark.parametrize("slug", [*SELLING_PARTNER, "login-with-amazon", "http"])
def test_a_guide_holds_the_redirect_url_of_this_server(as_alice: Client, slug: str) -> None:
    assert "https://gatehouse.example.com/oauth/callback/" in page(as_alice, slug)


@pytest.mark.parametrize("slug", SELLING_PARTNER)
def test_an_amazon_guide_holds_what_amazon_needs(as_alice: Client, slug: str) -> None:
    found = page(as_alice, slug)
    assert "https://gatehouse.example.com/oauth/login/" in found
    for prefix in ("amzn1.sp.solution.", "amzn1.application-oa2-client.", "amzn1.oa2-cs.", "Atzr|"):
        assert prefix in found
    assert all(f'id="{code}"' in found for code in CONSENT_ERRORS)
    assert "{{" not in found


def test_the_two_central_guides_name_their_own(as_alice: Client) -> None:
    vendor, seller = (page(as_alice, slug) for slug in SELLING_PARTNER)
    assert "vendor group" in vendor
    assert "API Integration" in vendor
    assert "vendor group whose data" not in seller
    assert "Sign in to Seller Central" in seller


def test_plain_http_is_told(as_alice: Client, settings: Any) -> None:
    assert "Amazon does not take these addresses" not in page(as_alice, "amazon-vendor-central")
    settings.IS_HTTPS = False
    assert "Amazon does not take these addresses" in page(as_alice, "amazon-vendor-central")


def test_only_who_may_create_is_led_to_the_pane(as_alice: Client, as_mona: Client) -> None:
    link = 'href="/connections/new/amazon-vendor-central/"'
    assert link in page(as_alice, "amazon-vendor-central")
    assert link not in page(as_mona, "amazon-vendor-central")


def test_an_unknown_application_is_404(as_alice: Client) -> None:
    for slug in ("nothing", "_guide", "amazon-simulator"):
        assert as_alice.get(f"/guides/{slug}/").status_code == 404


def test_nobody_gets_the_sign_in_page(alice: Any) -> None:
    assert Client().get("/guides/http/").status_code == 302


def test_another_method_is_refused(as_alice: Client) -> None:
    assert as_alice.post("/guides/http/").status_code == 405
