"""Test connection: five steps, each with its outcome, its milliseconds and what to do about it.

The steps come one by one as they are done, so that a page can show them while they run; whoever stops reading stops the test.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from django.utils import timezone

from connections import outbound
from connections.actions import (
    calls,
    clients,
    connections,
    events,
    grants,
    pairs,
    recordings,
    schedules,
    token_requests,
    verdicts,
)
from connections.actions.errors import GrantError, SecretHostError, as_json, from_json, problem
from connections.applications import Explanation, Failure
from connections.models import Actor, Connection, Grant
from connections.models.choices import AuthType, GrantType, Status
from connections.oauth.errors import OAuthError
from connections.outbound import OutboundError
from connections.sealing import Sealed, SealError

TITLES = {
    "address": "The address answers",
    "tls": "The connection is encrypted",
    "client": "The client credentials are accepted",
    "token": "There is an access token",
    "call": "The test call is accepted",
}


@dataclass(frozen=True)
class Step:
    """One step. `ok` is None where it was not tried or does not apply; `ms` is None where nothing was sent."""

    name: str
    ok: bool | None
    detail: str
    ms: int | None = None
    hint: str = ""
    action: str = "none"  # which button helps, as in applications.Explanation

    @property
    def title(self) -> str:
        return TITLES[self.name]

    @property
    def state(self) -> str:
        return {True: "ok", False: "failed", None: "skipped"}[self.ok]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass
class Candidate:
    """What is tested: a connection as stored, or as typed and not saved.

    `stored` is the saved connection whose tokens may be used: they are, only while the typed values send them where the saved
    ones do. The same holds for the other stored secrets: `secrets` are those that were typed, blank ones stand for the stored,
    as in connections.update. `refresh_token` is one that was pasted and not saved.
    """

    connection: Connection
    stored: Connection | None = None
    refresh_token: Sealed | None = None
    secrets: dict[str, Any] = field(default_factory=dict, repr=False)
    token: Sealed | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.stored is not self.connection:
            self._take_secrets()

    def _take_secrets(self) -> None:
        """Put the typed secrets in. What is stored stays only where it goes to the same hosts as before."""
        typed, stored = self.connection, self.stored
        if stored is not None and connections.secret_places(typed) != connections.secret_places(stored):
            for name in connections.BOUND:
                setattr(typed, name, None)
            typed.encrypted_field_names = []
        for name, text in self.secrets.items():
            if text and name != "encrypted_fields":
                setattr(typed, name, text)
        rows: list[list[str]] = self.secrets.get("encrypted_fields") or []
        if any(text for _, text in rows):
            with suppress(SealError):  # then the typed values alone are tried
                rows = [[name, text or connections.encrypted_fields(typed).get(name, "")] for name, text in rows]
            typed.encrypted_fields = json.dumps({name: text for name, text in rows if text})
            typed.encrypted_field_names = [name for name, text in rows if text]

    @property
    def may_use_grant(self) -> bool:
        return self.stored is not None and connections.places(self.connection) == connections.places(self.stored)

    @property
    def asks_as_stored(self) -> bool:
        """Whether the typed values ask for a token just as the saved ones do."""
        return all(getattr(self.connection, name) == getattr(self.stored, name) for name in token_requests.SETTINGS)


class Stopped(Exception):
    """A step failed: the later ones are not tried."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.name)
        self.step = step


def run(candidate: Candidate, *, by: Actor) -> Iterator[Step]:
    """Yields each step when it is done, all five in the end. Writes one event; a saved connection keeps its last result."""
    connection = candidate.connection
    steps: list[Step] = []
    todo: list[tuple[str, Callable[[], Step]]] = [
        ("address", lambda: _address(connection)),
        ("tls", lambda: _tls(connection)),
        ("client", lambda: _client(candidate, by=by)),
        ("token", lambda: _token(candidate, by=by)),
        ("call", lambda: _call(candidate, by=by)),
    ]
    stopped = False
    try:
        for name, attempt in todo:
            if stopped:
                step = Step(name, None, "Not tried.")
            else:
                started = time.monotonic()
                step = _attempt(name, attempt, connection)
                if step.ms is None and step.ok is not None:
                    step = replace(step, ms=round((time.monotonic() - started) * 1000))
                stopped = step.ok is False
            steps.append(step)
            yield step
    finally:
        _keep(candidate, steps, by=by)


def passed(steps: list[Step]) -> bool:
    return len(steps) == len(TITLES) and all(step.ok is not False for step in steps)


