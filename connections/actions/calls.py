"""Calls through a connection. Every setting of the pane that shapes a call is obeyed here.

Built (outgoing), signed (schemes), let through in turn (slots), sent, judged (verdicts), recorded while debugging (recordings). An
answer that says "not authorized" is repeated once with a new token; one that says "slow down" up to twice, after a wait. Nothing
was done in either case, so any method may be repeated. What an integration sends goes the same way bit by bit: `proxying`.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from django.utils import timezone

from connections import outbound
from connections.actions import grants, logins, pauses, recordings, schemes, slots, verdicts
from connections.actions.outgoing import Outgoing, Request, build, identity, target, test_request
from connections.actions.slots import CallError
from connections.models import Actor, Connection
from connections.models.choices import AuthType
from connections.outbound import OutboundError
from connections.sealing import Sealed

__all__ = ["CallError", "Outgoing", "Reply", "Request", "build", "identity", "perform", "target", "test_request"]

MAX_ANSWER = 5 * 1024 * 1024  # bytes
REPEATS = 2  # after "slow down"
WAIT = 20  # seconds, over all such repeats of one call
BACK_OFF = (1.0, 3.0)  # seconds, where the answer does not say how long
MARGIN = 5  # seconds around a call in which its slot is held
STALE = 5  # seconds after which a request that waited is signed anew: signatures tell the time
YOUNG = timedelta(seconds=60)  # a token this new is not replaced: the API refuses for another reason

Redirects = Literal["refuse", "return"]


@dataclass(frozen=True)
class Reply(outbound.Answer):
    """The last answer, as it came; `problem` says whether it still means "not authorized" or "slow down".

    `retry_after` in seconds goes with the latter. `repeats` counts the answers before this one.
    """

    problem: Literal["", "unauthorized", "rate_limited"] = ""
    retry_after: float | None = None
    repeats: int = 0


def perform(
    connection: Connection,
    request: Request,
    *,
    by: Actor,
    token: Sealed | None = None,
    record: bool = True,
    renew: bool = True,
    redirects: Redirects = "return",
) -> Reply:
    """Make one call. `token` is one to use instead of the stored; it is never replaced. `renew=False` replaces none.

    Raises CallError where it may not or cannot be made, GrantError where it cannot be signed, OutboundError where no answer came.
    Must not be called inside a transaction: it waits, for its turn and for the answer.
    """
    credential = Credential(connection, by, token, may_renew=renew and not connection._state.adding)
    waited, repeats, slowed = 0.0, 0, 0
    while True:
        answer = _send(connection, request, credential, record=record, redirects=redirects)
        problem = verdicts.problem(connection, answer)
        if problem == "unauthorized" and credential.renew(is_certain=verdicts.is_dead_token(connection, answer)):
            repeats += 1
            continue
        wait = None
        if problem == "rate_limited":
            wait = verdicts.retry_after(connection, answer)
            pause = BACK_OFF[min(slowed, 1)] * random.uniform(0.8, 1.2) if wait is None else wait  # noqa: S311  jitter
            if slowed < REPEATS and waited + pause <= WAIT:
                pauses.sleep(pause)
                waited, slowed, repeats = waited + pause, slowed + 1, repeats + 1
                continue
            wait = max(pause, 1)
        return Reply(**vars(answer), problem=problem, retry_after=wait, repeats=repeats)


class Credential:
    """What a call proves itself with, and whether that can be had anew, once."""

    def __init__(self, connection: Connection, by: Actor, given: Sealed | None, *, may_renew: bool) -> None:
        self.connection, self.by, self.given = connection, by, given
        self.used: int | None = None  # generation of the grant that the last call was signed with
        self.may_renew = may_renew and given is None
        self.is_young = False
        self.is_oauth2 = connection.auth_type == AuthType.OAUTH2

    def put_on(self, outgoing: Outgoing) -> Sealed | None:
        """Sign a request. Returns the token that is on it, if known. Raises GrantError."""
        if not self.is_oauth2:
            self.used = schemes.sign(self.connection, outgoing, by=self.by, token=self.given)
            return self.given
        token = self.given
        if token is None:
            grant = grants.current(self.connection, by=self.by)
            token, self.used = grant.access_token, grant.generation
            self.is_young = grant.refreshed_at is not None and timezone.now() - grant.refreshed_at < YOUNG
        # To the base URI's host, for which it was issued.
        schemes.place(self.connection, outgoing, logins.opened(token))
        return token

    def renew(self, *, is_certain: bool) -> bool:
        """Whether there is something new to repeat the call with. Raises GrantError where the login or refresh fails.

        A token fetched a moment ago is replaced only where the answer names the token itself as dead (`is_certain`).
        """
        if not self.may_renew or (self.is_young and not is_certain):
            return False
        self.may_renew = False
        if self.is_oauth2:
            # Used as it is: asked for again, one that lasts less than a minute would be refreshed again.
            self.given = grants.refresh(self.connection, by=self.by, stale=self.used).access_token
            return self.given is not None
        return schemes.renew(self.connection, by=self.by, used=self.used)


@dataclass(frozen=True)
class Ready:
    """A request that may go out now: signed, in a slot and at its turn. Whoever has it ends the lease."""

    outgoing: Outgoing
    token: Sealed | None
    lease: slots.Lease


def ready(connection: Connection, request: Request, credential: Credential, *, seconds: float) -> Ready:
    """Build, sign, and wait for a slot, which is held for `seconds` at first, and for the turn. Raises as `perform`."""
    going = build(connection, request)
    token = credential.put_on(going)  # a login, where one is needed, takes no slot
    signed_at = time.monotonic()
    lease = slots.Lease(connection, seconds=seconds)
    try:
        slots.await_turn(connection)
        if time.monotonic() - signed_at > STALE:
            going = build(connection, request)
            token = credential.put_on(going)
    except BaseException:
        lease.end()
        raise
    return Ready(going, token, lease)


def _send(
    connection: Connection, request: Request, credential: Credential, *, record: bool, redirects: Redirects
) -> outbound.Answer:
    """Once over the wire, signed anew, in a slot and at its turn."""
    longest = outbound.DEADLINE + MARGIN + (slots.TURN_SECONDS if connection.rate_wait_ms else 0)
    call = ready(connection, request, credential, seconds=longest)
    going = call.outgoing
    assert not isinstance(going.body, outbound.Upload), "those go through the proxy"
    # Digest asks twice, each time with a deadline of its own.
    deadline = outbound.DEADLINE / (2 if going.auth else 1)
    error: OutboundError | None = None
    try:
        answer = outbound.request(
            going.method, going.url, headers=going.headers, params=going.params or None, data=going.body or None,
            auth=going.auth, client=going.identity, max_bytes=MAX_ANSWER, deadline=deadline, redirects=redirects,
        )  # fmt: skip
    except OutboundError as caught:
        error = caught
    finally:
        call.lease.end()
    if record and not connection._state.adding:
        recordings.call(connection, going, error or answer, token=call.token)
    if error:
        raise error
    return answer
