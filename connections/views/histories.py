"""What happened to a connection: its events as a short list, newest first, the same one after another told once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from connections.applications import Application, Failure
from connections.models import Event
from connections.views import pane, sentences
from connections.views.access import Request, member

SHOWN = 20  # entries
READ = 200  # events they are made of


@dataclass
class Entry:
    """Events that say the same of the same person, without another between: the newest and the oldest of them."""

    what: str
    who: str
    kind: str
    at: datetime
    number: int  # the oldest event in it
    since: datetime
    times: int = 1


@member
@never_cache
@require_safe
def connection_history(request: Request, id: uuid.UUID) -> HttpResponse:
    """`?before=NUMBER` goes on with older ones. A page, or for htmx what the pane unfolds."""
    connection = pane.connection_or_404(request, id)
    events = Event.objects.filter(team=request.team, object_id=str(connection.pk)).order_by("-number")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdecimal() and len(before) < 19:
        events = events.filter(number__lt=int(before))
    entries = told(events.values_list("number", "at", "actor", "action", "detail")[:READ], connection.provider)
    context = {"connection": connection, "entries": entries[:SHOWN], "is_newest": not before}
    # One more entry, or as many events as are read at once: there are older ones.
    more = entries[SHOWN:] or sum(entry.times for entry in entries) == READ
    context["older"] = entries[:SHOWN][-1].number if more else None
    return render(request, "connections/connection_history.html" + pane.fragment(request, "history"), context)


def told(events: Iterable[tuple[int, datetime, str, str, dict[str, Any]]], provider: Application) -> list[Entry]:
    """Entries of rows of number, at, actor, action and detail."""

    def title(failure: dict[str, Any]) -> str:
        try:
            return provider.explain(Failure(**failure)).title
        except TypeError:  # another version of Gatehouse wrote it
            return str(failure.get("error", ""))

    entries: list[Entry] = []
    for number, at, actor, action, detail in events:
        what = sentences.sentence(action, detail, title)
        last = entries[-1] if entries else None
        if last and (last.what, last.who) == (what, actor):
            last.times, last.number, last.since = last.times + 1, number, at
        else:
            entries.append(Entry(what, actor, sentences.kind(action, detail), at, number, at))
    return entries
