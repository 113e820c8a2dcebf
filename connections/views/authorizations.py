"""Authorize: away to the provider, back by the one redirect URL, and what became of it."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections.actions import authorizations
from connections.actions.authorizations import CallbackError
from connections.models import AuthorizationAttempt, Connection, Membership
from connections.models.attempts import AttemptState
from connections.models.choices import AuthType, GrantType
from connections.views import pane, standing
from connections.views.access import Request, actor_for, manager, member
from connections.views.connections import go, send_to_provider
from connections.views.sessions import session_secret

SENTENCES = {
    "missing_state": (
        "This link is incomplete",
        "The provider’s answer came without its state, so Gatehouse cannot tell what it belongs to.",
    ),
    "unknown_state": (
        "This answer belongs to nothing here",
        "No authorization with this state was started here, or it was so long ago that it is gone.",
    ),
    "other_browser": (
        "This answer is somebody else’s",
        "The authorization was started by another person or in another browser session.",
    ),
    "signed_out": (
        "You are signed out",
        "You were signed out while you were at the provider, so nothing was taken in.",
    ),
    "no_longer_allowed": ("You may not do this any more", "Your role in the team has changed since you began."),
    "doubled": (
        "This answer can be read in two ways",
        "A parameter came twice, which no provider may send, so nothing of it was used.",
    ),
    "used": ("This answer was already used", "Each authorization works once."),
}
AGAIN = "Nothing was changed. Open the connection and press Save & authorize again."


@member
@pane.provider_form
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_authorize(request: Request, id: uuid.UUID) -> HttpResponseBase:
    """POST starts; GET tells how the newest attempt stands."""
    connection = pane.connection_or_404(request, id)
    if request.method == "POST":
        return manager(_start)(request, connection)
    return _status(request, id)


def _start(request: Request, connection: Connection) -> HttpResponse:
    if not connection.needs_consent:
        return redirect("connection_edit", connection.pk)
    return send_to_provider(request, connection)


@never_cache
@login_not_required
@require_GET
def oauth_callback(request: Request) -> HttpResponse:
    """The one redirect URL (RFC 6749 §4.1.2). Every way it can go ends in a plain sentence."""
    response = _callback(request)
    if not getattr(response, "has_form", False):
        response["Referrer-Policy"] = "no-referrer"  # the address of this page carries the code
    return response


def _callback(request: Request) -> HttpResponse:
    if not request.user.is_authenticated:
        return _sentence(request, "signed_out", url=reverse("account_login"), action="Sign in")
    if any(len(values) > 1 for _, values in request.GET.lists()):
        return _sentence(request, "doubled")
    secret = session_secret(request)
    query = request.GET.dict()
    try:
        attempt = authorizations.find(query, user=request.user, session_secret=secret)
        membership = (
            Membership.objects.select_related("team", "user")
            .filter(team=attempt.connection.team, user=request.user)
            .first()
        )
        if membership is None or not membership.level.may_manage:
            return _sentence(request, "no_longer_allowed")
        by = actor_for(request, membership)
        attempt = authorizations.complete(query, user=request.user, session_secret=secret, by=by)
    except CallbackError as error:
        if error.attempt is None:
            return _sentence(request, error.code)
        attempt = authorizations.newest_state(error.attempt)
    return _outcome(request, attempt)


def _outcome(request: Request, attempt: AuthorizationAttempt) -> HttpResponse:
    """In a window of its own: what became of it, and the window closes. In the same tab: back to the connection, which tells."""
    if not attempt.in_popup:
        return redirect("connection_edit", attempt.connection_id)
    explanation = pane.explain_attempt(attempt.connection, attempt)
    context = {
        "attempt": attempt,
        "connection": attempt.connection,
        "explanation": explanation,
        "failure": attempt.failure,
    }
    response = render(request, "oauth/oauth_callback.html", context)
    response.has_form = attempt.state == AttemptState.CONFIRMING  # type: ignore[attr-defined]
    return response


def _sentence(request: Request, code: str, *, url: str = "", action: str = "") -> HttpResponse:
    title, meaning = SENTENCES[code]
    return render(
        request,
        "oauth/refused.html",
        {"title": title, "text": f"{meaning} {AGAIN}", "url": url, "action": action},
        status=400,
    )


@manager
@require_POST
def authorization_confirm(request: Request, id: uuid.UUID) -> HttpResponse:
    """Yes: the other account takes over."""
    attempt = _confirming(request, id)
    try:
        attempt = authorizations.confirm(attempt, by=request.actor)
    except CallbackError:
        attempt.refresh_from_db()
    return _after_question(request, attempt)


@manager
@require_POST
def authorization_cancel(request: Request, id: uuid.UUID) -> HttpResponse:
    """No, or: stop waiting. What was authorized before stays."""
    attempt = _confirming(request, id)
    authorizations.cancel(attempt, by=request.actor)
    attempt.refresh_from_db()
    return _after_question(request, attempt)


def _confirming(request: Request, id: uuid.UUID) -> AuthorizationAttempt:
    connection = pane.connection_or_404(request, id)
    attempts = AuthorizationAttempt.objects.select_related("connection").filter(
        connection=connection, started_by=request.user
    )
    wanted = request.POST.get("attempt", "")
    try:
        return get_object_or_404(attempts, pk=uuid.UUID(wanted)) if wanted else attempts.latest("started_at")
    except (ValueError, AuthorizationAttempt.DoesNotExist):
        return get_object_or_404(attempts, pk=uuid.UUID(int=0))


def _after_question(request: Request, attempt: AuthorizationAttempt) -> HttpResponse:
    if request.POST.get("window") == "1":
        return _outcome(request, attempt)
    if request.htmx:
        return _status(request, attempt.connection_id)
    return go(request, reverse("connection_edit", args=[attempt.connection_id]))


def _status(request: Request, id: uuid.UUID) -> HttpResponse:
    connection = pane.connection_or_404(request, id)
    context = {
        "connection": connection,
        "authorization": pane.authorization_context(connection),
        "problem": pane.problem_of(connection),
        "may_manage": request.actor.may_manage,
    } | standing.context(connection)
    return render(request, "connections/connection_authorize.html" + pane.fragment(request, "authorization"), context)


@manager
@pane.provider_form
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def oauth_login(request: Request) -> HttpResponse:
    """The Login URI that Amazon opens to authorize, or to renew the yearly authorization, from its own side.

    It brings `amazon_callback_uri`, `amazon_state`, `selling_partner_id` and perhaps `version`; the person says for which
    connection, and goes back there with our state.
    """
    given = request.POST if request.method == "POST" else request.GET
    login = {
        name: given.get(name, "")[:2000]
        for name in ("amazon_callback_uri", "amazon_state", "selling_partner_id", "version")
    }
    candidates = [c for c in _authorizable(request) if c.provider.allows_login_callback(login["amazon_callback_uri"])]
    is_from_amazon = bool(login["amazon_state"]) and any(
        application.allows_login_callback(login["amazon_callback_uri"]) for application in pane.known_applications()
    )
    if not is_from_amazon:
        title = "This is not a link from Amazon"
        text = (
            "Amazon opens this page with an address of its own to return to, and this one is missing or leads elsewhere. "
            "Nothing was changed."
        )
        return render(request, "oauth/refused.html", {"title": title, "text": text}, status=400)
    if request.method == "POST":
        chosen = next((c for c in candidates if str(c.pk) == request.POST.get("connection")), None)
        if chosen is not None:
            return send_to_provider(request, chosen, login)
    known = [
        c
        for c in candidates
        if getattr(getattr(c, "grant", None), "upstream_identity", "") == login["selling_partner_id"]
    ]
    context = {
        "login": login,
        "candidates": candidates,
        "chosen": known[0].pk if known and login["selling_partner_id"] else None,
    }
    return render(request, "oauth/oauth_login.html", context, status=422 if request.method == "POST" else 200)


def _authorizable(request: Request) -> list[Connection]:
    connections = Connection.objects.visible_to(request.actor).select_related("oauth_client", "grant")
    wanted = connections.filter(auth_type=AuthType.OAUTH2, grant_type=GrantType.AUTHORIZATION_CODE)
    return [connection for connection in wanted.order_by("name", "id")[:500] if connection.provider.consent == "spapi"]
