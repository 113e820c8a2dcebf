"""Editing: fields follow the choices, nothing that was typed is lost, and a test shows its steps while it runs."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.browser.conftest import Complaints, open_pane, save_and_authorize, sign_in
from tests.conftest import Simulator
from tests.server import Gatehouse

pytestmark = pytest.mark.usefixtures("amazon")
CALL = "/vendor/orders/v1/purchaseOrders"


def test_fields_follow_the_choices_and_nothing_typed_is_lost(page: Page, gatehouse: Gatehouse) -> None:
    page.get_by_role("link", name="+ Create connection").first.click()
    page.get_by_role("link", name=re.compile("Vendor Central", re.I)).first.click()
    drawer = page.get_by_role("dialog", name="Create connection")
    drawer.get_by_label("Name", exact=True).fill("Orders")
    drawer.get_by_label("I already have a refresh token").fill("Atzr|typed")
    drawer.locator("#id_headers").get_by_label("Name, row 1").fill("X-Team")
    drawer.locator("#id_headers").get_by_label("Value, row 1").fill("bolts")
    drawer.locator("#id_headers").get_by_role("button", name="Add row").click()
    expect(drawer.locator("#id_headers").get_by_label("Name, row new")).to_be_focused()

    # Region and marketplace fill the addresses; what is typed stays.
    drawer.get_by_label("Region").select_option("Europe")
    expect(drawer.get_by_label("Base URI", exact=True)).to_have_value("https://sellingpartnerapi-eu.amazon.com")
    drawer.get_by_label("Marketplace").focus()
    drawer.get_by_label("Marketplace").select_option("Germany (DE)")
    expect(drawer.get_by_label("Authorization URL")).to_have_value(re.compile("vendorcentral.amazon.de"))
    expect(drawer.get_by_label("Marketplace")).to_be_focused()
    expect(drawer.get_by_label("Name", exact=True)).to_have_value("Orders")
    expect(drawer.locator("#id_headers").get_by_label("Value, row 1")).to_have_value("bolts")
    expect(drawer.get_by_label("I already have a refresh token")).to_have_value("Atzr|typed")

    # A field above goes, and the control in use stays where it was on the screen. What is typed meanwhile stays, too.
    grant_type = drawer.get_by_label("Grant type")
    grant_type.scroll_into_view_if_needed()
    grant_type.focus()
    before = grant_type.bounding_box()
    held: list[Route] = []
    page.route("**/fields/", lambda route: held.append(route))
    with page.expect_request("**/fields/"):
        grant_type.select_option("Client credentials")
    drawer.get_by_label("Name", exact=True).evaluate(
        "field => { field.value = 'Orders, typed meanwhile'; field.dispatchEvent(new Event('input', {bubbles: true})) }"
    )
    held[0].continue_()
    page.unroute("**/fields/")
    expect(drawer.get_by_label("Authorization URL")).to_have_count(0)
    after = grant_type.bounding_box()
    assert before and after and abs(after["y"] - before["y"]) < 3
    expect(drawer.get_by_label("Scope", exact=True)).to_be_visible()
    expect(drawer.get_by_label("Name", exact=True)).to_have_value("Orders, typed meanwhile")
    drawer.get_by_role("button", name=re.compile("Notifications", re.I)).first.click()
    expect(drawer.get_by_label("Scope", exact=True)).to_have_value(re.compile("^sellingpartnerapi::"))
    drawer.get_by_label("Grant type").select_option("Authorization code")
    expect(drawer.get_by_label("Authorization URL")).to_have_value(re.compile("vendorcentral.amazon.de"))

    # The sign-in page as Access token URL: one sentence, one click.
    drawer.get_by_label("Access token URL").fill("https://www.amazon.com/ap/oa")
    drawer.get_by_role("button", name="Save & authorize").click()
    expect(drawer.get_by_text("This is Amazon’s sign-in page, not its token address.")).to_be_visible()
    drawer.get_by_role("button", name="Use https://api.amazon.com/auth/o2/token").click()
    expect(drawer.get_by_label("Access token URL")).to_have_value("https://api.amazon.com/auth/o2/token")

    # Closing asks, Escape too, however often it is pressed; Discard closes.
    question = page.get_by_role("dialog", name="Close without saving?")
    drawer.get_by_role("link", name="Close", exact=True).click()
    question.get_by_role("button", name="Keep editing").click()
    drawer.get_by_label("Name", exact=True).focus()
    for _ in range(2):
        page.keyboard.press("Escape")
        expect(question).to_be_visible()
        page.keyboard.press("Escape")
        expect(question).to_be_hidden()
    expect(drawer.get_by_label("Name", exact=True)).to_have_value("Orders, typed meanwhile")
    page.keyboard.press("Escape")
    question.get_by_role("button", name="Discard").click()
    page.wait_for_url("**/connections/")
    expect(page.get_by_role("link", name="Orders, typed meanwhile")).to_have_count(0)

    # Nothing typed: Escape closes at once, and back leads out of the drawer.
    page.goto(f"{gatehouse.url}/connections/new/")
    page.get_by_role("link", name=re.compile("Any HTTP API")).click()
    expect(drawer).to_be_visible()
    page.go_back()
    expect(drawer).to_be_hidden()
    expect(page.get_by_label("Search applications")).to_be_visible()


def test_a_stale_edit_shows_both_versions(
    page: Page, gatehouse: Gatehouse, open_browser: Callable[..., BrowserContext]
) -> None:
    open_pane(page, gatehouse, "Shared")
    save_and_authorize(page).get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("The test passed.")).to_be_visible()
    address = page.url
    other = sign_in(open_browser(), gatehouse)
    other.goto(address)
    page.goto(address)

    other.get_by_label("Name", exact=True).fill("Shared, theirs")
    other.get_by_role("button", name="Save & close").click()
    other.wait_for_url("**/connections/")
    expect(other.get_by_text("Shared, theirs is saved.")).to_be_visible()

    pane = page.locator("#pane")
    pane.get_by_label("Name", exact=True).fill("Shared, mine")
    pane.get_by_role("button", name="Save & close").click()
    stale = page.locator("#stale")
    expect(stale).to_be_in_viewport()
    expect(stale.get_by_role("row", name="Name")).to_contain_text("Shared, theirs")
    expect(pane.get_by_label("Name", exact=True)).to_have_value("Shared, mine")
    pane.get_by_role("button", name="Save & close").click()
    page.wait_for_url("**/connections/")
    expect(page.get_by_role("link", name="Shared, mine", exact=True)).to_be_visible()

    # The client by the pencil: blank keeps the secret, and what it is named shows at once.
    page.get_by_role("link", name="Shared, mine", exact=True).click()
    page.get_by_role("button", name="Edit OAuth 2.0 client").click()
    client = page.get_by_role("dialog", name="Edit OAuth 2.0 client")
    expect(client.get_by_text("Leave this blank to keep it.")).to_be_visible()
    expect(client.get_by_label("Client secret")).to_have_value("")
    client.get_by_label("Name", exact=True).fill("Shared app, renamed")
    client.get_by_role("button", name="Save").click()
    chosen = page.get_by_label("OAuth 2.0 client", exact=True).locator("option:checked")
    expect(chosen).to_have_text("Shared app, renamed")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("The test passed.")).to_be_visible()

    # Deleted by the other one while it is open here: said so, not silent.
    other.reload()
    row = other.get_by_role("row").filter(has_text="Shared, mine")
    row.get_by_role("button", name="More actions").click()
    row.get_by_role("link", name="Delete").click()
    other.get_by_role("button", name="Delete").click()
    expect(other.get_by_text("Shared, mine is deleted.")).to_be_visible()


def test_steps_show_while_they_run_and_can_be_cancelled(page: Page, gatehouse: Gatehouse, amazon: Simulator) -> None:
    pane = open_pane(page, gatehouse, "Slow")
    save_and_authorize(page).get_by_role("button", name="Confirm").click()
    expect(pane.get_by_text("The test passed.")).to_be_visible()

    amazon.fault(path=CALL, delay_ms=3000)
    pane.get_by_role("button", name="Test connection").click()
    expect(pane.locator("#test-result .steps > li")).to_have_count(4)
    expect(pane.get_by_text("Testing…")).to_be_visible()
    expect(pane.locator("#test-result")).not_to_contain_text("The test call is accepted")
    pane.locator("#test-result").get_by_role("button", name="Cancel").click()
    expect(pane.locator("#test-result")).to_contain_text("Cancelled.")
    expect(pane.get_by_text("Testing…")).to_have_count(0)

    # One that fails says why, and what to press. One that finds the authorization withdrawn takes the connection offline.
    amazon.fault(path=CALL, status=403)
    pane.get_by_role("button", name="Test connection").click()
    expect(pane.get_by_text("The test did not pass.")).to_be_visible()
    expect(pane.locator("li[data-state=failed]")).to_contain_text("403")
    amazon.post("/_control/revoke")
    gatehouse.execute("UPDATE connections_grant SET expires_at = '2020-01-01 00:00:00'")
    pane.get_by_role("button", name="Test connection").click()
    expect(pane.locator("#facts")).to_contain_text("Offline since")
    expect(pane.locator("#facts")).to_contain_text("Press Save & authorize")
    page.goto(f"{gatehouse.url}/connections/")
    expect(page.get_by_role("row").filter(has_text="Slow")).to_contain_text("Offline")


def test_what_goes_wrong_on_the_way_is_said(
    page: Page, gatehouse: Gatehouse, open_browser: Callable[..., BrowserContext], complaints: Complaints
) -> None:
    complaints.expected += ["Response Status Error Code", "htmx:", "status of 500", "net::ERR", "ERR_FAILED"]
    pane = open_pane(page, gatehouse, "Unlucky")
    trouble = page.locator("[data-trouble]")

    page.route("**/connections/new/**", lambda route: route.abort())
    with page.expect_popup() as opened:
        pane.get_by_role("button", name="Save & authorize").click()
    expect(trouble).to_contain_text("The server cannot be reached.")
    expect(trouble).to_be_in_viewport()
    assert opened.value.is_closed() or opened.value.wait_for_event("close")
    page.unroute("**/connections/new/**")

    page.route("**/connections/new/**", lambda route: route.fulfill(status=500, body="<h1>broken</h1>"))
    pane.get_by_label("Region").select_option("Europe")
    expect(trouble).to_contain_text("The server did not answer as it should.")
    expect(trouble).to_have_count(1)
    page.unroute("**/connections/new/**")

    page.route("**/connections/test/", lambda route: route.abort())
    pane.get_by_role("button", name="Test connection").click()
    expect(trouble).to_contain_text("The server stopped answering in the middle of the test.")
    page.unroute("**/connections/test/")
    pane.get_by_label("Region").select_option("North America")
    expect(trouble).to_have_count(0)
    save_and_authorize(page).close()
    expect(trouble).to_have_count(0)
    expect(pane.get_by_role("heading", name="Waiting for Amazon…")).to_be_visible()

    # Somebody else deletes it meanwhile.
    other = sign_in(open_browser(), gatehouse)
    other.goto(f"{page.url}delete/")
    other.get_by_role("button", name="Delete").click()
    expect(trouble).to_contain_text("This is no longer here: somebody deleted it.")

    # The session has ended: to the sign-in and back, not a sign-in page inside the drawer.
    page.goto(f"{gatehouse.url}/connections/new/http/")
    page.context.clear_cookies(name="gatehouse_session")
    page.get_by_label("Authentication type").select_option("None")
    page.wait_for_url("**/accounts/login/?next=%2Fconnections%2Fnew%2Fhttp%2F")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.locator("#pane")).to_have_count(0)