def _keep(candidate: Candidate, steps: list[Step], *, by: Actor) -> None:
    whole = len(steps) == len(TITLES)
    about = candidate.stored or None
    events.record(
        by=by, action="connection.test", about=about, ok=passed(steps), cancelled=not whole,
        steps={step.name: step.state for step in steps}, saved=candidate.stored is candidate.connection,
    )  # fmt: skip
    if about is not None and whole and candidate.stored is candidate.connection:
        kept = [step.as_json() | {"title": step.title, "state": step.state} for step in steps]
        Connection.objects.filter(pk=about.pk).update(last_test=kept, last_test_at=timezone.now())


def _attempt(name: str, attempt: Callable[[], Step], connection: Connection) -> Step:
    try:
        return attempt()
    except Stopped as stopped:
        return stopped.step
    except OutboundError as error:
        failure = Failure(error=error.code, description=error.detail, where="call")
        return _explained(name, connection.provider.explain(failure), f"{error.host}: {error.detail}")
    except OAuthError as error:
        failure = pairs.token_failure(error)
        return _explained(name, connection.provider.explain(failure), said(failure))
    except GrantError as error:
        return _explained(name, connection.provider.explain(error.failure), said(error.failure))
    except SecretHostError as error:
        return Step(name, False, str(error), action="edit_client")
    except calls.CallError as error:
        return Step(name, False, str(error), hint=error.hint, action="edit_connection")


def _explained(name: str, explanation: Explanation, detail: str) -> Step:
    parts = [explanation.title, detail]
    hint = f"{explanation.meaning} {explanation.next_step}"
    return Step(name, False, " ".join(part for part in parts if part), hint=hint, action=explanation.action)


def said(failure: Failure) -> str:
    """What the provider said, on one line: error, description, status, request id; never its body."""
    parts = [failure.error]
    if failure.description:
        parts.append(f"“{failure.description}”")
    if failure.status:
        parts.append(f"HTTP {failure.status}")
    if failure.request_id:
        parts.append(f"request {failure.request_id}")
    return "(" + ", ".join(parts) + ")"


def _address(connection: Connection) -> Step:
    found = outbound.address(connection.base_uri)
    return Step("address", True, f"{found.host} answers at {found.ip}.", ms=found.ms)


def _tls(connection: Connection) -> Step:
    if not connection.base_uri.lower().startswith("https:"):
        return Step("tls", None, "Plain http, allowed for this host by the operator of Gatehouse.")
    certificate = outbound.tls(connection.base_uri, client=calls.identity(connection, connection.base_uri))
    until = certificate.expires_at.strftime("%-d %B %Y")
    return Step(
        "tls",
        True,
        f"{certificate.protocol}; certificate by {certificate.issuer}, valid until {until}.",
        ms=certificate.ms,
    )


def _client(candidate: Candidate, *, by: Actor) -> Step:
    connection = candidate.connection
    if connection.auth_type != AuthType.OAUTH2:
        return Step("client", None, "This authentication type has no client.")
    connections.check_reach(connection, by=by)
    if connection.oauth_client is not None:
        clients.bind_host(connection.oauth_client, outbound.host_port(connection.token_url), by=by)
    if candidate.stored is not None and candidate.asks_as_stored and _stored_grant(candidate) is not None:
        try:
            grants.refresh(candidate.stored, by=by, insist=True)
        except GrantError as error:
            if error.code != "reauthorization_required":  # that one says: the client is right, the grant is not
                raise
        return Step("client", True, f"{outbound.host_port(connection.token_url)} knows them.")
    if connection.grant_type == GrantType.CLIENT_CREDENTIALS:
        candidate.token = Sealed.of(token_requests.client_credentials(connection).access_token)
        return Step("client", True, "A token was given for them.")
    token_requests.probe(connection)
    return Step("client", True, "A made-up code was refused, the client was not: ID and secret are right.")


def _stored_grant(candidate: Candidate) -> Grant | None:
    if candidate.refresh_token is not None or not candidate.may_use_grant or candidate.stored is None:
        return None
    try:
        return grants.find(candidate.stored)
    except GrantError:
        return None


