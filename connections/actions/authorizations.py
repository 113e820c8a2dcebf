"""Authorizations: send somebody to the provider's consent page, and take in what they come back with.

RFC 6749 §4.1 with RFC 7636; Amazon's website authorization workflow differs in its parameters only. One row an attempt: the
state is stored hashed, works once, for ten minutes, for the user and browser session that began, on any web process.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from connections.actions import connections, events, grants, pairs, token_requests
from connections.actions.errors import ActionError, GrantError, as_json
from connections.actions.token_requests import redirect_uri as redirect_uri
from connections.applications import Failure
from connections.models import Actor, AuthorizationAttempt, Connection, Grant, User
from connections.models.attempts import AttemptState
from connections.models.choices import Pkce
from connections.oauth import authorize
from connections.oauth.errors import OAuthError
from connections.oauth.tokens import Tokens
from connections.outbound import OutboundError
from connections.sealing import Sealed


class CallbackError(ActionError):
    """The callback fits no attempt of this person. `code`: missing_state, unknown_state, other_browser, used, expired."""

    def __init__(self, code: str, attempt: AuthorizationAttempt | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.attempt = attempt


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@transaction.atomic
def begin(
    connection: Connection,
    *,
    by: Actor,
    session_secret: str,
    in_popup: bool = False,
    login: Mapping[str, str] | None = None,
) -> tuple[AuthorizationAttempt, str]:
    """A new attempt and the URL to send the browser to. Nothing of the stored grant is touched.

    `login` is what Amazon opened our login URL with (`amazon_callback_uri`, `amazon_state`, `version`); the browser is then sent
    back there instead of to the authorization URL. Raises GrantError where the client's secret cannot be read, ActionError
    where there is nowhere to go.
    """
    token_requests.trial(connection)  # raises before anybody is sent away for nothing
    assert by.user is not None
    state = authorize.new_state()
    verifier = "" if connection.pkce in ("", Pkce.OFF) else authorize.new_verifier()
    now = timezone.now()
    attempt = AuthorizationAttempt.objects.create(
        connection=connection,
        state_hash=digest(state),
        session_hash=digest(session_secret),
        started_by=by.user,
        started_at=now,
        expires_at=now + timedelta(seconds=settings.ATTEMPT_SECONDS),
        in_popup=in_popup,
        redirect_uri=redirect_uri(),
        verifier=Sealed.of(verifier) if verifier else None,
        bound_to=list(connections.places(connection)),
    )
    events.record(by=by, action="authorization.begin", about=connection, attempt=str(attempt.pk))
    if login:
        back = {"amazon_state": login["amazon_state"], "state": state, "redirect_uri": attempt.redirect_uri}
        if login.get("version"):
            back["version"] = login["version"]
        return attempt, authorize.authorization_url(login["amazon_callback_uri"], back)
    if not connection.authorization_url:
        raise ActionError("This connection has no authorization URL.")
    try:
        url = token_requests.authorization_url(
            connection, redirect_uri=attempt.redirect_uri, state=state, verifier=verifier
        )
    except OutboundError as error:
        raise ActionError(f"Authorization URL: {error.detail}") from None
    return attempt, url


def complete(query: Mapping[str, str], *, user: User, session_secret: str, by: Actor) -> AuthorizationAttempt:
    """Take in a callback. Returns the attempt, done, failed, or waiting for a yes to another account. Raises CallbackError.

    `by` must be of the attempt's team; `find` tells which that is.
    """
    attempt = find(query, user=user, session_secret=session_secret)
    taken = AuthorizationAttempt.objects.filter(pk=attempt.pk, state=AttemptState.PENDING).update(
        state=AttemptState.EXCHANGING
    )
    if not taken:
        raise CallbackError("used", attempt)
    connection = attempt.connection
    if attempt.has_expired:
        return _fail(attempt, Failure(error="expired_attempt", where="consent"), by=by)
    callback = authorize.parse_callback(query, code_param=token_requests.code_param(connection, query))
    if callback.error:
        error = callback.error
        failure = Failure(error=error.error, description=error.description, status=None, where="consent")
        return _fail(attempt, failure, by=by)
    if list(connections.places(connection)) != attempt.bound_to:
        return _fail(attempt, Failure(error="edited_meanwhile", where="consent"), by=by)
    identity_param = connection.provider.identity_param
    attempt.identity = callback.extra.get(identity_param, "")[:200] if identity_param else ""
    try:
        tokens = token_requests.exchange_code(
            connection,
            code=callback.code or "",
            redirect_uri=attempt.redirect_uri,
            verifier=attempt.verifier.reveal() if attempt.verifier else None,  # to be posted to the token endpoint
            query=query,
        )
    except OAuthError as error:
        return _fail(attempt, pairs.token_failure(error), by=by)
    except GrantError as refused:
        return _fail(attempt, refused.failure, by=by)
    return _received(attempt, tokens, by=by)


def find(query: Mapping[str, str], *, user: User, session_secret: str) -> AuthorizationAttempt:
    """The attempt that a callback belongs to. Raises CallbackError where it is nobody's or somebody else's."""
    state = query.get("state", "")
    if not state:
        raise CallbackError("missing_state")
    attempts = AuthorizationAttempt.objects.select_related("connection__oauth_client", "connection__team")
    attempt = attempts.filter(state_hash=digest(state)).first()
    if attempt is None:
        raise CallbackError("unknown_state")
    if attempt.started_by_id != user.pk or attempt.session_hash != digest(session_secret):
        raise CallbackError("other_browser")
    return attempt


def _received(attempt: AuthorizationAttempt, tokens: Tokens, *, by: Actor) -> AuthorizationAttempt:
    """Store the tokens, or keep them sealed in the attempt until somebody says yes to another account."""
    stored = Grant.objects.filter(connection=attempt.connection_id).first()
    # Also where the provider, which named the account before, leaves the name out: it may be another one.
    if stored and stored.upstream_identity and stored.upstream_identity != attempt.identity:
        attempt.access_token, attempt.refresh_token = tokens.access_token, tokens.refresh_token
        attempt.received = {"token_type": tokens.token_type, "scope": tokens.scope, "expires_in": tokens.expires_in}
        attempt.state = AttemptState.CONFIRMING
        attempt.expires_at = timezone.now() + timedelta(seconds=settings.ATTEMPT_SECONDS)  # to think it over
        attempt.save()
        return attempt
    return _store(attempt, tokens, by=by)


@transaction.atomic
def _store(attempt: AuthorizationAttempt, tokens: Tokens, *, by: Actor) -> AuthorizationAttempt:
    try:
        grants.store(attempt.connection, tokens, by=by, identity=attempt.identity)
    except GrantError:  # edited or deleted while the provider answered
        return _fail(attempt, Failure(error="edited_meanwhile", where="consent"), by=by)
    return _end(attempt, AttemptState.DONE)


@transaction.atomic
def confirm(attempt: AuthorizationAttempt, *, by: Actor) -> AuthorizationAttempt:
    """Yes, the other account takes over. Raises CallbackError where there is nothing to confirm any more."""
    # The connection before its attempt, as a delete does.
    Connection.objects.select_for_update().filter(pk=attempt.connection_id).first()
    held = AuthorizationAttempt.objects.select_for_update().filter(pk=attempt.pk, state=AttemptState.CONFIRMING).first()
    if held is None or held.access_token is None or held.received is None:
        raise CallbackError("used", attempt)
    if held.has_expired:
        return _fail(held, Failure(error="expired_attempt", where="consent"), by=by)
    if list(connections.places(held.connection)) != held.bound_to:
        return _fail(held, Failure(error="edited_meanwhile", where="consent"), by=by)
    received = held.received
    tokens = Tokens(
        access_token=held.access_token.reveal(),  # moves, sealed again, into the grant
        refresh_token=held.refresh_token.reveal() if held.refresh_token else None,
        token_type=received["token_type"],
        expires_in=received["expires_in"],
        scope=received["scope"],
    )
    return _store(held, tokens, by=by)


@transaction.atomic
def cancel(attempt: AuthorizationAttempt, *, by: Actor) -> None:
    """Stop waiting. What was authorized before stays as it is."""
    open_states = [AttemptState.PENDING, AttemptState.CONFIRMING]
    waiting = AuthorizationAttempt.objects.select_for_update().filter(pk=attempt.pk, state__in=open_states).first()
    if waiting:
        _end(waiting, AttemptState.CANCELLED)
        events.record(by=by, action="authorization.cancel", about=waiting.connection, attempt=str(waiting.pk))


@transaction.atomic
def _fail(attempt: AuthorizationAttempt, failure: Failure, *, by: Actor) -> AuthorizationAttempt:
    attempt.failure = as_json(failure)
    events.record(by=by, action="authorization.fail", about=attempt.connection, failure=attempt.failure)
    return _end(attempt, AttemptState.FAILED)


def _end(attempt: AuthorizationAttempt, state: AttemptState) -> AuthorizationAttempt:
    attempt.state = state
    attempt.verifier = attempt.access_token = attempt.refresh_token = attempt.received = None
    # Not save(): that would insert the attempt anew where it was deleted together with its connection.
    AuthorizationAttempt.objects.filter(pk=attempt.pk).update(
        state=state, failure=attempt.failure, identity=attempt.identity,
        verifier=None, access_token=None, refresh_token=None, received=None,
    )  # fmt: skip
    return attempt


def newest(connection: Connection) -> AuthorizationAttempt | None:
    """The latest attempt, its state told as it is now."""
    attempt = connection.attempts.order_by("-started_at").first()
    return attempt and newest_state(attempt)


def newest_state(attempt: AuthorizationAttempt) -> AuthorizationAttempt:
    """The attempt as it stands now: one that nobody came back from has failed by its deadline."""
    open_states = (AttemptState.PENDING, AttemptState.EXCHANGING, AttemptState.CONFIRMING)
    if attempt.has_expired and attempt.state in open_states:
        attempt.state, attempt.failure = AttemptState.FAILED, as_json(Failure(error="expired_attempt", where="consent"))
    return attempt


def prune(*, older_than: timedelta = timedelta(days=1)) -> int:
    """Delete attempts that ended or lapsed long ago; returns how many rows went."""
    return AuthorizationAttempt.objects.filter(expires_at__lt=timezone.now() - older_than).delete()[0]
