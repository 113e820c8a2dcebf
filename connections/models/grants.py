"""Grants: the token pair a connection lives on. One a connection; its row carries the lease under which it is refreshed."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.conf import settings
from django.db import models
from django.utils import timezone

from connections.models.connections import Connection
from connections.models.sealed import SealedField

CLOCKS_DIFFER = timedelta(minutes=1)  # at the most, between machines


def good_for(expires_at: datetime, refreshed_at: datetime | None, now: datetime) -> timedelta:
    """How long a token that was fetched at `refreshed_at` is still good. Zero for one fetched in the future: the clock has been
    put back since, and nobody can tell when it ends.
    """
    if refreshed_at is not None and refreshed_at - now > CLOCKS_DIFFER:
        return timedelta(0)
    return expires_at - now


# Columns that no token request looks at: not read for each of ten thousand refreshes.
NOT_NEEDED = [
    f"connection__{name}"
    for name in (
        "last_test", "last_test_at", "headers", "created_at", "created_by", "updated_at", "updated_by", "last_used_at",
        "ping_method", "ping_path", "ping_body", "ping_success_path", "ping_success_values", "ping_fail_path",
        "ping_fail_values", "ping_error_path", "rate_wait_ms", "rate_fail_status", "rate_fail_path", "rate_fail_values",
        "retry_header", "auth_fail_status", "auth_fail_path", "auth_fail_values", "concurrency",
    )
]  # fmt: skip


class GrantQuerySet(models.QuerySet["Grant"]):
    def to_refresh(self) -> GrantQuerySet:
        """With the connection and its client, as far as a token request needs them."""
        return self.select_related("connection__oauth_client").defer(*NOT_NEEDED)


class Grant(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.OneToOneField(Connection, on_delete=models.CASCADE, related_name="grant")
    access_token = SealedField()
    refresh_token = SealedField()
    token_type = models.CharField(max_length=50, blank=True)
    scope = models.CharField(max_length=2000, blank=True)  # as granted, where the provider says
    expires_at = models.DateTimeField(null=True, blank=True)
    refresh_at = models.DateTimeField(null=True, blank=True)  # when the worker renews the access token
    lifetime = models.PositiveIntegerField(default=3600)  # seconds; the last one the provider told
    # Counts every change of the tokens; a refresh writes only over the generation it started from.
    generation = models.PositiveIntegerField(default=1)
    refreshed_at = models.DateTimeField(null=True, blank=True)

    # Whom the provider says the grant is of, e.g. Amazon's selling_partner_id. Empty where it does not tell.
    upstream_identity = models.CharField(max_length=200, blank=True)
    authorized_at = models.DateTimeField(null=True, blank=True)
    authorized_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    lease_owner = models.CharField(max_length=64, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)

    # The worker's: put into its queue until then, by whom. Where it is not done by then, it is put there again.
    queued_until = models.DateTimeField(null=True, blank=True)
    queued_by = models.CharField(max_length=32, blank=True)

    # After failures: how many in a row, since when, and when the provider may be asked again.
    failures = models.PositiveIntegerField(default=0)
    failed_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    # The provider said invalid_grant: it is not asked again until somebody authorizes.
    is_refused = models.BooleanField(default=False)

    objects = GrantQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["refresh_at"], name="grant_by_refresh")]

    def __str__(self) -> str:
        return f"grant of {self.connection_id}"

    def valid_for(self, now: datetime) -> timedelta:
        """How long the access token is still good; zero or less where there is none or it has expired."""
        if self.access_token is None or self.expires_at is None:
            return timedelta(0)
        return good_for(self.expires_at, self.refreshed_at, now)

    @property
    def is_authorized(self) -> bool:
        return not self.is_refused and (self.refresh_token is not None or self.valid_for(timezone.now()) > timedelta(0))
