"""What the pane sets, section by section. The field names are the pane's form field names."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from connections.models.choices import (
    AuthType,
    ClientAuthentication,
    ErrorMediaType,
    FetchMethod,
    GrantType,
    JwtAlgorithm,
    MediaType,
    PingMethod,
    Pkce,
    SignatureMethod,
    SuccessMediaType,
    TokenLocation,
)
from connections.models.clients import OAuthClient
from connections.models.sealed import SealedField


def line(label: str, length: int = 200, default: str = "") -> models.CharField[str, str]:
    return models.CharField(label, max_length=length, blank=True, default=default)


def rows(label: str) -> models.JSONField[list[list[str]], list[list[str]]]:
    """Rows of a name and a value: [[name, value], …]."""
    return models.JSONField(label, default=list, blank=True)


class HttpSettings(models.Model):
    """Application details, what failures and slow-downs look like, and how to test."""

    region = line("Region", 10)
    marketplace = line("Marketplace", 10)
    base_uri = models.CharField("Base URI", max_length=2000)
    headers = rows("HTTP headers")
    media_type = models.CharField("Media type", max_length=20, choices=MediaType.choices, default=MediaType.JSON)
    success_media_type = models.CharField(
        "Media type of success responses", max_length=20, choices=SuccessMediaType.choices, blank=True
    )
    error_media_type = models.CharField(
        "Media type of error responses", max_length=20, choices=ErrorMediaType.choices, blank=True
    )
    auth_type = models.CharField(
        "Authentication type", max_length=20, choices=AuthType.choices, default=AuthType.OAUTH2
    )

    auth_fail_status = line("HTTP status that means “not authorized”", 30, "401")
    auth_fail_path = line("Path to the error field of an authentication failure")
    auth_fail_values = line("Values that mean “not authorized”", 500)

    rate_wait_ms = models.PositiveIntegerField(
        "Wait time between requests", default=0, blank=True, validators=[MaxValueValidator(600_000)]
    )
    rate_fail_status = line("HTTP status that means “slow down”", 30, "429")
    rate_fail_path = line("Path to the error field of a slow-down")
    rate_fail_values = line("Values that mean “slow down”", 500)
    retry_header = line("Retry-after header", 100, "Retry-After")

    ping_method = models.CharField("HTTP method", max_length=10, choices=PingMethod.choices, default=PingMethod.GET)
    ping_path = line("Relative URI", 2000)
    ping_body = models.TextField("HTTP request body", blank=True)
    ping_success_path = line("Path to the success field")
    ping_success_values = line("Values that mean success", 500)
    ping_fail_path = line("Path to the error field")
    ping_fail_values = line("Values that mean an error", 500)
    ping_error_path = line("Path to the error message")

    class Meta:
        abstract = True


class OAuth2Settings(models.Model):
    """OAuth 2.0, its overrides, and where a token is sent."""

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
    authorization_url = line("Authorization URL", 2000)
    draft_application = models.BooleanField("The application is a draft (version=beta)", default=False)
    scope = line("Scope", 2000)
    pkce = models.CharField("PKCE", max_length=10, choices=Pkce.choices, blank=True)
    token_url = line("Access token URL", 2000)
    revoke_url = line("Revoke token URL", 2000)

    scope_delimiter = models.CharField("Scope delimiter", max_length=5, default=" ", blank=True)
    authorization_params = rows("Extra authorization parameters")
    code_param = line("Authorization code parameter", 100, "code")
    token_headers = rows("Access token request headers")
    token_body = rows("Access token request body")
    refresh_headers = rows("Refresh token request headers")
    refresh_body = rows("Refresh token request body")
    revoke_headers = rows("Revoke token request headers")
    revoke_body = rows("Revoke token request body")
    access_token_path = line("Path to access token", 200, "access_token")
    refresh_token_path = line("Path to refresh token", 200, "refresh_token")
    expires_in_path = line("Path to expiry", 200, "expires_in")

    token_location = models.CharField(
        "Send token via", max_length=10, choices=TokenLocation.choices, default=TokenLocation.HEADER
    )
    token_header = line("Header name", 100, "Authorization")
    token_scheme = line("Header scheme", 50, "Bearer")
    token_param = line("Parameter name", 100, "access_token")

    class Meta:
        abstract = True


class SchemeSettings(models.Model):
    """All other authentication types."""

    username = line("Username")
    password = SealedField("Password")
    wsse_header = line("Header name for WSSE", 100, "X-WSSE")

    token = SealedField("Token")
    token_refresh_method = models.CharField(
        "Token request method", max_length=10, choices=FetchMethod.choices, default=FetchMethod.POST
    )
    token_refresh_url = line("Token request URL", 2000)
    token_refresh_headers = rows("Token request headers")
    token_refresh_body = models.TextField("Token request body", blank=True)
    token_refresh_path = line("Path to the token in its response")

    cookie_method = models.CharField(
        "Method of the cookie request", max_length=10, choices=FetchMethod.choices, default=FetchMethod.POST
    )
    cookie_url = line("URL of the cookie request", 2000)
    cookie_body = models.TextField("Body of the cookie request", blank=True)
    cookie_status = line("Status of a successful cookie request", 30)

    oauth1_signature_method = models.CharField(
        "Signature method", max_length=20, choices=SignatureMethod.choices, blank=True
    )
    oauth1_consumer_key = line("Consumer key", 500)
    oauth1_consumer_secret = SealedField("Consumer secret")
    oauth1_private_key = SealedField("Private key")
    oauth1_token = line("OAuth 1.0 access token", 2000)
    oauth1_token_secret = SealedField("Access token secret")
    oauth1_realm = line("Realm")

    jwt_algorithm = models.CharField("Algorithm", max_length=10, choices=JwtAlgorithm.choices, blank=True)
    jwt_secret = SealedField("JWT secret")
    jwt_private_key = SealedField("JWT private key")
    jwt_payload = models.TextField("Payload", blank=True)  # a JSON object
    jwt_headers = models.TextField("JWT headers", blank=True)  # a JSON object

    custom_headers = rows("Authentication headers")
    custom_query = rows("Authentication URL parameters")
    custom_body = rows("Authentication body fields")

    class Meta:
        abstract = True


class AdvancedSettings(models.Model):
    """Concurrency, TLS client certificate, custom fields."""

    concurrency = models.PositiveSmallIntegerField(
        "Concurrency level", default=25, validators=[MinValueValidator(1), MaxValueValidator(50)]
    )
    borrow_from = models.ForeignKey(
        "connections.Connection",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="lent_to",
        verbose_name="Borrow concurrency from",
    )
    tls_certificate = models.TextField("TLS client certificate", blank=True)  # PEM; public
    tls_key = SealedField("TLS client key")
    tls_passphrase = SealedField("Passphrase of the TLS client key")
    encrypted_fields = SealedField("Encrypted custom fields")  # a JSON object {name: value}
    encrypted_field_names = models.JSONField(default=list, blank=True, editable=False)
    fields = rows("Unencrypted custom fields")

    class Meta:
        abstract = True


SETTINGS = (HttpSettings, OAuth2Settings, SchemeSettings, AdvancedSettings)
# What is stored in clear and what is sealed, by field name.
PLAIN = tuple(
    field.name
    for part in SETTINGS
    for field in part._meta.local_fields
    if not isinstance(field, SealedField) and field.editable
)
SECRET = tuple(field.name for part in SETTINGS for field in part._meta.local_fields if isinstance(field, SealedField))
