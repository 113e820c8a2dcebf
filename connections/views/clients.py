"""OAuth 2.0 clients: the list, and the drawer behind + and the pencil."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import Resolver404, resolve, reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.http import trigger_client_event

from connections import applications, outbound
from connections.actions import clients as actions
from connections.actions.errors import ActionError, InUseError, StaleError
from connections.forms.clients import ClientForm
from connections.models import OAuthClient
from connections.outbound import OutboundError
from connections.views.access import Request, manager, member
from connections.views.connections import go
from connections.views.pane import fragment

PAGE = 50


@member
@never_cache
@require_safe
def clients(request: Request) -> HttpResponse:
    listed = OAuthClient.objects.visible_to(request.actor).annotate(used_by=Count("connections")).order_by("name", "id")
    page = Paginator(listed, PAGE).get_page(request.GET.get("page"))
    return render(request, "clients/clients.html", {"page": page, "may_manage": request.actor.may_manage})


@manager
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def client_create(request: Request) -> HttpResponse:
    id = _id(request.POST.get("id"))
    earlier = OAuthClient.objects.filter(pk=id).first() if id else None
    if earlier and earlier.team_id == request.team.pk:
        return _saved(request, earlier, trimmed=[])  # the same form, sent a second time
    form = ClientForm(request.POST or None, initial=_first_values(request))
    if not form.is_valid():
        return _answer(request, form, None, status=422 if form.is_bound else 200)
    try:
        client = actions.create(by=request.actor, id=None if earlier else id, **form.values)
    except IntegrityError:  # the same form, sent twice at once: the other one made the row
        client = get_object_or_404(OAuthClient.objects.visible_to(request.actor), pk=id)
    return _saved(request, client, trimmed=form.trimmed)


@manager
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def client_edit(request: Request, id: uuid.UUID) -> HttpResponse:
    client = get_object_or_404(OAuthClient.objects.visible_to(request.actor), pk=id)
    form = ClientForm(
        request.POST or None,
        client=client,
        initial=actions.values(client) | {"version": client.version, "id": client.pk},
    )
    if not form.is_valid():
        return _answer(request, form, client, status=422 if form.is_bound else 200)
    version = form.cleaned_data["version"] or (0 if "version" in request.POST else client.version)
    try:
        saved = actions.update(client, by=request.actor, version=version, **form.values)
    except StaleError as stale:
        return _stale(request, form, stale)
    except ActionError as error:
        form.add_error("client_secret", str(error))
        return _answer(request, form, client, status=422)
    return _saved(request, saved, trimmed=form.trimmed)


@manager
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def client_delete(request: Request, id: uuid.UUID) -> HttpResponse:
    client = get_object_or_404(OAuthClient.objects.visible_to(request.actor), pk=id)
    users = list(client.connections.order_by("name")[:20])
    if request.method != "POST":
        return render(request, "clients/client_delete.html", {"client": client, "users": users})
    try:
        actions.delete(client, by=request.actor)
    except InUseError as error:
        messages.error(request, f"{client.name} cannot be deleted. {error}")
        return go(request, reverse("clients"))
    messages.success(request, f"{client.name} is deleted.")
    return go(request, reverse("clients"))


def _id(text: str | None) -> uuid.UUID | None:
    try:
        return uuid.UUID(text or "")
    except ValueError:
        return None


def _first_values(request: Request) -> dict[str, Any]:
    """For a client made from a pane: the hosts that its application, or the access token URL typed there, brings."""
    application = applications.get(request.GET.get("application", ""), simulator_url=settings.SIMULATOR_URL)
    hosts = list(application.token_hosts) if application else []
    token_url = request.GET.get("token_url", "")
    if not hosts and token_url and not applications.sign_in_page(token_url, simulator_url=settings.SIMULATOR_URL):
        try:
            hosts = [outbound.host_port(token_url)]
        except OutboundError:
            hosts = []
    return {"id": uuid.uuid4(), "secret_hosts": hosts}


def _pane(request: Request) -> str:
    """The pane to come back to, if it is one of ours."""
    path = request.POST.get("pane") or request.GET.get("pane") or ""
    try:
        return path if resolve(path).url_name in ("connection_create", "connection_edit") else ""
    except Resolver404:
        return ""


def _answer(
    request: Request, form: ClientForm, client: OAuthClient | None, *, status: int = 200, **more: Any
) -> HttpResponse:
    application = applications.get(
        request.GET.get("application") or request.POST.get("application") or "", simulator_url=settings.SIMULATOR_URL
    )
    address = reverse("client_edit", args=[client.pk]) if client else reverse("client_create")
    context = {"form": form, "client": client, "pane": _pane(request), "application": application, "address": address,
               "trimmed": form.trimmed if form.is_bound and form.is_valid() else []} | more  # fmt: skip
    return render(request, "clients/client.html" + fragment(request, "client"), context, status=status)


def _stale(request: Request, form: ClientForm, stale: StaleError) -> HttpResponse:
    current = stale.current
    assert isinstance(current, OAuthClient)
    theirs, yours = actions.values(current), form.values
    differing = [
        {"label": form.fields[name].label, "theirs": theirs[name], "yours": yours[name]}
        for name in theirs
        if theirs[name] != yours[name]
    ]
    if yours["client_secret"]:
        differing.append(
            {"label": "Client secret", "theirs": "not shown", "yours": "not shown; enter it again to save yours"}
        )
    data = request.POST.copy()
    data["version"] = str(current.version)
    again = ClientForm(data, client=current)
    return _answer(
        request,
        again,
        current,
        status=409,
        stale={"by": current.updated_by, "at": current.updated_at, "differing": differing},
    )


def _saved(request: Request, client: OAuthClient, *, trimmed: list[str]) -> HttpResponse:
    """Back to the pane with the client chosen, or to the list."""
    text = f"{client.name} is saved."
    if trimmed:
        text += f" Blanks or quotation marks around {' and '.join(trimmed)} were left out."
    if request.htmx:
        response = render(request, "clients/client.html#saved", {"client": client, "text": text})
        return trigger_client_event(response, "gatehouse:client", {"id": str(client.pk), "name": client.name})
    messages.success(request, text)
    if back := _pane(request):
        return go(request, f"{back}?{urlencode({'draft': 1, 'oauth_client': client.pk})}")
    return go(request, reverse("clients"))
