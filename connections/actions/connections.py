"""Connections: create, update, delete, and what becomes of their tokens when they are pointed elsewhere."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone

from connections import outbound
from connections.actions import clients, events, usage
from connections.actions.errors import ActionError, InUseError, ReachError, StaleError
from connections.models import Actor, Connection, Grant, OAuthClient
from connections.models.choices import AuthType, GrantType, Status
from connections.models.pane import PLAIN, SECRET
from connections.sealing import SealError

FIELDS = ("name", *PLAIN)
RELATIONS = ("oauth_client", "borrow_from")
# Secrets that go to the base URI's host (or, for a cookie or a token request, to one named in full): bound to where they go.
BOUND = tuple(name for name in SECRET if name not in ("tls_key", "tls_passphrase"))


def values(connection: Connection) -> dict[str, Any]:
    """What a person set, as plain JSON values (a client by its id); of encrypted custom fields only the names."""
    plain = {name: getattr(connection, name) for name in FIELDS if name not in RELATIONS}
    related = {name: getattr(connection, f"{name}_id") for name in RELATIONS}
    return (
        plain
        | {name: str(pk) if pk else None for name, pk in related.items()}
        | {"encrypted_field_names": list(connection.encrypted_field_names)}
    )


def places(connection: Connection) -> tuple[str, ...]:
    """The hosts that this connection's tokens may be sent to, and the client they were issued to."""
    return (
        *_origins(connection, "base_uri", "token_url"),
        _foreign_revoke(connection),
        str(connection.oauth_client_id),
        connection.auth_type,
        connection.grant_type,
    )


def secret_places(connection: Connection) -> tuple[str, ...]:
    """Where this connection's own secrets (password, static token, encrypted fields, …) are sent."""
    asked = {
        AuthType.OAUTH2: ("token_url", "revoke_url"),
        AuthType.COOKIE: ("cookie_url",),
        AuthType.TOKEN: ("token_refresh_url",),
    }.get(AuthType(connection.auth_type), ())
    # The type belongs to it: an address that is dormant now must not become a place by switching back.
    return (connection.auth_type, *_origins(connection, "base_uri", *asked))


def _foreign_revoke(connection: Connection) -> str:
    """Where tokens are given back, if that is another place than where they come from."""
    token, revoke = _origins(connection, "token_url", "revoke_url")
    return "" if revoke == token else revoke


def _origins(connection: Connection, *names: str) -> tuple[str, ...]:
    """Scheme and host[:port]: what travels encrypted to a host must not travel there in clear."""
    urls = (getattr(connection, name) for name in names)
    return tuple(f"{url.partition(':')[0].lower()}://{outbound.host_port(url)}" if url else "" for url in urls)


@transaction.atomic
def create(
    *, by: Actor, application: str, id: uuid.UUID | None = None, secrets: dict[str, Any] | None = None, **fields: Any
) -> Connection:
    """Raises SecretHostError where the client's secret may not go to the access token URL's host."""
    connection = Connection(
        id=id or uuid.uuid4(), team=by.team, application=application, created_by=by.user, updated_by=by.user, **fields
    )
    changed = events.changes({}, values(connection)) | _set_secrets(connection, secrets or {})
    _bind_secret(connection, by=by)
    connection.save(force_insert=True)
    events.record(by=by, action="connection.create", about=connection, changes=changed)
    return connection


@transaction.atomic
def update(
    connection: Connection, *, by: Actor, version: int, secrets: dict[str, Any] | None = None, **fields: Any
) -> Connection:
    """Raises StaleError where somebody saved in between, SecretHostError as `create` does.

    `secrets` holds those that were typed; the others stay. Tokens and secrets are bound to where they are sent: when an
    address moves to another host, or another client is chosen, what is stored is dropped and must be given again.
    """
    stored = Connection.objects.select_for_update().get(pk=connection.pk)
    if stored.version != version:
        raise StaleError(stored)
    before, was, secrets_were = values(stored), places(stored), secret_places(stored)
    for name, value in fields.items():
        setattr(stored, name, value)
    dropped = _drop_secrets(stored, keep=secrets or {}) if secret_places(stored) != secrets_were else {}
    changed = events.changes(before, values(stored)) | dropped | _set_secrets(stored, secrets or {})
    if not changed:
        return stored
    _bind_secret(stored, by=by)
    is_login = stored.auth_type in (AuthType.COOKIE, AuthType.TOKEN) and set(changed) - {"name"}
    if stored.status == Status.DRAFT:
        stored.failure = None  # what it lacked may be there now
    if (places(stored) != was or is_login) and Grant.objects.filter(connection=stored).delete()[0]:
        stored.status, stored.status_since, stored.failure = Status.DRAFT, timezone.now(), None
        events.record(by=by, action="grant.drop", about=stored, reason="pointed elsewhere")
    else:
        Grant.objects.filter(connection=stored).update(failures=0, retry_at=None)
    stored.version += 1
    stored.updated_at, stored.updated_by = timezone.now(), by.user
    stored.save()
    events.record(by=by, action="connection.update", about=stored, changes=changed)
    return stored


