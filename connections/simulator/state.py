"""Everything the simulator remembers, in memory and behind one lock: grants, codes, faults, calls, configuration."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from connections.simulator.configuration import Configuration
from connections.simulator.registry import CLIENT_ID, OTHER_CLIENT_ID, OTHER_CLIENT_SECRET, Account
from connections.simulator.tokens import Mint, random_text, refresh_token

CODE_LIFETIME: Final = 5 * 60
OLD_SECRET_LIFETIME: Final = 7 * 24 * 3600
CALLS_KEPT: Final = 10_000
TRANSACTIONS_KEPT: Final = 1_000

Clock = Callable[[], float]


@dataclass
class Grant:
    """One account's consent to one client. Several grants of one account live side by side."""

    id: str
    client_id: str
    account: Account
    scope: str
    granted_at: float
    refresh_token: str
    refreshes: int = 0


@dataclass(frozen=True)
class Code:
    """An authorization code: for one client and redirect URI, five minutes, once. With a scope it is LWA's own."""

    value: str
    client_id: str
    account: Account
    redirect_uri: str
    expires_at: float
    scope: str = ""
    challenge: str = ""
    challenge_method: str = "plain"


@dataclass
class Fault:
    """What the next `times` calls of `path` get. Without a status: the usual answer, `delay_ms` later."""

    path: str
    status: int | None = None
    times: int = 1
    delay_ms: int = 0
    body: object = None
    headers: dict[str, str] = field(default_factory=dict)

    def matches(self, path: str) -> bool:
        """Exactly, or by what comes before a final `*`."""
        return path.startswith(self.path[:-1]) if self.path.endswith("*") else path == self.path


@dataclass
class Call:
    """One request, without anything secret. `status` is None until it is answered."""

    method: str
    path: str
    grant_type: str | None
    at: str
    status: int | None = None


class State:
    """The simulator's memory. `clock` gives epoch seconds, `sleep` waits as many; tests pass their own."""

    def __init__(self, clock: Clock = time.time, sleep: Callable[[float], None] = time.sleep) -> None:
        self.clock = clock
        self.sleep = sleep
        self.lock = threading.RLock()
        self.reset()

    def reset(self) -> None:
        """As freshly started: no grants, codes, faults or calls, default configuration, tokens of before unknown."""
        with self.lock:
            self.configuration = Configuration()
            self.mint = Mint()
            self.faults: list[Fault] = []
            self.calls: deque[Call] = deque(maxlen=CALLS_KEPT)
            self.codes: dict[str, Code] = {}
            self.grants: dict[str, Grant] = {}
            self.grants_by_token: dict[str, Grant] = {}
            self.transactions: dict[str, float] = {}
            self.acknowledged: set[tuple[str, str]] = set()
            self.old_secret: tuple[str, float] = ("", 0.0)
            self._buckets: dict[tuple[str, str, str], tuple[float, float]] = {}

    # Clients

    def secret_is_right(self, client_id: str, secret: str) -> bool:
        """Whether `secret` is the client's, or the one before less than seven days after a rotation by the API."""
        if client_id == OTHER_CLIENT_ID:
            return secret == OTHER_CLIENT_SECRET
        if client_id != CLIENT_ID:
            return False
        old, until = self.old_secret
        return secret == self.configuration.client_secret or (bool(old) and secret == old and self.clock() < until)

    def rotate_secret(self) -> None:
        """A new secret for the first client (read it with GET /_control/config); the old one works seven days more."""
        with self.lock:
            self.old_secret = (self.configuration.client_secret, self.clock() + OLD_SECRET_LIFETIME)
            secret = "amzn1.oa2-cs.v1." + random_text(64)
            self.configuration = self.configuration.merge({"client_secret": secret})

    # Codes and grants

    def issue_code(self, client_id: str, account: Account, redirect_uri: str, scope: str = "", **challenge: str) -> str:
        """A new authorization code for the redirect back."""
        now = self.clock()
        code = Code("AN" + random_text(18), client_id, account, redirect_uri, now + CODE_LIFETIME, scope, **challenge)
        with self.lock:
            self.codes = {value: kept for value, kept in self.codes.items() if kept.expires_at > now}
            self.codes[code.value] = code
        return code.value

    def find_code(self, value: str) -> Code | None:
        """The code, if it is known, unused and not yet five minutes old."""
        code = self.codes.get(value)
        return code if code and self.clock() < code.expires_at else None

    def create_grant(self, client_id: str, account: Account, scope: str = "") -> Grant:
        """A grant with a new refresh token; earlier ones of the same account keep working."""
        grant = Grant(random_text(16), client_id, account, scope, self.clock(), refresh_token())
        with self.lock:
            self.grants[grant.id] = grant
            self.grants_by_token[grant.refresh_token] = grant
        return grant

    def rotate_refresh_token(self, grant: Grant) -> None:
        """Replace the grant's refresh token; the one before is unknown from now on."""
        with self.lock:
            self.grants_by_token.pop(grant.refresh_token, None)
            grant.refresh_token = refresh_token()
            self.grants_by_token[grant.refresh_token] = grant

    def revoke(self, token: str | None = None) -> int:
        """Forget one refresh token's grant, or every grant, access tokens included. How many were forgotten."""
        with self.lock:
            doomed = list(self.grants.values()) if token is None else [self.grants_by_token.get(token)]
            for grant in doomed:
                if grant:
                    del self.grants[grant.id]
                    del self.grants_by_token[grant.refresh_token]
            return sum(grant is not None for grant in doomed)

    # Faults and calls

    def take_fault(self, path: str) -> Fault | None:
        """The first fault for `path`, one time less of it left."""
        with self.lock:
            fault = next((each for each in self.faults if each.matches(path)), None)
            if fault:
                fault.times -= 1
                if fault.times <= 0:
                    self.faults.remove(fault)
            return fault

    def record(self, method: str, path: str, grant_type: str | None) -> Call:
        """Note that a request has come in; the caller fills in the status when it is answered."""
        at = datetime.fromtimestamp(self.clock(), UTC).isoformat(timespec="milliseconds")
        call = Call(method, path, grant_type, at)
        with self.lock:
            self.calls.append(call)
        return call

    # Selling Partner API

    def take_quota(self, operation: str, account: str, client_id: str) -> bool:
        """Token bucket per operation, selling partner and application; False means throttled."""
        rate, burst = self.configuration.rate_limit, self.configuration.rate_burst
        if rate is None:
            return True
        key, now = (operation, account, client_id), self.clock()
        with self.lock:
            left, since = self._buckets.get(key, (float(burst), now))
            left = min(float(burst), left + (now - since) * rate)
            allowed = left >= 1
            self._buckets[key] = (left - 1 if allowed else left, now)
        return allowed

    def add_transaction(self, transaction_id: str) -> None:
        """Remember a submission; the oldest are forgotten beyond a thousand."""
        with self.lock:
            self.transactions[transaction_id] = self.clock()
            while len(self.transactions) > TRANSACTIONS_KEPT:
                del self.transactions[next(iter(self.transactions))]
