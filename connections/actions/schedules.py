"""Schedules: what the workers have to do, taken by one of them at a time.

Due is what the rows say, not what a queue remembers: what a killed worker had taken is due again once its time is over. A claim is
one guarded update, so that any number of workers may look at once.
"""

from __future__ import annotations

import random
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Case, DateTimeField, F, Q, QuerySet, Value, When
from django.utils import timezone
from django_tasks_db.models import DBTaskResult

from connections.models import Connection, Grant
from connections.models.choices import AuthType, GrantType, Status

CLAIMED = timedelta(minutes=2)  # until what was claimed and not done is due again
CHECKS = (timedelta(minutes=5), timedelta(hours=6))  # between two tests of a connection that is offline: first, longest
DONE_KEPT = timedelta(hours=1)
FAILED_KEPT = timedelta(days=7)


def due(now: datetime) -> QuerySet[Grant]:
    """Grants whose token is to be renewed, or which failed and may be tried again; longest due first.

    One that nobody can renew is due when its token has ended: that its connection works no more has to be said.
    """
    may_be_asked = Q(retry_at=None) | Q(retry_at__lte=now) | Q(retry_at__gt=now + timedelta(days=2))
    renewable = Q(refresh_token__isnull=False) | Q(
        connection__auth_type=AuthType.OAUTH2, connection__grant_type=GrantType.CLIENT_CREDENTIALS
    )
    ended = Q(access_token__isnull=False, expires_at__lte=now)
    time_has_come = Q(refresh_at__lte=now) & (renewable | ended) | Q(failed_at__lte=now)
    free = Q(queued_until=None) | Q(queued_until__lte=now) | Q(queued_until__gt=now + 2 * CLAIMED)
    return Grant.objects.filter(may_be_asked, time_has_come, free, is_refused=False).order_by("refresh_at")


def claim(most: int) -> str:
    """Take up to `most` grants that are due. The name of the claim, or "" where none is due."""
    now, name = timezone.now(), secrets.token_hex(16)
    found = list(due(now).values_list("pk", flat=True)[:most])
    if not found:
        return ""
    free = Q(queued_until=None) | Q(queued_until__lte=now) | Q(queued_until__gt=now + 2 * CLAIMED)
    taken = Grant.objects.filter(free, pk__in=found).update(queued_until=now + CLAIMED, queued_by=name)
    return name if taken else ""


def claimed(name: str) -> list[tuple[Connection, int]]:
    """What is still to be done of a claim: each connection, no more of it than its refresh begins with, and the generation that
    was due.
    """
    of_claim = Connection.objects.filter(grant__queued_by=name, grant__queued_until__isnull=False)
    few = of_claim.select_related("team").only("auth_type", "grant_type", "token_refresh_url", "team__name")
    found = few.annotate(due=F("grant__generation")).order_by("grant__refresh_at")
    return [(connection, connection.due) for connection in found]  # type: ignore[attr-defined]  # annotated


def give_back(name: str) -> None:
    """What is not done of a claim is due again at once, for another worker."""
    Grant.objects.filter(queued_by=name, queued_until__isnull=False).update(queued_until=None)


def claim_checks(most: int) -> list[UUID]:
    """Connections without a grant of their own that are offline, to be tested again. Each is less often due the longer it fails."""
    now = timezone.now()
    first, longest = CHECKS
    taken = []
    rows = Connection.objects.filter(check_at__lte=now, status=Status.OFFLINE).order_by("check_at")
    for pk, check_at, failures in rows.values_list("pk", "check_at", "check_failures")[:most]:
        wait = min(first * 2 ** min(failures + 1, 10), longest) * random.uniform(0.9, 1.1)  # noqa: S311  jitter
        mine = Connection.objects.filter(pk=pk, check_at=check_at)
        if mine.update(check_at=now + wait, check_failures=failures + 1):
            taken.append(pk)
    return taken


def watch(connection: Connection, status: Status) -> None:
    """Have the worker test a connection again that is offline for another reason than its grant; or no more."""
    if status == Status.ONLINE:
        Connection.objects.filter(pk=connection.pk).exclude(check_at=None).update(check_at=None, check_failures=0)
        return
    first = timezone.now() + CHECKS[0]
    Connection.objects.filter(pk=connection.pk).update(
        check_at=Case(When(check_at=None, then=Value(first)), default=F("check_at"), output_field=DateTimeField())
    )


def queued() -> int:
    """How many tasks wait for a worker."""
    return DBTaskResult.objects.ready().count()


def prune() -> None:
    """Forget tasks that are done, and those of workers that were killed: what they had claimed is due again anyway."""
    now = timezone.now()
    DBTaskResult.objects.successful().filter(finished_at__lt=now - DONE_KEPT).delete()
    DBTaskResult.objects.failed().filter(finished_at__lt=now - FAILED_KEPT).delete()
    DBTaskResult.objects.running().filter(started_at__lt=now - DONE_KEPT).delete()
