"""Connections: how to reach an HTTP API and how to be let in."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone

from connections import applications
from connections.applications import Application
from connections.models.clients import OAuthClient
from connections.models.teams import Team

if TYPE_CHECKING:
    from connections.models.events import Actor


class MediaType(models.TextChoices):
    JSON = "json", "JSON"
    XML = "xml", "XML"
    FORM_DATA = "form-data", "multipart/form-data"
    URLENCODED = "urlencoded", "URL encoded"
    TEXT = "text", "Plain text"


class AuthType(models.TextChoices):
    OAUTH2 = "oauth2", "OAuth 2.0"
    NONE = "none", "None"


class GrantType(models.TextChoices):
    AUTHORIZATION_CODE = "authorization_code", "Authorization code"
    CLIENT_CREDENTIALS = "client_credentials", "Client credentials"


class ClientAuthentication(models.TextChoices):
    POST = "client_secret_post", "Request body"
    BASIC = "client_secret_basic", "Basic auth header"


class Pkce(models.TextChoices):
    OFF = "off", "Off"
    S256 = "S256", "S256"
    PLAIN = "plain", "Plain"


class PingMethod(models.TextChoices):
    GET = "GET", "GET"
    HEAD = "HEAD", "HEAD"
    POST = "POST", "POST"
    PUT = "PUT", "PUT"


class Status(models.TextChoices):
    DRAFT = "draft", "Draft"
    ONLINE = "online", "Online"
    OFFLINE = "offline", "Offline"


class ConnectionQuerySet(models.QuerySet["Connection"]):
    def visible_to(self, by: Actor) -> ConnectionQuerySet:
        return self.filter(team=by.team)


class Connection(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="connections")
    application = models.CharField("Application", max_length=50)
    name = models.CharField("Name", max_length=100)

    region = models.CharField("Region", max_length=10, blank=True)
    marketplace = models.CharField("Marketplace", max_length=10, blank=True)
    base_uri = models.CharField("Base URI", max_length=2000)
    headers = models.JSONField("HTTP headers", default=list, blank=True)  # [[name, value], …]
    media_type = models.CharField("Media type", max_length=20, choices=MediaType.choices, default=MediaType.JSON)
    auth_type = models.CharField(
        "Authentication type", max_length=20, choices=AuthType.choices, default=AuthType.OAUTH2
    )

    oauth_client = models.ForeignKey(
        OAuthClient,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="connections",
        verbose_name="OAuth 2.0 client",
    )
    grant_type = models.CharField("Grant type", max_length=30, choices=GrantType.choices, blank=True)
    client_authentication = models.CharField(
        "Send client credentials via", max_length=30, choices=ClientAuthentication.choices, blank=True
    )
    authorization_url = models.CharField("Authorization URL", max_length=2000, blank=True)
    draft_application = models.BooleanField("The application is a draft (version=beta)", default=False)
    scope = models.CharField("Scope", max_length=2000, blank=True)
    pkce = models.CharField("PKCE", max_length=10, choices=Pkce.choices, blank=True)
    token_url = models.CharField("Access token URL", max_length=2000, blank=True)

    ping_method = models.CharField("HTTP method", max_length=10, choices=PingMethod.choices, default=PingMethod.GET)
    ping_path = models.CharField("Relative URI", max_length=2000, blank=True)
    ping_body = models.TextField("HTTP request body", blank=True)

    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    # Why it is offline, as a Failure of connections.applications: error, description, status, request_id, where.
    failure = models.JSONField(null=True, blank=True)
    status_since = models.DateTimeField(default=timezone.now)

    # The steps of the last test: [{name, title, ok, ms, detail, hint}], and when it was.
    last_test = models.JSONField(null=True, blank=True)
    last_test_at = models.DateTimeField(null=True, blank=True)

    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+")

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["team", "name", "id"], name="connection_by_name")]

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
    def needs_consent(self) -> bool:
        """Whether a person has to agree at the provider before there is a token."""
        return self.auth_type == AuthType.OAUTH2 and self.grant_type == GrantType.AUTHORIZATION_CODE
