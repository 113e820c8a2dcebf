"""Everything that must hold before a change goes in: `make test`, or `make lint` for the part that takes seconds.

Installs Chromium where it may. Says plainly what it skipped and why; with CI set, what was skipped has failed.
TEST_POSTGRES_URL names the PostgreSQL server; without it the usual local ones are tried.
"""

from __future__ import annotations

import base64
import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

import psycopg

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
IN_CI = bool(os.environ.get("CI"))
CORES = str(max(2, os.cpu_count() or 2))
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
DEBIAN = {
    "chromium": BROWSERS,
    "apache2-bin": ("apache2",),
    "curl": ("curl",),
    "jq": ("jq",),
}  # package: what shows that it is there
LOCAL_POSTGRES = ("postgres://postgres@127.0.0.1:5432/postgres", "postgres://%2Fvar%2Frun%2Fpostgresql/postgres")
# What the settings ask for; nothing of it opens anything that is kept.
ENVIRONMENT = {
    "SECRET_KEY": secrets.token_urlsafe(50),
    "ENCRYPTION_KEYS": base64.b64encode(secrets.token_bytes(32)).decode(),
    "PUBLIC_URL": "https://gatehouse.example.com",
    "DATABASE_URL": "sqlite://:memory:",
}
# What somebody's own environment says of these must not change the outcome.
SETTINGS = {
    *ENVIRONMENT,
    "SIMULATOR_URL",
    "PRIVATE_HOSTS_ALLOWED",
    "EMAIL_URL",
    "METRICS_TOKEN",
    "DEBUG",
    "STATIC_ROOT",
}


