"""The values that the pane's selects take, with their labels."""

from __future__ import annotations

from django.db import models


class MediaType(models.TextChoices):
    JSON = "json", "JSON"
    XML = "xml", "XML"
    FORM_DATA = "form-data", "multipart/form-data"
    URLENCODED = "urlencoded", "URL encoded"
    TEXT = "text", "Plain text"


class SuccessMediaType(models.TextChoices):
    JSON = "json", "JSON"
    XML = "xml", "XML"
    CSV = "csv", "CSV"
    TEXT = "text", "Plain text"


class ErrorMediaType(models.TextChoices):
    JSON = "json", "JSON"
    XML = "xml", "XML"
    TEXT = "text", "Plain text"


class AuthType(models.TextChoices):
    OAUTH2 = "oauth2", "OAuth 2.0"
    OAUTH1 = "oauth1", "OAuth 1.0"
    TOKEN = "token", "Token"
    BASIC = "basic", "Basic"
    DIGEST = "digest", "Digest"
    COOKIE = "cookie", "Cookie"
    WSSE = "wsse", "WSSE"
    JWT = "jwt", "JWT bearer"
    CUSTOM = "custom", "Custom"
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


class TokenLocation(models.TextChoices):
    HEADER = "header", "HTTP header"
    QUERY = "query", "URL parameter"
    BODY = "body", "Request body"


class PingMethod(models.TextChoices):
    GET = "GET", "GET"
    HEAD = "HEAD", "HEAD"
    POST = "POST", "POST"
    PUT = "PUT", "PUT"


class FetchMethod(models.TextChoices):
    GET = "GET", "GET"
    POST = "POST", "POST"


class SignatureMethod(models.TextChoices):
    HMAC_SHA1 = "HMAC-SHA1", "HMAC-SHA1"
    HMAC_SHA256 = "HMAC-SHA256", "HMAC-SHA256"
    HMAC_SHA512 = "HMAC-SHA512", "HMAC-SHA512"
    RSA_SHA1 = "RSA-SHA1", "RSA-SHA1"
    RSA_SHA256 = "RSA-SHA256", "RSA-SHA256"
    RSA_SHA512 = "RSA-SHA512", "RSA-SHA512"
    PLAINTEXT = "PLAINTEXT", "PLAINTEXT"


class JwtAlgorithm(models.TextChoices):
    HS256 = "HS256", "HS256"
    HS384 = "HS384", "HS384"
    HS512 = "HS512", "HS512"
    RS256 = "RS256", "RS256"
    RS384 = "RS384", "RS384"
    RS512 = "RS512", "RS512"
    PS256 = "PS256", "PS256"
    ES256 = "ES256", "ES256"
    ES384 = "ES384", "ES384"
    EDDSA = "EdDSA", "EdDSA"


class Status(models.TextChoices):
    DRAFT = "draft", "Draft"
    ONLINE = "online", "Online"
    OFFLINE = "offline", "Offline"