def _set_secrets(connection: Connection, secrets: dict[str, Any]) -> dict[str, Any]:
    """Put typed secrets in; returns what to tell of it, without them."""
    told: dict[str, Any] = {}
    for name, value in secrets.items():
        if name == "encrypted_fields":
            told |= _set_encrypted_fields(connection, value)
        elif value:
            setattr(connection, name, value)
            told[name] = [events.SEALED, events.SEALED]
    return told


def _set_encrypted_fields(connection: Connection, rows: list[list[str]]) -> dict[str, Any]:
    """Rows of a name and a value; a blank value keeps the stored one, a row that is gone is deleted."""
    names = [name for name, _ in rows]
    if names == connection.encrypted_field_names and not any(text for _, text in rows):
        return {}
    try:
        stored = encrypted_fields(connection)  # one JSON text holds them all, so it is opened to replace a part of it
    except SealError:
        stored = {}  # what cannot be opened any more is given anew
    kept = {name: text or stored.get(name, "") for name, text in rows}
    kept = {name: text for name, text in kept.items() if text}
    before = list(connection.encrypted_field_names)
    connection.encrypted_fields = json.dumps(kept) if kept else None
    connection.encrypted_field_names = list(kept)
    return {"encrypted_fields": [before, list(kept)]}


def encrypted_fields(connection: Connection) -> dict[str, str]:
    """The encrypted custom fields in clear. Raises SealError where they cannot be opened."""
    return json.loads(connection.encrypted_fields.reveal()) if connection.encrypted_fields else {}


def _drop_secrets(connection: Connection, *, keep: dict[str, Any]) -> dict[str, Any]:
    # Of encrypted fields a row that was left blank would keep its value: they go, and what was typed is put in anew.
    kept = {name for name, value in keep.items() if value and name != "encrypted_fields"}
    dropped = [name for name in BOUND if getattr(connection, name) is not None and name not in kept]
    for name in dropped:
        setattr(connection, name, None)
    if "encrypted_fields" in dropped:
        connection.encrypted_field_names = []
    return {name: [events.SEALED, None] for name in dropped}


@transaction.atomic
def delete(connection: Connection, *, by: Actor) -> None:
    """Raises InUseError while another connection borrows its concurrency."""
    stored = Connection.objects.select_for_update().get(pk=connection.pk)
    if borrowers := list(stored.lent_to.order_by("name").values_list("name", flat=True)[:20]):
        raise InUseError(borrowers)
    usage.tell_of(stored, timezone.now())  # its counts go with it
    events.record(by=by, action="connection.delete", about=stored, changes=events.changes({}, values(stored)))
    stored.delete()


def set_status(connection: Connection, status: Status, failure: dict[str, Any] | None, *, by: Actor) -> None:
    """Online, or offline with the failure that says why. Writes an event only when the status changes."""
    now = timezone.now()
    moved = (
        Connection.objects.filter(pk=connection.pk)
        .exclude(status=status)
        .update(status=status, failure=failure, status_since=now)
    )
    if moved:
        events.record(by=by, action=f"connection.{status}", about=connection, failure=failure)
    elif connection.failure != failure:
        Connection.objects.filter(pk=connection.pk).update(failure=failure)
    connection.status, connection.failure = status, failure


def check_reach(connection: Connection, *, by: Actor) -> None:
    """Raises ReachError where tokens of client credentials would go to an API that this client has not served before.

    The application's own addresses are always right.
    A consent binds a token to an account; here nothing does, and whoever may edit could have tokens sent to themselves.
    """
    client = connection.oauth_client
    is_unattended = connection.auth_type == AuthType.OAUTH2 and connection.grant_type == GrantType.CLIENT_CREDENTIALS
    if client is None or not is_unattended or by.may_administer or (by.user and client.secret_set_by_id == by.user.pk):
        return
    (origin,) = _origins(connection, "base_uri")
    served = Connection.objects.filter(team_id=connection.team_id, oauth_client=client).only("base_uri")
    own = [
        uri for region in connection.chosen_application.regions for uri in (region.base_uri, region.sandbox_base_uri)
    ]
    known = {_origins(other, "base_uri")[0] for other in (*served, *(Connection(base_uri=uri) for uri in own))}
    if origin not in known:
        raise ReachError(origin, client.name)


def _bind_secret(connection: Connection, *, by: Actor) -> None:
    check_reach(connection, by=by)
    client: OAuthClient | None = connection.oauth_client
    if client is not None and client.team_id != connection.team_id:
        raise ActionError("This client belongs to another team.")
    lender = connection.borrow_from
    if lender is not None and (lender.team_id != connection.team_id or lender.pk == connection.pk):
        raise ActionError("Concurrency can be borrowed only from another connection of the same team.")
    for url in (connection.token_url, connection.revoke_url):
        if client is not None and url:
            clients.bind_host(client, outbound.host_port(url), by=by)
