"""Background work. Any number may run on any number of machines: each grant is refreshed under its lease, so killing one loses nothing."""

import logging
import signal
import threading
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections

from connections import tasks

log = logging.getLogger(__name__)
PAUSE = 5  # seconds between looks


class Command(BaseCommand):
    help = "Refresh tokens ahead of their expiry, bring offline connections back, clear away what is old."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="Run what is due, then exit.")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        if once:
            while tasks.run_due() == tasks.BATCH:
                pass
            return
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda signum, frame: self._stop(stop, frame))
        while not stop.is_set():
            try:
                tried = tasks.run_due()
            except DatabaseError as error:  # not migrated yet, or away for a moment: it is asked again
                log.warning("the database does not answer: %s", type(error).__name__)
                tried = 0
            close_old_connections()
            if tried < tasks.BATCH:
                stop.wait(PAUSE)

    def _stop(self, stop: threading.Event, frame: FrameType | None) -> None:
        stop.set()
