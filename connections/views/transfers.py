"""Export and import: a file out, and a file in, checked and stored while the page shows how far it is."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import messages
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.db import transaction
from django.http import HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.text import slugify
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from connections.actions import transfers
from connections.actions.transfers import TransferError
from connections.forms.transfers import Import
from connections.forms.uploads import Upload, UploadForm
from connections.views import pane
from connections.views.access import Request, manager

logger = logging.getLogger(__name__)
PAGE = "connections/connections_import.html"
CUT = "<!-- the steps come here -->"
ASIDE = "import"  # in the session: the key of the row that holds the upload
ASIDE_SECONDS = 3600
SHOWN = 500  # connections in the preview


@manager
@never_cache
@require_safe
def connections_export(request: Request) -> HttpResponseBase:
    return _download(transfers.export(by=request.actor), f"connections-{timezone.now():%Y-%m-%d}.json")


@manager
@never_cache
@require_safe
def connection_export(request: Request, id: uuid.UUID) -> HttpResponseBase:
    connection = pane.connection_or_404(request, id)
    file = f"{slugify(connection.name)[:60] or 'connection'}.json"
    return _download(transfers.export(by=request.actor, connection=connection), file)


def _download(pieces: Iterator[str], file: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(pieces, content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file}"'
    return response


@manager
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def connections_import(request: Request) -> HttpResponseBase:
    """GET asks for the file; POST checks it and shows what would come of it. Nothing is stored yet."""
    if request.method != "POST":
        return render(request, PAGE, {"form": UploadForm()})
    form = UploadForm(request.POST, request.FILES)
    if not form.is_valid():
        return render(request, PAGE, {"form": form}, status=422)
    _put_aside(request, form.upload)
    return _stream(request, form.upload, lambda checked: {"checked": checked, "shown": checked.rows[:SHOWN]})


@manager
@never_cache
@require_POST
def connections_import_apply(request: Request) -> HttpResponseBase:
    """Store what was put aside: all of it, or nothing."""
    upload = _taken_up(request)
    if upload is None:
        messages.error(request, "This file was imported already, or an hour has passed. Choose it again.")
        return redirect("connections_import")
    return _stream(request, upload, lambda checked: _apply(request, checked))


def _apply(request: Request, checked: Import) -> dict[str, Any]:
    if not checked.may_apply:
        return {"checked": checked, "shown": checked.rows[:SHOWN]}
    try:
        with transaction.atomic():
            # Of two buttons pressed at once, one finds the row gone.
            if not Session.objects.filter(session_key=request.session.get(ASIDE)).delete()[0]:
                return {"refused": "It was imported a moment ago by another press of the button."}
            made, clients = checked.apply()
    except TransferError as error:
        return {"refused": str(error)}
    needs = {row.arrival.ref: row.needs for row in checked.rows if row.arrival}
    order = sorted(checked.arriving, key=lambda arrival: arrival.lender is not None)
    pairs = [
        {"connection": connection, "needs": needs[arrival.ref]} for connection, arrival in zip(made, order, strict=True)
    ]
    return {"made": sorted(pairs, key=lambda pair: not pair["needs"]), "made_clients": clients}


def _put_aside(request: Request, upload: Upload) -> None:
    """In a session row of its own, so that the person's session stays small and any web process finds it."""
    if request.session.get(ASIDE):
        Session.objects.filter(session_key=request.session[ASIDE]).delete()
    store = SessionStore()
    store["upload"], store["whose"] = upload.as_json(), _whose(request)
    store.set_expiry(ASIDE_SECONDS)
    store.create()
    request.session[ASIDE] = store.session_key


def _taken_up(request: Request) -> Upload | None:
    key = request.session.get(ASIDE)
    stored = SessionStore(key).load() if key else {}
    return Upload.from_json(stored["upload"]) if stored.get("whose") == _whose(request) else None


def _whose(request: Request) -> str:
    return f"{request.user.pk} in {request.team.pk}"


def _stream(request: Request, upload: Upload, finish: Callable[[Import], dict[str, Any]]) -> StreamingHttpResponse:
    checked = Import(
        upload, by=request.actor, copies="copies" in request.POST, new_clients=request.POST.get("clients") == "new"
    )
    before, _, after = render_to_string(PAGE, {"steps": CUT}, request=request).partition(CUT)
    response = StreamingHttpResponse(
        _within(before, _parts(request, checked, finish), after), content_type="text/html; charset=utf-8"
    )
    response["X-Accel-Buffering"] = "no"  # a proxy that gathers the answer would hide the progress
    return response


def _within(before: str, parts: Iterator[str], after: str) -> Iterator[str]:
    yield before
    yield from parts
    yield after


def _parts(request: Request, checked: Import, finish: Callable[[Import], dict[str, Any]]) -> Iterator[str]:
    """A step for each tenth of the file, then what came of it. Whoever leaves the page stops it, and nothing is stored."""
    total = len(checked.upload.entries)
    each = max(25, -(-total // 10))
    try:
        yield f'<ol class="steps" id="steps">{_step("The file is read", "ok")}'
        for done in checked.check():
            if done % each == 0 or done == total:
                yield _step(f"{done:,} of {total:,} connections are checked", "ok")
        context = finish(checked) | {"file": checked.upload.name}
        yield "</ol>" + render_to_string(f"{PAGE}#outcome", context, request=request)
    except Exception as error:  # the page has begun: it must end in a sentence; the error's text may quote the file
        logger.error("An import broke off: %s", type(error).__name__)
        yield "</ol>" + render_to_string(f"{PAGE}#outcome", {"broke": True}, request=request)


def _step(name: str, state: str) -> str:
    return render_to_string("components/step.html", {"step": {"name": name, "state": state}})
