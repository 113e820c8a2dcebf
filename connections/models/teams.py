"""Teams own everything; a membership says what a person may do in one."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone


class Role(models.TextChoices):
    OWNER = "owner", "Owner"
    ADMINISTRATOR = "administrator", "Administrator"
    MANAGE = "manage", "Manage"
    MONITOR = "monitor", "Monitor"

    @property
    def may_administer(self) -> bool:
        """Members, API keys, the team itself."""
        return self in (Role.OWNER, Role.ADMINISTRATOR)

    @property
    def may_manage(self) -> bool:
        """Create, edit, authorize, test and delete connections and clients."""
        return self is not Role.MONITOR


class Team(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=100)
    created_at = models.DateTimeField(default=timezone.now)
    # The end of the team's chain of events; its row is the lock that orders them.
    last_event_number = models.PositiveBigIntegerField(default=0)
    last_event_hash = models.CharField(max_length=64, blank=True)
    # Where the chain begins, once old events were pruned: the last one that is gone.
    pruned_event_number = models.PositiveBigIntegerField(default=0)
    pruned_event_hash = models.CharField(max_length=64, blank=True)
    events_kept_days = models.PositiveIntegerField(null=True, blank=True)  # None: for ever
    mfa_required = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=20, choices=Role.choices)
    joined_at = models.DateTimeField(default=timezone.now)
    gets_alerts = models.BooleanField(default=True)  # by email

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "user"], name="membership_unique")]

    def __str__(self) -> str:
        return f"{self.user} in {self.team}: {self.role}"

    @property
    def level(self) -> Role:
        return Role(self.role)
