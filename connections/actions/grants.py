"""Grants: get, store, refresh and drop the tokens of a connection. Nothing else writes them.

One refresh at a time per connection, on any number of processes and machines: under a lease (leases.py), written by a guarded
update on the generation it started from. No transaction or row lock is held while a provider answers. Where many connections of
one client fail together, one of them asks for all (circuits.py).
"""

from __future__ import annotations

import random
import secrets
import time
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Coalesce
from django.utils import timezone

from connections.actions import circuits, connections, events, leases, logins, pauses, tallies, token_requests
from connections.actions.errors import CODES, GrantError, as_json, from_json, problem
from connections.actions.pairs import text, token_failure, token_fields
from connections.models import Actor, Circuit, Connection, Grant, OAuthClient
from connections.models.choices import AuthType, GrantType, Status
from connections.oauth.endpoint import TokenEndpoint
from connections.oauth.errors import OAuthError
from connections.oauth.tokens import Tokens
from connections.sealing import SealError

MIN_VALID = 60  # seconds an access token must still be good to be handed out
WAIT = 45  # seconds a caller waits for another's refresh
LOOK = (0.02, 0.06)  # seconds between two looks at the refresh of another process
BACK_OFF = {
    "transient": (5, 1800),
    "client": (6 * 3600, 6 * 3600),
    "misconfigured": (6 * 3600, 6 * 3600),
}  # first, longest
LONG_GONE = (timedelta(days=1), 4 * 3600)  # who fails for that long is asked less often: seconds
YOUNG = timedelta(seconds=30)
# Found out here, before the provider is asked. Whoever needs a token may look again at any time; only the worker waits.
OURS = frozenset({"no_client", "secret_host", "client_secret_unreadable", "refresh_token_unreadable"})
WORKER_WAIT = timedelta(minutes=5)


def endpoint(connection: Connection) -> TokenEndpoint:
    """The connection's token endpoint, for trying its client. Raises GrantError where something that it needs is missing."""
    return token_requests.trial(connection)


def current(connection: Connection, *, by: Actor, min_valid: int = MIN_VALID) -> Grant:
    """A grant whose access token is good for `min_valid` seconds, refreshed first where need be. Raises GrantError."""
    grant = find(connection)
    valid = grant.valid_for(timezone.now())
    if valid >= timedelta(seconds=min_valid) or (valid > timedelta(0) and _is_young(grant)):
        return grant
    try:
        return refresh(connection, by=by, stale=grant.generation)
    except GrantError:
        grant = find(connection)
        if grant.valid_for(timezone.now()) > timedelta(0):
            return grant  # a failed early refresh never withholds a token that is still good
        raise


def _is_young(grant: Grant) -> bool:
    """Fetched a moment ago: a provider whose tokens live shorter than is asked for, or that gives out the same one again until
    it ends, is not asked on every call.
    """
    return grant.refreshed_at is not None and timezone.now() - grant.refreshed_at < YOUNG


def find(connection: Connection) -> Grant:
    """The stored grant. Raises GrantError where nobody authorized yet."""
    for grant in Grant.objects.to_refresh().filter(connection_id=connection.pk):
        return grant
    is_unattended = connection.auth_type == AuthType.OAUTH2 and connection.grant_type == GrantType.CLIENT_CREDENTIALS
    if is_unattended or logins.logs_in(connection):
        try:
            return Grant.objects.get_or_create(connection=connection)[0]  # no person needed: the first refresh fills it
        except IntegrityError:
            pass  # the connection has been deleted
    raise GrantError("not_authorized_yet", problem("not_authorized_yet"))


def refresh(connection: Connection, *, by: Actor, stale: int | None = None, insist: bool = False) -> Grant:
    """A new access token, fetched once however many ask for it.

    `stale` is the generation that the caller found wanting (default: the stored one): where another process has already
    replaced it, that result is returned. Tokens that were dropped meanwhile are not fetched anew for it. `insist` asks
    the provider although it failed a moment ago (a person pressed a button). Raises GrantError.
    """
    give_up = time.monotonic() + WAIT
    while True:
        flight, is_mine = leases.board(connection.pk)
        if is_mine:
            return _fly(flight, connection, by=by, stale=stale, insist=insist, give_up=give_up)
        pauses.let_go()
        began = time.monotonic()
        if not flight.landed.wait(give_up - began):
            raise GrantError("provider_unavailable", problem("busy"), retry_after=5)
        tallies.lease_wait(time.monotonic() - began)
        outcome = flight.outcome
        if isinstance(outcome, Grant) and outcome.generation != stale:
            return _filled(outcome)
        if isinstance(outcome, GrantError) and (flight.has_asked or not insist):
            raise GrantError(outcome.code, outcome.failure, retry_after=outcome.retry_after)


