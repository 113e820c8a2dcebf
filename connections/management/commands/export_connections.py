"""Writes a team's connections and clients to a file that import_connections and the Import page read.

Safe at any time: no secret is opened and none is in the file, nothing stored changes but for one event in the audit log, and a
file that exists is never written over. The file appears, readable by its owner only, when it is complete.
"""

import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connections.actions import transfers
from connections.management.teams import team_named
from connections.models import Actor


class Command(BaseCommand):
    help = "Export every connection and client of a team, without secrets."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--team", default="", help="The team's name; may be left out where there is only one.")

    def handle(self, *args: Any, file: str, team: str, **options: Any) -> None:
        by = Actor(team_named(team))
        target, half = Path(file), Path(f"{file}.part")
        if target.exists():
            raise CommandError(f"{target} exists. Choose another name or remove it first.")
        try:
            descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise CommandError(f"{half} cannot be written: {error.strerror}.") from None
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as out:
                out.writelines(transfers.export(by=by))
            half.replace(target)
        finally:
            half.unlink(missing_ok=True)
        self.stdout.write(f"The connections of {by.team.name} are in {target}. It holds no secret.")
