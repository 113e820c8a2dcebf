"""Debug: record the calls of a connection for a while, look at them, download them."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from connections.actions import recordings as actions
from connections.actions.errors import ActionError
from connections.models import Recording
from connections.views import pane
from connections.views.access import Request, manager

PAGE = 20  # each may hold 128 KB


@manager
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_debug(request: Request, id: uuid.UUID) -> HttpResponse:
    """GET lists what was recorded; POST starts (`minutes`) or, with `stop`, stops recording."""
    connection = pane.connection_or_404(request, id)
    if request.method == "POST":
        try:
            if "stop" in request.POST:
                actions.stop(connection, by=request.actor)
            else:
                minutes = request.POST.get("minutes", "")
                actions.start(connection, minutes=int(minutes) if minutes.isdecimal() else 0, by=request.actor)
        except ActionError as error:
            messages.error(request, str(error))
        return redirect("connection_debug", connection.pk)
    listed = Recording.objects.visible_to(request.actor).kept().filter(connection=connection).order_by("-at", "id")
    page = Paginator(listed, PAGE).get_page(request.GET.get("page"))
    context = {
        "connection": connection,
        "page": page,
        "period": actions.running(connection),
        "minutes": actions.MINUTES,
    }
    return render(request, "connections/connection_debug.html", context | {"most": actions.MOST})


@manager
@never_cache
@require_safe
def connection_debug_download(request: Request, id: uuid.UUID) -> HttpResponse:
    """All that was recorded in the last 24 hours, as a JSON file."""
    connection = pane.connection_or_404(request, id)
    exported = actions.export(connection, by=request.actor)
    response = JsonResponse(exported, json_dumps_params={"indent": 2})
    name = f"debug-{connection.pk}-{timezone.now():%Y%m%d-%H%M}.json"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
