"""`make bench`, or `python -m tests.bench [--only PART …] [--database sqlite|postgresql] [--due 10000]`.

One table a database. PostgreSQL is measured where one answers (CONTRIBUTING.md says how it is found). The exit code is 0
whatever the figures are, and 1 where something broke.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

import psycopg

from tests.bench import memory_rows, page_rows, token_rows, worker_rows
from tests.bench.figures import Row, table
from tests.bench.stage import Stage, postgres_database
from tests.everything import postgres
from tests.server import ROOT

Part = Callable[[Stage], list[Row]]
PARTS: dict[str, Part] = {
    "token_read": token_rows.hot_token_read,
    "callers": token_rows.callers_at_once,
    "authorize": page_rows.save_and_authorize,
    "pane": page_rows.pane,
    "refresh": worker_rows.refreshes,
    "memory": memory_rows.memory_and_start,
    "list": page_rows.connections_list,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="What design.md promises in numbers.")
    parser.add_argument("--only", choices=PARTS, nargs="+", metavar="PART", help=f"some of: {', '.join(PARTS)}")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="one of the two")
    parser.add_argument("--due", type=int, default=1500, help="expired tokens for the worker (%(default)s)")
    options = parser.parse_args()
    began, broke = time.monotonic(), []
    print(f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()} · Python {platform.python_version()}, "
          f"Django {version('django')}, gunicorn {version('gunicorn')}")  # fmt: skip
    for name, stage in _stages(options):
        rows: list[Row] = []
        for part in options.only or PARTS:
            try:
                rows += PARTS[part](stage)
            except Exception:  # the other rows are worth having all the same
                broke.append(f"{part} on {name}")
                traceback.print_exc(limit=-3)
        print(f"\n{name}\n{table(rows)}", flush=True)
    print(f"\n{time.monotonic() - began:.0f} s. Callers: raw sockets of one Python thread, on the same cores.")
    for what in broke:
        print(f"BROKE: {what}")
    return int(bool(broke))


def _stages(options: argparse.Namespace) -> Iterator[tuple[str, Stage]]:
    (ROOT / "var").mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=ROOT / "var") as folder:
        static = Path(folder) / "static"
        if options.database != "postgresql":
            with _stage("", Path(folder) / "sqlite", static, options) as stage:
                yield f"SQLite {sqlite3.sqlite_version}", stage
        if options.database == "sqlite":
            return
        server, why = postgres()
        if server is None:
            print(f"\nPostgreSQL is left out: {why}")
            return
        with postgres_database(server) as url, _stage(url, Path(folder) / "postgresql", static, options) as stage:
            with psycopg.connect(url) as connection:
                number = connection.info.server_version
            yield f"PostgreSQL {number // 10000}.{number % 10000}", stage


@contextmanager
def _stage(url: str, folder: Path, static: Path, options: argparse.Namespace) -> Iterator[Stage]:
    folder.mkdir()
    with ExitStack() as stack:
        yield Stage(url, folder, static, stack, due=options.due)


if __name__ == "__main__":
    sys.exit(main())
