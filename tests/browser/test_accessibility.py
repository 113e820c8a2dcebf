"""axe-core on every page and drawer, in light and dark, on a phone and on a wide screen; and nothing scrolls sideways."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Complaints, open_pane, save_and_authorize, sign_in
from tests.conftest import Simulator
from tests.server import Gatehouse

pytestmark = pytest.mark.usefixtures("amazon")
LOOKS = [("light", 360), ("dark", 1600)]
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
STILL = "() => document.getAnimations().every(one => one.playState !== 'running' || one.effect.getTiming().iterations === Infinity)"


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def look(request: pytest.FixtureRequest) -> dict[str, Any]:
    scheme, width = request.param
    return {"color_scheme": scheme, "viewport": {"width": width, "height": 800}, "bypass_csp": True}


@pytest.fixture
def check() -> Callable[[Page, str], None]:
    axe = Axe()
    failures: list[str] = []

    def checked(page: Page, what: str) -> None:
        page.wait_for_function(STILL)
        for violation in axe.run(page, options=RULES).response["violations"]:
            nodes = "\n".join(
                f"    {node['html'][:160]}\n    {node['failureSummary']}" for node in violation["nodes"][:3]
            )
            failures.append(f"{what}: {violation['id']}, {violation['help']}\n{nodes}")
        wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        wide = wide or page.evaluate(
            "Math.max(0, ...[...document.querySelectorAll('.pane-body')].map(e => e.scrollWidth - e.clientWidth))"
        )
        if wide:
            failures.append(f"{what}: {wide} pixels wider than the screen")

    checked.failures = failures  # type: ignore[attr-defined]
    return checked


def done(check: Any) -> None:
    assert not check.failures, "\n\n".join(check.failures)


def test_pages_before_the_first_start(
    fresh: Gatehouse, open_browser: Callable[..., BrowserContext], look: dict[str, Any],
    check: Callable[[Page, str], None], complaints: Complaints,
) -> None:  # fmt: skip
    complaints.expected += ["status of 503"]
    page = open_browser(**look).new_page()
    page.goto(f"{fresh.url}/connections/")
    check(page, "not set up yet")
    page.goto(fresh.setup_link())
    check(page, "setup")
    page.get_by_role("button", name="Create owner and team").click()
    expect(page.get_by_text("This field is required.").first).to_be_visible()
    check(page, "setup with errors")
    done(check)


@pytest.fixture(scope="module")
def fresh(install: Callable[[], Gatehouse]) -> Gatehouse:
    """Nobody sets this one up."""
    return install()


@pytest.fixture(scope="module")
def empty_team(gatehouse: Gatehouse) -> str:
    gatehouse.create_owner("new@example.com", "Newcomers")
    return "new@example.com"


def test_pages_without_a_connection(
    gatehouse: Gatehouse, open_browser: Callable[..., BrowserContext], look: dict[str, Any],
    check: Callable[[Page, str], None], empty_team: str,
) -> None:  # fmt: skip
    context = open_browser(**look)
    page = context.new_page()
    page.goto(f"{gatehouse.url}/connections/")
    check(page, "sign-in")
    page = sign_in(context, gatehouse, empty_team)
    check(page, "empty list")
    page.get_by_role("button", name="Account menu").click()
    check(page, "account menu")
    for path, what in (("clients/", "clients"), ("clients/new/", "client as a page"), ("nothing/", "404"),
                       ("oauth/callback/?state=made-up", "wrong state"), ("oauth/login/", "not from Amazon")):  # fmt: skip
        page.goto(f"{gatehouse.url}/{path}")
        check(page, what)
    page.goto(f"{gatehouse.url}/connections/new/")
    check(page, "application list")
    page.get_by_role("link", name=re.compile("Any HTTP API")).click()
    pane = page.get_by_role("dialog", name="Create connection")
    expect(pane).to_be_visible()
    check(page, "pane, HTTP, drawer")
    pane.get_by_role("button", name="Test connection").click()
    expect(pane.get_by_text("Nothing was tested")).to_be_visible()
    pane.get_by_label("Grant type").select_option("Client credentials")
    expect(pane.get_by_label("Authorization URL")).to_have_count(0)
    pane.get_by_role("button", name="Save & authorize").click()
    expect(pane.get_by_text("Not saved yet.")).to_be_visible()
    check(page, "pane with errors")
    pane.get_by_role("button", name="New OAuth 2.0 client").click()
    client = page.get_by_role("dialog", name="Create OAuth 2.0 client")
    client.get_by_role("button", name="Save").click()
    expect(client.get_by_text("Not saved yet.")).to_be_visible()
    check(page, "client drawer with errors")
    page.keyboard.press("Escape")
    pane.get_by_label("Name", exact=True).fill("Typed")
    pane.get_by_role("link", name="Close", exact=True).click()
    check(page, "close without saving?")
    page.get_by_role("button", name="Discard").click()
    page.wait_for_url("**/connections/")
    page.goto(f"{gatehouse.url}/connections/new/amazon-vendor-central/")
    check(page, "pane, Vendor Central, page")
    page.goto(f"{gatehouse.url}/team/api-keys/")
    check(page, "no API keys")
    done(check)


def test_pages_of_api_keys(
    gatehouse: Gatehouse, open_browser: Callable[..., BrowserContext], look: dict[str, Any],
    check: Callable[[Page, str], None],
) -> None:  # fmt: skip
    page = sign_in(open_browser(**look), gatehouse)
    page.goto(f"{gatehouse.url}/team/api-keys/new/")
    check(page, "new API key")
    page.get_by_label("Only these").check()
    page.get_by_label("Ends", exact=True).select_option("On a day")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_text("Not created yet.")).to_be_visible()
    check(page, "new API key with errors")
    page.get_by_label("Name", exact=True).fill("Looked at")
    page.get_by_label("All of the team").check()
    page.get_by_label("Ends", exact=True).select_option("In 90 days")
    page.get_by_role("button", name="Create", exact=True).click()
    expect(page.get_by_text("it is not shown again")).to_be_visible()
    check(page, "API key made")
    page.get_by_role("link", name="I have copied it").click()
    check(page, "API keys")
    page.get_by_role("link", name="Revoke Looked at").first.click()
    check(page, "revoke an API key")
    page.get_by_role("button", name="Revoke").click()
    check(page, "API keys, revoked")
    page.get_by_role("button", name="Team").click()
    check(page, "team menu")
    done(check)


def test_pages_of_a_connection(
    gatehouse: Gatehouse, open_browser: Callable[..., BrowserContext], look: dict[str, Any],
    check: Callable[[Page, str], None], amazon: Simulator,
) -> None:  # fmt: skip
    page = sign_in(open_browser(**look), gatehouse)
    pane = open_pane(page, gatehouse, "Looked at")
    window = save_and_authorize(page)
    check(window, "consent page")
    check(page, "waiting")
    amazon.config(cancel_redirects=True)
    window.get_by_role("button", name="Cancel").click()
    expect(window.get_by_role("heading", name="Access was not granted.")).to_be_visible()
    check(window, "window after a refusal")
    expect(pane.get_by_role("alert")).to_be_visible()
    check(page, "pane after a refusal")
    window.close()
    save_and_authorize(page).get_by_role("button", name="Confirm").click()
    expect(pane.get_by_text("The test passed.")).to_be_visible()
    check(page, "test passed")
    for title, id in (("Use this connection", "token-curl"), ("History", "history")):
        pane.locator("summary", has_text=title).click()
        expect(pane.locator(f"#{id}")).to_be_visible()
    check(page, "use and history, unfolded")
    window = save_and_authorize(page)
    window.get_by_label("Vendor group or seller account that consents").select_option("VGSIMULATOR02")
    window.get_by_role("button", name="Confirm").click()
    expect(window.get_by_role("heading", name="This is another account than before")).to_be_visible()
    check(window, "another account, window")
    window.close()
    expect(pane.get_by_role("alert")).to_be_visible()
    check(page, "another account, pane")
    pane.get_by_role("button", name=re.compile("^Keep")).click()
    amazon.post("/_control/revoke")
    gatehouse.execute("UPDATE connections_grant SET expires_at = '2020-01-01 00:00:00'")
    pane.get_by_role("button", name="Test connection").click()
    expect(pane.get_by_text("The test did not pass.")).to_be_visible()
    check(page, "test failed, offline")
    address = page.url
    page.goto(f"{gatehouse.url}/connections/")
    check(page, "list")
    page.get_by_role("link", name="Looked at", exact=True).first.click()
    expect(page.get_by_role("dialog", name="Edit connection")).to_be_visible()
    check(page, "edit, drawer")
    page.goto(f"{gatehouse.url}/clients/")
    check(page, "clients with one")
    for path in ("use/", "history/"):
        page.goto(f"{address}{path}")
        check(page, path)
    page.goto(f"{address}delete/")
    check(page, "delete")
    page.get_by_role("button", name="Delete").click()
    page.wait_for_url("**/connections/")
    done(check)
