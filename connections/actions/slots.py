"""Slots: at most so many calls of a connection at once, over all processes and machines; and the time between two calls.

A running call holds a numbered row, taken by a guarded update with a deadline, so that the places of a killed process come back by
themselves. A connection that borrows uses its lender's rows. Who finds none waits in a bounded queue of the same kind.

What it costs: far from the limit (a quarter of the level taken) a process keeps the slot of a finished call for its next one, for
`SPARE` seconds: then most calls read and write nothing here. Nearer to the limit a call costs one read and two updates. An idle
spare may be out of others' reach until its deadline, so up to a quarter of the level is; never is the level exceeded.
"""

from __future__ import annotations

import math
import os
import random
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from django.db import DatabaseError
from django.db.models import Q
from django.utils import timezone

from connections.actions import pauses
from connections.actions.errors import ActionError
from connections.models import Connection, Slot, Turn

SPARE = 15  # seconds a slot may be used again without asking
QUEUE = 4  # times the level may wait
QUEUE_SECONDS = 30
TURN_SECONDS = 20  # longer than this nobody waits for a turn
PAUSE_SECONDS = 300  # after this a provider is asked again, however long a pause it wanted
EARLY = 35  # seconds: a lease that has less left is renewed


class CallError(ActionError):
    """A call was not made. `code` is the API's word for it (design §5), `hint` says what helps, `retry_after` is in seconds."""

    def __init__(
        self,
        code: Literal["rate_limited", "invalid_request", "too_large"],
        text: str,
        *,
        hint: str = "",
        retry_after: float | None = None,
    ) -> None:
        super().__init__(text)
        self.code = code
        self.hint = hint
        self.retry_after = retry_after


@dataclass(frozen=True)
class Held:
    lane: Connection
    number: int
    holder: str
    until: datetime
    may_be_kept: bool


_spares: dict[object, list[Held]] = {}
_pauses: dict[object, datetime] = {}
_lock = threading.Lock()
os.register_at_fork(after_in_child=_spares.clear)  # two processes must not use one slot


@contextmanager
def hold(connection: Connection, *, seconds: float) -> Iterator[None]:
    """A slot for a call that ends within `seconds`. Raises as `Lease`."""
    lease = Lease(connection, seconds=seconds)
    try:
        yield
    finally:
        lease.end()


class Lease:
    """A slot for `seconds`, and for as much longer as it is renewed; `end` gives it back.

    Raises CallError("rate_limited") where the queue is full or too slow. A connection that was never saved needs none: only the
    person who types it calls through it.
    """

    def __init__(self, connection: Connection, *, seconds: float) -> None:
        lane = connection.borrow_from or connection
        self._seconds = seconds
        self._held: Held | None = None
        if not lane._state.adding:
            self._held = _spare(lane, seconds) or _take(lane, seconds) or _wait(lane, seconds)

    def renew(self) -> None:
        """To be called every few seconds. Costs nothing while there is time left.

        Raises CallError where the time ran out, and another call has the slot.
        """
        now = timezone.now()
        if self._held is None or self._held.until - now > timedelta(seconds=EARLY):
            return
        until = now + timedelta(seconds=self._seconds)
        try:
            kept = _extend(self._held, until)
        except DatabaseError:
            return  # then nobody else gets it either; the next call of this tries again
        finally:
            pauses.let_go()  # whoever calls this goes back to waiting
        if not kept:
            self._held = None
            raise _too_many("This call took longer than its slot was held, and another has it now.")
        self._held = replace(self._held, until=until)

    def end(self) -> None:
        """Give the slot back. Doing it again changes nothing."""
        held, self._held = self._held, None
        if held is not None:
            _give_back(held)


def pause(connection: Connection, seconds: float) -> None:
    """The provider wants no call of the connection for so long. This process obeys; where calls have turns, all do."""
    until = timezone.now() + timedelta(seconds=min(seconds, PAUSE_SECONDS))
    with _lock:
        now = timezone.now()
        for pk in [pk for pk, end in _pauses.items() if end < now]:
            del _pauses[pk]
        _pauses[connection.pk] = until
    if connection.rate_wait_ms:
        Turn.objects.filter(connection_id=connection.pk, next_at__lt=until).update(next_at=until)


def await_turn(connection: Connection) -> None:
    """Wait until the next call of the connection may start. Raises CallError where that is longer than TURN_SECONDS away."""
    _await_pause(connection)
    apart = timedelta(milliseconds=connection.rate_wait_ms)
    if not apart or connection._state.adding:
        return
    while True:
        turn = Turn.objects.get_or_create(connection_id=connection.pk)[0]
        now = timezone.now()
        mine = max(now, turn.next_at)
        seconds = (mine - now).total_seconds()
        if seconds > TURN_SECONDS:
            raise CallError(
                "rate_limited",
                f"Calls of this connection are {connection.rate_wait_ms} ms apart, and too many are waiting.",
                hint="Call again later, or lower Wait time between requests.",
                retry_after=seconds,
            )
        # Guarded: who read the same time a moment earlier has this turn.
        if Turn.objects.filter(pk=turn.pk, next_at=turn.next_at).update(next_at=mine + apart):
            pauses.sleep(seconds)
            return


