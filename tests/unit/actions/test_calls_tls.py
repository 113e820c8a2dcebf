"""The TLS client certificate, against a real server that demands one."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from connections import outbound
from connections.actions import calls, connection_tests, grants, outgoing
from connections.actions.calls import Request
from connections.actions.connection_tests import Candidate, Step
from connections.models import Actor, Connection, Team
from connections.outbound import OutboundError, identity
from tests.unit.actions import api
from tests.unit.oauth.certificates import Authority
from tests.unit.oauth.loopback import Server

PASSPHRASE = "open sesame, twice"


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    own = Authority.new(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(own.file))
    identity._shared.cache_clear()
    outbound.configure(private_hosts_allowed=["127.0.0.1", "localhost"])
    yield own
    identity._shared.cache_clear()


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def strict(authority: Authority, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server that lets nobody in without a certificate of the authority."""
    context = authority.server("127.0.0.1", "localhost")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    context.minimum_version = context.maximum_version = request.param
    with Server(tls=context) as server:
        server.json({"access_token": "a-new-token", "expires_in": 3600})
        yield server


def locked(key: str) -> str:
    opened = serialization.load_pem_private_key(key.encode(), None)
    cipher = serialization.BestAvailableEncryption(PASSPHRASE.encode())
    private = serialization.PrivateFormat.PKCS8
    return opened.private_bytes(serialization.Encoding.PEM, private, cipher).decode()


def steps_of(connection: Connection, by: Actor) -> list[Step]:
    return list(connection_tests.run(Candidate(connection, stored=connection), by=by))


def failed(steps: list[Step]) -> Step:
    return next(step for step in steps if step.ok is False)


def test_tls_certificate_and_tls_key(team: Team, by: Actor, authority: Authority, strict: Server) -> None:
    certificate, key = authority.issue("gatehouse")
    connection = api.connection(team, strict, tls_certificate=certificate, tls_key=key, ping_path="/t")

    assert calls.perform(connection, Request("GET", "/"), by=by).status == 200
    assert connection_tests.passed(steps_of(connection, by))


def test_tls_passphrase(team: Team, by: Actor, authority: Authority, strict: Server) -> None:
    certificate, key = authority.issue("gatehouse")
    fields = {"tls_certificate": certificate, "tls_key": locked(key), "ping_path": "/t"}

    assert connection_tests.passed(steps_of(api.connection(team, strict, tls_passphrase=PASSPHRASE, **fields), by))
    for wrong in ({"tls_passphrase": "open barley"}, {}):
        step = failed(steps_of(api.connection(team, strict, **fields, **wrong), by))
        assert "The client certificate, its key and the passphrase do not fit together." in step.detail
        assert PASSPHRASE not in step.detail + step.hint


def test_a_key_of_another_certificate_is_told(team: Team, by: Actor, authority: Authority, strict: Server) -> None:
    (certificate, _), (_, other) = authority.issue("a"), authority.issue("b")

    step = failed(steps_of(api.connection(team, strict, tls_certificate=certificate, tls_key=other), by))

    assert "do not fit together" in step.detail


def test_a_missing_certificate_is_told(team: Team, by: Actor, strict: Server) -> None:
    step = failed(steps_of(api.connection(team, strict, ping_path="/t"), by))

    assert "TLS client certificate" in step.detail
    assert strict.asked == []


def test_a_certificate_of_somebody_else_is_told(team: Team, by: Actor, strict: Server, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    certificate, key = Authority.new(tmp_path / "other").issue("gatehouse")

    step = failed(steps_of(api.connection(team, strict, tls_certificate=certificate, tls_key=key, ping_path="/t"), by))

    assert "TLS client certificate" in step.detail
    assert strict.asked == []


def test_the_token_endpoint_sees_it_on_the_same_host(
    team: Team, by: Actor, authority: Authority, strict: Server
) -> None:
    certificate, key = authority.issue("gatehouse")
    connection = api.authorized(team, strict, tls_certificate=certificate, tls_key=key)

    grants.refresh(connection, by=by)

    assert [asked.path for asked in strict.asked] == ["/token"]


def test_no_other_host_sees_it(team: Team, by: Actor, authority: Authority, strict: Server) -> None:
    certificate, key = authority.issue("gatehouse")
    connection = api.connection(team, strict, tls_certificate=certificate, tls_key=key)

    assert outgoing.identity(connection, f"https://localhost:{strict.port}/token") is None
    assert outgoing.identity(connection, f"{strict.url}/token") is not None


def test_the_key_is_in_no_error(team: Team, by: Actor, authority: Authority, strict: Server) -> None:
    certificate, key = authority.issue("gatehouse")
    connection = api.connection(team, strict, tls_certificate=certificate, tls_key=locked(key))

    with pytest.raises(OutboundError) as caught:
        calls.perform(connection, Request("GET", "/"), by=by)

    assert "PRIVATE" not in f"{caught.value!r} {caught.value.__context__!r} {caught.value.__cause__!r}"
