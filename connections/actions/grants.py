"""Grants: get, store, refresh and drop the tokens of a connection. Nothing else writes them.

One refresh at a time per connection, on any number of processes and machines: a lease in the grant's row with an owner and a
deadline, taken and written by guarded updates on the generation. No transaction or row lock is held while a provider answers.
"""

from __future__ import annotations

import random
import secrets
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from connections.actions import connections, events, logins, token_requests
from connections.actions.errors import Code, GrantError, as_json, from_json, problem
from connections.actions.token_requests import Revocation, TokenKind
from connections.applications import Failure
from connections.models import Actor, Connection, Grant, OAuthClient
from connections.models.choices import AuthType, GrantType, Status
from connections.oauth.endpoint import TokenEndpoint
from connections.oauth.errors import OAuthError
from connections.oauth.tokens import Tokens
from connections.sealing import Sealed, SealError

MIN_VALID = 60  # seconds an access token must still be good to be handed out
LEASE = timedelta(seconds=60)  # longer than any answer may take (outbound's deadline)
REVOKE_LEASE = 2 * LEASE  # two answers, one for each token
WAIT = 45  # seconds a caller waits for another's refresh
BACK_OFF = {
    "transient": (5, 1800),
    "client": (6 * 3600, 6 * 3600),
    "misconfigured": (6 * 3600, 6 * 3600),
}  # first, longest
YOUNG = timedelta(seconds=30)
AHEAD = timedelta(minutes=5)  # a token is renewed this long before it ends, so that nobody waits for it
MAX_LIFETIME = 10 * 365 * 86400
# Found out here, before the provider is asked. Whoever needs a token may look again at any time; only the worker waits.
OURS = frozenset({"no_client", "secret_host", "client_secret_unreadable", "refresh_token_unreadable"})
WORKER_WAIT = timedelta(minutes=5)

CODES: dict[str, Code] = {
    "reauthorize": "reauthorization_required",
    "client": "client_rejected",
    "misconfigured": "misconfigured",
    "transient": "provider_unavailable",
}


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
    grant = Grant.objects.select_related("connection__oauth_client").filter(connection=connection).first()
    if grant is not None:
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
    owner = secrets.token_hex(16)
    while True:
        grant = find(connection)
        if stale is None:
            stale = grant.generation
        if grant.generation != stale:
            return _filled(grant)
        _respect_failures(grant, insist=insist)
        if _take_lease(grant, owner):
            break
        insist = False  # whoever holds the lease is asking right now
        if time.monotonic() > give_up:
            raise GrantError("provider_unavailable", problem("busy"), retry_after=5)
        time.sleep(random.uniform(0.03, 0.12))  # noqa: S311  no secret in it
    try:
        return _fetch(grant, by=by)
    finally:
        Grant.objects.filter(pk=grant.pk, lease_owner=owner).update(lease_owner="", lease_expires_at=None)


def _filled(grant: Grant) -> Grant:
    """The grant that came in the meantime. Raises GrantError for an empty one: the tokens were dropped, not replaced."""
    if grant.access_token is None:
        raise GrantError("not_authorized_yet", problem("not_authorized_yet"))
    return grant


def _take_lease(grant: Grant, owner: str, lease: timedelta = LEASE) -> bool:
    now = timezone.now()
    free = Q(lease_expires_at=None) | Q(lease_expires_at__lt=now)
    mine = Grant.objects.filter(
        free, pk=grant.pk, generation=grant.generation, is_refused=grant.is_refused, retry_at=grant.retry_at
    )
    return bool(mine.update(lease_owner=owner, lease_expires_at=now + lease))


def _respect_failures(grant: Grant, *, insist: bool) -> None:
    stored = grant.connection.failure
    failure = from_json(stored) if stored else problem("temporarily_unavailable")
    if grant.is_refused and not insist:
        raise GrantError("reauthorization_required", failure)
    now = timezone.now()
    if grant.retry_at and grant.retry_at > now and not insist and failure.error not in OURS:
        kind = OAuthError(failure.error, status=failure.status).kind
        raise GrantError(CODES[kind], failure, retry_after=(grant.retry_at - now).total_seconds())


