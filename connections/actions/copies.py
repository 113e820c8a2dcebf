"""What uses a connection, and what follows from it: clone it, put another in its place, delete it when nothing does."""

from __future__ import annotations

import copy
from collections.abc import Collection
from dataclasses import dataclass

from django.db import transaction

from connections.actions import connections, events
from connections.actions.errors import ActionError, InUseError, as_json, problem
from connections.models import Actor, Connection
from connections.models.pane import PLAIN, SECRET


@dataclass(frozen=True)
class Use:
    """One thing that uses a connection. `view` and `pk` are where it is edited."""

    name: str
    how: str
    view: str
    pk: str


def uses(connection: Connection) -> list[Use]:
    """Everything that would miss this connection. Whatever else comes to use connections adds its part here."""
    borrowers = connection.lent_to.order_by("name", "id").only("pk", "name")
    return [Use(other.name, "borrows its concurrency level", "connection_edit", str(other.pk)) for other in borrowers]


def eligible(connection: Connection, *, by: Actor) -> list[Connection]:
    """The connections of the team that may take this one's place: of the same application, and borrowing from none."""
    others = Connection.objects.visible_to(by).filter(application=connection.application, borrow_from=None)
    return list(others.exclude(pk=connection.pk).defer(*SECRET).order_by("name", "id"))


@transaction.atomic
def replace(connection: Connection, *, by: Actor, replacement: Connection) -> list[Use]:
    """Point everything that uses `connection` at `replacement`, all or none, with an event for each. Returns what it was.

    Raises ActionError where the replacement cannot take that place.
    """
    locked = Connection.objects.visible_to(by).filter(pk__in=[connection.pk, replacement.pk])
    found = {row.pk: row for row in locked.select_for_update().order_by("pk")}
    there = found.get(replacement.pk)
    if there is None or there.pk == connection.pk or there not in eligible(connection, by=by):
        raise ActionError("Choose another connection of the same application, which itself borrows from none.")
    moved = uses(connection)
    for borrower in connection.lent_to.select_for_update().order_by("pk"):
        connections.update(borrower, by=by, version=borrower.version, borrow_from=there)
    return moved


@transaction.atomic
def clone(connection: Connection, *, by: Actor) -> Connection:
    """A draft with the same settings and the same client, but none of its secrets and tokens.

    Raises SecretHostError where the client's secret may no longer go to the access token URL.
    """
    plain = {name: copy.copy(getattr(connection, name)) for name in PLAIN if name not in connections.RELATIONS}
    settings = plain | {name: getattr(connection, name) for name in connections.RELATIONS}
    taken = set(Connection.objects.visible_to(by).filter(name__contains=" (copy").values_list("name", flat=True))
    failure = as_json(problem("secret_missing")) if secrets_of(connection) else None
    made = connections.create(
        by=by, application=connection.application, name=copy_name(connection.name, taken), failure=failure, **settings
    )
    events.record(by=by, action="connection.clone", about=made, source=str(connection.pk))
    return made


def secrets_of(connection: Connection) -> list[str]:
    """Labels of the secrets it holds, which no copy of it does. Opens none."""
    held = [name for name in SECRET if getattr(connection, name) is not None]
    return [str(Connection._meta.get_field(name).verbose_name) for name in held]  # type: ignore[union-attr]


def copy_name(name: str, taken: Collection[str]) -> str:
    """`name (copy)`, or with the first number that is free; never longer than a name may be."""
    number = 1
    while True:
        end = " (copy)" if number == 1 else f" (copy {number})"
        tried = name[: 100 - len(end)].rstrip() + end
        if tried not in taken:
            return tried
        number += 1


@transaction.atomic
def delete_unused(connection: Connection, *, by: Actor) -> None:
    """Raises InUseError while something uses it, naming the first twenty."""
    Connection.objects.select_for_update().get(pk=connection.pk)
    if users := uses(connection):
        raise InUseError([use.name for use in users[:20]])
    connections.delete(connection, by=by)
