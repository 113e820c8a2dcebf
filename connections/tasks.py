"""Background work: what is due, and how it is done. Thin: the actions do it."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.db import connections as databases
from django.db.models import Q, QuerySet
from django.utils import timezone

from connections.actions import authorizations, grants, recordings
from connections.actions.errors import GrantError
from connections.models import Actor, Grant
from connections.models.choices import AuthType, GrantType

log = logging.getLogger(__name__)

BATCH = 200
THREADS = 16


def run_due() -> int:
    """Refresh what ends soon or may be tried again, clear away what is old. Returns how many grants were tried."""
    authorizations.prune()
    recordings.prune()
    due = list(_due().order_by("refresh_at").values_list("connection_id", "generation")[:BATCH])
    if due:
        with ThreadPoolExecutor(max_workers=min(THREADS, len(due))) as pool:
            list(pool.map(lambda row: _refresh(*row), due))
    return len(due)


def _due() -> QuerySet[Grant]:
    now = timezone.now()
    may_be_asked = Q(retry_at=None) | Q(retry_at__lte=now)
    can_be = Q(refresh_token__isnull=False) | Q(
        connection__auth_type=AuthType.OAUTH2, connection__grant_type=GrantType.CLIENT_CREDENTIALS
    )
    return Grant.objects.filter(may_be_asked, can_be, refresh_at__lte=now, is_refused=False)


def _refresh(connection_id: UUID, generation: int) -> None:
    """One grant, with the authority of the system: nobody needs to be signed in for it.

    `generation` is the one that was due: where another worker or a caller has replaced it since, there is nothing to do.
    """
    try:
        grant = Grant.objects.select_related("connection__team").filter(connection_id=connection_id).first()
        if grant is not None:
            grants.refresh(grant.connection, by=Actor(grant.connection.team), stale=generation)
    except GrantError as error:
        log.warning("connection %s was not refreshed: %s (%s)", connection_id, error.code, error.failure.error)
    except Exception as error:  # one row that breaks must not stop the others; the text may quote what it broke on
        log.error("connection %s was not refreshed: %s", connection_id, type(error).__name__)
    finally:
        databases.close_all()
