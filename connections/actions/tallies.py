"""What is counted over all processes and machines: the names of the numbers, which /metrics shows, and what each one means.

They are added up in the Tally table, a few seconds behind, so that whichever process is asked tells of all of them. Nothing in
it names a team, a connection, a key or a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, get_args

from connections.actions import usage
from connections.models import Tally

RefreshOutcome = Literal["refreshed", "transient", "client", "reauthorize", "misconfigured", "lost"]
TokenReadOutcome = Literal["stored", "refreshed", "refused"]

# Upper bounds in seconds. A token endpoint answers in a tenth of one; the last is where outbound gives up.
REFRESH_SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25)
BEYOND: Final = "+Inf"


@dataclass(frozen=True)
class Counter:
    """`name` as in Tally; /metrics puts `gatehouse_` before it. `label` is what tells its numbers apart, `values` all it can say."""

    name: str
    about: str
    label: str = ""
    values: tuple[str, ...] = ("",)


COUNTERS: Final = (
    Counter("refreshes_total", "Requests for a new access token, by how they ended; lost: another process had already stored a newer one.",
            "outcome", get_args(RefreshOutcome)),
    Counter("lease_waits_total", "Callers that waited for another one's refresh of the same connection."),
    Counter("lease_wait_seconds_total", "How long they waited, all together."),
    Counter("token_reads_total", "Tokens asked for by integrations: handed out as stored, refreshed first, or refused.",
            "outcome", get_args(TokenReadOutcome)),
    Counter("proxy_calls_total", "Requests of integrations that were sent through a connection."),
)  # fmt: skip
# A histogram is a tally for each bucket, not cumulated, and one for the sum.
BUCKET: Final = "refresh_seconds_bucket"
SUM: Final = "refresh_seconds_sum"


def refresh(outcome: RefreshOutcome, seconds: float) -> None:
    """A provider was asked for a new access token; how that ended and how long it took."""
    usage.add("refreshes_total", outcome)
    usage.add(BUCKET, bucket(seconds))
    usage.add(SUM, value=seconds)


def lease_wait(seconds: float) -> None:
    """A caller has waited for another one's refresh."""
    usage.add("lease_waits_total")
    usage.add("lease_wait_seconds_total", value=seconds)


def token_read(outcome: TokenReadOutcome) -> None:
    """An integration asked for a token."""
    usage.add("token_reads_total", outcome)


def proxy_call() -> None:
    """A request was sent through a connection."""
    usage.add("proxy_calls_total")


def bucket(seconds: float) -> str:
    """The label of the bucket that a duration falls into."""
    return next((str(bound) for bound in REFRESH_SECONDS if seconds <= bound), BEYOND)


def read() -> dict[tuple[str, str], float]:
    """{(name, label): number}, one query."""
    return {(name, label): value for name, label, value in Tally.objects.values_list("name", "label", "value")}
