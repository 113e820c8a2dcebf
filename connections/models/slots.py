"""Slots and turns: how many calls of a connection run at once, and how far apart they are, over all processes."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from connections.models.connections import Connection


class Slot(models.Model):
    """A place for one running call, or with `is_waiting` for one that waits; taken until `held_until` by `holder`.

    The places of a connection are numbered from 0, so the constraint keeps the promise of its concurrency level.
    """

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="slots")
    is_waiting = models.BooleanField(default=False)
    number = models.PositiveSmallIntegerField()
    holder = models.CharField(max_length=32, blank=True)
    held_until = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "is_waiting", "number"], name="slot_number_unique")
        ]

    def __str__(self) -> str:
        return f"{'waiting place' if self.is_waiting else 'slot'} {self.number} of {self.connection_id}"


class Turn(models.Model):
    """When the next call of a connection may start, where its settings ask for time between calls."""

    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="turn", primary_key=True)
    next_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"turn of {self.connection_id}"
