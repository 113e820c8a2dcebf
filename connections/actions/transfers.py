"""Connections and clients as a file, out and in: JSON in the shape of the platform's public connection resource.

`KEYS` says all of it: each row is a key of the file, the pane's field that it stands for, and how its value is written. What
that shape has no word for stands under "gatehouse". A secret goes out as a mask, and none is ever read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import transaction

from connections import applications
from connections.actions import clients, connections, events
from connections.actions.errors import ActionError, SecretHostError
from connections.actions.transfer_kinds import (
    CHOICE,
    FLAG,
    JSON,
    LIST,
    METHOD,
    NAMES,
    NUMBER,
    OBJECT,
    PAIRS,
    QUERY,
    SCOPES,
    SECRET,
    STATUS,
    TEMPLATE,
    TEXT,
    Kind,
    ReadError,
)
from connections.applications import Application
from connections.models import Actor, Connection, OAuthClient, Team
from connections.models.choices import JwtAlgorithm, SignatureMethod, Status


@dataclass(frozen=True)
class Key:
    """One row: where in the file, which field of the pane, how written."""

    path: str
    field: str
    kind: Kind = TEXT
    auth: tuple[str, ...] = ()  # only with these authentication types; () with every one
    also: tuple[str, ...] = ()  # other places where it is read from

    def applies(self, auth_type: str) -> bool:
        return not self.auth or auth_type in self.auth


MEDIA_TYPE = CHOICE({"text": "plaintext"})
AUTH_TYPE = CHOICE({"oauth2": "oauth", "jwt": "jwtbearer"})
GRANT_TYPE = CHOICE({"authorization_code": "authorizecode", "client_credentials": "clientcredentials"})
CLIENT_AUTHENTICATION = CHOICE({"client_secret_post": "body", "client_secret_basic": "basicauthheader"})
LOCATION = CHOICE({"query": "url"})
SIGNATURE = CHOICE({value: value.lower() for value in SignatureMethod.values})
JWT_METHOD = CHOICE(
    {value: value.lower() for value in JwtAlgorithm.values}
    | {f"HS{bits}": f"hmac-sha{bits}" for bits in (256, 384, 512)}
    | {f"RS{bits}": f"rsa-sha{bits}" for bits in (256, 384, 512)}
)
OAUTH, TOKENS, PASSWORDS = ("oauth2",), ("oauth2", "token"), ("basic", "digest", "wsse")

KEYS: tuple[Key, ...] = (
    Key("name", "name"),
    Key("http.baseURI", "base_uri"),
    Key("http.headers", "headers", PAIRS),
    Key("http.mediaType", "media_type", MEDIA_TYPE),
    Key("http.successMediaType", "success_media_type", MEDIA_TYPE),
    Key("http.errorMediaType", "error_media_type", MEDIA_TYPE),
    Key("http.concurrencyLevel", "concurrency", NUMBER),
    Key("http.retryHeader", "retry_header", also=("http.rateLimit.retryHeader",)),
    Key("http.rateLimit.limit", "rate_wait_ms", NUMBER),  # the platform's own form: how long to wait between calls
    Key("http.rateLimit.failStatusCode", "rate_fail_status", STATUS),
    Key("http.rateLimit.failPath", "rate_fail_path"),
    Key("http.rateLimit.failValues", "rate_fail_values", LIST),
    Key("http.ping.method", "ping_method", METHOD),
    Key("http.ping.relativeURI", "ping_path"),
    Key("http.ping.body", "ping_body"),
    Key("http.ping.successPath", "ping_success_path"),
    Key("http.ping.successValues", "ping_success_values", LIST),
    Key("http.ping.failPath", "ping_fail_path"),
    Key("http.ping.failValues", "ping_fail_values", LIST),
    Key("http.ping.errorPath", "ping_error_path"),
    Key("http.clientCertificates.cert", "tls_certificate"),
    Key("http.clientCertificates.key", "tls_key", SECRET),
    Key("http.clientCertificates.passphrase", "tls_passphrase", SECRET),
    Key("http.unencrypted", "fields", OBJECT),
    Key("http.encrypted", "encrypted_fields", NAMES),
    Key("http.auth.type", "auth_type", AUTH_TYPE),
    Key("http.auth.failStatusCode", "auth_fail_status", STATUS, also=("http.auth.failures",)),
    Key("http.auth.failPath", "auth_fail_path"),
    Key("http.auth.failValues", "auth_fail_values", LIST),
    Key("http.auth.basic.username", "username", auth=PASSWORDS),
    Key("http.auth.basic.password", "password", SECRET, PASSWORDS),
    Key("http.auth.token.headerName", "wsse_header", auth=("wsse",)),
    Key("http.auth.cookie.uri", "cookie_url", auth=("cookie",)),
    Key("http.auth.cookie.method", "cookie_method", METHOD, auth=("cookie",)),
    Key("http.auth.cookie.body", "cookie_body", TEMPLATE, ("cookie",)),
    Key("http.auth.cookie.successStatusCode", "cookie_status", STATUS, ("cookie",)),
    Key("http.auth.token.token", "token", SECRET, ("token",)),
    Key("http.auth.token.location", "token_location", LOCATION, TOKENS),
    Key("http.auth.token.headerName", "token_header", auth=TOKENS),
    Key("http.auth.token.scheme", "token_scheme", auth=TOKENS),
    Key("http.auth.token.paramName", "token_param", auth=TOKENS),
    Key("http.auth.token.refreshMethod", "token_refresh_method", METHOD, auth=("token",)),
    Key("http.auth.token.refreshRelativeURI", "token_refresh_url", auth=("token",)),
    Key("http.auth.token.refreshHeaders", "token_refresh_headers", PAIRS, ("token",)),
    Key("http.auth.token.refreshBody", "token_refresh_body", TEMPLATE, ("token",)),
    Key("http.auth.token.refreshTokenPath", "token_refresh_path", auth=("token",)),
    Key("http.auth.token.refreshHeaders", "refresh_headers", PAIRS, OAUTH, ("http.auth.oauth.refreshHeaders",)),
    Key("http.auth.token.refreshBody", "refresh_body", QUERY, OAUTH, ("http.auth.oauth.refreshBody",)),
    Key("http.auth.token.revoke.uri", "revoke_url", auth=OAUTH),
    Key("http.auth.token.revoke.headers", "revoke_headers", PAIRS, OAUTH),
    Key("http.auth.token.revoke.body", "revoke_body", QUERY, OAUTH),
    Key("http.auth.oauth.grantType", "grant_type", GRANT_TYPE, OAUTH),
    Key("http.auth.oauth.authURI", "authorization_url", auth=OAUTH),
    Key("http.auth.oauth.tokenURI", "token_url", auth=OAUTH),
    Key("http.auth.oauth.scope", "scope", SCOPES, OAUTH),
    Key("http.auth.oauth.scopeDelimiter", "scope_delimiter", auth=OAUTH),
    Key("http.auth.oauth.clientCredentialsLocation", "client_authentication", CLIENT_AUTHENTICATION, OAUTH),
    Key("http.auth.oauth.accessTokenPath", "access_token_path", auth=OAUTH),
    Key("http.auth.oauth.accessTokenHeaders", "token_headers", PAIRS, OAUTH),
    Key("http.auth.oauth.accessTokenBody", "token_body", QUERY, OAUTH),
    Key("http.auth.oauth.oauth1.signatureMethod", "oauth1_signature_method", SIGNATURE, ("oauth1",)),
    Key("http.auth.oauth.oauth1.consumerKey", "oauth1_consumer_key", auth=("oauth1",)),
    Key("http.auth.oauth.oauth1.consumerSecret", "oauth1_consumer_secret", SECRET, ("oauth1",)),
    Key("http.auth.oauth.oauth1.consumerPrivateKey", "oauth1_private_key", SECRET, ("oauth1",)),
    Key(
        "http.auth.oauth.oauth1.accessToken", "oauth1_token", SECRET, ("oauth1",)
    ),  # not sealed here, but half a secret
    Key("http.auth.oauth.oauth1.tokenSecret", "oauth1_token_secret", SECRET, ("oauth1",)),
    Key("http.auth.oauth.oauth1.realm", "oauth1_realm", auth=("oauth1",)),
    Key("http.auth.jwt.signatureMethod", "jwt_algorithm", JWT_METHOD, ("jwt",)),
    Key("http.auth.jwt.payload", "jwt_payload", JSON, ("jwt",)),
    Key("http.auth.jwt.headers", "jwt_headers", JSON, ("jwt",)),
    Key("http.auth.jwt.secret", "jwt_secret", SECRET, ("jwt",)),
    Key("http.auth.jwt.privateKey", "jwt_private_key", SECRET, ("jwt",)),
    # Ours: the shape has no word for them.
    Key("gatehouse.region", "region"),
    Key("gatehouse.marketplace", "marketplace"),
    Key("gatehouse.draft", "draft_application", FLAG, OAUTH),
    Key("gatehouse.pkce", "pkce", auth=OAUTH),
    Key("gatehouse.authorizationParams", "authorization_params", PAIRS, OAUTH),
    Key("gatehouse.codeParam", "code_param", auth=OAUTH),
    Key("gatehouse.refreshTokenPath", "refresh_token_path", auth=OAUTH),
    Key("gatehouse.expiresInPath", "expires_in_path", auth=OAUTH),
    Key("gatehouse.customHeaders", "custom_headers", PAIRS, ("custom",)),
    Key("gatehouse.customQuery", "custom_query", PAIRS, ("custom",)),
    Key("gatehouse.customBody", "custom_body", PAIRS, ("custom",)),
)
# Read one by one in `read`: which application, client and lender. `clientId` stands for a client that the file does not hold.
CLIENT = ("http._iClientId", "http.auth.oauth._iClientId")
CLIENT_ID = "http.auth.oauth.clientId"
LENDER = ("_borrowConcurrencyFromConnectionId", "http._borrowConcurrencyFromConnectionId")
READ = ("type", "http.type", "gatehouse.application", *CLIENT, CLIENT_ID, *LENDER)
# Known, and nothing to bring: what the platform keeps about itself.
IGNORED = (
    "_id", "offline", "createdAt", "lastModified", "http.formType", "http.encryptedFields", "http.unencryptedFields",
    "http.auth.oauth.type", "http.auth.oauth.useIClientFields",
)  # fmt: skip
APPLICATIONS = {
    "amazon-vendor-central": "vendor_central",
    "amazon-seller-central": "Amazon-SP-API",
}  # in the file: http.type
SELLING_REGIONS = {"northAmerica": "na", "europe": "eu", "farEast": "fe"}
MISSING = object()


@dataclass
class Entry:
    """One connection of a file, read but not judged. Plain JSON values, and no secret among them."""

    ref: str  # its _id in the file
    name: str
    application: str
    values: dict[str, Any] = field(default_factory=dict)  # by field, as the pane's form takes them
    clients: list[str] = field(default_factory=list)  # the file's id of its client, a Client ID
    lender: str = ""  # the file's id of the connection whose concurrency it borrows
    held: list[str] = field(default_factory=list)  # fields of secrets it has
    in_clear: list[str] = field(default_factory=list)  # keys that hold a secret in clear, which is not taken
    unknown: list[str] = field(default_factory=list)  # keys that are not brought
    problems: list[list[str]] = field(default_factory=list)  # [[field, sentence], …]


def at(resource: Any, path: str) -> Any:
    """The value at `a.b.c`, or MISSING."""
    for name in path.split("."):
        if not isinstance(resource, dict) or name not in resource:
            return MISSING
        resource = resource[name]
    return resource


def put(resource: dict[str, Any], path: str, value: Any) -> None:
    *parents, last = path.split(".")
    for name in parents:
        resource = resource.setdefault(name, {})
    resource[last] = value


def write(connection: Connection) -> dict[str, Any]:
    """One connection in the file's shape. Opens no secret. A value is left out where it is empty anyway."""
    resource: dict[str, Any] = {"_id": str(connection.pk), "type": "http", "name": connection.name, "http": {}}
    resource["offline"] = connection.status == Status.OFFLINE
    put(resource, "gatehouse.application", connection.application)
    if connection.application in APPLICATIONS:
        put(resource, "http.type", APPLICATIONS[connection.application])
    usual = assumed(connection.chosen_application)
    for key in KEYS:
        name = "encrypted_field_names" if key.kind is NAMES else key.field
        value = getattr(connection, name)
        if key.field == "token_refresh_url":
            value = value.removeprefix(connection.base_uri.rstrip("/"))
        if key.applies(connection.auth_type) and (value or usual.get(key.field)):
            put(resource, key.path, key.kind.write(value))
    if connection.auth_type == "oauth2" and connection.oauth_client:
        put(resource, CLIENT[0], str(connection.oauth_client_id))
        put(resource, CLIENT_ID, connection.oauth_client.client_id)
    if connection.borrow_from_id:
        put(resource, LENDER[0], str(connection.borrow_from_id))
    return resource


