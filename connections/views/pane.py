"""What the views of the pane share: which connection and form it is, what it warns of, how it is answered."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, ParamSpec, cast
from urllib.parse import urlsplit

from csp.decorators import csp_update
from django.conf import settings
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone

from connections import applications
from connections.actions import authorizations
from connections.actions.authorizations import redirect_uri
from connections.applications import Application, Explanation, Failure
from connections.forms.connections import ConnectionForm
from connections.forms.sections import SHAPING
from connections.models import AuthorizationAttempt, Connection
from connections.models.attempts import AttemptState
from connections.views import standing
from connections.views.access import Request

P = ParamSpec("P")
DRAFT_KEY = "pane_drafts"


# Without script the browser follows Save & authorize's redirect to the provider's consent page, and form-action covers that too.
def provider_form(view: Callable[P, HttpResponseBase]) -> Callable[P, HttpResponseBase]:
    allowed = ["https:"] if settings.IS_HTTPS else ["https:", "http:"]
    return cast(Callable[P, HttpResponseBase], csp_update({"form-action": allowed})(cast(Any, view)))


def known_applications() -> list[Application]:
    return list(applications.available(simulator_url=settings.SIMULATOR_URL).values())


def application_or_404(slug: str) -> Application:
    found = applications.get(slug, simulator_url=settings.SIMULATOR_URL)
    if found is None:
        raise Http404(f"There is no application {slug}.")
    return found


def connection_or_404(request: Request, id: uuid.UUID) -> Connection:
    return get_object_or_404(
        Connection.objects.visible_to(request.actor).select_related("oauth_client", "grant__authorized_by"), pk=id
    )


def unsaved(request: Request, application: Application, posted_id: str | None) -> Connection:
    """A new connection, or the saved one that an earlier submit of the same form made."""
    try:
        id = uuid.UUID(posted_id or "")
    except ValueError:
        return Connection(team=request.team, application=application.slug)
    earlier = Connection.objects.filter(pk=id).first()
    if earlier is None:
        return Connection(id=id, team=request.team, application=application.slug)
    if earlier.team_id == request.team.pk and earlier.application == application.slug:
        return earlier
    return Connection(team=request.team, application=application.slug)


def answer(
    request: Request, form: ConnectionForm, connection: Connection, *, status: int = 200, **more: Any
) -> HttpResponse:
    """The pane as a page, or as the fragment `#pane` for htmx."""
    return render(
        request,
        "connections/pane.html" + fragment(request, "pane"),
        context(request, form, connection, **more),
        status=status,
    )


def fragment(request: Request, name: str) -> str:
    return f"#{name}" if request.htmx and not request.htmx.history_restore_request else ""


def context(request: Request, form: ConnectionForm, connection: Connection, **more: Any) -> dict[str, Any]:
    is_new = connection._state.adding
    address = (
        reverse("connection_create", args=[form.application.slug])
        if is_new
        else reverse("connection_edit", args=[connection.pk])
    )
    may_manage = request.actor.may_manage
    for field in form.fields.values():
        field.disabled = not may_manage  # to look at, not to type in
    for name in (*SHAPING, "oauth_client"):  # what another client is warned of
        if name in form.fields and may_manage:
            form.fields[name].widget.attrs |= {"hx-post": f"{address}fields/", "hx-trigger": "change"}
    return (
        {
            "form": form,
            "connection": None if is_new else connection,
            "application": form.application,
            "address": address,
            "test_address": reverse("connection_test_unsaved"),
            "redirect_uri": redirect_uri(),
            "login_uri": f"{settings.PUBLIC_URL}{reverse('oauth_login')}",
            "redirect_warnings": redirect_warnings(request, form),
            "notices": notices(form),
            "authorization": None if is_new else authorization_context(connection),
            "problem": None if is_new else problem_of(connection),
            "may_manage": may_manage,
        }
        | ({} if is_new else standing.context(connection))
        | more
    )


def redirect_warnings(request: Request, form: ConnectionForm) -> list[str]:
    """Why the redirect URL cannot work, told before anybody is sent away."""
    if not form.needs_consent:
        return []
    warnings = []
    if form.application.https_redirect_only and not settings.IS_HTTPS:
        warnings.append(
            "Amazon accepts only https redirect URLs and this Gatehouse runs on plain http. "
            "Set PUBLIC_URL to an https address, or paste a refresh token below."
        )
    if request.get_host() != urlsplit(settings.PUBLIC_URL).netloc:
        warnings.append(
            f"You opened Gatehouse at {request.get_host()}, but the provider will send you back to {settings.PUBLIC_URL}, "
            "where your browser is not signed in. Open it there first."
        )
    return warnings


def notices(form: ConnectionForm) -> dict[str, list[str]]:
    """Warnings at a field: they stop nobody. {field: [sentence, …]}"""
    found: dict[str, list[str]] = {}
    client = form.client if form.is_oauth2 else None
    if client is not None:
        for _, sentence in form.application.notices_client(
            client_id=client.client_id, application_id=client.application_id
        ):
            found.setdefault("oauth_client", []).append(sentence)
    return found


def problem_of(connection: Connection) -> Explanation | None:
    """Why the connection is offline, explained."""
    if not connection.failure:
        return None
    return connection.provider.explain(Failure(**connection.failure))


def authorization_context(connection: Connection) -> dict[str, Any] | None:
    """The newest attempt, while it is worth a word: waiting, asking, or over for less than half an hour."""
    attempt = authorizations.newest(connection)
    if attempt is None or (timezone.now() - attempt.started_at).total_seconds() > 1800:
        return None
    explanation = explain_attempt(connection, attempt)
    return {
        "attempt": attempt,
        "connection": connection,
        "explanation": explanation,
        "failure": attempt.failure,
        "is_waiting": attempt.state in (AttemptState.PENDING, AttemptState.EXCHANGING),
        "grant": getattr(connection, "grant", None),
        "provider_name": connection.provider.vendor or "the provider",
    }


def explain_attempt(connection: Connection, attempt: AuthorizationAttempt) -> Explanation | None:
    return connection.provider.explain(Failure(**attempt.failure)) if attempt.failure else None
