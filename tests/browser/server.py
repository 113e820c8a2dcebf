"""Gatehouse as people run it: gunicorn with two workers, a database file of its own, and the Amazon simulator beside it."""

from __future__ import annotations

import base64
import os
import re
import secrets
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import requests

ROOT = Path(__file__).resolve().parent.parent.parent
PASSWORD = "correct horse battery"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Gatehouse:
    """One installation in `folder`. `static` may be shared by several: the files that collectstatic wrote."""

    application = "connections.wsgi"

    def __init__(self, folder: Path, *, static: Path, simulator_url: str) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.database = folder / "gatehouse.sqlite3"
        self.environment = {
            "PATH": os.environ["PATH"],
            "SECRET_KEY": secrets.token_urlsafe(50),
            "ENCRYPTION_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
            "PUBLIC_URL": self.url,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "STATIC_ROOT": str(static),
            "SIMULATOR_URL": simulator_url,
            "PRIVATE_HOSTS_ALLOWED": simulator_url.removeprefix("http://"),
            "BIND": f"127.0.0.1:{port}",
            "MIGRATE_ON_START": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self.log = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  open until stop()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        if not Path(self.environment["STATIC_ROOT"]).exists():
            self.manage("collectstatic", "--noinput")
        command = [sys.executable, "-m", "gunicorn", "-c", "python:connections.serving", self.application]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=self.log, stderr=subprocess.STDOUT
        )
        deadline = time.monotonic() + 30
        while True:
            assert self.process.poll() is None and time.monotonic() < deadline, f"did not start:\n{self.printed()}"
            try:
                if requests.get(f"{self.url}/healthz", timeout=5).ok:
                    return
            except requests.ConnectionError:
                time.sleep(0.05)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(15)
        self.log.close()

    def manage(self, *arguments: str, **environment: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment | environment, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def create_owner(self, email: str, team: str) -> None:
        self.manage("create_owner", "--email", email, "--team", team, OWNER_PASSWORD=PASSWORD)

    def printed(self) -> str:
        """Everything that the server wrote to its terminal."""
        self.log.seek(0)
        return self.log.read().decode()

    def setup_link(self) -> str:
        found = re.search(r"http://\S+/setup/\S+", self.printed())
        assert found, self.printed()
        return found[0]

    def stored(self) -> bytes:
        """The bytes of the database, what is still in its write-ahead log included."""
        return b"".join(path.read_bytes() for path in sorted(self.database.parent.glob(f"{self.database.name}*")))

    def execute(self, statement: str, *values: object) -> list[tuple[object, ...]]:
        """Reach into the database from outside, for what only the clock or another version would do."""
        database = sqlite3.connect(self.database, timeout=20)
        try:
            with database:
                return database.execute(statement, values).fetchall()
        finally:
            database.close()