def _fetch(grant: Grant, *, by: Actor) -> Grant:
    connection = grant.connection
    try:
        fields = token_fields(grant, _ask(grant))
    except OAuthError as error:
        return _failed(grant, error, by=by)
    except UnicodeEncodeError:  # half of a surrogate pair, which JSON can write
        return _failed(grant, OAuthError("broken_answer", "The token holds what no header can carry."), by=by)
    except GrantError as error:  # a secret that is missing, cannot be opened or may not go there
        Grant.objects.filter(pk=grant.pk, generation=grant.generation).update(retry_at=timezone.now() + WORKER_WAIT)
        connections.set_status(connection, Status.OFFLINE, as_json(error.failure), by=by)
        raise
    with transaction.atomic():
        _lock(connection)
        won = Grant.objects.filter(pk=grant.pk, generation=grant.generation).update(**fields)
        if won:
            connections.set_status(connection, Status.ONLINE, None, by=by)
            events.record(by=by, action="grant.refresh", about=connection, expires_at=fields["expires_at"].isoformat())
    return _filled(find(connection))  # who lost re-reads: the grant was authorized anew, or is gone


def _lock(connection: Connection) -> Connection | None:
    """The connection's row as it is now, locked; None where it is gone.

    Whoever writes a grant locks its connection first, as a save of the connection does: in two orders the database would
    throw one of them out, and with it a refresh token that the provider gives out only once.
    """
    return Connection.objects.select_for_update().filter(pk=connection.pk).first()


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


def token_fields(grant: Grant, tokens: Tokens) -> dict[str, Any]:
    """What an update of the grant's row must write: the pair together, the generation moved, the lease and failures gone.

    No refresh token in the answer keeps the old one. No lifetime in it means the last one known (one hour at first).
    """
    now = timezone.now()
    lifetime = min(tokens.expires_in, MAX_LIFETIME) if tokens.expires_in else grant.lifetime
    fields = {
        "access_token": _sealed(grant, "access_token", tokens.access_token),
        "token_type": _text(tokens.token_type, 50),
        "expires_at": now + timedelta(seconds=lifetime),
        # Short-lived ones in the last quarter of their life.
        "refresh_at": now + timedelta(seconds=lifetime) - min(AHEAD, timedelta(seconds=lifetime) / 4),
        "lifetime": lifetime,
        "generation": F("generation") + 1,
        "refreshed_at": now,
        "failures": 0,
        "failed_at": None,
        "retry_at": None,
        "is_refused": False,
        "lease_owner": "",
        "lease_expires_at": None,
    }
    if tokens.refresh_token:
        fields["refresh_token"] = _sealed(grant, "refresh_token", tokens.refresh_token)
    if tokens.scope:
        fields["scope"] = _text(tokens.scope, 2000)
    return fields


def _text(text: str, length: int) -> str:
    """What both databases can keep: no NUL, no half of a surrogate pair. An odd word must not cost the tokens beside it."""
    return text.replace("\0", "").encode(errors="replace").decode()[:length]


def _sealed(grant: Grant, column: str, text: str) -> Sealed:
    return Grant._meta.get_field(column).seal(grant, text)  # type: ignore[union-attr, no-any-return]


def _failed(grant: Grant, error: OAuthError, *, by: Actor) -> Grant:
    """Write the failure down. Returns the newer grant where one has come in the meantime; else raises GrantError."""
    now = timezone.now()
    failure = token_failure(error)
    refused = error.kind == "reauthorize"
    wait = 0.0 if refused else _back_off(error, grant.failures)
    with transaction.atomic():
        _lock(grant.connection)
        if error.kind == "client" and _has_new_credentials(grant.connection.oauth_client):
            raise GrantError("provider_unavailable", failure, retry_after=1)  # the old ones were refused: ask again
        still = Grant.objects.filter(pk=grant.pk, generation=grant.generation).update(
            failures=F("failures") + 1,
            failed_at=Coalesce("failed_at", now),
            retry_at=None if refused else now + timedelta(seconds=wait),
            is_refused=refused,
            lease_owner="",
            lease_expires_at=None,
        )
        if still:
            good = error.kind == "transient" and grant.valid_for(now) > timedelta(0)
            status = Status(grant.connection.status) if good else Status.OFFLINE
            connections.set_status(grant.connection, status, as_json(failure), by=by)
    if not still:
        return _filled(find(grant.connection))
    raise GrantError(CODES[error.kind], failure, retry_after=wait or None)


def _has_new_credentials(client: OAuthClient | None) -> bool:
    """Whether somebody changed the client since it was read."""
    return client is not None and not OAuthClient.objects.filter(pk=client.pk, version=client.version).exists()


def _back_off(error: OAuthError, failures: int) -> float:
    first, longest = BACK_OFF[error.kind]
    wait = min(first * 2 ** min(failures, 20), longest) * random.uniform(0.75, 1.25)  # noqa: S311  jitter
    return max(float(wait), min(error.retry_after or 0, 86400))


