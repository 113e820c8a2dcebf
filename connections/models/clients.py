"""OAuth 2.0 clients ("iClients"): the client id and secret that a provider gave out, reused by many connections."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone

from connections.models.sealed import SealedField
from connections.models.teams import Team

if TYPE_CHECKING:
    from connections.models.events import Actor


class OAuthClientQuerySet(models.QuerySet["OAuthClient"]):
    def visible_to(self, by: Actor) -> OAuthClientQuerySet:
        return self.filter(team=by.team)


class OAuthClient(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="clients")
    name = models.CharField("Name", max_length=100)
    client_id = models.CharField("Client ID", max_length=500)
    client_secret = SealedField()
    application_id = models.CharField("Application ID", max_length=200, blank=True)
    # host[:port] of every token endpoint the secret may be posted to. Empty: the first one it is used with.
    secret_hosts = models.JSONField(default=list, blank=True)
    secret_set_at = models.DateTimeField(null=True, blank=True)
    secret_set_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    secret_expires_at = models.DateTimeField(null=True, blank=True)
    # The one before, while the provider takes both: a refresh tries it when the first is refused.
    previous_secret = SealedField()
    previous_secret_expires_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = OAuthClientQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["team", "name", "id"], name="client_by_name")]

    def __str__(self) -> str:
        return self.name