def _token(candidate: Candidate, *, by: Actor) -> Step:
    connection = candidate.connection
    if connection.auth_type != AuthType.OAUTH2:
        return Step("token", None, "This authentication type has no access token.")
    if candidate.token is not None:
        return Step("token", True, "Received with the client credentials.")
    if candidate.refresh_token is not None:
        return _pasted(candidate)
    if _stored_grant(candidate) is None:
        if candidate.stored is not None and not candidate.may_use_grant:
            raise Stopped(Step("token", False, "The saved tokens belong to another address or client than the one typed here.",
                               hint="Save & authorize to get tokens for it.", action="authorize"))  # fmt: skip
        explanation = connection.provider.explain(problem("not_authorized_yet"))
        raise Stopped(_explained("token", explanation, ""))
    assert candidate.stored is not None
    grant = grants.current(candidate.stored, by=by)
    if grant.is_refused:  # its access token may last a while yet, but cannot be renewed any more
        told = grant.connection.failure
        raise GrantError("reauthorization_required", from_json(told) if told else problem("not_authorized_yet"))
    candidate.token = grant.access_token
    return Step("token", True, f"Good until {_clock(grant.expires_at)}.")


def _clock(moment: datetime | None) -> str:
    return moment.strftime("%H:%M:%S UTC") if moment else "an unknown time"


def _pasted(candidate: Candidate) -> Step:
    connection = candidate.connection
    assert candidate.refresh_token is not None
    if connection.provider.rotates_refresh_tokens:
        raise Stopped(Step("token", None, "A provider may replace a refresh token each time it is used, so the pasted one is tried "
                           "only when it is saved.", hint="Save & authorize tries it.", action="authorize"))  # fmt: skip
    pasted = candidate.refresh_token.reveal()  # typed a moment ago, to be posted where it came from
    candidate.token = Sealed.of(token_requests.refresh(connection, refresh_token=pasted).access_token)
    return Step("token", True, "The pasted refresh token works.")


def _call(candidate: Candidate, *, by: Actor) -> Step:
    connection = candidate.connection
    if connection.auth_type == AuthType.OAUTH2 and candidate.token is None:
        return Step("call", None, "Not tried: there is no access token yet.")
    request = calls.test_request(connection, now=timezone.now())
    if not request.method:
        return Step("call", None, "Getting a token is all the proof there is for this scope.")
    is_saved = candidate.stored is connection
    reply = calls.perform(
        connection, request, by=by, token=None if is_saved else candidate.token, record=is_saved, renew=is_saved,
        redirects="refuse",
    )  # fmt: skip
    return _judged(candidate, request, reply, by=by)


def _judged(candidate: Candidate, request: calls.Request, reply: calls.Reply, *, by: Actor) -> Step:
    connection = candidate.connection
    line = f"{request.method} {quote(request.path.split('?')[0], safe='/{}:')}: HTTP {reply.status}"
    line += f" ({reply.repeats + 1} calls)" if reply.repeats else ""
    is_good = 200 <= reply.status < 300 and not reply.problem
    why = verdicts.test_verdict(connection, reply) if is_good else ""
    if is_good and not why:
        _mark(candidate, Status.ONLINE, None, by=by)
        return Step("call", True, f"{line}.", ms=reply.ms)
    hide = recordings.mask(connection, candidate.token)
    failure = verdicts.failure(reply, connection=connection, hide=hide)
    if why:
        told = f" “{failure.description}”" if failure.description else ""
        return Step("call", False, f"{line}. {why}{told}", ms=reply.ms, action="edit_connection",
                    hint="If this was a success, correct the paths and values under How to test this connection.")  # fmt: skip
    # What the settings say of the answer goes before its status: an API may refuse with 200.
    meant = {"unauthorized": 401, "rate_limited": 429}.get(reply.problem) if 200 <= reply.status < 300 else None
    explanation = connection.provider.explain(replace(failure, status=meant or reply.status))
    step = replace(_explained("call", explanation, f"{line} {said(failure)}"), ms=reply.ms)
    if reply.problem == "unauthorized":
        _mark(candidate, Status.OFFLINE, failure, by=by)
    if reply.problem == "rate_limited" and reply.retry_after:
        step = replace(step, hint=f"{step.hint} It may be called again in {round(reply.retry_after)} seconds.")
    return step


def _mark(candidate: Candidate, status: Status, failure: Failure | None, *, by: Actor) -> None:
    """What the test says of the credentials; those of OAuth 2.0 are judged where tokens are asked for."""
    connection = candidate.connection
    if candidate.stored is connection and connection.auth_type != AuthType.OAUTH2:
        connections.set_status(connection, status, as_json(failure) if failure else None, by=by)
        schedules.watch(connection, status)
