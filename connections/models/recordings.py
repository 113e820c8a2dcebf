"""Debugging: for how long the calls of a connection are recorded, and the recordings, with every secret masked."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone

from connections.models.connections import Connection

if TYPE_CHECKING:
    from connections.models.events import Actor

KEPT = timedelta(hours=24)


class DebugPeriod(models.Model):
    """From when until when the calls of a connection are recorded. Stopping moves its end to now."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="debug_periods")
    started_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField()
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        indexes = [models.Index(fields=["connection", "-ends_at"], name="debug_period_newest")]

    def __str__(self) -> str:
        return f"debugging of {self.connection_id} until {self.ends_at}"


class RecordingQuerySet(models.QuerySet["Recording"]):
    def kept(self) -> RecordingQuerySet:
        """Those not older than a day, whether or not the older ones are cleared away yet."""
        return self.filter(at__gt=timezone.now() - KEPT)

    def visible_to(self, by: Actor) -> RecordingQuerySet:
        return self.filter(connection__team=by.team)


class Recording(models.Model):
    """One request and its answer, or of a token request the names of their fields only. Never a secret."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="recordings")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=10)  # call, token
    method = models.CharField(max_length=20)
    url = models.TextField()
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    ms = models.PositiveIntegerField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)  # why there was no answer
    request_headers = models.JSONField(default=dict)
    request_body = models.TextField(blank=True)
    response_headers = models.JSONField(default=dict)
    response_body = models.TextField(blank=True)

    objects = RecordingQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["connection", "-at"], name="recording_newest"),
            models.Index(fields=["at"], name="recording_oldest"),
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.connection_id} {self.status}"
