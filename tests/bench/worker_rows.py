"""One worker and many expired tokens, with somebody reading another token meanwhile."""

from __future__ import annotations

import time

from tests.bench.figures import Row, percentile
from tests.bench.load import Caller, keep_asking
from tests.bench.stage import Stage

PROVIDER_MS = 100
AT_ONCE = 24  # calls at the provider: as many as a worker makes
PATIENCE = 120  # seconds
PAUSE = 0.04  # seconds between two reads: somebody who reads, not somebody who measures how fast it goes
DUE = """
SELECT COUNT(*) FROM connections_grant JOIN connections_connection ON connections_connection.id = connection_id
WHERE name LIKE 'Due %' AND refreshed_at IS NULL
"""


def refreshes(stage: Stage) -> list[Row]:
    """Counted from the first token that was stored to the last one."""
    simulator, count = stage.simulator, stage.due
    refresh_token = simulator.refresh_token()
    hot = stage.seed("hot", simulator=simulator.url, refresh_token=refresh_token, name="Read meanwhile")
    read = Caller(stage.gatehouse.url)
    message = stage.token_request(hot)
    quiet = [_read(read, message) for _ in range(100)]
    direct = stage.token_endpoint(refresh_token)
    simulator.fault(path="/auth/o2/token", delay_ms=PROVIDER_MS, times=100_000)
    try:
        floor = keep_asking(direct, simulator.url, clients=AT_ONCE, seconds=2).per_second
        stage.seed("due", simulator=simulator.url, refresh_token=refresh_token, count=count)
        latencies = []
        give_up = time.monotonic() + PATIENCE
        with stage.worker() as worker:
            while stage.sql(DUE) and time.monotonic() < give_up:
                assert worker.poll() is None, "the worker ended"
                for _ in range(10):
                    latencies.append(_read(read, message))
                    time.sleep(PAUSE)
        done = stage.seed("refreshed")
    finally:
        simulator.post("/_control/faults/clear")
        read.socket.close()
    rate = (done["count"] - 1) / done["seconds"]
    is_met = rate >= 100 and done["count"] == count
    busy, idle = percentile(latencies, 99) * 1000, percentile(quiet, 99) * 1000
    return [
        Row(f"{done['count']:,} of {count:,} expired tokens, one worker, provider {PROVIDER_MS} ms", rate, "/s", "≥ 100/s", is_met,
            floor, f"{AT_ONCE} callers, no Gatehouse"),
        Row("… p99 of a token read meanwhile", busy, "ms", "responsive", busy <= 100, idle, "with nothing else"),
    ]  # fmt: skip


def _read(caller: Caller, message: bytes) -> float:
    caller.send(message)
    while not caller.got():
        pass
    return time.perf_counter() - caller.began