def assumed(application: Application) -> dict[str, Any]:
    """What a field is taken to be where a file has no key for it: the model's default, and over it the application's."""
    names = {key.field for key in KEYS if key.kind not in (SECRET, NAMES)} - {"name"}
    defaults = {name: Connection._meta.get_field(name).get_default() for name in names}  # type: ignore[union-attr]
    placed = application.placement
    sent = {"token_location": placed.location, "token_header": placed.name, "token_scheme": placed.prefix}
    return defaults | sent | dict(application.initial)


def read(resource: dict[str, Any]) -> Entry:
    """One connection of a file. What cannot be read becomes a problem of its field, what is not known is named."""
    auth_type = AUTH_TYPE.read(_text(resource, "http.auth.type") or "none")
    entry = Entry(_text(resource, "_id"), _text(resource, "name")[:200], _application(resource))
    here = {path: key for key in KEYS if key.applies(auth_type) for path in (*key.also, key.path)}
    for path, value in _leaves(resource, {*here, *READ, *IGNORED}):
        if path in here and (path == here[path].path or here[path].field not in entry.values):
            _take(entry, here[path], path, value, resource)
        elif path not in (*here, *READ, *IGNORED) and value not in ("", None, [], {}):
            entry.unknown.append(path[:200])
    entry.values.setdefault("auth_type", auth_type)
    entry.clients = [text for path in (*CLIENT, CLIENT_ID) if (text := _text(resource, path))]
    entry.lender = next((text for path in LENDER if (text := _text(resource, path))), "")
    url = entry.values.get("token_refresh_url")
    if url and "://" not in url:
        entry.values["token_refresh_url"] = f"{entry.values.get('base_uri', '').rstrip('/')}/{url.lstrip('/')}"
    if "gatehouse" not in resource and auth_type == "oauth2":
        entry.values.setdefault("client_authentication", "client_secret_basic")  # the platform's default, not ours
    _guess_marketplace(entry, resource)
    return entry


