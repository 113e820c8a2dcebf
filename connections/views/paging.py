"""Pages of a list in the order of its names. A page begins after a row, not at a number: the thousandth takes as long as the first.

The links hold the name and the id of that row, so that they lead on even where it has been deleted meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Model, Q, QuerySet

COUNTED = 1000  # rows; beyond it nobody is told how many there are, since counting them takes longer than showing them

Place = tuple[str, UUID]


@dataclass(frozen=True)
class Page:
    """`previous` and `next` are queries for the same address ("?after=…"), "" where there is no such page; `note` says what is shown."""

    rows: list[Any]
    previous: str
    next: str
    note: str


def page(listed: QuerySet[Any], asked: Mapping[str, str], *, size: int) -> Page:
    """The page that `asked` (request.GET) names, by default the first one. `listed` has `name` and a uuid `id`."""
    listed = listed.order_by("name", "id")
    begins = _begins(listed, asked, size)
    rows = list((listed.filter(begins) if begins else listed)[: size + 1])
    if begins and not rows:  # what was there is gone
        begins, rows = None, list(listed[: size + 1])
    before = _count(listed.filter(_place(rows[0], "lt"))) if begins else 0
    shown = rows[:size]
    return Page(
        rows=shown,
        previous=_link("before", shown[0]) if before else "",
        next=_link("after", shown[-1]) if len(rows) > size else "",
        note=_note(before, len(shown), _count(listed)),
    )


def _begins(listed: QuerySet[Any], asked: Mapping[str, str], size: int) -> Q | None:
    if after := _read(asked.get("after", "")):
        return _beyond(after, "gt")
    if before := _read(asked.get("before", "")):
        first = listed.filter(_beyond(before, "lt")).reverse().values_list("name", "id")[size - 1 : size]
        return next((_beyond(place, "gte") for place in first), None)
    return None


def _place(row: Model, direction: str) -> Q:
    return _beyond((row.name, row.pk), direction)  # type: ignore[attr-defined]


def _beyond(place: Place, direction: str) -> Q:
    """Rows after (gt, gte) or before (lt) a place. The first condition is what an index can begin at."""
    name, id = place
    outright = direction[:2]
    return Q(**{f"name__{outright}e": name}) & (Q(**{f"name__{outright}": name}) | Q(**{f"id__{direction}": id}))


def _link(direction: str, row: Any) -> str:
    return f"?{urlencode({direction: f'{row.pk}.{row.name}'})}"


def _read(text: str) -> Place | None:
    """None for what no link of ours holds."""
    id, _, name = text.partition(".")
    try:
        return None if "\0" in name else (name, UUID(id))
    except ValueError:
        return None


def _count(rows: QuerySet[Any]) -> int:
    """Not further than one more than COUNTED."""
    return rows[: COUNTED + 1].count()


def _note(before: int, shown: int, total: int) -> str:
    of = f"{total:,}" if total <= COUNTED else f"more than {COUNTED:,}"
    return f"{before + 1:,}–{before + shown:,} of {of}" if before <= COUNTED else f"{shown} of {of}"
