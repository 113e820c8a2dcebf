"""One process of callers, for tests that need several: `python -m tests.callers CONNECTION CALLERS [STOP_AT]`.

Says "ready", waits for a line, then so many threads ask for the token of one connection at once. Prints a JSON line of
[outcome, …]: the SHA-256 of the token each got, or the code of the error. With STOP_AT it stops there for ever, and says "stopped"
when it does, so that a test can kill it: "before" the provider is called, or "after" its answer.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
import time
from typing import Any, NoReturn

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "connections.settings")


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main(connection_id: str, callers: int, stop_at: str) -> None:
    django.setup()
    from django.db import connections as databases

    from connections.actions import grants, token_requests
    from connections.actions.errors import GrantError
    from connections.models import Actor, Connection

    def stop(*args: Any, **kwargs: Any) -> NoReturn:
        say("stopped")
        while True:
            time.sleep(60)

    if stop_at == "before":
        token_requests.refresh = stop
    if stop_at == "after":
        grants.token_fields = stop
    connection = Connection.objects.select_related("team").get(pk=connection_id)
    outcomes: list[str] = []
    barrier = threading.Barrier(callers + 1)

    def call() -> None:
        barrier.wait()
        try:
            grant = grants.current(connection, by=Actor(connection.team))
            assert grant.access_token is not None
            outcomes.append(hashlib.sha256(grant.access_token.reveal().encode()).hexdigest())
        except GrantError as error:
            outcomes.append(error.code)
        except Exception as error:
            outcomes.append(f"{type(error).__name__}: {error}")
        finally:
            databases.close_all()

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    say("ready")
    sys.stdin.readline()
    barrier.wait()
    for thread in threads:
        thread.join()
    say(json.dumps(outcomes))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), (sys.argv[3:] or [""])[0])
