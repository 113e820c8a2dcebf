"""Background work: what is due, and how it is done. Thin: the actions do it."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

from django.db import connections as databases
from django.db.models import Q, QuerySet
from django.utils import timezone

from connections.actions import authorizations, grants, recordings
from connections.actions.errors import GrantError
from connections.models import Actor, Grant

log = logging.getLogger(__name__)

AHEAD = timedelta(minutes=5)  # a token is renewed this long before it ends, so that nobody waits for it
BATCH = 200
THREADS = 16


def run_due() -> int:
    """Refresh what ends soon or may be tried again, clear away what is old. Returns how many grants were tried."""
    authorizations.prune()
    recordings.prune()
    due = list(_due().order_by("expires_at").values_list("connection_id", flat=True)[:BATCH])
    if due:
        with ThreadPoolExecutor(max_workers=min(THREADS, len(due))) as pool:
            list(pool.map(_refresh, due))
    return len(due)


def _due() -> QuerySet[Grant]:
    now = timezone.now()
    may_be_asked = Q(retry_at=None) | Q(retry_at__lte=now)
    return Grant.objects.filter(may_be_asked, expires_at__lt=now + AHEAD, is_refused=False, refresh_token__isnull=False)


def _refresh(connection_id: UUID) -> None:
    """One grant, with the authority of the system: nobody needs to be signed in for it."""
    try:
        grant = Grant.objects.select_related("connection__team").filter(connection_id=connection_id).first()
        if grant is not None:
            grants.refresh(grant.connection, by=Actor(grant.connection.team), stale=grant.generation)
    except GrantError as error:
        log.warning("connection %s was not refreshed: %s (%s)", connection_id, error.code, error.failure.error)
    finally:
        databases.close_all()