@dataclass
class Step:
    """One command. `said` is its last line where it ended well, and what it printed otherwise."""

    name: str
    command: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    failed: bool = False
    said: str = ""
    ran: set[str] = field(default_factory=set)  # tests, by name
    skipped: set[str] = field(default_factory=set)
    seconds: float = 0.0

    def run(self, *, aloud: bool = False) -> Step:
        began, lines = time.monotonic(), []
        environment = {name: value for name, value in os.environ.items() if name.removesuffix("_FILE") not in SETTINGS}
        with subprocess.Popen(
            self.command, cwd=ROOT, env=environment | ENVIRONMENT | self.environment,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            for line in process.stdout:
                lines.append(line.rstrip())
                if aloud:
                    print(line, end="", flush=True)
        self.failed, self.seconds = process.returncode != 0, time.monotonic() - began
        self.said = (lines or [""])[-1].strip("= ") if aloud or not self.failed else "\n".join(lines)
        return self

    def show(self) -> None:
        print(f"{self.name} … {'FAILED' if self.failed else 'ok'} ({self.seconds:.1f} s)", flush=True)
        if self.failed:
            print(self.said, flush=True)


def checks() -> list[Step]:
    """mypy comes first: it takes longest and runs beside the others."""
    manage = [sys.executable, "manage.py"]
    return [
        Step("types (mypy --strict)", [str(BIN / "mypy")]),
        Step("lint (ruff check)", [str(BIN / "ruff"), "check", "--output-format=concise", "."]),
        Step("layout (ruff format --check)", [str(BIN / "ruff"), "format", "--check", "."]),
        Step("import rules (lint-imports)", [str(BIN / "lint-imports")]),
        Step("migrations are complete", [*manage, "makemigrations", "--check", "--dry-run"]),
        Step("deployment check", [*manage, "check", "--deploy", "--fail-level", "WARNING"]),
    ]


def installed() -> None:
    """Debian's packages that the tests drive, installed where they are missing and this may."""
    lacking = [package for package, commands in DEBIAN.items() if not any(map(found, commands))]
    if not lacking or not shutil.which("apt-get"):
        return
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if sudo and (not shutil.which("sudo") or subprocess.run([*sudo, "true"], capture_output=True).returncode):
        return
    print(f"Installing {' and '.join(lacking)} for the tests (once).", flush=True)
    apt = [*sudo, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-o=Dpkg::Use-Pty=0"]
    for command in ([*apt, "update"], [*apt, "install", "-y", "--no-install-recommends", *lacking]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            print(done.stdout)
            return


def found(command: str) -> str | None:
    return shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def browser() -> str | None:
    """The path of a Chromium, if there is one."""
    return next(filter(None, map(found, BROWSERS)), None)


def postgres() -> tuple[str | None, str]:
    """The address of a server that answers and lets us make databases, and otherwise why there is none."""
    named = os.environ.get("TEST_POSTGRES_URL")
    why = "none answers on this machine; name one with TEST_POSTGRES_URL=postgres://user:password@host:5432/postgres"
    for url in [named] if named else LOCAL_POSTGRES:
        try:
            with psycopg.connect(url, connect_timeout=5) as connection:
                role = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
                may_create = connection.execute(role).fetchone()
                if connection.info.server_version < 150000:
                    why = "it is older than 15"
                elif may_create != (True,):
                    why = "its user may not create databases"
                else:
                    return url, ""
        except psycopg.Error as error:
            if named:
                why = f"TEST_POSTGRES_URL does not answer: {' '.join(str(error).split())}"
    return None, why


def drop_leftovers(url: str, name: str) -> None:
    """The test databases of this run, where it was broken off."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"test_{name}"])
        for (left,) in found.fetchall():
            connection.execute(psycopg.sql.SQL("DROP DATABASE {} WITH (FORCE)").format(psycopg.sql.Identifier(left)))


def suite(database: str, url: str, *, without_browser: bool, **environment: str) -> Step:
    report = ROOT / "var" / f"tests-{database.lower()}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-n", CORES, f"--junitxml={report}"]
    command += ["-m", "not browser"] if without_browser else []
    step = Step(f"tests on {database}", command, {"DATABASE_URL": url, **environment})
    print(f"\n{step.name}", flush=True)
    step.run(aloud=True)
    if report.exists():
        for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314  written by pytest a moment ago
            skip = case.find("skipped")
            was_skipped = skip is not None and skip.get("type") != "pytest.xfail"
            (step.skipped if was_skipped else step.ran).add(f"{case.get('classname')}.{case.get('name')}")
    return step


def suites(skipped: list[str]) -> Iterable[Step]:
    """The tests on each database; what cannot run is told in `skipped`."""
    (ROOT / "var").mkdir(mode=0o700, exist_ok=True)
    installed()
    chromium = browser()
    if not chromium:
        skipped.append("browser tests: there is no Chromium. As root: apt-get update && apt-get install chromium")
    yield suite("SQLite", f"sqlite:///{ROOT}/var/tests.sqlite3", without_browser=not chromium, CHROMIUM=chromium or "")
    server, why = postgres()
    if server is None:
        skipped.append(f"tests on PostgreSQL: {why}")
        return
    name = f"gatehouse_{secrets.token_hex(4)}"  # its own, so that two checkouts can be tested at once
    try:
        yield suite("PostgreSQL", urlsplit(server)._replace(path=f"/{name}").geturl(), without_browser=True)
    finally:
        drop_leftovers(server, name)


def main() -> int:
    skipped: list[str] = []
    with ThreadPoolExecutor(max_workers=2) as pool:
        types, *quick = [pool.submit(step.run) for step in checks()]
        steps = []
        for done in quick:
            steps.append(done.result())
            steps[-1].show()
        if "--lint" not in sys.argv:
            steps += suites(skipped)
            print()
        steps.append(types.result())
        steps[-1].show()
    # What one database cannot be asked, another one was.
    nowhere = set().union(*(step.skipped for step in steps)).difference(*(step.ran for step in steps))
    skipped += [f"{test}: skipped on every database" for test in sorted(nowhere)]
    print("\nSummary")
    for step in steps:
        told = f"  {step.said}" if step.name.startswith("tests") else ""
        print(f"  {'FAILED ' if step.failed else 'ok     '} {step.name}{told}")
    for what in skipped:
        print(f"  {'FAILED ' if IN_CI else 'skipped'} {what}")
    return int(any(step.failed for step in steps) or (IN_CI and bool(skipped)))


if __name__ == "__main__":
    sys.exit(main())
