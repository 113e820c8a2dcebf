"""Connections: create, update, delete, and what becomes of their tokens when they are pointed elsewhere."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone

from connections import outbound
from connections.actions import clients, events
from connections.actions.errors import ActionError, StaleError
from connections.models import Actor, Connection, Grant, OAuthClient
from connections.models.connections import Status

FIELDS = (
    "name", "region", "marketplace", "base_uri", "headers", "media_type", "auth_type", "oauth_client", "grant_type",
    "client_authentication", "authorization_url", "draft_application", "scope", "pkce", "token_url",
    "ping_method", "ping_path", "ping_body",
)  # fmt: skip


def values(connection: Connection) -> dict[str, Any]:
    """What a person set, as plain JSON values (a client by its id)."""
    plain = {name: getattr(connection, name) for name in FIELDS if name != "oauth_client"}
    return plain | {"oauth_client": str(connection.oauth_client_id) if connection.oauth_client_id else None}


def places(connection: Connection) -> tuple[str, ...]:
    """The hosts that this connection's tokens may be sent to, and the client they were issued to."""
    urls = (connection.base_uri, connection.token_url)
    return (*map(_origin, urls), str(connection.oauth_client_id), connection.auth_type, connection.grant_type)


def _origin(url: str) -> str:
    """Scheme and host[:port]: what travels encrypted to a host must not travel there in clear."""
    return f"{url.partition(':')[0].lower()}://{outbound.host_port(url)}" if url else ""


@transaction.atomic
def create(*, by: Actor, application: str, id: uuid.UUID | None = None, **fields: Any) -> Connection:
    """Raises SecretHostError where the client's secret may not go to the access token URL's host."""
    connection = Connection(
        id=id or uuid.uuid4(), team=by.team, application=application, created_by=by.user, updated_by=by.user, **fields
    )
    _bind_secret(connection, by=by)
    connection.save(force_insert=True)
    events.record(by=by, action="connection.create", about=connection, changes=events.changes({}, values(connection)))
    return connection


@transaction.atomic
def update(connection: Connection, *, by: Actor, version: int, **fields: Any) -> Connection:
    """Raises StaleError where somebody saved in between, SecretHostError as `create` does.

    Tokens are bound to where they are sent: when the base URI or the access token URL moves to another host, or another
    client is chosen, the grant is dropped and the connection must be authorized again.
    """
    stored = Connection.objects.select_for_update().get(pk=connection.pk)
    if stored.version != version:
        raise StaleError(stored)
    before, was = values(stored), places(stored)
    for name, value in fields.items():
        setattr(stored, name, value)
    changed = events.changes(before, values(stored))
    if not changed:
        return stored
    _bind_secret(stored, by=by)
    if places(stored) != was and Grant.objects.filter(connection=stored).delete()[0]:
        stored.status, stored.status_since, stored.failure = Status.DRAFT, timezone.now(), None
        events.record(by=by, action="grant.drop", about=stored, reason="pointed elsewhere")
    else:
        Grant.objects.filter(connection=stored).update(failures=0, retry_at=None)
    stored.version += 1
    stored.updated_at, stored.updated_by = timezone.now(), by.user
    stored.save()
    events.record(by=by, action="connection.update", about=stored, changes=changed)
    return stored


@transaction.atomic
def delete(connection: Connection, *, by: Actor) -> None:
    stored = Connection.objects.select_for_update().get(pk=connection.pk)
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


def _bind_secret(connection: Connection, *, by: Actor) -> None:
    client: OAuthClient | None = connection.oauth_client
    if client is not None and client.team_id != connection.team_id:
        raise ActionError("This client belongs to another team.")
    if client is not None and connection.token_url:
        clients.bind_host(client, outbound.host_port(connection.token_url), by=by)
