"""Use this connection: programs to copy, filled in."""

from __future__ import annotations

import uuid

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from connections.models.choices import AuthType, Status
from connections.views import pane, snippets
from connections.views.access import Request, member


@member
@never_cache
@require_safe
def connection_use(request: Request, id: uuid.UUID) -> HttpResponse:
    """A page, or for htmx what the pane unfolds."""
    connection = pane.connection_or_404(request, id)
    ways = snippets.ways(connection, now=timezone.now())
    context = {
        "connection": connection,
        "ways": ways,
        "address": snippets.address(connection),
        "hidden_headers": snippets.hidden_headers(connection) if ways[0].snippets else [],
        "is_ready": connection.status == Status.ONLINE or connection.auth_type != AuthType.OAUTH2,
        "may_administer": request.actor.may_administer,
    }
    return render(request, "connections/connection_use.html" + pane.fragment(request, "use"), context)
