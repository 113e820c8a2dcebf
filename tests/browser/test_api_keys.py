"""An API key from beginning to end: made, copied, used, revoked, refused."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable

import pytest
import requests
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import Complaints, open_pane, save_and_authorize, sign_in
from tests.server import Gatehouse

KEY = re.compile(r"gth_[0-9a-f]{12}_[\w-]{43}")
pytestmark = pytest.mark.usefixtures("amazon")


def make(page: Page, name: str) -> None:
    page.get_by_role("button", name="Team").click()
    page.get_by_role("link", name="API keys").click()
    page.get_by_role("link", name="+ Create API key").first.click()
    page.get_by_label("Name", exact=True).fill(name)


def test_a_key_is_made_copied_used_and_revoked(
    gatehouse: Gatehouse, open_browser: Callable[..., BrowserContext], complaints: Complaints
) -> None:
    context = open_browser()
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=gatehouse.url)
    page = sign_in(context, gatehouse)
    pane = open_pane(page, gatehouse, "Keyed")
    save_and_authorize(page).get_by_role("button", name="Confirm").click()
    expect(pane.get_by_text("The test passed.")).to_be_visible()

    # By keyboard: the day and the connections come and go with what they belong to.
    make(page, "Order import")
    expect(page.get_by_label("Last day (UTC)")).to_be_hidden()
    page.get_by_label("Ends", exact=True).select_option("On a day")
    page.get_by_label("Last day (UTC)").fill("2055-12-31")
    page.get_by_label("All of the team").focus()
    page.keyboard.press("ArrowDown")
    page.get_by_label("Keyed (Amazon simulator)").check()
    page.get_by_label("List connections").check()
    page.get_by_role("button", name="Create", exact=True).click()

    # It is copied with one press, and so is the command beside it, which works.
    page.get_by_role("button", name="Copy API key").click()
    expect(page.get_by_role("button", name="Copied API key")).to_be_visible()
    key = str(page.evaluate("navigator.clipboard.readText()"))
    assert KEY.fullmatch(key)
    page.get_by_role("button", name="Copy Try it in a shell").click()
    command = str(page.evaluate("navigator.clipboard.readText()"))
    done = subprocess.run(["bash", "-c", command], env={"PATH": os.environ["PATH"]}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"Keyed"' in done.stdout

    # It is nowhere any more: not on the pages, not after going back, and reloading makes no second one.
    page.reload()
    page.wait_for_url("**/team/api-keys/")
    expect(page.get_by_text("shown only once")).to_be_visible()
    page.go_back()
    assert key not in page.content()
    page.goto(f"{gatehouse.url}/team/api-keys/")
    assert key not in page.content() and key.encode() not in gatehouse.stored()
    assert page.get_by_role("row", name="Order import").count() == 1
    assert key not in gatehouse.printed()

    # Revoked, it is refused, and the refusal says so.
    page.get_by_role("link", name="Revoke Order import").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name="Order import")).to_contain_text("Revoked")
    answer = requests.get(f"{gatehouse.url}/api/v1/connections", headers={"Authorization": f"Bearer {key}"}, timeout=20)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert "revoked" in answer.json()["detail"]
    assert not complaints


def test_a_key_without_script(gatehouse: Gatehouse, open_browser: Callable[..., BrowserContext]) -> None:
    page = sign_in(open_browser(java_script_enabled=False), gatehouse)
    make(page, "Scriptless")
    page.get_by_role("group", name="What it may do").get_by_label("Get tokens").uncheck()
    page.get_by_role("button", name="Create", exact=True).click()
    assert KEY.fullmatch(page.get_by_label("API key", exact=True).input_value())
    expect(page.get_by_role("button", name="Copy API key")).to_be_hidden()
    page.get_by_role("link", name="I have copied it").click()
    page.get_by_role("link", name="Revoke Scriptless").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name="Scriptless")).to_contain_text("Revoked")
