"""Revoke: have the provider end a connection's tokens, or forget them here."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from connections.actions import connection_tests, grants, revocations
from connections.actions.errors import GrantError
from connections.applications import Explanation, Failure
from connections.models import Connection, Grant
from connections.oauth.errors import UNSENT
from connections.views import pane
from connections.views.access import Request, manager
from connections.views.connections import go


@manager
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connection_revoke(request: Request, id: uuid.UUID) -> HttpResponse:
    """GET asks; POST revokes at the provider, or with `then=forget` deletes the tokens here whatever the provider does."""
    connection = pane.connection_or_404(request, id)
    if request.method != "POST" or not Grant.objects.filter(connection=connection).exists():
        return _ask(request, connection)
    if request.POST.get("then") == "forget":
        grants.drop(connection, by=request.actor)
        messages.success(request, f"The tokens of {connection.name} are deleted here.")
        return _back(request, connection)
    try:
        outcome = revocations.revoke(connection, by=request.actor)
    except GrantError as error:
        refused = {"said": connection_tests.said(error.failure), "explanation": _explanation(connection, error.failure)}
        return _ask(request, connection, status=422, refused=refused)
    messages.success(request, f"The tokens of {connection.name} are revoked and deleted.")
    if Grant.objects.filter(connection=connection, access_token__isnull=False).exists():
        messages.warning(request, "Somebody authorized it anew in the meantime. Those tokens are kept.")
    if outcome.refused:
        messages.warning(request, _left(outcome.ended))
    return _back(request, connection)


def _explanation(connection: Connection, failure: Failure) -> Explanation | None:
    """Of what was in the way here. What the provider or the network said speaks for itself: its explanations are for Access token URL."""
    if failure.status is not None or failure.error in {*UNSENT.values(), "sign_in_page"}:
        return None
    return connection.provider.explain(failure)


def _left(ended: tuple[str, ...]) -> str:
    if "refresh_token" in ended:
        return "The provider did not revoke the access token by itself: it ends with its time."
    return "The provider revoked the access token only. End the authorization there too: its refresh token may still be good."


def _ask(request: Request, connection: Connection, *, status: int = 200, **more: object) -> HttpResponse:
    context = {
        "connection": connection,
        "grant": Grant.objects.filter(connection=connection).first(),
        "can_revoke": revocations.can_revoke(connection),
        "provider": connection.provider,
    }
    return render(request, "connections/connection_revoke.html", context | more, status=status)


def _back(request: Request, connection: Connection) -> HttpResponse:
    return go(request, reverse("connection_edit", args=[connection.pk]))
