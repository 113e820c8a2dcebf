"""API keys: make one, find one by what a caller shows, revoke one."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from connections.actions import events
from connections.actions.errors import ActionError
from connections.models import Actor, ApiKey, Connection, Scope
from connections.models.api_keys import RATE_LIMIT

PREFIX = "gth_"
PREFIX_BYTES = 6  # 12 hex digits
SECRET_BYTES = 32


@transaction.atomic
def create(
    *,
    by: Actor,
    name: str,
    scopes: Iterable[str],
    id: uuid.UUID | None = None,
    connections: Iterable[Connection] | None = None,
    expires_at: datetime | None = None,
    rate_limit: int = RATE_LIMIT,
) -> tuple[ApiKey, str]:
    """The new row, and the key itself, which is never to be had again.

    `connections` None: all of the team, those to come included. `rate_limit` in requests a minute. Raises ActionError.
    """
    chosen = list(connections) if connections is not None else []
    wanted = [scope.value for scope in Scope if scope.value in set(scopes)]
    if not wanted or set(scopes) - set(Scope.values):
        raise ActionError(f"A key needs at least one scope. There are: {', '.join(Scope.values)}.")
    if any(connection.team_id != by.team.pk for connection in chosen):
        raise ActionError("A key opens only connections of its own team.")
    if connections is not None and not chosen:
        raise ActionError("Choose at least one connection, or all of them.")
    if expires_at is not None and expires_at <= timezone.now():
        raise ActionError("The key would have expired already. Choose a later day.")
    prefix = secrets.token_hex(PREFIX_BYTES)
    text = f"{PREFIX}{prefix}_{secrets.token_urlsafe(SECRET_BYTES)}"
    key = ApiKey.objects.create(
        id=id or uuid.uuid4(), team=by.team, name=name, prefix=prefix, secret_hash=digest(text), scopes=wanted,
        is_limited=connections is not None, expires_at=expires_at, rate_limit=rate_limit, created_by=by.user,
    )  # fmt: skip
    key.connections.set(chosen)
    told: dict[str, Any] = {
        "scopes": wanted,
        "connections": [str(each.pk) for each in chosen] if key.is_limited else "all",
    }
    told |= {"expires_at": expires_at and expires_at.isoformat(), "rate_limit": rate_limit}
    events.record(by=by, action="api_key.create", about=key, prefix=prefix, **told)
    return key, text


@transaction.atomic
def revoke(key: ApiKey, *, by: Actor) -> None:
    """From now on the key opens nothing. Doing it again changes nothing."""
    if ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now(), revoked_by=by.user):
        events.record(by=by, action="api_key.revoke", about=key, prefix=key.prefix)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def prefix_of(text: str) -> str | None:
    """The prefix of what looks like a key."""
    start, _, rest = text.removeprefix(PREFIX).partition("_")
    return start if text.startswith(PREFIX) and len(start) == 2 * PREFIX_BYTES and rest else None


def is_right(text: str, secret_hash: str) -> bool:
    return hmac.compare_digest(digest(text), secret_hash)
