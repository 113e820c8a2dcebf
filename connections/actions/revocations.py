"""Revocations: have the provider end the tokens of a connection (RFC 7009), then forget them here."""

from __future__ import annotations

import random
import secrets
import time

from django.db import transaction

from connections.actions import connections, events, leases, pauses, token_requests
from connections.actions.errors import CODES, GrantError, as_json, problem
from connections.actions.grants import WAIT, lock
from connections.actions.pairs import token_failure
from connections.actions.token_requests import Revocation, TokenKind
from connections.models import Actor, Connection, Grant
from connections.models.choices import AuthType, Status
from connections.sealing import Sealed, SealError


def can_revoke(connection: Connection) -> bool:
    """Whether there is an address where its tokens are given back."""
    return connection.auth_type == AuthType.OAUTH2 and bool(connection.revoke_url)


def revoke(connection: Connection, *, by: Actor) -> Revocation:
    """Have the provider end the tokens, then forget them.

    Nothing is forgotten where the provider ends none of them or cannot be asked: raises GrantError, and `grants.drop` is the
    way to forget all the same. Who wants to refresh meanwhile waits, and finds nothing.
    """
    if not can_revoke(connection):
        raise GrantError("misconfigured", problem("no_revoke_url"))
    owner = secrets.token_hex(16)
    grant = _lease(connection, owner)
    try:
        with leases.kept(grant, owner):
            outcome = token_requests.revoke(grant.connection, _tokens(grant))
            failure = token_failure(outcome.refused) if outcome.refused else None
            if outcome.refused and failure and not outcome.ended:
                raise GrantError(CODES[outcome.refused.kind], failure, retry_after=outcome.refused.retry_after)
            with transaction.atomic():
                lock(connection)
                # Somebody who authorized anew meanwhile has taken the lease away, and keeps the new tokens.
                if Grant.objects.filter(pk=grant.pk, lease_owner=owner).delete()[0]:
                    connections.set_status(connection, Status.DRAFT, None, by=by)
                told = {"ended": list(outcome.ended), "failure": failure and as_json(failure)}
                events.record(by=by, action="grant.revoke", about=connection, **told)
    except GrantError as error:
        events.record(by=by, action="grant.revoke_fail", about=connection, failure=as_json(error.failure))
        raise
    return outcome


def _lease(connection: Connection, owner: str) -> Grant:
    """The grant as it is once no refresh is under way, with the lease on it."""
    give_up = time.monotonic() + WAIT
    while True:
        grant = Grant.objects.select_related("connection__oauth_client").filter(connection=connection).first()
        if grant is None:
            raise GrantError("not_authorized_yet", problem("not_authorized_yet"))
        if leases.take(grant, owner):
            return grant
        if time.monotonic() > give_up:
            raise GrantError("provider_unavailable", problem("busy"), retry_after=5)
        pauses.sleep(random.uniform(0.03, 0.12))  # noqa: S311  no secret in it


def _tokens(grant: Grant) -> dict[TokenKind, str]:
    stored: dict[TokenKind, Sealed | None] = {"refresh_token": grant.refresh_token, "access_token": grant.access_token}
    try:
        return {
            kind: sealed.reveal() for kind, sealed in stored.items() if sealed
        }  # to be given back where they came from
    except SealError:
        raise GrantError("secret_unreadable", problem("refresh_token_unreadable")) from None
