"""Every other way an authorization can end: a plain sentence, and a connection that can be authorized again."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import open_pane, save_and_authorize, sign_in
from tests.conftest import Simulator
from tests.server import Gatehouse

pytestmark = pytest.mark.usefixtures("amazon")


def authorize(page: Page, account: str = "VGSIMULATOR01") -> None:
    """Through the window to the end, and its automatic test."""
    window = save_and_authorize(page)
    window.get_by_label("Vendor group or seller account that consents").select_option(account)
    window.get_by_role("button", name="Confirm").click()


def facts(page: Page, text: str) -> None:
    expect(page.locator("#facts")).to_contain_text(text)


def test_a_refusal_says_so_and_can_be_tried_again(page: Page, gatehouse: Gatehouse, amazon: Simulator) -> None:
    pane = open_pane(page, gatehouse, "Refused")
    amazon.config(cancel_redirects=True)
    window = save_and_authorize(page)
    window.get_by_role("button", name="Cancel").click()
    expect(window.get_by_role("heading", name="Access was not granted.")).to_be_visible()
    expect(pane.get_by_role("alert")).to_contain_text("Access was not granted.")
    expect(pane.get_by_role("alert")).to_contain_text("Press Save & authorize")
    facts(page, "Draft")
    with window.expect_event("close"):
        window.get_by_role("button", name="Close this window").click()

    # Amazon itself sends nobody back after Cancel: the page goes on waiting until somebody closes the window and cancels.
    amazon.config(cancel_redirects=False)
    window = save_and_authorize(page)
    window.get_by_role("button", name="Cancel").click()
    expect(window.get_by_role("heading", name="Nothing was granted")).to_be_visible()
    window.close()
    expect(pane.get_by_role("heading", name="Waiting for Amazon…")).to_be_visible()
    with page.expect_popup() as opened:
        pane.get_by_role("button", name="Open the window again").click()
    opened.value.wait_for_url("**/apps/authorize/consent**")
    opened.value.close()
    pane.get_by_role("button", name="Cancel", exact=True).click()
    expect(pane.get_by_text("Nothing was changed. Save & authorize starts again.")).to_be_visible()

    # The window is closed after all was agreed, before it could say anything: the page learns it from the server.
    window = save_and_authorize(page)
    window.route("**/oauth/callback/**", lambda route: (route.fetch(), window.close()))
    window.get_by_role("button", name="Confirm").click()
    expect(pane.get_by_text("The refresh token is encrypted and stored")).to_be_visible()
    facts(page, "Online")


def test_no_window_is_left_where_nothing_is_to_be_agreed(page: Page, gatehouse: Gatehouse, amazon: Simulator) -> None:
    pane = open_pane(page, gatehouse, "Faulty")
    pane.get_by_label("Base URI", exact=True).fill("ftp://example.com")
    with page.expect_popup() as opened:
        pane.get_by_role("button", name="Save & authorize").click()
    if not opened.value.is_closed():
        opened.value.wait_for_event("close")
    expect(pane.get_by_label("Base URI", exact=True)).to_be_focused()
    expect(pane.get_by_text("Not saved yet.")).to_be_visible()

    pane.get_by_label("Base URI", exact=True).fill(amazon.url)
    expect(pane.locator("#section-2 .badge")).to_have_count(0)  # typed anew, it no longer says what was wrong
    pane.get_by_label("I already have a refresh token").fill(amazon.refresh_token())
    pane.get_by_role("button", name="Save & authorize").click()
    facts(page, "Online")
    assert len(page.context.pages) == 1


def test_where_windows_are_blocked_it_goes_on_in_this_tab(page: Page, gatehouse: Gatehouse) -> None:
    page.add_init_script("window.open = () => null")
    pane = open_pane(page, gatehouse, "Blocked")
    pane.get_by_role("button", name="Save & authorize").click()
    page.wait_for_url("**/apps/authorize/consent**")
    page.go_back()
    expect(page.get_by_role("button", name="Go there again")).to_be_visible()
    page.get_by_role("button", name="Go there again").click()
    page.wait_for_url("**/apps/authorize/consent**")
    with page.expect_response("**/oauth/callback/**") as came_back:
        page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_text("The refresh token is encrypted and stored")).to_be_visible()
    assert urlsplit(page.url).query == ""

    # The address of the callback, used a second time, does nothing.
    page.goto(came_back.value.url)
    facts(page, "Online")


def test_an_answer_that_belongs_to_nothing_here(
    page: Page, gatehouse: Gatehouse, open_browser: Callable[..., BrowserContext]
) -> None:
    page.goto(f"{gatehouse.url}/oauth/callback/?state=made-up&spapi_oauth_code=made-up")
    expect(page.get_by_role("heading", name="This answer belongs to nothing here")).to_be_visible()
    page.goto(f"{gatehouse.url}/oauth/callback/?spapi_oauth_code=made-up")
    expect(page.get_by_role("heading", name="This link is incomplete")).to_be_visible()

    # The right state in another browser session, though of the same person.
    open_pane(page, gatehouse, "Of another session")
    window = save_and_authorize(page)
    state = parse_qs(urlsplit(window.url).query)["state"][0]
    elsewhere = sign_in(open_browser(), gatehouse)
    elsewhere.goto(f"{gatehouse.url}/oauth/callback/?state={state}&spapi_oauth_code=made-up")
    expect(elsewhere.get_by_role("heading", name="This answer is somebody else’s")).to_be_visible()
    elsewhere.get_by_role("link", name="Go to connections").click()
    expect(elsewhere.get_by_role("row").filter(has_text="Of another session")).to_contain_text("Draft")

    # And it is not used up by that.
    window.get_by_role("button", name="Confirm").click()
    facts(page, "Online")


def test_an_attempt_that_took_too_long(page: Page, gatehouse: Gatehouse) -> None:
    pane = open_pane(page, gatehouse, "Late")
    window = save_and_authorize(page)
    late = "UPDATE connections_authorizationattempt SET expires_at = '2020-01-01 00:00:00' WHERE connection_id = ?"
    gatehouse.execute(late, urlsplit(page.url).path.split("/")[2].replace("-", ""))
    expect(pane.get_by_role("alert")).to_contain_text("The authorization took too long.")
    window.get_by_role("button", name="Confirm").click()
    expect(window.get_by_role("heading", name="The authorization took too long.")).to_be_visible()
    window.close()
    facts(page, "Draft")
    authorize(page)
    facts(page, "Online")


def test_another_account_is_asked_about_first(page: Page, gatehouse: Gatehouse) -> None:
    pane = open_pane(page, gatehouse, "Two accounts")
    authorize(page)
    expect(pane.get_by_text("The test passed.")).to_be_visible()

    window = save_and_authorize(page)
    window.get_by_label("Vendor group or seller account that consents").select_option("VGSIMULATOR02")
    window.get_by_role("button", name="Confirm").click()
    expect(window.get_by_role("heading", name="This is another account than before")).to_be_visible()
    window.close()
    expect(pane.get_by_role("alert")).to_contain_text("This is another account than before.")
    expect(pane.get_by_role("alert")).to_be_in_viewport()
    pane.get_by_role("button", name="Keep VGSIMULATOR01").click()
    expect(pane.get_by_text("The account stays as it was.")).to_be_visible()
    facts(page, "as VGSIMULATOR01")

    window = save_and_authorize(page)
    window.get_by_label("Vendor group or seller account that consents").select_option("VGSIMULATOR02")
    window.get_by_role("button", name="Confirm").click()
    with window.expect_event("close"):
        window.get_by_role("button", name="Use VGSIMULATOR02 from now on").click()
    facts(page, "as VGSIMULATOR02")
