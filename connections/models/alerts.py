"""Alerts: what a team is told of once, by which ways, and whether it arrived."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone

from connections.models.clients import OAuthClient
from connections.models.connections import Connection
from connections.models.sealed import SealedField
from connections.models.teams import Team

if TYPE_CHECKING:
    from connections.models.events import Actor


class AlertKind(models.TextChoices):
    OFFLINE = "connection.offline", "A connection is offline"
    NEEDS_AUTHORIZATION = "connection.needs_authorization", "A connection needs to be authorized again"
    ONLINE = "connection.online", "A connection is back online"
    SECRET_EXPIRES = "client.secret_expires", "A client secret expires"
    AUTHORIZATION_ENDS = "connection.authorization_ends", "An authorization nears its end"
    TEST = "test", "A test"


class WebhookQuerySet(models.QuerySet["Webhook"]):
    def visible_to(self, by: Actor) -> WebhookQuerySet:
        return self.filter(team=by.team)


class Webhook(models.Model):
    """An address that alerts are posted to, signed with its secret (HMAC-SHA256)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField("Address", max_length=2000)
    secret = SealedField()
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = WebhookQuerySet.as_manager()

    def __str__(self) -> str:
        return self.url


class AlertQuerySet(models.QuerySet["Alert"]):
    def visible_to(self, by: Actor) -> AlertQuerySet:
        return self.filter(team=by.team)


class Alert(models.Model):
    """One thing to be told, once. `subject` names the outage or the day it is about, so that the database lets no second one in."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=40, choices=AlertKind.choices)
    subject = models.CharField(max_length=200)
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, null=True, blank=True, related_name="alerts")
    client = models.ForeignKey(OAuthClient, on_delete=models.CASCADE, null=True, blank=True, related_name="alerts")
    detail = models.JSONField(default=dict)  # what is told besides, never a secret
    created_at = models.DateTimeField(default=timezone.now)

    objects = AlertQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "kind", "subject"], name="alert_once")]
        indexes = [models.Index(fields=["team", "-created_at"], name="alert_newest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}"


class Delivery(models.Model):
    """An alert on its way to one address: an email's, or a webhook's. Tried again until it arrives or is given up."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    alert = models.ForeignKey(Alert, on_delete=models.CASCADE, related_name="deliveries")
    email = models.EmailField(max_length=254, blank=True)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, null=True, blank=True, related_name="deliveries")
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True, default=timezone.now)  # None: arrived, or given up
    arrived_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)  # why the last attempt failed

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["alert", "email"], condition=models.Q(webhook=None), name="delivery_email_once"
            ),
            models.UniqueConstraint(fields=["alert", "webhook"], name="delivery_webhook_once"),
        ]
        indexes = [models.Index(fields=["next_at"], condition=~models.Q(next_at=None), name="delivery_due")]
        verbose_name_plural = "deliveries"

    def __str__(self) -> str:
        return f"{self.alert_id} to {self.email or self.webhook_id}"
