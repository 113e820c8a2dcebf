"""Test connection: the steps stream into the page while they run; leaving the page, or Cancel, stops them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from connections.actions import connection_tests
from connections.actions import connections as actions
from connections.actions.connection_tests import Candidate, Step
from connections.forms.connections import ConnectionForm
from connections.models import Connection
from connections.sealing import Sealed
from connections.views import pane, standing
from connections.views.access import Request, manager

CUT = "<!-- the steps come here -->"


@manager
@pane.provider_form
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_test(request: Request, id: uuid.UUID) -> HttpResponseBase:
    """Test what is saved. GET leads to the pane, which shows the last result."""
    connection = pane.connection_or_404(request, id)
    if request.method != "POST":
        return redirect("connection_edit", connection.pk)
    form = ConnectionForm(by=request.actor, application=connection.chosen_application, instance=connection)
    return _stream(request, Candidate(connection, stored=connection), form, connection)


@manager
@pane.provider_form
@never_cache
@require_POST
def connection_test_unsaved(request: Request) -> HttpResponseBase:
    """Test what is typed, saving nothing. A blank secret stands for the stored one."""
    connection, stored = _posted(request)
    form = ConnectionForm(
        request.POST, by=request.actor, application=connection.chosen_application, instance=connection
    )
    if not form.is_valid():
        return _invalid(request, form, stored or connection)
    typed = form.instance
    pasted = form.cleaned_data.get("refresh_token")
    if stored is not None and not pasted and not form.typed_secrets and actions.values(typed) == actions.values(stored):
        saved = Candidate(stored, stored=stored)  # nothing was edited: the result is kept
        return _stream(request, saved, form, stored)
    candidate = Candidate(
        typed, stored=stored, refresh_token=Sealed.of(pasted) if pasted else None, secrets=form.secrets
    )
    return _stream(request, candidate, form, stored or connection)


def _posted(request: Request) -> tuple[Connection, Connection | None]:
    """The connection that the form is about, as one to write typed values on, and the saved one if there is one."""
    try:
        id = uuid.UUID(request.POST.get("id", ""))
    except ValueError:
        id = None
    stored = (
        Connection.objects.visible_to(request.actor).select_related("oauth_client").filter(pk=id).first()
        if id
        else None
    )
    if stored is not None:
        return Connection.objects.get(pk=stored.pk), stored
    application = pane.application_or_404(request.POST.get("application", "http"))
    # Never under the posted id, which may be that of another team's connection.
    return Connection(id=uuid.uuid4(), team=request.team, application=application.slug), None


def _invalid(request: Request, form: ConnectionForm, connection: Connection) -> HttpResponse:
    if _wants_steps(request):
        problems = [
            {"label": form.fields[name].label, "errors": errors}
            for name, errors in form.errors.items()
            if name in form.fields
        ]
        return HttpResponse(render_to_string("connections/test.html#invalid", {"problems": problems}), status=422)
    return pane.answer(request, form, connection, status=422)


def _wants_steps(request: Request) -> bool:
    """Asked for by the page's script, which puts the steps into the open pane itself."""
    return request.headers.get("X-Steps") == "1"


def _stream(
    request: Request, candidate: Candidate, form: ConnectionForm, connection: Connection
) -> StreamingHttpResponse:
    steps = _steps(candidate, request, connection)
    parts = steps if _wants_steps(request) else _within_page(request, form, connection, steps)
    response = StreamingHttpResponse(parts, content_type="text/html; charset=utf-8")
    response["X-Accel-Buffering"] = "no"  # a proxy that gathers the answer would hide the progress
    return response


def _steps(candidate: Candidate, request: Request, connection: Connection) -> Iterator[str]:
    done: list[Step] = []
    yield render_to_string("connections/test.html#begin", {})
    for step in connection_tests.run(candidate, by=request.actor):
        done.append(step)
        yield render_to_string("components/step.html", {"step": _row(step)})
    yield render_to_string("connections/test.html#end", {"passed": connection_tests.passed(done), "steps": done})
    yield _standing(request, connection)


def _row(step: Step) -> dict[str, Any]:
    return {"name": step.title, "state": step.state, "ms": step.ms, "detail": step.detail, "hint": step.hint}


def _within_page(request: Request, form: ConnectionForm, connection: Connection, steps: Iterator[str]) -> Iterator[str]:
    """The whole page around the steps: its beginning is sent at once, its end when the test is over."""
    context = pane.context(request, form, connection, test_steps=CUT)
    before, _, after = render_to_string("connections/pane.html", context, request=request).partition(CUT)
    yield before
    yield from steps
    yield after


def _standing(request: Request, connection: Connection) -> str:
    """How the connection stands after the test, which may have found out that its authorization is gone."""
    known = Connection.objects.visible_to(request.actor).select_related("grant__authorized_by")
    stored = known.filter(pk=connection.pk).first()
    if stored is None:
        return ""
    context = {"connection": stored, "problem": pane.problem_of(stored), "may_manage": request.actor.may_manage}
    return render_to_string("connections/_facts.html", context | standing.context(stored))
