"""API keys of the team: the list, a new one, which is shown once, and revoking."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import IntegrityError
from django.db.models import Count, F, Prefetch, Sum
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from connections.actions import api_keys as actions
from connections.actions.errors import ActionError
from connections.forms.api_keys import ApiKeyForm
from connections.models import ApiKey, Connection, Scope, Usage
from connections.models.choices import Status
from connections.models.usage import UsageKind
from connections.views import snippets
from connections.views.access import Request, administrator, member

PAGE = 50
NAMED = 3  # connections named in a row
DAY = timedelta(hours=24)


@dataclass(frozen=True)
class Row:
    """A key as the list shows it. `reads` and `calls`: in the last 24 hours."""

    key: ApiKey
    state: Literal["active", "expired", "revoked"]
    scopes: list[str]
    more: int  # connections besides those that are named
    reads: int
    calls: int


@member
@never_cache
@require_safe
def api_keys(request: Request) -> HttpResponse:
    if not request.actor.may_manage:
        raise PermissionDenied(
            "API keys tell what opens the team's connections, so only who may manage connections sees them. "
            f"Your role in {request.team} is {request.membership.level.label}. Ask an owner or administrator to change it."
        )
    named = Prefetch(
        "connections", Connection.objects.only("id", "name").order_by("name", "id")[:NAMED], to_attr="named"
    )
    listed = ApiKey.objects.visible_to(request.actor).select_related("created_by", "revoked_by").prefetch_related(named)
    listed = listed.annotate(reach=Count("connections"))
    ordered = listed.order_by(F("revoked_at").desc(nulls_first=True), "name", "id")
    page = Paginator(ordered, PAGE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": _rows(page.object_list, now=timezone.now()),
        "may_administer": request.actor.may_administer,
    }
    return render(request, "api_keys/api_keys.html", context)


def _rows(keys: Iterable[Any], *, now: datetime) -> list[Row]:
    """`keys` as the list's query brings them: annotated with `reach`, how many connections they name."""
    keys = list(keys)
    counted = Usage.objects.filter(api_key__in=keys, minute__gt=now - DAY).values_list("api_key", "kind")
    used = {(key, kind): count for key, kind, count in counted.annotate(Sum("count"))}
    labels = dict(Scope.choices)
    return [
        Row(
            key=key,
            state="active" if key.is_usable(now) else "revoked" if key.revoked_at else "expired",
            scopes=[str(labels[scope]) for scope in key.scopes if scope in labels],
            more=max(key.reach - NAMED, 0),
            reads=used.get((key.pk, UsageKind.TOKEN), 0),
            calls=used.get((key.pk, UsageKind.PROXY), 0),
        )
        for key in keys
    ]


@administrator
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def api_key_create(request: Request) -> HttpResponse:
    """GET asks; POST makes the key and shows it in its own answer, the only place where it ever stands."""
    if request.method != "POST":
        return _ask(request, ApiKeyForm(by=request.actor, initial=_first_values(request)))
    if request.POST.get("then") == "find":
        return _ask(request, ApiKeyForm.shape(request.POST, by=request.actor))
    form = ApiKeyForm(request.POST, by=request.actor)
    if not form.is_valid():
        return _ask(request, form, status=422)
    id = form.cleaned_data["id"]
    earlier = ApiKey.objects.filter(pk=id).first()
    if earlier and earlier.team_id == request.team.pk:
        return _made_before(request)
    try:
        key, text = actions.create(by=request.actor, id=None if earlier else id, **form.values)
    except ActionError as error:
        form.add_error(None, str(error))
        return _ask(request, form, status=422)
    except IntegrityError:  # the same form, sent twice at once: the other one made the key
        return _made_before(request)
    return render(request, "api_keys/api_key_create.html", {"made": key, "text": text, "command": _command(key, text)})


def _ask(request: Request, form: ApiKeyForm, status: int = 200) -> HttpResponse:
    return render(request, "api_keys/api_key_create.html", {"form": form}, status=status)


def _first_values(request: Request) -> dict[str, Any]:
    """`?connection=…` asks for a key of that one alone."""
    wanted = request.GET.getlist("connection")
    return {"id": uuid.uuid4()} | ({"reach": "some", "connections": wanted} if wanted else {})


def _made_before(request: Request) -> HttpResponse:
    """The same form, sent a second time: by reloading, or by the back button."""
    messages.info(
        request, "This key is made already, and a key is shown only once. Make a new one if you did not copy it."
    )
    return redirect("api_keys")


def _command(key: ApiKey, text: str) -> str:
    """Lines for a shell: the key, and a request that it may make."""
    known = key.connections if key.is_limited else Connection.objects.filter(team=key.team)
    first = known.order_by("name", "id")
    connection = first.filter(status=Status.ONLINE).first() or first.first()
    return f"export {snippets.KEY}='{text}'\n{snippets.trial(key.scopes, connection, now=timezone.now())}".strip()


@administrator
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def api_key_revoke(request: Request, id: uuid.UUID) -> HttpResponse:
    key = get_object_or_404(ApiKey.objects.visible_to(request.actor), pk=id)
    if request.method != "POST":
        return render(request, "api_keys/api_key_revoke.html", {"key": key})
    actions.revoke(key, by=request.actor)
    messages.success(request, f"{key.name} is revoked. It opens nothing any more.")
    return redirect(reverse("api_keys"))
