"""API keys: what an integration proves itself with. Hashed; the key itself is shown once, when it is made."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone

from connections.models.connections import Connection
from connections.models.teams import Team

if TYPE_CHECKING:
    from datetime import datetime

    from connections.models.events import Actor

RATE_LIMIT = 300_000  # requests a minute: more than one machine answers, so nobody meets it who does not run wild


class Scope(models.TextChoices):
    """What a key may be used for. The label is what a person chooses."""

    CONNECTIONS = "connections", "List connections"
    TOKENS = "tokens", "Get tokens"
    PROXY = "proxy", "Send requests through a connection"
    TEST = "test", "Test connections"


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    def visible_to(self, by: Actor) -> ApiKeyQuerySet:
        return self.filter(team=by.team)


class ApiKey(models.Model):
    """`gth_<prefix>_<secret>`. The prefix finds the row; of the whole key only the SHA-256 is kept: its secret has 256
    random bits, so there is nothing to be guessed and no need of a slow hash.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField("Name", max_length=100)
    prefix = models.CharField(max_length=12, unique=True)
    secret_hash = models.CharField(max_length=64)  # hex
    scopes = models.JSONField(default=list)  # values of Scope
    # Apart from the list, so that a key does not become one for all connections when its last one is deleted.
    is_limited = models.BooleanField(default=False)
    connections = models.ManyToManyField(Connection, blank=True, related_name="api_keys")
    expires_at = models.DateTimeField(null=True, blank=True)
    rate_limit = models.PositiveIntegerField(default=RATE_LIMIT)  # requests a minute
    # The minute that is being counted, and how many of its requests the processes have taken for themselves.
    window_at = models.DateTimeField(default=timezone.now)
    window_taken = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["team", "name", "id"], name="api_key_by_name")]

    def __str__(self) -> str:
        return self.name

    def is_usable(self, now: datetime) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)
