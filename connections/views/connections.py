"""The connections list, the application list and the pane."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.db import IntegrityError
from django.http import HttpResponse, HttpResponseBase, HttpResponseRedirect, QueryDict
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from connections import applications
from connections.actions import authorizations, connection_tests, copies, grants
from connections.actions import connections as actions
from connections.actions.connection_tests import Candidate
from connections.actions.errors import ActionError, GrantError, SecretHostError, StaleError
from connections.applications import Application
from connections.forms.connections import ConnectionForm
from connections.models import Connection
from connections.models.choices import AuthType
from connections.outbound import OutboundError
from connections.views import paging, pane, standing
from connections.views.access import Request, manager, member
from connections.views.compression import compressed
from connections.views.sessions import session_secret

PAGE = 50
ADDRESS = "/address/"  # what stands for a row's own in its menu, which is drawn once for all rows
# What a row of the list is told from; half of the others are JSON that would be read for nothing.
LISTED = (
    "name", "application", "base_uri", "authorization_url", "auth_type", "grant_type", "status", "status_since", "failure",
    "updated_at", "last_used_at", "grant__authorized_at",
)  # fmt: skip
SAVED = "Saved."


@member
@compressed
@never_cache
@require_safe
def connections(request: Request) -> HttpResponse:
    listed = Connection.objects.visible_to(request.actor).select_related("grant").only(*LISTED)
    page = paging.page(listed, request.GET, size=PAGE)
    menu = render_to_string("connections/_row_actions.html", {"address": ADDRESS}) if request.actor.may_manage else ""
    for connection in page.rows:
        problem = pane.problem_of(connection)
        connection.reason, connection.notes = problem.title if problem else "", standing.notes(connection)
        connection.address = reverse("connection_edit", args=[connection.pk])
        connection.menu = mark_safe(menu.replace(ADDRESS, connection.address))  # noqa: S308  a template with a path put in
    return render(
        request,
        "connections/connections.html" + pane.fragment(request, "connection-list"),
        {"page": page, "may_manage": request.actor.may_manage},
    )


@manager
@never_cache
@require_safe
def application_list(request: Request) -> HttpResponse:
    wanted = request.GET.get("q", "").strip()
    known = applications.available(simulator_url=settings.SIMULATOR_URL).values()
    found = [application for application in known if _matches(application, wanted)]
    return render(request, "connections/application_list.html", {"applications": found, "wanted": wanted})


def _matches(application: Application, wanted: str) -> bool:
    text = " ".join((application.name, application.summary, application.slug, *application.keywords)).lower()
    return all(word in text for word in wanted.lower().split())


@manager
@compressed
@pane.provider_form
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_create(request: Request, application: str) -> HttpResponse:
    known = pane.application_or_404(application)
    if request.method != "POST":
        draft = _take_draft(request)
        if draft is not None:
            connection = pane.unsaved(request, known, draft.get("id"))
            form = ConnectionForm.shape(draft, by=request.actor, application=known, instance=connection)
        else:
            connection = pane.unsaved(request, known, None)
            first = ConnectionForm.first_values(known, request.GET.dict())
            form = ConnectionForm(by=request.actor, application=known, instance=connection, initial=first)
        return pane.answer(request, form, connection)
    try:
        return _save(request, pane.unsaved(request, known, request.POST.get("id")), known)
    except IntegrityError:  # the same form, sent twice at once: the other one made the row
        return _save(request, pane.unsaved(request, known, request.POST.get("id")), known)


@member
@compressed
@pane.provider_form
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_edit(request: Request, id: uuid.UUID) -> HttpResponseBase:
    connection = pane.connection_or_404(request, id)
    known = connection.chosen_application
    if request.method == "POST":
        return manager(_save)(request, connection, known)
    draft = _take_draft(request)
    if draft is not None:
        form = ConnectionForm.shape(draft, by=request.actor, application=known, instance=connection)
    else:
        form = ConnectionForm(by=request.actor, application=known, instance=connection)
    return pane.answer(request, form, connection)


def _save(request: Request, connection: Connection, application: Application) -> HttpResponse:
    form = ConnectionForm(request.POST, by=request.actor, application=application, instance=_copy(connection))
    if not form.is_valid():
        return pane.answer(request, form, connection, status=422)
    try:
        saved = _store(request, connection, application, form)
    except StaleError as stale:
        return _stale(request, form, stale)
    except SecretHostError as error:
        form.add_error(error.field, str(error))
        return pane.answer(request, form, connection, status=422)
    return _next(request, saved, form)


def _copy(connection: Connection) -> Connection:
    """A form writes what was typed on its instance; the stored one stays as it is."""
    return Connection.objects.filter(pk=connection.pk).first() or connection


def _store(request: Request, connection: Connection, application: Application, form: ConnectionForm) -> Connection:
    if connection._state.adding:
        return actions.create(
            by=request.actor, application=application.slug, id=connection.pk, secrets=form.secrets, **form.values
        )
    version = form.cleaned_data["version"] or (0 if "version" in request.POST else connection.version)
    return actions.update(connection, by=request.actor, version=version, secrets=form.secrets, **form.values)


def _stale(request: Request, form: ConnectionForm, stale: StaleError) -> HttpResponse:
    """Both versions shown, nothing lost: what was typed stays in the form, and saving again is then a choice."""
    current = stale.current
    assert isinstance(current, Connection)
    theirs, yours = (
        actions.values(current),
        form.values | {"oauth_client": str(getattr(form.values.get("oauth_client"), "pk", "")) or None},
    )
    differing = [
        {"label": form.fields[name].label, "theirs": _shown(current, name), "yours": _shown(form.instance, name)}
        for name in form.fields
        if name in theirs and name in yours and theirs[name] != yours[name]
    ]
    again = ConnectionForm(
        _with(request.POST, version=str(current.version)),
        by=request.actor,
        application=form.application,
        instance=form.instance,
    )
    again.is_valid()
    who = current.updated_by
    return pane.answer(
        request, again, current, status=409, stale={"by": who, "at": current.updated_at, "differing": differing}
    )


def _shown(connection: Connection, name: str) -> Any:
    display = getattr(connection, f"get_{name}_display", None)
    return display() if display else getattr(connection, name)


def _with(data: QueryDict, **values: str) -> QueryDict:
    changed = data.copy()
    for name, value in values.items():
        changed[name] = value
    return changed


def _next(request: Request, connection: Connection, form: ConnectionForm) -> HttpResponse:
    """After saving: to the provider, or a token without one, or back to the list."""
    if request.POST.get("then") == "close" or connection.auth_type != AuthType.OAUTH2:
        messages.success(request, f"{connection.name} is saved.")
        return go(request, reverse("connections"))
    if pasted := form.cleaned_data.get("refresh_token"):
        return _fetched(request, connection, form, lambda: grants.paste(connection, pasted, by=request.actor))
    if not connection.needs_consent:
        return _fetched(request, connection, form, lambda: grants.refresh(connection, by=request.actor, insist=True))
    return send_to_provider(request, connection)


def _fetched(request: Request, connection: Connection, form: ConnectionForm, fetch: Any) -> HttpResponse:
    try:
        fetch()
    except GrantError as error:
        connection.refresh_from_db()
        explanation = connection.provider.explain(error.failure)
        fresh = ConnectionForm(by=request.actor, application=form.application, instance=connection)
        return pane.answer(
            request, fresh, connection, status=422,
            saved_but={"explanation": explanation, "said": connection_tests.said(error.failure)},
        )  # fmt: skip
    for _ in connection_tests.run(Candidate(connection, stored=connection), by=request.actor):
        pass
    messages.success(request, f"{connection.name} is saved and has a token.")
    return go(request, reverse("connection_edit", args=[connection.pk]))


def send_to_provider(request: Request, connection: Connection, login: dict[str, str] | None = None) -> HttpResponse:
    """To the consent page: in the window that waits for it, or in this tab."""
    in_popup = request.POST.get("in_popup") == "1" and bool(request.htmx)
    try:
        _, url = authorizations.begin(
            connection, by=request.actor, session_secret=session_secret(request), in_popup=in_popup, login=login
        )
    except (GrantError, ActionError, OutboundError) as error:
        messages.error(request, _why_not(connection, error))
        return go(request, reverse("connection_edit", args=[connection.pk]))
    if not request.htmx:
        return go(request, url)
    # The pane's script goes there, in the window or in this tab; the pane left behind is the saved one, also for the back button.
    connection = pane.connection_or_404(request, connection.pk)
    form = ConnectionForm(by=request.actor, application=connection.chosen_application, instance=connection)
    response = pane.answer(request, form, connection)
    response["HX-Push-Url"] = reverse("connection_edit", args=[connection.pk])
    return trigger_client_event(response, "gatehouse:authorize", {"url": url}, after="settle")


def _why_not(connection: Connection, error: Exception) -> str:
    if isinstance(error, GrantError):
        return connection.provider.explain(error.failure).next_step
    return f"Nobody can be sent there. {error.detail}" if isinstance(error, OutboundError) else str(error)


def go(request: Request, url: str) -> HttpResponse:
    """A redirect that htmx follows as a page, too."""
    if request.htmx:
        return HttpResponseClientRedirect(url)
    response = HttpResponseRedirect(url)
    response.status_code = 303
    return response


@manager
@pane.provider_form
@require_POST
def connection_create_fields(request: Request, application: str) -> HttpResponse:
    known = pane.application_or_404(application)
    connection = pane.unsaved(request, known, request.POST.get("id"))
    return pane.answer(
        request,
        ConnectionForm.shape(request.POST, by=request.actor, application=known, instance=connection),
        connection,
    )


@manager
@pane.provider_form
@require_POST
def connection_edit_fields(request: Request, id: uuid.UUID) -> HttpResponse:
    connection = pane.connection_or_404(request, id)
    form = ConnectionForm.shape(
        request.POST, by=request.actor, application=connection.chosen_application, instance=connection
    )
    return pane.answer(request, form, connection)


@manager
@require_POST
def connection_create_client(request: Request, application: str) -> HttpResponse:
    known = pane.application_or_404(application)
    return _to_client(request, known, reverse("connection_create", args=[known.slug]))


@manager
@require_POST
def connection_edit_client(request: Request, id: uuid.UUID) -> HttpResponse:
    connection = pane.connection_or_404(request, id)
    return _to_client(request, connection.chosen_application, reverse("connection_edit", args=[connection.pk]))


def _to_client(request: Request, application: Application, back: str) -> HttpResponse:
    """Without script: put what was typed aside, go to the client form, come back to it. Secrets are not put aside."""
    typed = QueryDict(mutable=True)
    for name in ConnectionForm.draft_names() & set(request.POST):
        typed.setlist(name, request.POST.getlist(name))
    request.session[pane.DRAFT_KEY] = {back: typed.urlencode()}
    client = request.POST.get("oauth_client", "") if request.POST.get("client") == "edit" else ""
    try:
        address = reverse("client_edit", args=[uuid.UUID(client)]) if client else reverse("client_create")
    except ValueError:
        address = reverse("client_create")
    query = {"pane": back, "application": application.slug, "token_url": request.POST.get("token_url", "")}
    return redirect(f"{address}?{urlencode(query)}")


def _take_draft(request: Request) -> QueryDict | None:
    """What was put aside for this pane, once, with the client that was made meanwhile."""
    if "draft" not in request.GET:
        return None
    stored = request.session.get(pane.DRAFT_KEY, {}).get(request.path)
    if stored is None:
        return None
    draft = QueryDict(stored, mutable=True)
    if chosen := request.GET.get("oauth_client"):
        draft["oauth_client"] = chosen
    return draft


@manager
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_delete(request: Request, id: uuid.UUID) -> HttpResponse:
    connection = pane.connection_or_404(request, id)
    if request.method != "POST":
        context = {"connection": connection, "uses": copies.uses(connection)}
        return render(request, "connections/connection_delete.html", context)
    try:
        copies.delete_unused(connection, by=request.actor)
    except ActionError as error:
        messages.error(request, f"{connection.name} cannot be deleted. {error}")
        return go(request, reverse("connection_used_by", args=[connection.pk]))
    messages.success(request, f"{connection.name} is deleted.")
    return go(request, reverse("connections"))
