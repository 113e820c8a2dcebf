"""Run the Amazon simulator in this process's place. It shares nothing with the product, not even an import."""

import os
import sys
from argparse import ArgumentParser
from pathlib import Path

from django.core.management.base import BaseCommand

ROOT = Path(__file__).resolve().parents[3]


class Command(BaseCommand):
    """`manage.py simulate_amazon [--port 8899] [--host 127.0.0.1]`."""

    help = (
        "Run the Amazon simulator: consent pages, token endpoint and vendor API, for trying connections and failures."
    )
    requires_system_checks = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The simulator's own options."""
        parser.add_argument("--port", type=int, default=8899)
        parser.add_argument("--host", default="127.0.0.1")

    def handle(self, *args: object, port: int, host: str, **options: object) -> None:
        """Replace this process; from any folder."""
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        command = [sys.executable, "-m", "connections.simulator", "--port", str(port), "--host", host]
        os.execv(sys.executable, command)  # noqa: S606  # no shell, and nothing in it comes from outside
