"""The whole way, as the first person of a new installation goes it: with script, and with script off."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import BrowserContext, Locator, Page, Response, expect

from tests.browser.conftest import fill_client, save_and_authorize
from tests.conftest import Simulator
from tests.server import PASSWORD, Gatehouse

EMAIL = "first@example.com"
SECRET = "amzn1.oa2-cs.v1.sentinel-that-no-page-may-hold"


def record(context: BrowserContext, gatehouse: Gatehouse) -> list[str]:
    """Every page and fragment that Gatehouse sends from now on, headers included."""
    answers: list[str] = []

    def keep(response: Response) -> None:
        if response.url.startswith(gatehouse.url) and "/static/" not in response.url:
            answers.append(str(response.headers))
            if response.status < 300 or response.status >= 400:
                answers.append(response.text())

    context.on("requestfinished", lambda request: keep(request.response()))
    return answers


def set_up(page: Page, gatehouse: Gatehouse) -> None:
    page.goto(gatehouse.setup_link())
    page.get_by_label("Team name").fill("Bolt & Nut")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password, once more").fill(PASSWORD)
    page.get_by_role("button", name="Create owner and team").click()
    page.wait_for_url("**/connections/")
    expect(page.get_by_role("heading", name="No connections yet")).to_be_visible()


def steps(page: Page) -> Locator:
    return page.locator("#test-result .steps > li")


def refresh_tokens(gatehouse: Gatehouse) -> list[str]:
    """Those that are in use; opened by the product's own code in a process of its own."""
    program = (
        "from connections.models import Grant\nfor grant in Grant.objects.all(): print(grant.refresh_token.reveal())"
    )
    tokens = gatehouse.manage("shell", "-v0", "-c", program).split()
    assert all(token.startswith("Atzr|") for token in tokens)
    return tokens


def assert_nothing_secret(answers: list[str], gatehouse: Gatehouse) -> None:
    tokens = refresh_tokens(gatehouse)
    assert len(tokens) == 1 and len(answers) > 10
    stored, printed = gatehouse.stored(), gatehouse.printed()
    for secret in (*tokens, "Atza|", SECRET, PASSWORD):
        assert not [answer for answer in answers if secret in answer]
        assert secret.encode() not in stored
        assert secret not in printed


def test_from_the_setup_link_to_an_online_connection(
    install: Callable[[], Gatehouse], open_browser: Callable[..., BrowserContext], amazon: Simulator
) -> None:
    gatehouse = install()
    amazon.config(client_secret=SECRET)
    context = open_browser()
    answers = record(context, gatehouse)
    page = context.new_page()
    set_up(page, gatehouse)

    page.get_by_role("button", name="Resources").click()
    page.get_by_role("link", name="Connections", exact=True).click()
    page.get_by_role("link", name="+ Create connection").first.click()
    page.wait_for_url("**/connections/new/")

    # The application list by keyboard: the search has the focus, arrows walk what is left of the list.
    page.keyboard.type("amazon")
    expect(page.locator("#applications > li:visible")).to_have_count(4)
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("link", name=re.compile("^A Amazon Vendor Central|^Amazon Vendor Central"))).to_be_focused()
    page.keyboard.press("ArrowUp")
    expect(page.get_by_label("Search applications")).to_be_focused()
    page.keyboard.type(" nowhere")
    expect(page.get_by_text("No application fits “amazon nowhere”.")).to_be_visible()
    page.get_by_label("Search applications").fill("simulator")
    page.keyboard.press("Enter")
    pane = page.get_by_role("dialog", name="Create connection").locator("#pane")
    expect(pane.get_by_label("Name", exact=True)).to_be_focused()
    assert page.url.endswith("/connections/new/amazon-simulator/")

    # A new client by +: nothing that was typed in the pane is lost, and the pane takes it.
    page.keyboard.type("Vendor Central US")
    pane.get_by_label("I already have a refresh token").fill("typed and then thought better of")
    pane.get_by_role("button", name="New OAuth 2.0 client").click()
    drawer = page.get_by_role("dialog", name="Create OAuth 2.0 client")
    expect(drawer.get_by_label("Name", exact=True)).to_be_focused()
    fill_client(drawer, "Example app", secret=SECRET)
    drawer.get_by_role("button", name="Save").click()
    client = pane.get_by_label("OAuth 2.0 client", exact=True)
    expect(client.locator("option:checked")).to_have_text("Example app")
    expect(client).to_be_focused()
    expect(drawer).to_have_count(0)
    expect(pane.get_by_label("Name", exact=True)).to_have_value("Vendor Central US")
    expect(pane.get_by_label("I already have a refresh token")).to_have_value("typed and then thought better of")
    pane.get_by_label("I already have a refresh token").fill("")

    window = save_and_authorize(page)
    expect(page.get_by_role("heading", name="Waiting for Amazon…")).to_be_visible()
    with window.expect_event("close"):
        window.get_by_role("button", name="Confirm").click()

    # Without a reload: authorized, online, and tested with a real purchase-order call.
    pane = page.get_by_role("dialog", name="Edit connection").locator("#pane")
    expect(pane.get_by_text("The refresh token is encrypted and stored")).to_be_visible()
    expect(pane.get_by_text("The test passed.")).to_be_visible()
    expect(pane.locator("#facts")).to_contain_text("Online")
    expect(pane.locator("#facts")).to_contain_text(f"by {EMAIL} as VGSIMULATOR01")
    expect(steps(page)).to_have_count(5)
    assert amazon.calls("/vendor/orders/v1/purchaseOrders")[-1]["status"] == 200
    assert len(amazon.calls("/auth/o2/token", "authorization_code")) == 1
    page.reload()
    expect(page.locator("#test-result")).to_contain_text("Last test")

    pane = page.locator("#pane")
    pane.get_by_role("link", name="Close", exact=True).click()
    page.wait_for_url("**/connections/")
    row = page.get_by_role("row").filter(has_text="Vendor Central US")
    expect(row).to_contain_text("Online")
    page.get_by_role("link", name="Vendor Central US", exact=True).click()
    expect(page.get_by_role("dialog", name="Edit connection").get_by_role("heading", level=1)).to_be_focused()
    assert_nothing_secret(answers, gatehouse)


