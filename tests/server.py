"""Gatehouse as people run it, and the Amazon simulator beside it: real processes on this machine, for browser tests and benchmark."""

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
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "correct horse battery"


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


class Gatehouse:
    """One installation in `folder`: gunicorn with its settings, and a database file of its own.

    `static` may be shared by several: the files that collectstatic wrote. `environment` changes what the processes are
    told, for instance DATABASE_URL or WEB_CONCURRENCY.
    """

    application = "connections.wsgi"

    def __init__(self, folder: Path, *, static: Path, simulator_url: str, **environment: str) -> None:
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
        } | environment
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


class Simulator:
    """The Amazon simulator as a process of its own, driven through its control routes."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.host = url.removeprefix("http://")

    def post(self, path: str, /, **body: Any) -> Any:
        answer = requests.post(self.url + path, json=body, timeout=10)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def reset(self) -> None:
        self.post("/_control/reset")

    def fault(self, **fault: Any) -> None:
        self.post("/_control/faults", **fault)

    def config(self, **values: Any) -> None:
        self.post("/_control/config", **values)

    def calls(self, path: str = "", grant_type: str = "") -> list[dict[str, Any]]:
        calls = requests.get(self.url + "/_control/calls", timeout=10).json()
        return [
            call
            for call in calls
            if call["path"].startswith(path) and (not grant_type or call["grant_type"] == grant_type)
        ]

    def refresh_token(self, account: str = "") -> str:
        """A refresh token as Amazon's console shows it (self-authorization)."""
        body = {"account": account} if account else {}
        return str(self.post("/_control/grants", **body)["refresh_token"])

    def consent(self, url: str, *, account: str = "", decision: str = "confirm") -> str:
        """Press Confirm on the consent page; returns where the browser is sent."""
        form = {"decision": decision} | ({"account": account} if account else {})
        answer = requests.post(url, data=form, allow_redirects=False, timeout=10)
        return answer.headers.get("Location", "")


@contextmanager
def running_simulator() -> Iterator[str]:
    """The simulator as a process of its own on a free port; its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "connections.simulator", "--port", "0"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found, "the simulator did not start"
        yield found[0].rstrip("/")
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
