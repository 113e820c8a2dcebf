"""Which team a command is about."""

from __future__ import annotations

from django.core.management.base import CommandError

from connections.models import Team


def team_named(name: str) -> Team:
    """The team of that name, or the only one. Raises CommandError where that is not clear."""
    found = list((Team.objects.filter(name=name) if name else Team.objects.all())[:2])
    if len(found) == 1:
        return found[0]
    if not found:
        raise CommandError(f"There is no team {name}." if name else "There is no team yet. create_owner makes one.")
    raise CommandError(
        "There are several teams of that name." if name else "There are several teams. Name one: --team."
    )
