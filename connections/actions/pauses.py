"""Pauses: who waits for another process or for an answer keeps no database connection meanwhile.

A process has a bounded number of them (settings.DATABASES). Were they held by those who wait, those who are waited for would get
none.
"""

from __future__ import annotations

import time

from django.db import connection as database


def let_go() -> None:
    """Give this thread's connection back to the pool, unless a transaction is open on it. The next query takes one again."""
    if database.vendor == "postgresql" and not database.in_atomic_block:
        database.close()


def sleep(seconds: float) -> None:
    let_go()
    time.sleep(seconds)
