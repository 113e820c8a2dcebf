"""Which team a command is about."""

from __future__ import annotations

from uuid import UUID

from django.core.management.base import CommandError
from django.db.models import Q

from connections.models import Team


def team_named(name: str) -> Team:
    """The team of that name or id, or the only one. Raises CommandError where that is not clear."""
    found = list((Team.objects.filter(Q(name=name) | Q(pk=_id(name))) if name else Team.objects.all())[:2])
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(f"There is no team {name}." if name else "There is no team yet. create_owner makes one.")
    raise CommandError(
        "There are several teams of that name. Name its id." if name else "There are several teams. Name one: --team."
    )


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
