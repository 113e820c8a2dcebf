"""Listing: the connections that a key opens, by name, page by page. A page costs the same wherever it is (keyset)."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from connections.api import shapes
from connections.api.access import Caller
from connections.api.problems import Problem
from connections.models import Connection, Grant

LIMIT, MOST = 50, 200
LONGEST = 1000  # characters of a cursor
# What the shape shows, and what the provider's explanation of a failure looks at.
SHOWN = (
    "name", "application", "base_uri", "media_type", "auth_type", "grant_type", "status", "failure", "updated_at", "last_used_at",
    "authorization_url", "grant__authorized_at", "grant__expires_at", "grant__connection",
)  # fmt: skip


def page(caller: Caller, *, cursor: str, limit: int) -> dict[str, Any]:
    """One query. Raises Problem for a cursor that is none."""
    rows = _rows(caller)
    if cursor:
        name, id = _read(cursor)
        # The first condition is for the index, the second for the truth.
        rows = rows.filter(name__gte=name).filter(Q(name__gt=name) | Q(pk__gt=id))
    found = list(rows.order_by("name", "pk")[: limit + 1])
    shown = found[:limit]
    return {
        "items": [shapes.connection(row, _grant(row)) for row in shown],
        "next": _cursor(shown[-1]) if len(found) > limit else None,
    }


def one(caller: Caller) -> dict[str, Any] | None:
    """The connection that was looked up with the caller; None where there is none for it."""
    id = caller.row.connection_id
    row = _rows(caller).filter(pk=id).first() if id is not None else None
    return shapes.connection(row, _grant(row)) if row else None


def _rows(caller: Caller) -> QuerySet[Connection]:
    rows = Connection.objects.visible_to(caller.actor)
    if caller.key.is_limited:
        rows = rows.filter(api_keys=caller.key)
    return rows.select_related("grant").only(*SHOWN)


def _grant(row: Connection) -> Grant | None:
    return getattr(row, "grant", None)


def _cursor(last: Connection) -> str:
    return base64.urlsafe_b64encode(json.dumps([last.name, last.pk.hex]).encode()).decode().rstrip("=")


def _read(cursor: str) -> tuple[str, UUID]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        name, id = json.loads(text)
        if len(cursor) > LONGEST or not isinstance(name, str) or "\0" in name:
            raise ValueError
        name.encode()  # not half of a surrogate pair
        return name, UUID(id)
    except (ValueError, TypeError, AttributeError, RecursionError, binascii.Error):
        raise Problem(
            "invalid_request",
            "query.cursor: it is not one that this API gave out.",
            hint="Leave cursor out for the first page; then send the `next` of the page before.",
            errors=[{"field": "query.cursor", "message": "Not a cursor of this API"}],
        ) from None
