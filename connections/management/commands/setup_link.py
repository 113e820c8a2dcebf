"""Prints a setup link while nobody has set up Gatehouse; says so otherwise. Changes nothing."""

from typing import Any

from django.core.management.base import BaseCommand

from connections.actions import teams


class Command(BaseCommand):
    help = "Print a one-time link with which the first owner and team are created."

    def handle(self, *args: Any, **options: Any) -> None:
        if teams.is_set_up():
            self.stdout.write("Gatehouse is set up. Sign in, or use create_owner.")
        else:
            self.stdout.write(f"Set up Gatehouse: {teams.setup_link()}")