def _fly(
    flight: leases.Flight, connection: Connection, *, by: Actor, stale: int | None, insist: bool, give_up: float
) -> Grant:
    """Refresh, for this thread and for those of the process that wait for it."""
    owner = secrets.token_hex(16)
    try:
        while True:
            grant = find(connection)
            if stale is None:
                stale = grant.generation
            if grant.generation != stale:
                flight.outcome = grant
                return _filled(grant)
            circuit = _may_ask(grant, by=by, insist=insist)
            if leases.take(grant, owner):
                break
            insist = False  # whoever holds the lease is asking right now
            began = time.monotonic()
            _await_other(grant, give_up)
            tallies.lease_wait(time.monotonic() - began)
        flight.has_asked = True
        with leases.kept(grant, owner):
            flight.outcome = grant = _fetch(grant, by=by)
        if circuit is not None:
            circuits.close(circuit)
        return grant
    except GrantError as error:
        flight.outcome = error
        raise
    finally:
        leases.land(connection.pk, flight)


def _await_other(grant: Grant, give_up: float) -> None:
    """Until the process that holds the lease is done with it, or dead. Raises GrantError where that takes too long."""
    before = (grant.generation, grant.is_refused, grant.retry_at)
    while True:
        if time.monotonic() > give_up:
            raise GrantError("provider_unavailable", problem("busy"), retry_after=5)
        pauses.sleep(random.uniform(*LOOK))  # noqa: S311  no secret in it
        looked = Grant.objects.filter(pk=grant.pk).values_list("generation", "is_refused", "retry_at", "lease_owner")
        now = looked.first()
        if now is None or now[:3] != before or not now[3] or leases.has_ended(grant):
            return


def _filled(grant: Grant) -> Grant:
    """The grant that came in the meantime. Raises GrantError for an empty one: the tokens were dropped, not replaced."""
    if grant.access_token is None:
        raise GrantError("not_authorized_yet", problem("not_authorized_yet"))
    return grant


def _may_ask(grant: Grant, *, by: Actor, insist: bool) -> Circuit | None:
    """The client's circuit, if there is one. Raises GrantError where the provider is to be left alone for now."""
    stored = grant.connection.failure
    failure = from_json(stored) if stored else problem("temporarily_unavailable")
    if insist:
        return circuits.find(grant.connection)
    if grant.is_refused:
        raise GrantError("reauthorization_required", failure)
    now = timezone.now()
    try:
        circuit = circuits.check(grant.connection)
    except GrantError as error:
        _defer(grant, error, now, by=by)
        raise
    if _is_put_off(grant, now) and failure.error not in OURS and grant.retry_at:
        kind = OAuthError(failure.error, status=failure.status).kind
        raise GrantError(CODES[kind], failure, retry_after=(grant.retry_at - now).total_seconds())
    return circuit


def _is_put_off(grant: Grant, now: datetime) -> bool:
    """Whether the provider failed it a moment ago. A wait beyond all that are ever set was written while the clock was ahead."""
    return grant.retry_at is not None and now < grant.retry_at < now + timedelta(days=2)


def _defer(grant: Grant, error: GrantError, now: datetime, *, by: Actor) -> None:
    """The client's circuit is open. Said of the connection, too, once its token has ended; the worker comes back to it later."""
    if grant.retry_at is None or grant.retry_at <= now:
        wait = (error.retry_after or 0) * random.uniform(1, 1.2)  # noqa: S311  jitter
        same = Grant.objects.filter(pk=grant.pk, generation=grant.generation)
        same.update(retry_at=now + timedelta(seconds=wait), failed_at=Coalesce("failed_at", now))
    if grant.valid_for(now) <= timedelta(0) and grant.connection.status == Status.ONLINE:
        connections.set_status(grant.connection, Status.OFFLINE, as_json(error.failure), by=by)


def _fetch(grant: Grant, *, by: Actor) -> Grant:
    connection, began = grant.connection, time.monotonic()
    try:
        fields = token_fields(grant, _ask(grant))
    except (OAuthError, UnicodeEncodeError) as error:
        if isinstance(error, UnicodeEncodeError):  # half of a surrogate pair, which JSON can write
            error = OAuthError("broken_answer", "The token holds what no header can carry.")
        tallies.refresh(error.kind, time.monotonic() - began)
        return _failed(grant, error, by=by)
    except GrantError as error:  # a secret that is missing, cannot be opened or may not go there
        Grant.objects.filter(pk=grant.pk, generation=grant.generation).update(retry_at=timezone.now() + WORKER_WAIT)
        connections.set_status(connection, Status.OFFLINE, as_json(error.failure), by=by)
        raise
    with transaction.atomic():
        lock(connection)
        won = Grant.objects.filter(pk=grant.pk, generation=grant.generation).update(**fields)
        if won:
            if (connection.status, connection.failure) != (Status.ONLINE, None):
                connections.set_status(connection, Status.ONLINE, None, by=by)
            events.record(by=by, action="grant.refresh", about=connection, expires_at=fields["expires_at"].isoformat())
    tallies.refresh("refreshed" if won else "lost", time.monotonic() - began)
    if not won:
        return _filled(find(connection))  # who lost re-reads: the grant was authorized anew, or is gone
    for name, value in (fields | {"generation": grant.generation + 1}).items():
        setattr(grant, name, value)
    return grant


