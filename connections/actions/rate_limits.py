"""Rate limits: at most so many requests a minute for each API key, over all processes and machines.

A write for each request would cost more than the request. So a process takes a share of the minute in the key's row, by a guarded
update, and spends it in memory: little at first, twice as much each time it comes back, never more than a tenth of what is left. So
never more than the limit goes through, and what an idle process holds back is less than it has used itself.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Case, F, Q, Value, When

from connections.models import ApiKey

MINUTE = 60  # seconds
FIRST = 1000  # the first share is this fraction of the limit
MOST = 10  # and no share more than this fraction of what is left
KEPT = 1000  # keys that a process remembers


@dataclass(frozen=True, slots=True)
class Rate:
    """What a key may still do: the `RateLimit-…` headers. `reset` in seconds."""

    limit: int
    remaining: int
    reset: int
    is_exceeded: bool = False


@dataclass(slots=True)
class Share:
    """What this process has taken of one minute for one key."""

    minute: int = 0  # since 1970
    limit: int = 0
    left: int = 0
    size: int = 0  # of the share taken last
    taken: int = 0  # by all processes, as far as is known here
    lock: threading.Lock = field(default_factory=threading.Lock)


_shares: dict[object, Share] = {}


def spend(key_id: UUID | str, *, limit: int, window_at: datetime, window_taken: int) -> Rate:
    """Count one request. `limit` and the window are the key's row, read a moment ago."""
    counted = int(window_at.timestamp() // MINUTE)
    share = _shares.get(key_id) or _remembered(key_id)
    with share.lock:
        now = int(time.time())
        mine = now // MINUTE
        minute = counted if counted == mine + 1 else mine  # another machine's clock may be a little ahead
        if share.minute not in (minute, mine + 1) or share.limit != limit:
            share.minute, share.limit, share.left, share.size, share.taken = minute, limit, 0, 0, 0
        if counted == share.minute:
            share.taken = max(share.taken, window_taken)
        is_exceeded = share.left < 1 and not _take(key_id, share)
        if not is_exceeded:
            share.left -= 1
        remaining = share.left + max(0, limit - share.taken)
        reset = max(1, (share.minute + 1) * MINUTE - now)
    return Rate(limit, 0 if is_exceeded else remaining, reset, is_exceeded)


def _take(key_id: UUID | str, share: Share) -> bool:
    """Take a share of the minute in the key's row; False where nothing is left of it."""
    while share.taken < share.limit:
        left = share.limit - share.taken
        size = max(1, min(2 * share.size or share.limit // FIRST, left // MOST))
        window = datetime.fromtimestamp(share.minute * MINUTE, UTC)
        end, far = window + timedelta(seconds=MINUTE), window + timedelta(seconds=2 * MINUTE)
        is_new = (Q(window_at__lt=window) | Q(window_at__gte=far)) & Q(rate_limit__gte=size)
        fits = Q(window_at__gte=window, window_at__lt=end, window_taken__lte=F("rate_limit") - size)
        counted = Case(When(fits, then=F("window_taken") + size), default=Value(size))
        if ApiKey.objects.filter(is_new | fits, pk=key_id).update(window_at=window, window_taken=counted):
            share.left, share.size, share.taken = size, size, share.taken + size
            return True
        row = ApiKey.objects.filter(pk=key_id).values_list("rate_limit", "window_at", "window_taken").first()
        if row is None:
            return False
        share.limit, window_at, taken = row
        if end <= window_at < far:  # another machine's clock is ahead: its minute is this one
            share.minute, share.size = share.minute + 1, 0
        share.taken = taken if window <= window_at < far else 0
    return False


def _remembered(key_id: UUID | str) -> Share:
    if len(_shares) >= KEPT:
        this = int(time.time() // MINUTE)
        for old in [known for known, share in list(_shares.items()) if share.minute < this]:
            _shares.pop(old, None)
    return _shares.setdefault(key_id, Share())


def forget() -> None:
    """What this process has taken. Also after a fork: both would spend it."""
    _shares.clear()


os.register_at_fork(after_in_child=forget)
