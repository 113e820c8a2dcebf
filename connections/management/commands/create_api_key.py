"""An API key from a script. The key alone goes to standard output, once; nothing prints it again."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from connections.actions import api_keys
from connections.actions.errors import ActionError
from connections.management.teams import team_named
from connections.models import Actor, Connection, Scope, Team
from connections.models.api_keys import RATE_LIMIT


class Command(BaseCommand):
    help = "Make an API key for an integration. Prints the key, once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--team", required=True, help="The team's name or id.")
        parser.add_argument("--name", required=True, help="What the key is for.")
        parser.add_argument("--scope", action="append", required=True, choices=Scope.values, help="May be given again.")
        parser.add_argument("--connection", action="append", type=_uuid, metavar="UUID",
                            help="Only this connection; may be given again. Without it: all, those to come included.")  # fmt: skip
        parser.add_argument("--expires", type=_day, metavar="YYYY-MM-DD", help="The last day on which it works (UTC).")
        parser.add_argument("--rate-limit", type=int, default=RATE_LIMIT, help="Requests a minute.")

    def handle(
        self, *args: Any, team: str, name: str, scope: list[str], connection: list[UUID] | None, expires: datetime | None,
        rate_limit: int, **options: Any,
    ) -> None:  # fmt: skip
        owner = team_named(team)
        name = name.strip()
        if not name or len(name) > 100:
            raise CommandError("--name must have between 1 and 100 characters.")
        if not 1 <= rate_limit < 2**31:
            raise CommandError("--rate-limit must be at least 1.")
        try:
            key, text = api_keys.create(
                by=Actor(owner), name=name, scopes=scope, connections=_connections(owner, connection), expires_at=expires,
                rate_limit=rate_limit,
            )  # fmt: skip
        except ActionError as error:
            raise CommandError(str(error)) from None
        self.stderr.write(f"{key.name}: a key of {owner.name}. It is not shown again.")
        self.stdout.write(text)


def _connections(team: Team, ids: list[UUID] | None) -> list[Connection] | None:
    if ids is None:
        return None
    found = {each.pk: each for each in Connection.objects.filter(team=team, pk__in=ids)}
    if missing := [str(id) for id in ids if id not in found]:
        raise CommandError(f"{team.name} has no connection {', '.join(missing)}.")
    return list(found.values())


def _uuid(text: str) -> UUID:
    return UUID(text)


def _day(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%d").replace(hour=23, minute=59, second=59, tzinfo=UTC)
