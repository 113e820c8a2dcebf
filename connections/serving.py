# ruff: noqa: T201  what is printed here is for the person who started it
"""gunicorn's settings: `gunicorn -c python:connections.serving connections.wsgi`."""

import os
from typing import Any

bind = [os.environ.get("BIND", "127.0.0.1:8000")]
worker_class = "gthread"
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
threads = int(os.environ.get("WEB_THREADS", "16"))
control_socket_disable = True  # nobody asks it, and it would be written to the home folder
preload_app = True  # one copy of the code in memory, and a mistake in the settings stops the start
timeout = 90  # longer than a connection test may take
graceful_timeout = 30
keepalive = 75
accesslog = None  # a callback's address carries a code
errorlog = "-"
loglevel = "warning"
forwarded_allow_ips = os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1")


def on_starting(server: Any) -> None:
    """`make run` brings the tables up to date here, where Django is loaded anyway."""
    if os.environ.get("MIGRATE_ON_START") == "1":
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        _let_go()


def when_ready(server: Any) -> None:
    """Says where it answers and, while nobody has set it up, the setup link."""
    from django.conf import settings

    from connections import sealing
    from connections.actions import teams
    from connections.models import sealed

    print(f"Gatehouse answers at {settings.PUBLIC_URL}", flush=True)
    if not teams.is_set_up():
        print(f"Set up Gatehouse (works once): {teams.setup_link()}", flush=True)
    if unknown := sealed.key_ids() - {key.id for key in sealing.keyring().keys}:
        print(
            f"WARNING: stored secrets are sealed under keys that ENCRYPTION_KEYS does not hold ({', '.join(sorted(unknown))}). "
            "They cannot be opened; put the old keys back, after the first one.",
            flush=True,
        )
    _let_go()


def _let_go() -> None:
    """No connection, and no pool of them, is shared with the workers that are forked next."""
    from django.db import connection as database
    from django.db import connections as databases

    databases.close_all()
    if database.vendor == "postgresql":
        database.close_pool()  # type: ignore[attr-defined]
