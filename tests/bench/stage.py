"""What the rows are measured on: one database, Gatehouse and the floor served on it by gunicorn alike, and one simulator."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import psycopg

from tests.bench.load import get, request
from tests.bench.pages import Browser
from tests.server import ROOT, Gatehouse, Simulator, running_simulator

# What the simulator knows its client by (design.md §6).
CLIENT_ID, CLIENT_SECRET = "amzn1.application-oa2-client.simulator", "amzn1.oa2-cs.v1.simulator"


class Stage:
    """Everything is started when it is first asked for, and ended by the `stack` it was made with."""

    def __init__(self, database_url: str, folder: Path, static: Path, stack: ExitStack, *, due: int) -> None:
        self.due = due  # tokens for the worker to renew
        self.folder = folder
        self.static = static
        self.stack = stack
        # Without a path of its own the database is a file that Gatehouse names itself.
        self.database = {"DATABASE_URL": database_url} if database_url else {}

    @cached_property
    def simulator(self) -> Simulator:
        return Simulator(self.stack.enter_context(running_simulator()))

    @cached_property
    def gatehouse(self) -> Gatehouse:
        """As `make run` serves it, set up."""
        started = self._served()
        self.seeded = self._seed(started, "start", simulator=self.simulator.url)
        return started

    @cached_property
    def floor(self) -> Gatehouse:
        """The bare view, on the same database."""
        return self.another(DJANGO_SETTINGS_MODULE="tests.bench.floor_settings")

    def another(self, **environment: str) -> Gatehouse:
        """A second gunicorn on the same database, otherwise told."""
        same = {name: self.gatehouse.environment[name] for name in ("SECRET_KEY", "ENCRYPTION_KEYS", "DATABASE_URL")}
        return self._served(MIGRATE_ON_START="0", **same | environment)

    def _served(self, **environment: str) -> Gatehouse:
        url = self.simulator.url
        gatehouse = Gatehouse(self.folder, static=self.static, simulator_url=url, **self.database | environment)
        self.stack.callback(gatehouse.stop)
        gatehouse.start()
        return gatehouse

    def seed(self, what: str, **wanted: Any) -> Any:
        """Let a function of tests.bench.seeds fill the database; what it returns."""
        return self._seed(self.gatehouse, what, **wanted)

    def _seed(self, gatehouse: Gatehouse, what: str, **wanted: Any) -> Any:
        program = f"from tests.bench import seeds\nseeds.run({what!r}, {json.dumps(wanted)!r})"
        return json.loads(gatehouse.manage("shell", "-v0", "-c", program))

    def sql(self, statement: str) -> int:
        """The one number that a query finds, asked for from outside."""
        url = self.database.get("DATABASE_URL")
        if not url:
            return int(str(self.gatehouse.execute(statement)[0][0]))
        with psycopg.connect(url) as connection:
            return int(connection.execute(statement).fetchall()[0][0])

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """`manage.py worker`, until the block ends."""
        process = subprocess.Popen(
            [sys.executable, "manage.py", "worker"], cwd=ROOT, env=self.gatehouse.environment,
            stdout=self.gatehouse.log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)

    def token_endpoint(self, refresh_token: str) -> bytes:
        """The bytes of what a refresh posts to the simulator, without Gatehouse."""
        body = {
            "grant_type": "refresh_token",
            "refresh_token": refresh_token,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
        }
        kind = "application/x-www-form-urlencoded"
        return request("POST", f"{self.simulator.url}/auth/o2/token", urlencode(body).encode(), Content_Type=kind)

    def browser(self) -> Browser:
        """The owner, signed in."""
        return Browser(self.gatehouse.url, {"gatehouse_session": self.seeded["session"]})

    def token_request(self, hot: dict[str, str], url: str = "") -> bytes:
        """The bytes of a token read of what seeds.hot made."""
        address = f"{url or self.gatehouse.url}/api/v1/connections/{hot['connection']}/token"
        return get(address, Authorization=f"Bearer {hot['key']}")


@contextmanager
def postgres_database(server: str) -> Iterator[str]:
    """A database of its own on the server; its URL. Dropped afterwards."""
    name = f"gatehouse_bench_{secrets.token_hex(4)}"
    quoted = psycopg.sql.Identifier(name)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(quoted))
    try:
        yield urlsplit(server)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(quoted))
