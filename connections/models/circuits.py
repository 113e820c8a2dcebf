"""Circuits: when many connections of one client fail together, the client is at fault or its provider, not each of them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from connections.models.clients import OAuthClient


class Circuit(models.Model):
    """Which connections of a client failed in a row at one token endpoint. Open from `opened_at` on: then one of them asks
    at `retry_at`, and no other.
    """

    client = models.ForeignKey(OAuthClient, on_delete=models.CASCADE, related_name="circuits")
    host = models.CharField(max_length=260)  # of the token endpoint
    failed = models.JSONField(default=list)  # ids of the connections
    first_at = models.DateTimeField(default=timezone.now)
    opened_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)  # in vain, since it opened
    kind = models.CharField(max_length=20)  # transient, client
    failure = models.JSONField(null=True, blank=True)  # a Failure, the newest
    # The client as it was: whoever corrects it closes the circuit.
    client_version = models.PositiveIntegerField(default=1)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "host"], name="circuit_unique")]

    def __str__(self) -> str:
        return f"circuit of {self.client_id} at {self.host}: {'open' if self.opened_at else 'closed'}"
