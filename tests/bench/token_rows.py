"""Token reads: how many and how soon beside a bare view, and what one expired token costs the provider when everybody wants it."""

from __future__ import annotations

import json

from tests.bench.figures import Row, median, percentile
from tests.bench.load import all_at_once, get, keep_asking
from tests.bench.stage import Stage

CLIENTS, CALLERS = 8, 200
ROUNDS, SECONDS = 3, 2.0  # Gatehouse and floor by turns, so that what else the machine does falls on both
PROVIDER_SECONDS = 1.0
LEASE_SECONDS, LATE_SECONDS = 1, 3.0  # a provider that answers later than the lease lasts
TOKEN_PATH = "/auth/o2/token"


def hot_token_read(stage: Stage) -> list[Row]:
    """A token that is good for an hour, read as fast as it goes."""
    hot = stage.seed("hot", simulator=stage.simulator.url, refresh_token=stage.simulator.refresh_token())
    read, url = stage.token_request(hot), stage.gatehouse.url
    bare, floor_url = get(f"{stage.floor.url}/{hot['connection']}"), stage.floor.url
    for message, server in ((read, url), (bare, floor_url)):
        keep_asking(message, server, clients=CLIENTS, seconds=1)  # every thread has its connection
    reads, floors = [], []
    for _ in range(ROUNDS):
        floors.append(keep_asking(bare, floor_url, clients=CLIENTS, seconds=SECONDS))
        reads.append(keep_asking(read, url, clients=CLIENTS, seconds=SECONDS))
    rate, floor = (median(load.per_second for load in loads) for loads in (reads, floors))
    alone = median(keep_asking(read, url, clients=1, seconds=SECONDS).latencies)
    alone_floor = median(keep_asking(bare, floor_url, clients=1, seconds=SECONDS).latencies)
    spreads = [percentile(load.latencies, 99) / median(load.latencies) for load in (*reads, *floors)]
    spread, floor_spread = median(spreads[:ROUNDS]), median(spreads[ROUNDS:])
    return [
        Row(f"Hot token read, {CLIENTS} clients", rate, "/s", "ratio ≥ 0.7", rate / floor >= 0.7, floor, "bare view"),
        Row("… p50, one client", alone * 1000, "ms", "≤ 2 ms", alone <= 0.002, alone_floor * 1000, "bare view"),
        Row(f"… p99 against p50, {CLIENTS} clients", spread, "×", "≤ 3 ×", spread <= 3, floor_spread, "bare view"),
    ]


def callers_at_once(stage: Stage) -> list[Row]:
    """Everybody wants the same expired token, from four processes that know nothing of each other but the database."""
    rows = _callers(stage, f"{CALLERS} callers, one expired token, 4 processes", PROVIDER_SECONDS, {})
    lease = {"REFRESH_LEASE_SECONDS": str(LEASE_SECONDS)}
    what = f"… provider answers after {LATE_SECONDS:.0f} s, lease of {LEASE_SECONDS} s"
    return rows + _callers(stage, what, LATE_SECONDS, lease)


def _callers(stage: Stage, what: str, provider_seconds: float, environment: dict[str, str]) -> list[Row]:
    simulator = stage.simulator
    four = stage.another(WEB_CONCURRENCY="4", **environment)
    hot = stage.seed("hot", simulator=simulator.url, refresh_token=simulator.refresh_token(), name=what)
    read = stage.token_request(hot, four.url)
    keep_asking(read, four.url, clients=CLIENTS * 4, seconds=1)  # every process has answered before
    stage.seed("expire", connection=hot["connection"])
    simulator.fault(path=TOKEN_PATH, delay_ms=round(provider_seconds * 1000))
    before = len(simulator.calls(TOKEN_PATH))
    load, bodies = all_at_once([read] * CALLERS, four.url)
    calls = len(simulator.calls(TOKEN_PATH)) - before
    tokens = {json.loads(body)["access_token"] for body in bodies}
    four.stop()
    slowest = max(load.latencies)
    is_in_time = slowest <= provider_seconds + 0.3 and len(tokens) == 1 and len(load.latencies) == CALLERS
    return [
        Row(f"{what}: calls at the provider", calls, "", "exactly 1", calls == 1),
        Row("… all answered, with one token, after", slowest, "s", "provider + 0.3 s", is_in_time, provider_seconds, "provider"),
    ]  # fmt: skip
