"""Background work. Any number may run on any number of machines: what is due is claimed, done under a lease, and due again where its
worker was killed.
"""

import logging
import signal
import threading
import time
from argparse import ArgumentParser
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand
from django.db import DatabaseError, close_old_connections
from django.utils.crypto import get_random_string
from django_tasks import DEFAULT_TASK_BACKEND_ALIAS
from django_tasks_db.management.commands.db_worker import Worker

from connections import tasks

log = logging.getLogger(__name__)
LOOK = 1  # seconds between looks at what is due
IDLE = 0.5  # seconds between looks at an empty queue
TELL = 20  # seconds between two looks at minutes of usage that are over
PRUNE = 600  # seconds


class Command(BaseCommand):
    help = "Refresh tokens ahead of their expiry, bring offline connections back, clear away what is old."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="Run what is due, then exit.")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        logging.getLogger("django_tasks").setLevel(logging.WARNING)  # a line for each task says nothing new
        logging.getLogger("django_tasks_db").setLevel(logging.ERROR)
        tasks.stopping.clear()
        if once:
            tasks.prune()
            while tasks.schedule():
                _runner(batch=True).run()
            _runner(batch=True).run()
            tasks.tell()
            return
        threading.Thread(target=_look, name="scheduler", daemon=True).start()
        runner = _runner(batch=False)

        def stop(number: int, frame: FrameType | None) -> None:
            tasks.stopping.set()
            runner.shutdown(number, frame)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        while runner.running:
            try:
                runner.run()
            except DatabaseError as error:  # not migrated yet, or away for a moment: it is asked again
                _complain(error)
                time.sleep(LOOK)


def _runner(*, batch: bool) -> Worker:
    return Worker(
        queue_names=["*"], interval=IDLE, batch=batch, backend_name=DEFAULT_TASK_BACKEND_ALIAS, startup_delay=False,
        max_tasks=None, worker_id=get_random_string(32), excluded_queue_names=[],
    )  # fmt: skip


def _look() -> None:
    """Beside the queue's own loop: a long task must not keep what is due out of the other workers' queue."""
    due = {tasks.schedule: 0.0, tasks.tell: 0.0, tasks.prune: 0.0}
    pauses = {tasks.schedule: LOOK, tasks.tell: TELL, tasks.prune: PRUNE}
    while not tasks.stopping.wait(LOOK):
        now = time.monotonic()
        try:
            for do in [do for do, at in due.items() if at <= now]:
                due[do] = now + pauses[do]
                do()
        except DatabaseError as error:
            _complain(error)
        close_old_connections()


def _complain(error: DatabaseError) -> None:
    log.warning("the database does not answer: %s", type(error).__name__)
    close_old_connections()
