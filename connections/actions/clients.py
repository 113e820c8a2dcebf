"""OAuth 2.0 clients: create, update, delete, and which hosts may see their secret."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import transaction
from django.utils import timezone

from connections.actions import events
from connections.actions.errors import ActionError, InUseError, SecretHostError, StaleError
from connections.models import Actor, Grant, OAuthClient

FIELDS = ("name", "client_id", "application_id", "secret_hosts")


def values(client: OAuthClient) -> dict[str, Any]:
    return {name: getattr(client, name) for name in FIELDS}


@transaction.atomic
def create(*, by: Actor, client_secret: str, id: uuid.UUID | None = None, **fields: Any) -> OAuthClient:
    client = OAuthClient(
        id=id or uuid.uuid4(),
        team=by.team,
        client_secret=client_secret,
        secret_set_at=timezone.now(),
        secret_set_by=by.user,
        created_by=by.user,
        updated_by=by.user,
        **fields,
    )
    client.save(force_insert=True)
    events.record(by=by, action="client.create", about=client, changes=events.changes({}, values(client)))
    return client


@transaction.atomic
def update(client: OAuthClient, *, by: Actor, version: int, client_secret: str = "", **fields: Any) -> OAuthClient:
    """An empty `client_secret` keeps the stored one. Raises StaleError; ActionError where a host is added without the secret."""
    stored = OAuthClient.objects.select_for_update().get(pk=client.pk)
    if stored.version != version:
        raise StaleError(stored)
    before = values(stored)
    hosts, had = set(fields.get("secret_hosts", before["secret_hosts"])), set(before["secret_hosts"])
    if not client_secret and (hosts - had or (had and not hosts)):  # an empty list would take any first host
        raise ActionError("To add a host, or to empty the list, enter the client secret again.")
    for name, value in fields.items():
        setattr(stored, name, value)
    changed = events.changes(before, values(stored))
    if client_secret:
        stored.client_secret = client_secret
        stored.secret_set_at, stored.secret_set_by = timezone.now(), by.user
        changed["client_secret"] = [events.SEALED, events.SEALED]
    if not changed:
        return stored
    stored.version += 1
    stored.updated_at, stored.updated_by = timezone.now(), by.user
    stored.save()
    if "client_secret" in changed or "client_id" in changed:
        # Whatever was refused for the old credentials may be tried again at once.
        Grant.objects.filter(connection__oauth_client=stored).update(failures=0, retry_at=None)
    events.record(by=by, action="client.update", about=stored, changes=changed)
    return stored


@transaction.atomic
def delete(client: OAuthClient, *, by: Actor) -> None:
    """Raises InUseError while a connection uses it."""
    stored = OAuthClient.objects.select_for_update().get(pk=client.pk)
    users = list(stored.connections.order_by("name").values_list("name", flat=True)[:20])
    if users:
        raise InUseError(users)
    events.record(by=by, action="client.delete", about=stored, changes=events.changes({}, values(stored)))
    stored.delete()


def check_host(client: OAuthClient, host: str) -> None:
    """Raises SecretHostError where the client's secret may not be posted to `host` (host[:port])."""
    if client.secret_hosts and host not in client.secret_hosts:
        raise SecretHostError(host, client.secret_hosts)


@transaction.atomic
def bind_host(client: OAuthClient, host: str, *, by: Actor) -> None:
    """The first host a secret is used with becomes its only one. Raises SecretHostError for any later one.

    Only who entered the secret may choose that first host: for anybody else it would be a way to have it sent to them.
    """
    if host in client.secret_hosts:
        return
    stored = OAuthClient.objects.select_for_update().get(pk=client.pk)
    check_host(stored, host)
    if not stored.secret_hosts:
        if by.user is not None and stored.secret_set_by_id != by.user.pk:
            raise SecretHostError(host, [])
        stored.secret_hosts = client.secret_hosts = [host]
        stored.save(update_fields=["secret_hosts"])
        events.record(by=by, action="client.update", about=stored, changes={"secret_hosts": [[], [host]]})