def _take(entry: Entry, key: Key, path: str, value: Any, resource: dict[str, Any]) -> None:
    if value is None:
        return
    if key.kind in (SECRET, NAMES):
        names, is_clear = key.kind.read((value, at(resource, "http.encryptedFields")))
        entry.held += [f"{key.field}:{name}" for name in names] if key.kind is NAMES else [key.field] * bool(names)
        entry.in_clear += [path] * is_clear
        return
    try:
        entry.values[key.field] = key.kind.read(value)
    except ReadError as error:
        entry.problems.append([key.field, f"{path} {error}."])


def _leaves(value: dict[str, Any], whole: set[str], above: str = "") -> Iterator[tuple[str, Any]]:
    """Every path with its value; what is in `whole` is not taken apart, nor is what lies deeper than any key of ours."""
    for name, inner in value.items():
        path = f"{above}.{name}" if above else name
        if isinstance(inner, dict) and inner and path not in whole and path.count(".") < 6:
            yield from _leaves(inner, whole, path)
        else:
            yield path, inner


def _text(resource: dict[str, Any], path: str) -> str:
    value = at(resource, path)
    return value if isinstance(value, str) else ""


def _application(resource: dict[str, Any]) -> str:
    kind = _text(resource, "http.type")
    known = {theirs: ours for ours, theirs in APPLICATIONS.items()} | {"Amazon-Hybrid": "amazon-seller-central"}
    return _text(resource, "gatehouse.application") or known.get(kind, "http")


