"""Circuits: when many connections of one client fail together, the client is at fault or its provider, not each of them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from connections.models.clients import OAuthClient


class Circuit(models.Model):
    """Failures of one client in a row, over all its connections. Open from `opened_at` on: one request at `retry_at`, no others."""

    client = models.OneToOneField(OAuthClient, on_delete=models.CASCADE, related_name="circuit", primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField(default=timezone.now)
    opened_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    failure = models.JSONField(null=True, blank=True)  # a Failure, of the newest one
    # The client's version that failed: whoever corrects the client closes the circuit.
    version = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"circuit of {self.client_id}: {'open' if self.opened_at else 'closed'}"
