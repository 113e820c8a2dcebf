"""Background work: what is due is put into the queue, and how it is done. Thin: the actions do it."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from django.db import connections as databases
from django.utils import timezone
from django_tasks import task

from connections.actions import authorizations, connection_tests, grants, recordings, schedules, usage
from connections.actions.connection_tests import Candidate
from connections.actions.errors import GrantError
from connections.models import Actor, Connection

log = logging.getLogger(__name__)
T = TypeVar("T")

CHUNK = 400  # grants in one task: a few seconds' work
QUEUED = 4  # tasks that may wait; the rest stays in the rows, where it is told by being due
THREADS = 24  # refreshes of one worker at once
CHECKS = 20

stopping = threading.Event()  # this worker is to end: what it has not begun is for another


def schedule() -> int:
    """Put what is due into the queue. Returns how many tasks that were; 0 means that nothing is left to be queued."""
    count = 0
    while schedules.queued() < QUEUED and (claim := schedules.claim(CHUNK)):
        refresh_grants.enqueue(claim)
        count += 1
    if checks := schedules.claim_checks(CHECKS):
        check_connections.enqueue([str(pk) for pk in checks])
        count += 1
    return count


def tell() -> None:
    """Write the minutes of usage that are over into the audit trail."""
    usage.tell(timezone.now())


def prune() -> None:
    """Clear away what is old."""
    authorizations.prune()
    recordings.prune()
    schedules.prune()


@task()
def refresh_grants(claim: str) -> int:
    """Refresh what was claimed under that name. Returns how many grants that were."""
    todo = schedules.claimed(claim)
    _in_threads(_refresh, todo)
    if stopping.is_set():
        schedules.give_back(claim)
    return len(todo)


@task()
def check_connections(ids: list[str]) -> int:
    """Test connections that are offline; a test that passes brings them back."""
    _in_threads(_check, ids)
    return len(ids)


def _in_threads(do: Callable[[T], None], todo: Iterable[T]) -> None:
    """Each thread takes the next until none is left, and keeps its database connection that long."""
    waiting: queue.SimpleQueue[T] = queue.SimpleQueue()
    for each in todo:
        waiting.put(each)

    def work() -> None:
        try:
            while not stopping.is_set():
                do(waiting.get_nowait())
        except queue.Empty:
            pass
        finally:
            databases.close_all()

    threads = [threading.Thread(target=work, name=f"refresh-{n}") for n in range(min(THREADS, waiting.qsize()))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _refresh(due: tuple[Connection, int]) -> None:
    """One grant, with the authority of the system: nobody needs to be signed in for it.

    `due` has the generation that was due: where another worker or a caller has replaced it since, there is nothing to do.
    """
    connection, generation = due
    try:
        grants.refresh(connection, by=Actor(connection.team), stale=generation)
    except GrantError as error:
        log.warning("connection %s was not refreshed: %s (%s)", connection.pk, error.code, error.failure.error)
    except Exception as error:  # one row that breaks must not stop the others; the text may quote what it broke on
        log.error("connection %s was not refreshed: %s", connection.pk, type(error).__name__)


def _check(connection_id: str) -> None:
    try:
        connection = Connection.objects.select_related("team", "oauth_client").filter(pk=connection_id).first()
        if connection is not None:
            for _ in connection_tests.run(Candidate(connection, stored=connection), by=Actor(connection.team)):
                pass
    except Exception as error:  # as above
        log.error("connection %s was not tested: %s", connection_id, type(error).__name__)
