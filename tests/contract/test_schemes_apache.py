"""Basic and Digest against Debian's Apache (package apache2-bin): mod_auth_basic and mod_auth_digest judge what is sent."""

import base64
import hashlib
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connections import outbound
from connections.actions import calls
from connections.actions.calls import Request
from connections.models import Actor, Connection, Team
from tests import factories

APACHE = shutil.which("apache2", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
MODULES = Path("/usr/lib/apache2/modules")
NEEDED = ("mpm_event", "authn_core", "authz_core", "authn_file", "authz_user", "auth_basic", "auth_digest")
USER, PASSWORD, REALM = "Zoë", 'pa"ss: wörd', "the stock room"

pytestmark = [
    pytest.mark.contract,
    pytest.mark.django_db,
    pytest.mark.skipif(not APACHE or not MODULES.is_dir(), reason="needs Debian's package apache2-bin"),
]


@pytest.fixture(scope="module")
def apache() -> Iterator[str]:
    """Its address: /basic and /digest want the user, who also is `ann` for Digest, whose names are ASCII."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)  # where tests run as root, Apache's children are somebody else
        port = _free_port()
        (root / "conf").write_text(_configuration(root, port))
        sha = base64.b64encode(hashlib.sha1(PASSWORD.encode()).digest()).decode()  # noqa: S324  as the file has it
        (root / "basic.users").write_text(f"{USER}:{{SHA}}{sha}\n")
        ha1 = hashlib.md5(f"ann:{REALM}:{PASSWORD}".encode()).hexdigest()  # noqa: S324
        (root / "digest.users").write_text(f"ann:{REALM}:{ha1}\n")
        for folder in ("basic", "digest"):
            (root / "www" / folder).mkdir(parents=True)
            (root / "www" / folder / "stock").write_text("12 bolts")
        assert APACHE
        with subprocess.Popen([APACHE, "-DFOREGROUND", "-f", str(root / "conf")]) as process:
            try:
                _await(port, root)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()


def _configuration(root: Path, port: int) -> str:
    modules = "\n".join(f"LoadModule {name}_module {MODULES}/mod_{name}.so" for name in NEEDED)
    identity = "User nobody\nGroup nogroup" if os.geteuid() == 0 else ""
    places = "\n".join(
        f'<Location /{kind.lower()}>\nAuthType {kind}\nAuthName "{REALM}"\n'
        f"Auth{kind}Provider file\nAuthUserFile {root}/{kind.lower()}.users\nRequire valid-user\n</Location>"
        for kind in ("Basic", "Digest")
    )
    return f"""
{modules}
{identity}
ServerRoot {root}
ServerName 127.0.0.1
Listen 127.0.0.1:{port}
PidFile {root}/pid
ErrorLog {root}/error.log
Mutex file:{root}
DocumentRoot {root}/www
{places}
"""


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _await(port: int, root: Path) -> None:
    for _ in range(200):
        with socket.socket() as caller:
            if caller.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    log = root / "error.log"
    pytest.fail(f"Apache did not start: {log.read_text() if log.exists() else 'no log'}")


def connection(team: Team, apache: str, auth_type: str, **fields: Any) -> Connection:
    outbound.configure(private_hosts_allowed=[apache.removeprefix("http://")])
    usual: dict[str, Any] = {
        "application": "http", "base_uri": f"{apache}/{auth_type}", "oauth_client": None, "auth_type": auth_type,
        "username": USER if auth_type == "basic" else "ann", "password": PASSWORD,
    }  # fmt: skip
    return factories.connection(team, **usual | fields)


@pytest.mark.parametrize("auth_type", ["basic", "digest"])
def test_apache_lets_the_user_in(team: Team, by: Actor, apache: str, auth_type: str) -> None:
    reply = calls.perform(connection(team, apache, auth_type), Request("GET", "/stock"), by=by)

    assert (reply.status, reply.body) == (200, b"12 bolts")


@pytest.mark.parametrize("auth_type", ["basic", "digest"])
@pytest.mark.parametrize("wrong", [{"password": "guess"}, {"username": "eve"}])
def test_apache_turns_others_away(team: Team, by: Actor, apache: str, auth_type: str, wrong: Any) -> None:
    reply = calls.perform(connection(team, apache, auth_type, **wrong), Request("GET", "/stock"), by=by)

    assert (reply.status, reply.problem) == (401, "unauthorized")


@pytest.mark.parametrize("path", ["/stock?page=2&q=a%20b", "/stock?empty=", "/st%6Fck"])
def test_digest_covers_the_path_and_query_as_sent(team: Team, by: Actor, apache: str, path: str) -> None:
    reply = calls.perform(connection(team, apache, "digest"), Request("GET", path), by=by)

    assert reply.status == 200


def test_digest_covers_the_method(team: Team, by: Actor, apache: str) -> None:
    head = calls.perform(connection(team, apache, "digest"), Request("HEAD", "/stock"), by=by)
    post = calls.perform(connection(team, apache, "digest"), Request("POST", "/stock", '{"a": 1}'), by=by)

    assert head.status == 200
    assert post.status not in (401, 403)
