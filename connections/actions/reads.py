"""Reads that are told at once: of a token that had to be refreshed, of one that could not be had, and by a key that was turned away.

All others are counted (usage). A flood does not flood the trail: of the same refusal each process writes one row a minute, and the
next one tells how many there were in between; of a refresh one row is written, however many waited for it.
"""

from __future__ import annotations

import threading
import time
from typing import Any
from uuid import UUID

from django.db import models, transaction

from connections.actions import events
from connections.models import Actor, ApiKey, Connection, Event, Grant, Team

PAUSE = 60  # seconds between two rows of the same refusal
KEPT = 10_000  # what a process remembers of either

_lock = threading.Lock()
_refusals: dict[tuple[str, str, str], tuple[float, int]] = {}  # when written, and how many since
_refreshes: dict[tuple[UUID, int], None] = {}  # connection and generation, oldest first


def refuse_key(key: ApiKey, reason: str, *, by: Actor) -> None:
    """A key that is right but revoked, expired or without the scope."""
    _refuse("api_key.refuse", key, reason, by=by, key_id=key.pk)


def refuse(connection: Connection, reason: str, *, by: Actor, key_id: UUID, **detail: Any) -> None:
    """A token that could not be had. `reason` is the API's word for it."""
    _refuse("token.refuse", connection, reason, by=by, key_id=key_id, **detail)


def _refuse(action: str, about: models.Model, reason: str, *, by: Actor, key_id: UUID, **detail: Any) -> None:
    now, same = time.time(), (str(key_id), str(about.pk), reason)
    with _lock:
        written_at, since = _refusals.get(same, (now - PAUSE, 0))
        is_due = not 0 <= now - written_at < PAUSE  # a clock may be put back
        _refusals[same] = (now, 0) if is_due else (written_at, since + 1)
        if len(_refusals) > KEPT:
            _forget_old(now)
    if is_due:
        events.record(by=by, action=action, about=about, reason=reason, unwritten=since, **detail)


def _forget_old(now: float) -> None:
    for same in [same for same, (written_at, _) in _refusals.items() if now - written_at >= PAUSE]:
        del _refusals[same]
    if len(_refusals) > KEPT:
        _refusals.clear()


def refresh(connection: Connection, grant: Grant, *, by: Actor) -> bool:
    """A read that brought a new token. Whether this is the one that tells of it."""
    same = (connection.pk, grant.generation)
    with _lock:
        if same in _refreshes:
            return False
        _refreshes[same] = None
        if len(_refreshes) > KEPT:
            del _refreshes[next(iter(_refreshes))]
    with transaction.atomic():
        Team.objects.select_for_update().get(pk=by.team.pk)
        told = Event.objects.filter(team_id=by.team.pk, object_id=str(connection.pk), action="token.refresh")
        last = told.order_by("-number").values_list("detail", flat=True).first()
        if last and last.get("generation") == grant.generation:
            return False  # another process has
        ends = grant.expires_at and grant.expires_at.isoformat()
        events.record(by=by, action="token.refresh", about=connection, generation=grant.generation, expires_at=ends)
    return True


def forget() -> None:
    """What this process remembers. A row more is written for it."""
    _refusals.clear()
    _refreshes.clear()
