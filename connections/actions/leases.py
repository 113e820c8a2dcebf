"""Leases: of all processes and machines, one at a time asks a provider about a grant; of all threads in a process, one.

A lease stands in the grant's row: an owner, and a deadline by the database's own clock, so that machines whose clocks disagree
agree. While an answer is awaited its holder extends it; when a process dies, it runs out. A flight is the same within a process,
without the database: one thread asks, the others wait for what it brings.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import DatabaseError
from django.db import connections as databases
from django.db.models import Q
from django.db.models.functions import Now

from connections.actions.errors import GrantError
from connections.models import Grant

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=settings.LEASE_SECONDS)  # longer than any answer may take (outbound's deadline)
# A deadline further away than this was written while the database's clock was ahead: it counts for nothing.
BELIEVABLE = 3 * LEASE
IDLE = 30  # seconds after which the thread that extends leases ends


def take(grant: Grant, owner: str) -> bool:
    """Whether the lease is ours now. Guarded: nothing that matters may have changed since `grant` was read."""
    free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=Now()) | Q(lease_expires_at__gt=Now() + BELIEVABLE)
    unchanged = Grant.objects.filter(
        free, pk=grant.pk, generation=grant.generation, is_refused=grant.is_refused, retry_at=grant.retry_at
    )
    if not unchanged.update(lease_owner=owner, lease_expires_at=Now() + LEASE):
        return False
    grant.lease_owner = owner
    return True


def has_ended(grant: Grant) -> bool:
    """Whether the lease on this grant may be taken over: whoever held it is dead."""
    ended = Q(lease_expires_at__lt=Now()) | Q(lease_expires_at__gt=Now() + BELIEVABLE)
    return Grant.objects.filter(ended, pk=grant.pk).exists()


@contextmanager
def kept(grant: Grant, owner: str) -> Iterator[None]:
    """While inside, a lease that was taken does not run out. Afterwards it is given back, where that has not been done with
    what was written.
    """
    _keeper.add(owner)
    try:
        yield
    finally:
        _keeper.remove(owner)
        if grant.lease_owner == owner:
            Grant.objects.filter(pk=grant.pk, lease_owner=owner).update(lease_owner="", lease_expires_at=None)


class Keeper:
    """Extends the leases of this process from a thread of its own, which runs only while some are held."""

    def __init__(self) -> None:
        self.change = threading.Condition()
        self.held: dict[str, float] = {}  # owner: when it was last sure
        self.is_running = False

    def add(self, owner: str) -> None:
        with self.change:
            self.held[owner] = time.monotonic()
            if not self.is_running:
                self.is_running = True
                threading.Thread(target=self._run, name="lease-keeper", daemon=True).start()

    def remove(self, owner: str) -> None:
        with self.change:
            self.held.pop(owner, None)

    def _run(self) -> None:
        pause = LEASE.total_seconds() / 3
        idle_since = time.monotonic()
        while True:
            with self.change:
                self.change.wait(pause / 2)
                now = time.monotonic()
                if self.held:
                    idle_since = now
                elif now - idle_since > IDLE:
                    self.is_running = False
                    return
                due = [owner for owner, sure in self.held.items() if now - sure >= pause]
            if due:
                self._extend(due, now)

    def _extend(self, owners: list[str], now: float) -> None:
        try:
            Grant.objects.filter(lease_owner__in=owners).update(lease_expires_at=Now() + LEASE)
            with self.change:
                self.held.update((owner, now) for owner in owners if owner in self.held)
        except DatabaseError as error:  # away for a moment: tried again before the lease runs out
            log.warning("leases were not extended: %s", type(error).__name__)
        finally:
            databases.close_all()


@dataclass
class Flight:
    """A refresh under way in this process. `outcome` is there once it has landed; `has_asked` whether the provider was."""

    landed: threading.Event = field(default_factory=threading.Event)
    outcome: Grant | GrantError | None = None
    has_asked: bool = False


def board(connection_id: UUID) -> tuple[Flight, bool]:
    """The flight of a connection, and whether it is the caller's own to fly. Who flies it must `land` it."""
    with _lock:
        flight = _flights.get(connection_id)
        if flight is not None:
            return flight, False
        _flights[connection_id] = flight = Flight()
        return flight, True


def land(connection_id: UUID, flight: Flight) -> None:
    with _lock:
        _flights.pop(connection_id, None)
    flight.landed.set()


def _forget() -> None:
    """In a forked process nothing of its parent's is under way."""
    global _keeper, _lock
    _keeper, _lock = Keeper(), threading.Lock()
    _flights.clear()


_keeper = Keeper()
_lock = threading.Lock()
_flights: dict[UUID, Flight] = {}
os.register_at_fork(after_in_child=_forget)