def _await_pause(connection: Connection) -> None:
    seconds = ((_pauses.get(connection.pk) or timezone.now()) - timezone.now()).total_seconds()
    if seconds > TURN_SECONDS:
        raise CallError(
            "rate_limited",
            f"The provider asked for a pause, of which {math.ceil(seconds)} seconds are left.",
            hint="Call again later.",
            retry_after=seconds,
        )
    if seconds > 0:
        pauses.sleep(seconds)


def _spare(lane: Connection, seconds: float) -> Held | None:
    now = timezone.now()
    with _lock:
        kept = _spares.get(lane.pk, [])
        for held in kept:
            if held.number < lane.concurrency and now + timedelta(seconds=seconds) <= held.until:
                kept.remove(held)
                return held
    return None


def _give_back(held: Held) -> None:
    if held.may_be_kept:
        with _lock:
            now = timezone.now()
            for pk in [pk for pk, kept in _spares.items() if all(spare.until < now for spare in kept)]:
                del _spares[pk]
            _spares.setdefault(held.lane.pk, []).append(held)
        return
    _release(held.lane, held.holder)


def _extend(held: Held, until: datetime) -> bool:
    places = Slot.objects.filter(connection=held.lane, is_waiting=False, number=held.number, holder=held.holder)
    return bool(places.update(held_until=until))


def _release(lane: Connection, holder: str) -> None:
    Slot.objects.filter(connection=lane, holder=holder).update(held_until=timezone.now(), holder="")


def _wait(lane: Connection, seconds: float) -> Held:
    size, level = QUEUE * lane.concurrency, lane.concurrency
    place = _claim(lane, size, QUEUE_SECONDS + 5, is_waiting=True)
    if place is None:
        raise _too_many(f"{level} calls of this connection are running and {size} are waiting.")
    try:
        give_up = time.monotonic() + QUEUE_SECONDS
        pause = 0.03
        while time.monotonic() < give_up:
            if held := _take(lane, seconds, waited=True):
                return held
            pauses.sleep(random.uniform(pause / 2, pause))  # noqa: S311  no secret in it
            pause = min(pause * 1.5, 0.4)
    finally:
        _release(lane, place.holder)
    raise _too_many(f"{level} calls of this connection are running, and none ended within {QUEUE_SECONDS} seconds.")


def _too_many(text: str) -> CallError:
    return CallError(
        "rate_limited", text, hint="Call again in a moment, or raise Concurrency level under Advanced.", retry_after=5
    )


def _take(lane: Connection, seconds: float, *, waited: bool = False) -> Held | None:
    """A slot, if there is one. Who comes new lets those go first who wait."""
    if not waited and Slot.objects.filter(connection=lane, is_waiting=True, held_until__gt=timezone.now()).exists():
        return None
    with _lock:  # a spare too old to be used without asking is asked for first
        kept = _spares.get(lane.pk)
        old = kept.pop(0) if kept else None
    return _claim(lane, lane.concurrency, seconds + SPARE, is_waiting=False, mine=old)


def _claim(lane: Connection, size: int, seconds: float, *, is_waiting: bool, mine: Held | None = None) -> Held | None:
    """One of the numbered places that is free, or is `mine`. None where all are taken."""
    places = Slot.objects.filter(connection=lane, is_waiting=is_waiting)
    owner = mine.holder if mine else "-"
    for _ in range(3):  # another process may be quicker
        now = timezone.now()
        until = now + timedelta(seconds=seconds)
        known = {number: (end, holder) for number, end, holder in places.values_list("number", "held_until", "holder")}
        taken = {number for number, (end, holder) in known.items() if end > now and holder != owner}
        free = [number for number in range(size) if number not in taken]
        random.shuffle(free)
        for number in sorted(free[:3], key=lambda number: not mine or number != mine.number):
            if number not in known:
                row = Slot(connection=lane, is_waiting=is_waiting, number=number, held_until=now)
                Slot.objects.bulk_create([row], ignore_conflicts=True)
            held = Held(lane, number, secrets.token_hex(16), until, not is_waiting and 4 * (len(taken) + 1) <= size)
            if places.filter(Q(held_until__lte=now) | Q(holder=owner), number=number).update(
                holder=held.holder, held_until=until
            ):
                return held
    return None
