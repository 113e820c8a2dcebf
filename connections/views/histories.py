"""What happened to a connection: its events as a short list, newest first. What goes on all the time is told once, with a count."""

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
READ = 1000  # events they are made of, at most


@dataclass
class Entry:
    """One event, or several that say the same of the same person. `at` is the newest of them, `since` the oldest."""

    action: str
    what: str
    who: str
    kind: str
    at: datetime
    since: datetime
    count: int  # of what each event counts, and else of the events
    events: int = 1

    @property
    def times(self) -> int:
        """How often, where the words do not say it."""
        return 1 if self.action in sentences.COUNTED else self.count


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
    rows = events.values_list("number", "at", "actor", "action", "detail")[:READ]
    entries, older = told(rows, connection.provider)
    context = {"connection": connection, "entries": entries, "older": older, "is_newest": not before}
    return render(request, "connections/connection_history.html" + pane.fragment(request, "history"), context)


def told(
    events: Iterable[tuple[int, datetime, str, str, dict[str, Any]]], provider: Application
) -> tuple[list[Entry], int | None]:
    """Entries of rows of number, at, actor, action and detail; and the number before which there are more, if there are."""

    def title(failure: dict[str, Any]) -> str:
        try:
            return provider.explain(Failure(**failure)).title
        except TypeError:  # another version of Gatehouse wrote it
            return str(failure.get("error", ""))

    entries: list[Entry] = []
    read, last = 0, None
    for number, at, actor, action, detail in events:
        what = sentences.sentence(action, detail, title)
        count = (detail.get("count") or 1) if action in sentences.COUNTED else 1
        same = _same(entries, action, what, actor)
        if same:
            same.count, same.since, same.events = same.count + count, at, same.events + 1
            if action in sentences.COUNTED:
                same.what = sentences.sentence(action, {"count": same.count})
        elif len(entries) == SHOWN:
            return entries, last
        else:
            entries.append(Entry(action, what, actor, sentences.kind(action, detail), at, at, count))
        read, last = read + 1, number
    return entries, last if read == READ else None


def _same(entries: list[Entry], action: str, what: str, who: str) -> Entry | None:
    """The entry that an event adds to: the one before it or, of what goes on all the time, any since something else happened."""
    for entry in reversed(entries):
        is_same = entry.what == what or (action == entry.action and action in sentences.COUNTED)
        if is_same and entry.who == who:
            return entry
        if action not in sentences.ROUTINE or entry.action not in sentences.ROUTINE:
            return None
    return None
