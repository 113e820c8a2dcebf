"""`make run` itself: how soon it answers, and what memory its processes hold once they have worked."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tests.bench.figures import Row, median
from tests.bench.load import get, keep_asking
from tests.bench.stage import Stage
from tests.server import ROOT, free_port

# What is there already: virtual environment, keys (they come by the environment) and static files.
MADE = (".venv/run.stamp", "var/secret_key", "var/encryption_keys", "var/static.stamp")
STARTS = 3
PATIENCE = 60  # seconds


def memory_and_start(stage: Stage) -> list[Row]:
    """The tables are up to date: the start of every day, not the first one."""
    hot = stage.seed("hot", simulator=stage.simulator.url, refresh_token=stage.simulator.refresh_token(), name="Memory")
    starts = []
    for number in range(STARTS):
        with _make_run(stage) as (process, seconds, url):
            starts.append(seconds)
            if number == STARTS - 1:
                _work(stage, url, hot)
                resident = memory(process.pid)
    floor_process = stage.floor.process
    assert floor_process
    keep_asking(get(f"{stage.floor.url}/{hot['connection']}"), stage.floor.url, clients=16, seconds=1)
    bare, start = memory(floor_process.pid), median(starts)
    about = "bare view"
    return [
        Row("Memory of make run after work, RSS", resident[0], "MB", "≤ 250 MB", resident[0] <= 250, bare[0], about),
        Row("… shared pages counted once, PSS", resident[1], "MB", "≤ 250 MB", resident[1] <= 250, bare[1], about),
        Row("make run, start to first page", start, "s", "≤ 1.5 s", start <= 1.5),
    ]


@contextmanager
def _make_run(stage: Stage) -> Iterator[tuple[subprocess.Popen[bytes], float, str]]:
    """`make run` on the stage's database: its process, the seconds until the first page came, its URL."""
    port = free_port()
    kept = ("SECRET_KEY", "ENCRYPTION_KEYS", "DATABASE_URL", "STATIC_ROOT", "PATH")
    environment = {name: stage.gatehouse.environment[name] for name in kept}
    environment |= {"PORT": str(port), "SIMULATOR_PORT": str(free_port())}
    command = ["make", "run", *(word for made in MADE for word in ("-o", made))]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=stage.gatehouse.log, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        url = f"http://127.0.0.1:{port}"
        yield process, _first_page(process, url, began), url
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def _first_page(process: subprocess.Popen[bytes], url: str, began: float) -> float:
    while time.perf_counter() - began < PATIENCE and process.poll() is None:
        try:
            if requests.get(f"{url}/accounts/login/", timeout=PATIENCE).ok:
                return time.perf_counter() - began
        except requests.ConnectionError:
            time.sleep(0.01)
    raise RuntimeError("make run did not answer")


def _work(stage: Stage, url: str, hot: dict[str, str]) -> None:
    """Every process has done what it does all day."""
    cookie = f"gatehouse_session={stage.seeded['session']}"
    for path in ("/connections/", f"/connections/{hot['connection']}/"):
        keep_asking(get(url + path, Cookie=cookie), url, clients=16, seconds=1)
    keep_asking(stage.token_request(hot, url), url, clients=16, seconds=1)
    time.sleep(6)  # the worker has looked what is due at least once


def memory(pid: int) -> tuple[float, float]:
    """(RSS, PSS) in MB of a process and all below it. PSS counts a page that n processes share as 1/n in each."""
    rss = pss = 0
    for each in (pid, *_below(pid)):
        try:
            told = Path(f"/proc/{each}/smaps_rollup").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        numbers = {
            name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in told.splitlines()[1:])
        }
        rss, pss = rss + numbers["Rss"], pss + numbers["Pss"]
    if not rss:
        raise RuntimeError("this system does not tell what memory a process holds (/proc/…/smaps_rollup)")
    return rss / 1000, pss / 1000


def _below(pid: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            told = entry.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(entry.parent.name)] = int(told.rpartition(")")[2].split()[1])
    found = {pid}
    while more := {each for each, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}