def _guess_marketplace(entry: Entry, resource: dict[str, Any]) -> None:
    """The platform keeps Amazon's marketplace and region among the custom fields."""
    application = applications.get(entry.application, simulator_url=settings.SIMULATOR_URL)
    wanted = _text(resource, "http.unencrypted.marketplaceId")
    found = next((market for market in application.marketplaces if market.id == wanted), None) if application else None
    if found:
        entry.values.setdefault("region", found.region)
        entry.values.setdefault("marketplace", found.code)
    region = SELLING_REGIONS.get(_text(resource, "http.unencrypted.sellingRegion"))
    if region and application and application.regions:
        entry.values.setdefault("region", region)


def write_client(client: OAuthClient) -> dict[str, Any]:
    return {"_id": str(client.pk), **clients.values(client)}


def export(*, by: Actor, connection: Connection | None = None) -> Iterator[str]:
    """The file, piece by piece: one connection with its client, or all of the team's. Writes its event at once."""
    chosen = Connection.objects.visible_to(by).select_related("oauth_client").order_by("name", "id")
    owned = OAuthClient.objects.visible_to(by).order_by("name", "id")
    if connection is not None:
        chosen, owned = chosen.filter(pk=connection.pk), owned.filter(connections=connection)
    events.record(
        by=by, action="connection.export", about=connection or Team.objects.get(pk=by.team.pk), count=chosen.count()
    )
    return _pieces(chosen.iterator(chunk_size=500), owned.iterator(chunk_size=500))