def lock(connection: Connection) -> None:
    """Whoever writes a grant locks its connection's row first, as a save of the connection does: in two orders the database
    would throw one of them out, and with it a refresh token that the provider gives out only once. What the row says of its
    state is put into `connection`.
    """
    row = Connection.objects.select_for_update().filter(pk=connection.pk).values_list("status", "failure")
    for connection.status, connection.failure in row:
        pass


def _ask(grant: Grant) -> Tokens:
    connection = grant.connection
    if logins.logs_in(connection):
        return logins.fetch(connection, grant)
    if connection.grant_type == GrantType.CLIENT_CREDENTIALS:
        return token_requests.client_credentials(connection)
    if grant.refresh_token is None:
        raise OAuthError("no_refresh_token")
    try:
        refresh_token = grant.refresh_token.reveal()  # to be posted to the token endpoint it came from
    except SealError:
        raise GrantError("secret_unreadable", problem("refresh_token_unreadable")) from None
    return token_requests.refresh(connection, refresh_token=refresh_token)


def _failed(grant: Grant, error: OAuthError, *, by: Actor) -> Grant:
    """Write the failure down. Returns the newer grant where one has come in the meantime; else raises GrantError."""
    now = timezone.now()
    failure = token_failure(error)
    refused = error.kind == "reauthorize"
    wait = 0.0 if refused else _back_off(error, grant, now)
    with transaction.atomic():
        lock(grant.connection)
        if error.kind == "client" and _has_new_credentials(grant.connection.oauth_client):
            raise GrantError("provider_unavailable", failure, retry_after=1)  # the old ones were refused: ask again
        still = Grant.objects.filter(pk=grant.pk, generation=grant.generation).update(
            failures=F("failures") + 1,
            failed_at=Coalesce("failed_at", now),
            retry_at=None if refused else now + timedelta(seconds=wait),
            is_refused=refused,
            lease_owner="",
            lease_expires_at=None,
            queued_until=None,
        )
        if still:
            good = error.kind == "transient" and grant.valid_for(now) > timedelta(0)
            status = Status(grant.connection.status) if good else Status.OFFLINE
            connections.set_status(grant.connection, status, as_json(failure), by=by)
    if not still:
        return _filled(find(grant.connection))
    circuits.fail(grant.connection, error, failure)
    raise GrantError(CODES[error.kind], failure, retry_after=wait or None)


def _has_new_credentials(client: OAuthClient | None) -> bool:
    """Whether somebody changed the client since it was read."""
    return client is not None and not OAuthClient.objects.filter(pk=client.pk, version=client.version).exists()


def _back_off(error: OAuthError, grant: Grant, now: datetime) -> float:
    first, longest = BACK_OFF[error.kind]
    if grant.failed_at is not None and now - grant.failed_at > LONG_GONE[0]:
        first = longest = max(longest, LONG_GONE[1])
    wait = min(first * 2 ** min(grant.failures, 20), longest) * random.uniform(0.75, 1.25)  # noqa: S311  jitter
    return max(float(wait), min(error.retry_after or 0, 86400))


@transaction.atomic
def store(connection: Connection, tokens: Tokens, *, by: Actor, identity: str = "") -> Grant:
    """Put a newly authorized pair in place of whatever was there.

    `connection` is as it was when the provider was asked: where it has been deleted, or pointed elsewhere meanwhile, the
    pair is not stored and GrantError raised. A consent that brings no refresh token keeps the old one, unless it is of
    another upstream account.
    """
    now = Connection.objects.select_for_update().filter(pk=connection.pk).first()  # as `lock`
    if now is None or connections.places(now) != connections.places(connection):
        raise GrantError("not_authorized_yet", problem("edited_meanwhile"))
    grant = Grant.objects.select_for_update().get_or_create(connection=connection)[0]
    fields = token_fields(grant, tokens)
    if grant.upstream_identity != identity:
        fields.setdefault("refresh_token", None)
    fields |= {"authorized_at": timezone.now(), "authorized_by": by.user, "scope": text(tokens.scope or "", 2000)}
    fields["upstream_identity"] = identity[:200]
    Grant.objects.filter(pk=grant.pk).update(**fields)
    connections.set_status(connection, Status.ONLINE, None, by=by)
    events.record(by=by, action="grant.authorize", about=connection, identity=identity)
    return find(connection)


def paste(connection: Connection, refresh_token: str, *, by: Actor) -> Grant:
    """Use a refresh token that a provider showed to a person. It is tried first; nothing is replaced by one that fails."""
    try:
        tokens = token_requests.refresh(connection, refresh_token=refresh_token)
    except OAuthError as error:
        raise GrantError(CODES[error.kind], token_failure(error), retry_after=error.retry_after) from None
    return store(connection, replace(tokens, refresh_token=tokens.refresh_token or refresh_token), by=by)


@transaction.atomic
def drop(connection: Connection, *, by: Actor) -> None:
    """Forget the tokens here. Whether the provider forgets them too is a matter of revoking."""
    lock(connection)
    if Grant.objects.filter(connection=connection).delete()[0]:
        connections.set_status(connection, Status.DRAFT, None, by=by)
        events.record(by=by, action="grant.drop", about=connection, reason="asked for")
