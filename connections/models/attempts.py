"""Authorization attempts: one row for each time somebody is sent to a provider's consent page."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from connections.models.connections import Connection
from connections.models.sealed import SealedField


class AttemptState(models.TextChoices):
    PENDING = "pending", "Waiting for the provider"
    EXCHANGING = "exchanging", "Exchanging the code"
    CONFIRMING = "confirming", "Another account: waiting for a yes"
    DONE = "done", "Authorized"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


class AuthorizationAttempt(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="attempts")
    state_hash = models.CharField(max_length=64, unique=True)  # SHA-256 of the state parameter
    session_hash = models.CharField(max_length=64)  # SHA-256 of a secret kept in the browser's session
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    started_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    in_popup = models.BooleanField(default=False)

    # What the code must be exchanged with: as it was when the browser left, whatever is edited meanwhile.
    redirect_uri = models.CharField(max_length=2000)
    verifier = SealedField()
    bound_to = models.JSONField()  # the connection's hosts and client when the browser left

    state = models.CharField(max_length=12, choices=AttemptState.choices, default=AttemptState.PENDING)
    failure = models.JSONField(null=True, blank=True)

    # Held while the person is asked whether another account may take over.
    access_token = SealedField()
    refresh_token = SealedField()
    received = models.JSONField(null=True, blank=True)  # token_type, scope, expires_in
    identity = models.CharField(max_length=200, blank=True)

    class Meta:
        indexes = [models.Index(fields=["connection", "-started_at"], name="attempt_newest")]

    def __str__(self) -> str:
        return f"authorization of {self.connection_id}, {self.state}"

    @property
    def has_expired(self) -> bool:
        return timezone.now() >= self.expires_at