def _pieces(chosen: Iterator[Connection], owned: Iterator[OAuthClient]) -> Iterator[str]:
    yield '{\n"connections": ['
    for number, connection in enumerate(chosen):
        yield (",\n" if number else "\n") + json.dumps(write(connection), indent=1, ensure_ascii=False)
    yield '\n],\n"clients": ['
    for number, client in enumerate(owned):
        yield (",\n" if number else "\n") + json.dumps(write_client(client), indent=1, ensure_ascii=False)
    yield "\n]\n}\n"


class TransferError(ActionError):
    """One connection or client of a file could not be stored, and so none was. `field` is a label of the pane."""

    def __init__(self, name: str, field: str, text: str) -> None:
        super().__init__(f"{name}, {field}: {text}")


@dataclass
class Arrival:
    """A connection or a client that passed every check. `fields` is what its action takes, apart from the two below."""

    ref: str
    fields: dict[str, Any]
    client: OAuthClient | str | None = None  # or the reference of one that arrives with it
    lender: Connection | str | None = None


@transaction.atomic
def bring(
    *, by: Actor, clients_first: list[Arrival], arriving: list[Arrival], source: str
) -> tuple[list[Connection], list[OAuthClient]]:
    """Everything of a file, or nothing. What arrives has no secret and is a draft. Raises TransferError."""
    made_clients = {arrival.ref: clients.create(by=by, client_secret="", **arrival.fields) for arrival in clients_first}
    made: dict[str, Connection] = {}
    for arrival in sorted(arriving, key=lambda arrival: arrival.lender is not None):  # lenders first
        fields = dict(arrival.fields)
        fields["oauth_client"] = made_clients.get(arrival.client) if isinstance(arrival.client, str) else arrival.client
        fields["borrow_from"] = made.get(arrival.lender) if isinstance(arrival.lender, str) else arrival.lender
        try:
            made[arrival.ref] = connections.create(by=by, **fields)
        except SecretHostError as error:
            raise TransferError(arrival.fields["name"], "Access token URL", str(error)) from None
    about = Team.objects.get(pk=by.team.pk)
    events.record(
        by=by,
        action="connection.import",
        about=about,
        file=source[:200],
        connections=len(made),
        clients=len(made_clients),
    )
    return list(made.values()), list(made_clients.values())
