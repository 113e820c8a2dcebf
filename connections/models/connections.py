"""Connections: how to reach an HTTP API and how to be let in."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Literal

from django.conf import settings
from django.db import models
from django.utils import timezone

from connections import applications
from connections.applications import Application, TokenPlacement
from connections.models.choices import AuthType, GrantType, Status, TokenLocation
from connections.models.pane import AdvancedSettings, HttpSettings, OAuth2Settings, SchemeSettings
from connections.models.teams import Team

if TYPE_CHECKING:
    from connections.models.events import Actor


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def visible_to(self, by: Actor) -> ConnectionQuerySet:
        return self.filter(team=by.team)


class Connection(HttpSettings, OAuth2Settings, SchemeSettings, AdvancedSettings, models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="connections")
    application = models.CharField("Application", max_length=50)
    name = models.CharField("Name", max_length=100)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    # Why it is offline, as a Failure of connections.applications: error, description, status, request_id, where.
    failure = models.JSONField(null=True, blank=True)
    status_since = models.DateTimeField(default=timezone.now)

    # The steps of the last test: [{name, title, ok, ms, detail, hint}], and when it was.
    last_test = models.JSONField(null=True, blank=True)
    last_test_at = models.DateTimeField(null=True, blank=True)

    last_used_at = models.DateTimeField(null=True, blank=True)  # by an integration; at most five seconds behind
    # Offline for another reason than its grant: when the worker makes its test call again, and how many failed in a row.
    check_at = models.DateTimeField(null=True, blank=True)
    check_failures = models.PositiveIntegerField(default=0)

    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["team", "name", "id"], name="connection_by_name"),
            models.Index(fields=["check_at"], condition=~models.Q(check_at=None), name="connection_by_check"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def provider(self) -> Application:
        """What is particular about its provider, as its application and its addresses tell."""
        return applications.recognise(
            self.chosen_application,
            base_uri=self.base_uri,
            authorization_url=self.authorization_url,
            simulator_url=settings.SIMULATOR_URL,
        )

    @property
    def chosen_application(self) -> Application:
        """The application it was created as; one that is gone is treated as any HTTP API."""
        known = applications.available(simulator_url=settings.SIMULATOR_URL)
        return known.get(self.application) or known["http"]

    @property
    def placement(self) -> TokenPlacement:
        """Where a token is sent: as the pane says, or as its provider wants it where the pane was left as it came."""
        untouched = (self.token_location, self.token_header, self.token_scheme) == ("header", "Authorization", "Bearer")
        if untouched:
            return self.provider.placement
        if self.token_location == TokenLocation.HEADER:
            return TokenPlacement(location="header", name=self.token_header, prefix=self.token_scheme)
        location: Literal["query", "body"] = "query" if self.token_location == TokenLocation.QUERY else "body"
        return TokenPlacement(location=location, name=self.token_param, prefix="")

    @property
    def needs_consent(self) -> bool:
        """Whether a person has to agree at the provider before there is a token."""
        return self.auth_type == AuthType.OAUTH2 and self.grant_type == GrantType.AUTHORIZATION_CODE
