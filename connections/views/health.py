"""Whether this process runs, and whether it can do its work."""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse

from connections import sealing


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
def readyz(request: HttpRequest) -> JsonResponse:
    """200 when the database answers, its tables are up to date and the keys seal and open; else 503. Says which, no more."""
    checks = {"database": _database_is_ready(), "keys": _keys_work()}
    return JsonResponse(checks, status=200 if all(checks.values()) else 503)


def _database_is_ready() -> bool:
    try:
        executor = MigrationExecutor(connection)
        return not executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return False


def _keys_work() -> bool:
    context = sealing.Context("readyz", "keys", "0")
    try:
        return (
            bool(settings.ENCRYPTION_KEYS)
            and sealing.keyring().open(sealing.keyring().seal("ready", context), context) == "ready"
        )
    except sealing.SealError:
        return False
