"""Who calls, and what its key opens. `authenticate` and `open_connection` work on any Django request, a ninja operation's or not.

Both raise Problem. Whoever has no valid key learns nothing but that; another team's connection is as one that does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone

from connections.actions import api_keys, rate_limits, reads, usage
from connections.api import lookup
from connections.api.lookup import Found
from connections.api.problems import Problem, retry_after
from connections.models import Actor, ApiKey, Connection, Scope, Team

LONGEST = 200  # characters of a header that may hold a key
HOW = "Send the header Authorization: Bearer and an API key. An administrator of the team makes one."


class ApiRequest(HttpRequest):
    """A request below /api/, as far as it has been judged."""

    caller: Caller  # set by authenticate
    rate: rate_limits.Rate  # set by authenticate; the answer tells it
    connection: Connection  # set by open_connection; failures are told by it


@dataclass(slots=True)
class Caller:
    """Whoever showed a valid key: the key, its team, and where the request comes from. `row` is what one query found."""

    row: Found
    address: str
    user_agent: str
    _key: ApiKey | None = field(default=None, init=False)

    @property
    def key(self) -> ApiKey:
        """The key as a row, with its team, as far as it was read: other fields are fetched when they are asked for."""
        if self._key is None:
            row = self.row
            team = Team.from_db("default", ["id", "name"], [lookup.uuid(row.team_id), row.team_name])
            names = ["id", "team_id", "name", "scopes", "is_limited", "rate_limit"]
            values = [lookup.uuid(row.key_id), team.pk, row.key_name, sorted(lookup.scopes(row.scopes))]
            self._key = ApiKey.from_db("default", names, [*values, bool(row.is_limited), row.rate_limit])
            self._key.team = team
        return self._key

    @property
    def actor(self) -> Actor:
        agent = "".join(character if character.isprintable() else " " for character in self.user_agent[:300])
        return Actor.key(self.key, address=self.address[:45], user_agent=agent)


def authenticate(request: HttpRequest, scope: Scope, id: UUID | None = None) -> Caller:
    """The caller, whose key is good for `scope`; counted against the key's rate limit. `id` is a connection to look up with it.

    Sets `request.caller` and `request.rate`. Raises Problem: unauthorized, forbidden, rate_limited.
    """
    text = _bearer(request)
    prefix = api_keys.prefix_of(text)
    row = lookup.find(prefix, id) if prefix else None
    if row is None or not api_keys.is_right(text, row.secret_hash):
        raise _unauthorized("The API key is not valid.")
    caller = Caller(row, request.META.get("REMOTE_ADDR", ""), request.META.get("HTTP_USER_AGENT", ""))
    if row.revoked_at is not None:
        reads.refuse_key(caller.key, "revoked", by=caller.actor)
        raise _unauthorized("This API key has been revoked.")
    if row.key_expires_at is not None and lookup.moment(row.key_expires_at) <= timezone.now():
        reads.refuse_key(caller.key, "expired", by=caller.actor)
        raise _unauthorized("This API key has expired.")
    window_at = lookup.moment(row.window_at)
    rate = rate_limits.spend(row.key_id, limit=row.rate_limit, window_at=window_at, window_taken=row.window_taken)
    request.caller, request.rate = caller, rate  # type: ignore[attr-defined]
    if rate.is_exceeded:
        raise Problem(
            "rate_limited",
            f"This API key may make {rate.limit} requests a minute, over all that use it.",
            hint="Wait for Retry-After seconds, or keep a token until it ends. An administrator can give out a key with more.",
            headers=retry_after(rate.reset),
        )
    if scope.value not in lookup.scopes(row.scopes):
        reads.refuse_key(caller.key, f"scope {scope.value}", by=caller.actor)
        raise Problem(
            "forbidden",
            f"This API key lacks the scope {scope.value}.",
            hint="An administrator of the team can make a key that has it.",
        )
    usage.used(row.key_id)
    return caller


def open_connection(request: HttpRequest, scope: Scope, id: str | UUID) -> tuple[Caller, Connection]:
    """The caller and the connection, with its OAuth client. Sets `request.connection`, too.

    Raises Problem: those of `authenticate`, and not_found for a connection that this key may not see.
    """
    wanted = parse(id)
    caller = authenticate(request, scope, wanted)
    return caller, load(request, caller)


def load(request: HttpRequest, caller: Caller) -> Connection:
    """The connection that `authenticate` was asked to look up with the caller. Raises Problem not_found."""
    found = None
    if caller.row.connection_id is not None:
        rows = Connection.objects.select_related("oauth_client").filter(team_id=lookup.uuid(caller.row.team_id))
        found = rows.filter(pk=lookup.uuid(caller.row.connection_id)).first()
    if found is None:
        raise not_found()
    found.team = caller.key.team
    request.connection = found  # type: ignore[attr-defined]
    return found


def parse(id: str | UUID) -> UUID | None:
    """None for what is no id of anything."""
    try:
        return id if isinstance(id, UUID) else UUID(id)
    except ValueError:
        return None


def not_found() -> Problem:
    return Problem(
        "not_found",
        "This API key opens no connection of that id.",
        hint="GET /api/v1/connections lists the ones it opens.",
    )


def _bearer(request: HttpRequest) -> str:
    given = request.META.get("HTTP_AUTHORIZATION", "")
    if not given:
        raise _unauthorized("The request has no API key.")
    scheme, _, text = given.partition(" ")
    text = text.strip(" ")
    if scheme.lower() != "bearer" or len(given) > LONGEST or not text.isascii() or not text.isprintable():
        raise _unauthorized("The API key is not valid.")
    return str(text)


def _unauthorized(detail: str) -> Problem:
    return Problem("unauthorized", detail, hint=HOW, headers={"WWW-Authenticate": "Bearer"})
