"""Use this connection: every program, run as it is printed on the page, against a running Gatehouse and the simulator."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Page, expect

from tests.browser.conftest import open_pane, save_and_authorize
from tests.conftest import Simulator
from tests.server import Gatehouse

NUMBER = re.compile(r"""purchase_?[oO]rder_?[nN]umber['"]: ?['"](\w+)['"]""")
# Written behind a program: it goes on when it is told to, and asks once more.
ONCE_MORE = "\nprint('first', flush=True)\ninput()\n"


@pytest.fixture(scope="module", autouse=True)
def programs() -> None:
    for program in ("bash", "curl", "jq"):
        if not shutil.which(program):
            pytest.skip(f"no {program} on this machine: apt-get install {program}")


@dataclass
class Printed:
    """What a person takes away from the pages: a key, and the programs by their ids."""

    key: str
    key_page: str  # where it can be revoked
    address: str  # of the connection at the API
    programs: dict[str, str]

    def command(self, id: str, more: str = "") -> list[str]:
        return (
            [sys.executable, "-c", self.programs[id] + more] if "curl" not in id else ["bash", "-c", self.programs[id]]
        )

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "GATEHOUSE_KEY": self.key, "HOME": os.environ.get("HOME", "/")}

    def run(self, id: str, folder: Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(id), env=self.environment, cwd=folder, capture_output=True, text=True, timeout=60
        )

    def start(self, id: str, more: str, folder: Path) -> subprocess.Popen[str]:
        """Up to its first answer; `more` is what it does once it is told to go on."""
        process = subprocess.Popen(
            self.command(id, ONCE_MORE + more), env=self.environment, cwd=folder, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if line == "first\n":
                assert NUMBER.search(said), said
                return process
        raise AssertionError(said)


def go_on(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate("\n", timeout=60)
    assert process.returncode == 0, said
    return said


def read(page: Page, gatehouse: Gatehouse, name: str) -> Printed:
    """Authorize a connection, unfold its programs in the pane, make a key for it: as a person does."""
    pane = open_pane(page, gatehouse, name)
    save_and_authorize(page).get_by_role("button", name="Confirm").click()
    expect(pane.get_by_text("The test passed.")).to_be_visible()
    pane.locator("summary", has_text="Use this connection").click()
    expect(pane.locator("#token-curl")).to_be_visible()
    programs = {str(shown.get_attribute("id")): str(shown.text_content()) for shown in pane.locator("pre[id]").all()}
    connection = re.findall(r"/connections/([0-9a-f-]{36})/", page.url)[0]
    pane.get_by_role("link", name="Create an API key for this connection").click()
    page.get_by_label("Name", exact=True).fill(f"{name} key")
    page.get_by_role("button", name="Create", exact=True).click()
    key = page.get_by_label("API key", exact=True).input_value()
    page.goto(f"{gatehouse.url}/team/api-keys/")
    revoke = page.get_by_role("link", name=f"Revoke {name} key").get_attribute("href")
    return Printed(key, f"{gatehouse.url}{revoke}", f"{gatehouse.url}/api/v1/connections/{connection}", programs)


@pytest.fixture
def printed(page: Page, gatehouse: Gatehouse, amazon: Simulator, request: pytest.FixtureRequest) -> Printed:
    amazon.config(access_token_ttl=getattr(request, "param", 3600))
    return read(page, gatehouse, request.node.name[:80])


def test_every_program_of_the_page_gets_the_same_order(printed: Printed, tmp_path: Path) -> None:
    assert list(printed.programs) == ["token-curl", "token-python", "token-sdk", "proxy-curl", "proxy-python"]
    numbers = set()
    for id in printed.programs:
        done = printed.run(id, tmp_path)
        assert done.returncode == 0, f"{id}: {done.stdout}{done.stderr}"
        found = NUMBER.findall(done.stdout)
        assert len(found) == 1, f"{id}: {done.stdout}"
        numbers.add(found[0])
    assert len(numbers) == 1


AGAIN = {
    "token-python": "print(requests.get(answer.url, headers={'x-amz-access-token': access_token()}, timeout=20).text)",
    "token-sdk": "print(api.get_purchase_orders(limit=1))",
}


@pytest.mark.parametrize("id", AGAIN)
def test_a_program_uses_its_token_until_it_ends(page: Page, printed: Printed, id: str, tmp_path: Path) -> None:
    """Gatehouse is not asked again: the key is revoked meanwhile, and then says why it opens nothing."""
    process = printed.start(id, AGAIN[id], tmp_path)
    page.goto(printed.key_page)
    page.get_by_role("button", name="Revoke").click()
    assert NUMBER.search(go_on(process))
    for other in printed.programs:
        done = printed.run(other, tmp_path)
        assert done.returncode != 0
        assert not NUMBER.search(done.stdout)
        assert "revoked" in done.stdout + done.stderr, f"{other}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("printed", [2], indirect=True)
@pytest.mark.parametrize("id", AGAIN)
def test_a_program_that_goes_on_gets_the_next_token_by_itself(
    printed: Printed, amazon: Simulator, id: str, tmp_path: Path
) -> None:
    process = printed.start(id, AGAIN[id], tmp_path)
    first = token(printed)
    while token(printed) == first:  # two seconds at most
        time.sleep(0.1)
    assert NUMBER.search(go_on(process))
    assert {call["status"] for call in amazon.calls("/vendor/")} == {200}  # none was made with the one that had ended


def token(printed: Printed) -> str:
    answer = requests.get(f"{printed.address}/token", headers={"Authorization": f"Bearer {printed.key}"}, timeout=20)
    answer.raise_for_status()
    return str(answer.json()["access_token"])
