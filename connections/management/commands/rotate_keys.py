"""Seals every secret anew under the first key of ENCRYPTION_KEYS.

Safe while Gatehouse runs, and to repeat: a secret that is replaced meanwhile is left as it is, one that is already under the
first key is skipped, and a run that was stopped goes on where it was. Nothing is dropped: what cannot be opened stays and is named.
"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connections.models.sealed import reseal, sealed_columns
from connections.sealing import SealError, keyring


class Command(BaseCommand):
    help = "Re-seal every secret under the first key. Afterwards the other keys can be taken out of ENCRYPTION_KEYS."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Only count; change nothing.")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        done = current = 0
        unreadable: list[str] = []
        for model, field in sealed_columns():
            rows = model._default_manager.filter(**{f"{field.name}__isnull": False}).only("pk", field.name)
            for row in rows.order_by("pk").iterator(chunk_size=500):
                try:
                    if keyring().is_current(getattr(row, field.attname).token):
                        current += 1
                    elif dry_run:
                        getattr(row, field.attname).reveal()  # only to count what cannot be opened
                        done += 1
                    else:
                        done += reseal(row, field)
                except SealError as error:
                    unreadable.append(f"{model._meta.verbose_name} {row.pk}, {field.name}: {error.reason}")
        verb = "would be sealed anew" if dry_run else "sealed anew"
        self.stdout.write(f"{done} {verb}, {current} already under the first key.")
        if unreadable:
            raise CommandError(
                f"{len(unreadable)} cannot be opened and were left as they are:\n  " + "\n  ".join(unreadable)
            )
