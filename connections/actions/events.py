"""The audit trail: every action writes one row, in the same transaction as what it did."""

from __future__ import annotations

from typing import Any

from django.db import models, transaction
from django.utils import timezone

from connections.models import Actor, Event, Team

SEALED = "replaced"  # what stands for a secret in the changes


@transaction.atomic
def record(*, by: Actor, action: str, about: models.Model | None = None, **detail: Any) -> Event:
    """Append one event to the chain of `by.team`. `detail` must be JSON and must hold no secret."""
    team = Team.objects.select_for_update().get(pk=by.team.pk)
    event = Event(
        team=team,
        number=team.last_event_number + 1,
        at=timezone.now(),
        user=by.user,
        actor=by.label,
        action=action,
        object_type=about._meta.model_name or "" if about else "",
        object_id=str(about.pk) if about else "",
        object_name=str(about)[:100] if about else "",
        address=by.address,
        user_agent=by.user_agent[:300],
        detail=detail,
        previous_hash=team.last_event_hash,
    )
    event.hash = event.computed_hash()
    event.save()
    Team.objects.filter(pk=team.pk).update(last_event_number=event.number, last_event_hash=event.hash)
    return event


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """{field: [before, after]} for each field that differs; both sides plain JSON values."""
    return {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}