def token_failure(error: OAuthError) -> Failure:
    return Failure(
        error=error.error,
        description=_text(error.description, 500),
        status=error.status,
        request_id=error.request_id and _text(error.request_id, 128),
        where="token",
    )


@transaction.atomic
def store(connection: Connection, tokens: Tokens, *, by: Actor, identity: str = "") -> Grant:
    """Put a newly authorized pair in place of whatever was there.

    `connection` is as it was when the provider was asked: where it has been deleted, or pointed elsewhere meanwhile, the
    pair is not stored and GrantError raised. A consent that brings no refresh token keeps the old one, unless it is of
    another upstream account.
    """
    now = _lock(connection)
    if now is None or connections.places(now) != connections.places(connection):
        raise GrantError("not_authorized_yet", problem("edited_meanwhile"))
    grant = Grant.objects.select_for_update().get_or_create(connection=connection)[0]
    fields = token_fields(grant, tokens)
    if grant.upstream_identity != identity:
        fields.setdefault("refresh_token", None)
    fields |= {"authorized_at": timezone.now(), "authorized_by": by.user, "scope": _text(tokens.scope or "", 2000)}
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
    _lock(connection)
    if Grant.objects.filter(connection=connection).delete()[0]:
        connections.set_status(connection, Status.DRAFT, None, by=by)
        events.record(by=by, action="grant.drop", about=connection, reason="asked for")


def can_revoke(connection: Connection) -> bool:
    """Whether there is an address where its tokens are given back."""
    return connection.auth_type == AuthType.OAUTH2 and bool(connection.revoke_url)


def revoke(connection: Connection, *, by: Actor) -> Revocation:
    """Have the provider end the tokens (RFC 7009), then forget them here.

    Nothing is forgotten where the provider ends none of them or cannot be asked: raises GrantError, and `drop` is the way to
    forget all the same. Who wants to refresh meanwhile waits, and finds nothing.
    """
    if not can_revoke(connection):
        raise GrantError("misconfigured", problem("no_revoke_url"))
    owner = secrets.token_hex(16)
    grant = _lease_to_revoke(connection, owner)
    try:
        outcome = token_requests.revoke(grant.connection, _tokens(grant))
        failure = token_failure(outcome.refused) if outcome.refused else None
        if outcome.refused and failure and not outcome.ended:
            raise GrantError(CODES[outcome.refused.kind], failure, retry_after=outcome.refused.retry_after)
        with transaction.atomic():
            # A save of the connection locks its row first, too: in two orders they would lock each other out.
            Connection.objects.select_for_update().filter(pk=connection.pk).first()
            # Somebody who authorized anew meanwhile has taken the lease away, and keeps the new tokens.
            if Grant.objects.filter(pk=grant.pk, lease_owner=owner).delete()[0]:
                connections.set_status(connection, Status.DRAFT, None, by=by)
            told = {"ended": list(outcome.ended), "failure": failure and as_json(failure)}
            events.record(by=by, action="grant.revoke", about=connection, **told)
    except GrantError as error:
        events.record(by=by, action="grant.revoke_fail", about=connection, failure=as_json(error.failure))
        raise
    finally:
        Grant.objects.filter(pk=grant.pk, lease_owner=owner).update(lease_owner="", lease_expires_at=None)
    return outcome


def _lease_to_revoke(connection: Connection, owner: str) -> Grant:
    """The grant as it is once no refresh is under way, with the lease on it."""
    give_up = time.monotonic() + WAIT
    while True:
        grant = Grant.objects.select_related("connection__oauth_client").filter(connection=connection).first()
        if grant is None:
            raise GrantError("not_authorized_yet", problem("not_authorized_yet"))
        if _take_lease(grant, owner, REVOKE_LEASE):
            return grant
        if time.monotonic() > give_up:
            raise GrantError("provider_unavailable", problem("busy"), retry_after=5)
        time.sleep(random.uniform(0.03, 0.12))  # noqa: S311  no secret in it


def _tokens(grant: Grant) -> dict[TokenKind, str]:
    stored: dict[TokenKind, Sealed | None] = {"refresh_token": grant.refresh_token, "access_token": grant.access_token}
    try:
        return {
            kind: sealed.reveal() for kind, sealed in stored.items() if sealed
        }  # to be given back where they came from
    except SealError:
        raise GrantError("secret_unreadable", problem("refresh_token_unreadable")) from None
