"""What the tests of the actions do again and again."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import close_old_connections
from django.db import connection as database
from django.db import connections as databases
from django.utils import timezone

from connections.models import Connection, Event, Grant

TOKEN_PATH = "/auth/o2/token"


def expire(connection: Connection, **fields: Any) -> None:
    """The access token has ended, a minute ago."""
    ended = {"expires_at": timezone.now() - timedelta(seconds=60)}
    Grant.objects.filter(connection=connection).update(**ended | fields)


def stored(connection: Connection) -> Grant:
    return Grant.objects.select_related("connection__oauth_client").get(connection=connection)


def everything_told() -> str:
    """All that the audit trail and the connections say, as one text to search in."""
    connections = Connection.objects.values_list("failure", "last_test", "name", "headers")
    events = Event.objects.values_list("detail", "object_name", "actor", "user_agent")
    return json.dumps([list(connections), list(events)], ensure_ascii=False)


class Thread(threading.Thread):
    """A thread with a database connection of its own. `result()` waits, and gives what came of it, errors included."""

    def __init__(self, do: Callable[[], Any]) -> None:
        super().__init__(daemon=True)
        self._do = do
        self._outcome: Any = None
        self.start()

    def run(self) -> None:
        close_old_connections()
        try:
            self._outcome = self._do()
        except Exception as error:  # the test looks at it
            self._outcome = error
        finally:
            databases.close_all()

    def result(self, seconds: float = 20) -> Any:
        self.join(seconds)
        assert not self.is_alive(), "the thread hangs"
        return self._outcome


def at_once(times: int, do: Callable[[], Any]) -> list[Any]:
    """`do`, that many times, all starting together; what each returned or raised."""
    barrier = threading.Barrier(times)

    def start() -> Any:
        barrier.wait(10)
        return do()

    return [thread.result() for thread in [Thread(start) for _ in range(times)]]


def database_url() -> str:
    """The tests' own database, for another process."""
    known = database.settings_dict
    if database.vendor == "sqlite":
        return f"sqlite:///{known['NAME']}"
    secret = f":{known['PASSWORD']}" if known["PASSWORD"] else ""
    return f"postgres://{known['USER']}{secret}@{known['HOST'] or '127.0.0.1'}:{known['PORT'] or 5432}/{known['NAME']}"


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for another thread or process."""
    give_up = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < give_up, f"waited in vain for {what}"
        time.sleep(0.005)


def somebody_waits_for_a_lock() -> bool:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool(cursor.fetchone()[0])
