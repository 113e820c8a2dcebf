"""A real browser at a real server. What the browser complains of fails the test, unless the test expects it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright, expect, sync_playwright

from tests.conftest import Simulator
from tests.server import PASSWORD, Gatehouse

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# The browser's own remark on an answer that is no success; which answers those are, each test says itself.
REMARK = re.compile(r"Failed to load resource: the server responded with a status of (400|403|404|409|422)")
ABORTED = re.compile(
    r"htmx:(afterRequest|sendAbort), \[object HTMLFormElement\]"
)  # htmx's own remark where a later request took an earlier one's place
PATIENCE = 20_000  # milliseconds; a machine may be busy with the other tests
expect.set_options(timeout=PATIENCE)

CLIENT = {
    "Client ID": "amzn1.application-oa2-client.simulator",
    "Client secret": "amzn1.oa2-cs.v1.simulator",
    "Application ID": "amzn1.sp.solution.simulator",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/browser/" in item.nodeid:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> str:
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    return found


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """For a file, not for the session: while it runs, Django takes this thread for an asynchronous one and refuses the ORM."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(chromium: str, playwright: Playwright) -> Iterator[Browser]:
    launched = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
    yield launched
    launched.close()


@pytest.fixture(scope="session")
def install(tmp_path_factory: pytest.TempPathFactory, simulator_process: str) -> Iterator[Callable[[], Gatehouse]]:
    """Starts a Gatehouse that nobody has set up yet."""
    static = tmp_path_factory.mktemp("static") / "files"
    running: list[Gatehouse] = []

    def started() -> Gatehouse:
        gatehouse = Gatehouse(tmp_path_factory.mktemp("gatehouse"), static=static, simulator_url=simulator_process)
        running.append(gatehouse)
        gatehouse.start()
        return gatehouse

    yield started
    for gatehouse in running:
        gatehouse.stop()


@pytest.fixture(scope="session")
def gatehouse(install: Callable[[], Gatehouse]) -> Gatehouse:
    """One that is set up, for all tests of the session: each works on connections of its own."""
    started = install()
    started.create_owner("owner@example.com", "Bolt & Nut")
    return started


@pytest.fixture
def amazon(simulator_process: str) -> Simulator:
    """The simulator, fresh."""
    known = Simulator(simulator_process)
    known.reset()
    return known


class Complaints(list[str]):
    """What the browser complained of. `expected`: patterns of what a test brings about itself."""

    def __init__(self) -> None:
        super().__init__()
        self.expected: list[str] = []

    def hear(self, kind: str, text: str, address: str = "") -> None:
        is_remark = (REMARK.match(text) and "/static/" not in address) or ABORTED.fullmatch(text)
        if not is_remark and not any(re.search(pattern, text) for pattern in self.expected):
            self.append(f"{kind}: {text} {address}".strip())


@pytest.fixture
def complaints() -> Iterator[Complaints]:
    heard = Complaints()
    yield heard
    assert not heard, "the browser complained:\n" + "\n".join(heard)


@pytest.fixture
def open_browser(browser: Browser, complaints: Complaints) -> Iterator[Callable[..., BrowserContext]]:
    """A new person at a new browser: `open_browser(viewport=…, java_script_enabled=…)`."""
    opened: list[BrowserContext] = []

    def new(**options: Any) -> BrowserContext:
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        context.set_default_timeout(PATIENCE)
        context.on("console", lambda said: said.type in ("error", "warning") and complaints.hear(
            said.type, said.text, said.location.get("url", "")))  # fmt: skip
        context.on("weberror", lambda raised: complaints.hear("uncaught", str(raised.error)))
        opened.append(context)
        return context

    yield new
    for context in opened:
        context.close()


def sign_in(context: BrowserContext, gatehouse: Gatehouse, email: str = "owner@example.com") -> Page:
    """A page of the connections list."""
    page = context.new_page()
    page.goto(f"{gatehouse.url}/connections/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/connections/")
    return page


@pytest.fixture
def page(open_browser: Callable[..., BrowserContext], gatehouse: Gatehouse) -> Page:
    """The owner, signed in, at the connections list."""
    return sign_in(open_browser(), gatehouse)


def fill_client(form: Locator, name: str, secret: str = CLIENT["Client secret"]) -> None:
    form.get_by_label("Name", exact=True).fill(name)
    for label, value in (CLIENT | {"Client secret": secret}).items():
        form.get_by_label(label, exact=True).fill(value)


def open_pane(page: Page, gatehouse: Gatehouse, name: str, application: str = "amazon-simulator") -> Locator:
    """A new connection's pane as its own page, with a name and a client of its own made through the drawer."""
    page.goto(f"{gatehouse.url}/connections/new/{application}/")
    pane = page.locator("#pane")
    pane.get_by_label("Name", exact=True).fill(name)
    pane.get_by_role("button", name="New OAuth 2.0 client").click()
    fill_client(page.locator("#client"), f"{name} app")
    page.locator("#client").get_by_role("button", name="Save").click()
    expect(pane.get_by_label("OAuth 2.0 client", exact=True).locator("option:checked")).to_have_text(f"{name} app")
    return pane


def save_and_authorize(page: Page) -> Page:
    """Presses the button; the consent page in its window."""
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Save & authorize").click()
    opened.value.wait_for_url("**/apps/authorize/consent**")
    return opened.value
