"""Tokens: the routes that integrations live on. A good token takes one query and no write.

Only access tokens of OAuth 2.0 are handed out: they end by themselves. A token that somebody typed, a password or a cookie would stay
good after the key that read it was revoked, so such connections are used through the proxy.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from connections.actions import grants, reads, usage
from connections.actions.errors import GrantError, problem
from connections.api import access, lookup
from connections.api.access import Caller
from connections.api.problems import Problem, page
from connections.models import Connection, Grant
from connections.models.choices import AuthType
from connections.models.grants import good_for
from connections.sealing import Context, Sealed, SealError

MIN_VALID = 60  # seconds, where nobody says how many
LONGEST = 3600  # seconds that may be asked for
TABLE = Grant._meta.db_table


def read(request: HttpRequest, caller: Caller, *, min_valid: int) -> HttpResponse:
    """The stored token where it is good for `min_valid` seconds, else a new one. Raises Problem, GrantError."""
    row = caller.row
    if row.grant_id and row.access_token and row.token_expires_at and row.auth_type == AuthType.OAUTH2:
        ends, now = lookup.moment(row.token_expires_at), timezone.now()
        fetched = row.refreshed_at and lookup.moment(row.refreshed_at)
        if good_for(ends, fetched, now).total_seconds() >= max(min_valid, 1):
            place = Context(TABLE, "access_token", str(lookup.uuid(row.grant_id)))
            sealed = Sealed.stored(row.access_token, lambda: place)
            send = _send(row.application, row.base_uri, row.authorization_url, row.token_location, row.token_header,
                         row.token_scheme, row.token_param, settings.SIMULATOR_URL)  # fmt: skip
            with suppress(SealError):  # then a new one is fetched
                return _answer(caller, sealed, row.token_type, ends, now, row.base_uri, send)
    return _fetched(request, caller, min_valid=min_valid)


def refresh(request: HttpRequest, caller: Caller) -> HttpResponse:
    """A new token, now. Raises Problem, GrantError."""
    return _fetched(request, caller, min_valid=None)


def _fetched(request: HttpRequest, caller: Caller, *, min_valid: int | None) -> HttpResponse:
    connection = access.load(request, caller)
    if connection.auth_type != AuthType.OAUTH2:
        raise Problem(
            "no_access_token",
            f"This connection authenticates by {connection.get_auth_type_display()}: it has no access token of OAuth 2.0.",
            hint=f"Send requests to {settings.PUBLIC_URL}/api/v1/connections/{connection.pk}/proxy/ and the path. {page(connection)}",
        )
    try:
        grant, answer = _grant(caller, connection, min_valid)
    except GrantError as error:
        reads.refuse(connection, error.code, by=caller.actor, key_id=caller.key.pk, error=error.failure.error)
        raise
    if grant.generation != caller.row.generation and reads.refresh(connection, grant, by=caller.actor):
        usage.write()
    return answer


def _grant(caller: Caller, connection: Connection, min_valid: int | None) -> tuple[Grant, HttpResponse]:
    by = caller.actor
    if min_valid is None:
        grant = grants.refresh(connection, by=by)
    else:
        grant = grants.current(connection, by=by, min_valid=min_valid)
        if grant.access_token is not None and not grant.access_token.readable:
            grant = grants.refresh(connection, by=by, stale=grant.generation)
    now, stored = timezone.now(), grant.connection  # read anew together with its tokens
    if grant.access_token is None:
        raise GrantError("not_authorized_yet", problem("not_authorized_yet"))
    try:
        ends, send = grant.expires_at or now, _placed(stored)
        answer = _answer(caller, grant.access_token, grant.token_type, ends, now, stored.base_uri, send)
    except SealError:
        raise GrantError("secret_unreadable", problem("refresh_token_unreadable")) from None
    return grant, answer


def _answer(
    caller: Caller, token: Sealed, token_type: str, ends: datetime, now: datetime, base_uri: str, send: dict[str, str]
) -> HttpResponse:
    """The shape of `Token`, written without a detour. Raises SealError."""
    told: dict[str, Any] = {
        "access_token": token.reveal(),  # to whoever holds a key with the scope `tokens` for this connection
        "token_type": token_type or "Bearer",
        "expires_at": ends.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "expires_in": max(0, int((ends - now).total_seconds())),
        "base_uri": base_uri,
        "send": send,
    }
    row = caller.row
    usage.count("token", key_id=row.key_id, connection_id=row.connection_id or "", who=lambda: caller.actor)
    return HttpResponse(json.dumps(told), content_type="application/json")


@lru_cache(maxsize=1024)
def _send(
    application: str, base_uri: str, authorization_url: str, location: str, header: str, scheme: str, param: str,
    simulator_url: str,
) -> dict[str, str]:  # fmt: skip
    """As Connection.placement says, remembered by all that it looks at."""
    return _placed(
        Connection(
            application=application, base_uri=base_uri, authorization_url=authorization_url, token_location=location,
            token_header=header, token_scheme=scheme, token_param=param,
        )
    )  # fmt: skip


def _placed(connection: Connection) -> dict[str, str]:
    placed = connection.placement
    return {"in": placed.location, "name": placed.name, "prefix": placed.prefix}
