"""Lookup: everything a request has to know of its key and its connection, in one query.

It runs for each request, so it is written out: the ORM would compile it again every time. PostgreSQL would plan it again every time,
which takes longer than to execute it, so there it is a prepared statement of the database connection.
`tests/unit/api/test_lookup.py` proves whom it lets see what.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from json import loads
from typing import Any, NamedTuple
from uuid import UUID
from weakref import WeakSet

from django.db import NotSupportedError, ProgrammingError
from django.db import connection as database

# A connection is there only for a key of its team, and for a limited key only if it is on its list.
QUERY = """
SELECT k.id, k.team_id, t.name, k.name, k.secret_hash, k.scopes, k.is_limited, k.expires_at, k.revoked_at,
  k.rate_limit, k.window_at, k.window_taken,
  c.id, c.application, c.base_uri, c.auth_type, c.authorization_url,
  c.token_location, c.token_header, c.token_scheme, c.token_param,
  g.id, g.access_token, g.token_type, g.expires_at, g.refreshed_at, g.generation
FROM connections_apikey k
JOIN connections_team t ON t.id = k.team_id
LEFT JOIN connections_connection c ON c.id = %s AND c.team_id = k.team_id AND (
  NOT k.is_limited
  OR EXISTS (SELECT 1 FROM connections_apikey_connections l WHERE l.apikey_id = k.id AND l.connection_id = c.id))
LEFT JOIN connections_grant g ON g.connection_id = c.id
WHERE k.prefix = %s
"""
PREPARE = f"PREPARE gatehouse_lookup (uuid, text) AS {QUERY.replace('%s', '$1', 1).replace('%s', '$2', 1)}"

_prepared: WeakSet[Any] = WeakSet()  # the database connections that know it
_may_prepare = True


class Found(NamedTuple):
    """One row of the query as the database gives it. The connection's half is None where there is none for this key."""

    key_id: UUID | str
    team_id: UUID | str
    team_name: str
    key_name: str
    secret_hash: str
    scopes: str
    is_limited: bool | int
    key_expires_at: datetime | None
    revoked_at: datetime | None
    rate_limit: int
    window_at: datetime
    window_taken: int
    connection_id: UUID | str | None
    application: str
    base_uri: str
    auth_type: str
    authorization_url: str
    token_location: str
    token_header: str
    token_scheme: str
    token_param: str
    grant_id: UUID | str | None
    access_token: str | None
    token_type: str
    token_expires_at: datetime | None
    refreshed_at: datetime | None
    generation: int


def find(prefix: str, connection_id: UUID | None = None) -> Found | None:
    """The key with that prefix, and the connection if the key may see it. Whether the key is the right one is for the caller."""
    with database.cursor() as cursor:
        if database.vendor == "postgresql":
            _execute_prepared(cursor, [connection_id, prefix])
        else:
            cursor.execute(QUERY, [connection_id.hex if connection_id else None, prefix])
        row = cursor.fetchone()
    return Found._make(row) if row else None


def _execute_prepared(cursor: Any, values: list[Any]) -> None:
    global _may_prepare
    if _may_prepare:
        known = database.connection
        try:
            if known not in _prepared:
                cursor.execute(PREPARE)
                _prepared.add(known)
            cursor.execute("EXECUTE gatehouse_lookup (%s, %s)", values)
        except (ProgrammingError, NotSupportedError):
            # A pooler that hands each transaction to another connection, or tables that were altered under way.
            _may_prepare = False
        else:
            return
    cursor.execute(QUERY, values)


def moment(value: datetime) -> datetime:
    """A time as either database gives it, in UTC. SQLite knows no zones."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def uuid(value: UUID | str) -> UUID:
    return value if isinstance(value, UUID) else UUID(value)


@lru_cache(maxsize=64)
def scopes(text: str) -> frozenset[str]:
    return frozenset(loads(text))
