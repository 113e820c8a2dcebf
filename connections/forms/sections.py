"""The pane as data: its sections, in order, and when each field is shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from connections.applications import Application

SECTIONS: dict[str, tuple[str, ...]] = {
    "General": ("name", "region", "marketplace"),
    "Application details": ("base_uri", "headers", "media_type", "success_media_type", "error_media_type"),
    "Authentication": (
        "auth_type",
        "username", "password", "wsse_header",
        "cookie_method", "cookie_url", "cookie_body", "cookie_status",
        "oauth1_signature_method", "oauth1_consumer_key", "oauth1_consumer_secret", "oauth1_private_key", "oauth1_token",
        "oauth1_token_secret", "oauth1_realm",
        "jwt_algorithm", "jwt_secret", "jwt_private_key", "jwt_payload", "jwt_headers",
        "custom_headers", "custom_query", "custom_body",
    ),
    "OAuth 2.0": (
        "oauth_client", "grant_type", "client_authentication", "authorization_url", "draft_application", "scope", "pkce",
        "token_url", "refresh_token", "revoke_url",
    ),
    "OAuth 2.0 overrides": (
        "scope_delimiter", "authorization_params", "code_param",
        "token_headers", "token_body", "refresh_headers", "refresh_body", "revoke_headers", "revoke_body",
        "access_token_path", "refresh_token_path", "expires_in_path",
    ),
    "Token": (
        "token", "token_location", "token_header", "token_scheme", "token_param",
        "token_refresh_url", "token_refresh_method", "token_refresh_headers", "token_refresh_body", "token_refresh_path",
    ),
    "Authentication failures": ("auth_fail_status", "auth_fail_path", "auth_fail_values"),
    "Non-standard API rate limiter": (
        "rate_wait_ms", "rate_fail_status", "rate_fail_path", "rate_fail_values", "retry_header",
    ),
    "How to test this connection": (
        "ping_method", "ping_path", "ping_body", "ping_success_path", "ping_success_values", "ping_fail_path",
        "ping_fail_values", "ping_error_path",
    ),
    "Advanced": (
        "concurrency", "borrow_from", "tls_certificate", "tls_key", "tls_passphrase", "encrypted_fields", "fields",
    ),
}  # fmt: skip

# A change of one of these changes which fields there are, or what they are filled with.
SHAPING = (
    "region", "marketplace", "auth_type", "grant_type", "ping_method", "token_location", "borrow_from",
    "oauth1_signature_method", "jwt_algorithm", "revoke_url", "token_refresh_url", "cookie_method", "token_refresh_method",
)  # fmt: skip


@dataclass(frozen=True)
class Shape:
    """What the choices made so far say about the other fields."""

    application: Application
    values: Mapping[str, str]

    def has(self, name: str) -> bool:
        return bool(self.values.get(name))

    def chose(self, name: str, *wanted: str) -> bool:
        return self.values.get(name, "") in wanted

    @property
    def is_oauth2(self) -> bool:
        return self.chose("auth_type", "oauth2")

    @property
    def has_consent(self) -> bool:
        return self.is_oauth2 and not self.chose("grant_type", "client_credentials")


Rule = Callable[[Shape], bool]


def auth(*types: str) -> Rule:
    return lambda shape: shape.chose("auth_type", *types)


def consent(shape: Shape) -> bool:
    return shape.has_consent


def revoking(shape: Shape) -> bool:
    return shape.is_oauth2 and shape.has("revoke_url")


def token_renewal(shape: Shape) -> bool:
    return shape.chose("auth_type", "token") and shape.has("token_refresh_url")


def signs(prefix: str) -> Rule:
    return lambda shape: (
        shape.chose("auth_type", "oauth1") and shape.values.get("oauth1_signature_method", "").startswith(prefix)
    )


def jwt_is_symmetric(shape: Shape) -> bool:
    return shape.chose("auth_type", "jwt") and (shape.values.get("jwt_algorithm") or "HS256").startswith("HS")


def jwt_is_asymmetric(shape: Shape) -> bool:
    return shape.chose("auth_type", "jwt") and shape.has("jwt_algorithm") and not jwt_is_symmetric(shape)


def token_in(*places: str) -> Rule:
    return lambda shape: (
        shape.chose("auth_type", "oauth2", "token") and (shape.values.get("token_location") or "header") in places
    )


def oauth2(shape: Shape) -> bool:
    return shape.is_oauth2


# Fields that are not always shown.
SHOWN: dict[str, Rule] = {
    "region": lambda shape: bool(shape.application.regions),
    "marketplace": lambda shape: bool(shape.application.marketplaces) and shape.has_consent,
    "username": auth("basic", "digest", "wsse"),
    "password": auth("basic", "digest", "wsse"),
    "wsse_header": auth("wsse"),
    "cookie_method": auth("cookie"),
    "cookie_url": auth("cookie"),
    "cookie_body": lambda shape: auth("cookie")(shape) and not shape.chose("cookie_method", "GET"),
    "cookie_status": auth("cookie"),
    "oauth1_signature_method": auth("oauth1"),
    "oauth1_consumer_key": auth("oauth1"),
    "oauth1_consumer_secret": lambda shape: auth("oauth1")(shape) and not signs("RSA")(shape),
    "oauth1_private_key": signs("RSA"),
    "oauth1_token": auth("oauth1"),
    "oauth1_token_secret": auth("oauth1"),
    "oauth1_realm": auth("oauth1"),
    "jwt_algorithm": auth("jwt"),
    "jwt_secret": jwt_is_symmetric,
    "jwt_private_key": jwt_is_asymmetric,
    "jwt_payload": auth("jwt"),
    "jwt_headers": auth("jwt"),
    "custom_headers": auth("custom"),
    "custom_query": auth("custom"),
    "custom_body": auth("custom"),
    "oauth_client": oauth2,
    "grant_type": oauth2,
    "client_authentication": oauth2,
    "authorization_url": consent,
    "draft_application": consent,
    "scope": lambda shape: shape.is_oauth2 and not (shape.application.consent == "spapi" and shape.has_consent),
    "pkce": consent,
    "token_url": oauth2,
    "refresh_token": lambda shape: shape.has_consent and shape.application.offers_paste,
    "revoke_url": oauth2,
    "scope_delimiter": oauth2,
    "authorization_params": consent,
    "code_param": consent,
    "token_headers": oauth2,
    "token_body": oauth2,
    "refresh_headers": consent,
    "refresh_body": consent,
    "revoke_headers": revoking,
    "revoke_body": revoking,
    "access_token_path": oauth2,
    "refresh_token_path": oauth2,
    "expires_in_path": oauth2,
    "token": auth("token"),
    "token_location": auth("oauth2", "token"),
    "token_header": token_in("header"),
    "token_scheme": token_in("header"),
    "token_param": token_in("query", "body"),
    "token_refresh_url": auth("token"),
    "token_refresh_method": token_renewal,
    "token_refresh_headers": token_renewal,
    "token_refresh_body": lambda shape: token_renewal(shape) and not shape.chose("token_refresh_method", "GET"),
    "token_refresh_path": token_renewal,
    "ping_body": lambda shape: shape.chose("ping_method", "POST", "PUT"),
    "concurrency": lambda shape: not shape.has("borrow_from"),
}

# Needed whenever they are shown.
REQUIRED = {
    "name", "region", "marketplace", "base_uri", "media_type", "auth_type", "username", "cookie_method", "cookie_url",
    "oauth1_signature_method", "oauth1_consumer_key", "jwt_algorithm", "jwt_payload", "oauth_client", "grant_type",
    "client_authentication", "authorization_url", "token_url", "token_header", "token_param", "token_refresh_path",
}  # fmt: skip
# Secrets needed whenever they are shown, unless one is stored.
REQUIRED_SECRETS = {
    "password",
    "oauth1_consumer_secret",
    "oauth1_private_key",
    "jwt_secret",
    "jwt_private_key",
    "token",
}
# Left empty they are what they are at first.
DEFAULTED = ("pkce", "token_location", "token_refresh_method", "wsse_header", "ping_method", "concurrency")
