"""What uses a connection; clone it; put another in its place."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from connections.actions import copies as actions
from connections.actions.errors import ActionError
from connections.forms.transfers import ReplaceForm
from connections.views import pane
from connections.views.access import Request, manager, member
from connections.views.connections import go


@member
@never_cache
@require_safe
def connection_used_by(request: Request, id: uuid.UUID) -> HttpResponse:
    connection = pane.connection_or_404(request, id)
    context = {"connection": connection, "uses": actions.uses(connection), "may_manage": request.actor.may_manage}
    return render(request, "connections/connection_used_by.html", context)


@manager
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_clone(request: Request, id: uuid.UUID) -> HttpResponse:
    connection = pane.connection_or_404(request, id)
    secrets = actions.secrets_of(connection)
    if request.method != "POST":
        context = {"connection": connection, "secrets": secrets}
        return render(request, "connections/connection_clone.html", context)
    try:
        made = actions.clone(connection, by=request.actor)
    except ActionError as error:
        messages.error(request, f"{connection.name} was not cloned. {error}")
        return go(request, reverse("connection_edit", args=[connection.pk]))
    text = f" Enter its secrets: {', '.join(secrets)}." if secrets else ""
    messages.success(request, f"{made.name} is a draft with the same settings.{text}")
    return go(request, reverse("connection_edit", args=[made.pk]))


@manager
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_replace(request: Request, id: uuid.UUID) -> HttpResponse:
    connection = pane.connection_or_404(request, id)
    form = ReplaceForm(
        request.POST if request.method == "POST" else None, choices=actions.eligible(connection, by=request.actor)
    )
    if form.is_valid():
        try:
            moved = actions.replace(connection, by=request.actor, replacement=form.chosen)
        except ActionError as error:
            form.add_error("replacement", str(error))
        else:
            messages.success(request, f"{_counted(len(moved))} {connection.name}, now {form.chosen.name}.")
            return go(request, reverse("connection_used_by", args=[form.chosen.pk]))
    context = {"connection": connection, "uses": actions.uses(connection), "form": form}
    return render(request, "connections/connection_replace.html", context, status=422 if form.errors else 200)


def _counted(number: int) -> str:
    return "One use of it was" if number == 1 else f"{number} uses of it were"