def test_the_same_with_script_off(
    install: Callable[[], Gatehouse], open_browser: Callable[..., BrowserContext], amazon: Simulator
) -> None:
    gatehouse = install()
    amazon.config(client_secret=SECRET)
    context = open_browser(java_script_enabled=False)
    answers = record(context, gatehouse)
    page = context.new_page()
    set_up(page, gatehouse)

    page.get_by_role("link", name="+ Create connection").first.click()
    page.get_by_label("Search applications").fill("http")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=re.compile("Any HTTP API")).click()
    page.wait_for_url("**/connections/new/http/")

    # Fields follow the grant type by a button; what was typed stays.
    page.get_by_label("Name", exact=True).fill("Any API")
    page.get_by_label("Grant type").select_option("Client credentials")
    page.get_by_role("button", name="Update the fields below").nth(1).click()
    expect(page.get_by_label("Authorization URL")).to_have_count(0)
    expect(page.get_by_label("Name", exact=True)).to_have_value("Any API")

    page.goto(f"{gatehouse.url}/connections/new/amazon-simulator/")
    page.get_by_label("Name", exact=True).fill("Vendor Central EU")
    page.get_by_label("Region").select_option("Europe")
    page.get_by_role("button", name="Update the fields below").first.click()
    page.get_by_label("Marketplace").select_option("Germany (DE)")
    page.get_by_text("How to test this connection").click()
    page.get_by_label("Relative URI").fill("/vendor/orders/v1/purchaseOrders?limit=1")
    page.locator("#id_headers").get_by_label("Name, row 1").fill("X-Team")
    page.locator("#id_headers").get_by_label("Value, row 1").fill("bolts")

    # + leads to the client's own page and back; a client that lacks something says so on its page.
    page.get_by_role("button", name="New OAuth 2.0 client").click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Not saved yet.")).to_be_visible()
    fill_client(page.locator("#client"), "Example app", secret=SECRET)
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/connections/new/amazon-simulator/**")
    expect(page.get_by_label("OAuth 2.0 client", exact=True).locator("option:checked")).to_have_text("Example app")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Vendor Central EU")
    expect(page.get_by_label("Marketplace").locator("option:checked")).to_have_text("Germany (DE)")
    expect(page.get_by_label("Relative URI")).to_have_value("/vendor/orders/v1/purchaseOrders?limit=1")
    expect(page.locator("#id_headers").get_by_label("Value, row 1")).to_have_value("bolts")

    # Test connection before anything is saved: a page with the steps in it.
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("The test did not pass.")).to_be_visible()
    expect(steps(page).nth(2)).to_have_attribute("data-state", "ok")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Vendor Central EU")

    # In this very tab to Amazon and back.
    page.get_by_role("button", name="Save & authorize").click()
    page.wait_for_url("**/apps/authorize/consent**")
    page.get_by_role("button", name="Confirm").click()
    page.wait_for_url(re.compile(r"/connections/[0-9a-f-]{36}/$"))
    expect(page.get_by_text("The refresh token is encrypted and stored")).to_be_visible()
    expect(page.locator("#facts")).to_contain_text("Online")
    amazon.config(region="eu")
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("The test passed.")).to_be_visible()
    expect(page.locator("#facts")).to_have_count(1)

    page.goto(f"{gatehouse.url}/connections/")
    row = page.get_by_role("row").filter(has_text="Vendor Central EU")
    expect(row).to_contain_text("Online")
    row.get_by_role("button", name="Test").click()
    expect(page.get_by_text("The test passed.")).to_be_visible()
    assert_nothing_secret(answers, gatehouse)
