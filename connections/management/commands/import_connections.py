"""Brings in the connections and clients of a file that export_connections, the Export page or the platform's API made.

Safe to try and to repeat: every connection is checked by the pane's own rules first, and then all are stored in one
transaction or none is. No secret is taken from a file: what arrives is a draft that names what it needs. What has a name that
the team uses already is left out, unless --copies asks for copies. --dry-run stores nothing.
"""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from connections.actions.transfers import TransferError
from connections.forms.transfers import Import
from connections.forms.uploads import parse
from connections.management.teams import team_named
from connections.models import Actor


class Command(BaseCommand):
    help = "Import connections and clients, all of a file or nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--team", default="", help="The team's name; may be left out where there is only one.")
        parser.add_argument("--copies", action="store_true", help="Also create copies of connections that exist.")
        parser.add_argument(
            "--new-clients", action="store_true", help="Create clients a second time instead of using those that match."
        )
        parser.add_argument("--dry-run", action="store_true", help="Only say what would be created.")

    def handle(self, *args: Any, file: str, team: str, copies: bool, new_clients: bool, **options: Any) -> None:
        by = Actor(team_named(team))
        try:
            upload = parse(Path(file).read_bytes(), Path(file).name)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        checked = Import(upload, by=by, copies=copies, new_clients=new_clients)
        for done in checked.check():
            if done % 100 == 0:
                self.stdout.write(f"{done} of {len(upload.entries)} are checked.")
        self._tell(checked)
        if checked.has_errors:
            raise CommandError("Nothing was imported.")
        if options["dry_run"] or not checked.may_apply:
            self.stdout.write("Nothing was stored.")
            return
        try:
            made, clients = checked.apply()
        except TransferError as error:
            raise CommandError(f"{error} Nothing was imported.") from None
        self.stdout.write(f"{len(made)} connections and {len(clients)} clients are imported.")

    def _tell(self, checked: Import) -> None:
        for name, text in checked.client_errors:
            self.stderr.write(f"client {name}: {text}")
        for row in checked.rows:
            for field, text in row.errors:
                self.stderr.write(f"{row.entry.name}, {field}: {text}")
            if row.arrival:
                needs = f"; needs: {'; '.join(row.needs)}" if row.needs else ""
                self.stdout.write(f"create {row.arrival.fields['name']}{needs}")
            elif row.exists and not row.errors:
                self.stdout.write(f"leave out {row.entry.name}: it exists")
        for client in checked.matched:
            if not checked.new_clients:
                self.stdout.write(f"use the client {client.name}, which has the same Client ID")
        for path, number in checked.in_clear:
            self.stderr.write(f"not taken: {path} holds a secret in clear, {number} times. Delete the file.")
        for path, names in checked.unknown:
            self.stdout.write(f"left out: {path} in {', '.join(names[:5])}")
        for name, why in checked.upload.skipped:
            self.stdout.write(f"left out: {name}: {why}")
