"""Other processes of the product that work on the database of a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection as database

from connections.models import Connection
from tests.conftest import Simulator

ROOT = Path(__file__).resolve().parent.parent


def database_url() -> str:
    """The address of the database that this test writes to."""
    if database.vendor == "sqlite":
        return f"sqlite:///{database.settings_dict['NAME']}"
    user, password, host, port, name = (
        quote(str(database.settings_dict[part] or ""), safe="") for part in ("USER", "PASSWORD", "HOST", "PORT", "NAME")
    )
    return f"postgres://{user}{password and ':' + password}@{host}{port and ':' + port}/{name}"


def environment(simulator: Simulator, **more: str) -> dict[str, str]:
    return os.environ | {
        "SECRET_KEY": settings.SECRET_KEY,
        "ENCRYPTION_KEYS": ",".join(settings.ENCRYPTION_KEYS),
        "PUBLIC_URL": settings.PUBLIC_URL,
        "DATABASE_URL": database_url(),
        "SIMULATOR_URL": simulator.url,
        "PRIVATE_HOSTS_ALLOWED": simulator.host,
        "DJANGO_SETTINGS_MODULE": "connections.settings",
        "PYTHONUNBUFFERED": "1",
    } | more  # fmt: skip


class Callers:
    """A process of callers (callers.py), ready to ask."""

    def __init__(
        self, connection: Connection, simulator: Simulator, *, count: int, stop_at: str = "", lease: int = 30
    ) -> None:
        command = [sys.executable, "-m", "tests.callers", str(connection.pk), str(count), stop_at]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment(simulator, REFRESH_LEASE_SECONDS=str(lease)),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def says(self, what: str) -> None:
        assert self.process.stdout is not None
        said = self.process.stdout.readline().strip()
        assert said == what, said

    def go(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def outcomes(self) -> list[str]:
        assert self.process.stdout is not None
        found: list[str] = json.loads(self.process.stdout.readline())
        assert self.process.wait(20) == 0
        return found

    def kill(self) -> None:
        """As the kernel does it: nothing is cleaned up."""
        self.process.kill()
        self.process.wait(10)

    def close(self) -> None:
        if self.process.poll() is None:
            self.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe:
                pipe.close()
