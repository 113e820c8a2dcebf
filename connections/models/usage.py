"""Usage: how often each key read the token of each connection or called through it, by the minute.

A row of its own for each read would cost more than the read. The processes count, and write what they counted at most five
seconds later (actions/usage.py).
"""

from __future__ import annotations

from django.db import models

from connections.models.api_keys import ApiKey
from connections.models.connections import Connection
from connections.models.teams import Team


class UsageKind(models.TextChoices):
    TOKEN = "token", "Token read"
    PROXY = "proxy", "Call through the connection"


class Usage(models.Model):
    """The count of one minute. `told_at` is when it was written into the audit trail, which the worker does once it is over."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="+")
    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="usage")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="usage")
    kind = models.CharField(max_length=10, choices=UsageKind.choices)
    minute = models.DateTimeField()
    count = models.PositiveIntegerField(default=0)
    address = models.CharField(max_length=45, blank=True)  # of the last one
    user_agent = models.CharField(max_length=300, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["api_key", "connection", "kind", "minute"], name="usage_once_a_minute")
        ]
        indexes = [
            models.Index(fields=["connection", "-minute"], name="usage_newest"),
            models.Index(fields=["minute"], condition=models.Q(told_at=None), name="usage_to_tell"),
        ]

    def __str__(self) -> str:
        return f"{self.count} × {self.kind} of {self.connection_id}"


class Tally(models.Model):
    """A number that only grows, summed over all processes and machines: what /metrics shows. `label` is never a name of anybody."""

    name = models.CharField(max_length=60)
    label = models.CharField(max_length=60, blank=True)
    value = models.FloatField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "label"], name="tally_unique")]
        verbose_name_plural = "tallies"

    def __str__(self) -> str:
        return f"{self.name} {self.label} {self.value}"
