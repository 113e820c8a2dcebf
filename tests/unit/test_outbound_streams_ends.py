"""How a stream ends: never silently short, never without an end, and at once where nobody wants the rest."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connections import outbound
from connections.outbound import Limits, Upload, UploadError, identity, policy, streams
from tests.unit.oauth.certificates import Authority
from tests.unit.oauth.loopback import Server
from tests.unit.streaming import failing, raw, send, until

SENTINEL = "s3ntinel-Value"


@pytest.fixture(autouse=True)
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_policy", policy._policy)
    outbound.configure(private_hosts_allowed=["127.0.0.1"])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


# Never silently short


@pytest.mark.parametrize(
    "parts",
    [
        (b"Content-Length: 10\r\n\r\n", b"short"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\n"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"9\r\nhello"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nhello\r\nzz\r\n"),
    ],
)
def test_a_body_that_breaks_off_is_told(server: Server, parts: tuple[bytes, ...]) -> None:
    raw(server, b"HTTP/1.1 200 OK\r\n", *parts)

    error = failing(lambda: send(server))

    assert error.code == "broken" and str(server.port) in error.host


def test_an_upload_that_breaks_off_reaches_nobody_as_whole(server: Server) -> None:
    ended: list[BaseException | None] = []

    def respond(handler: Any) -> None:
        try:
            list(handler.parts())
        except (ValueError, ConnectionError) as error:
            ended.append(error)
            raise
        ended.append(None)

    server.reads, server.respond = False, respond

    def breaks(size: int) -> bytes:
        raise ConnectionResetError(SENTINEL)

    def ends(size: int) -> bytes:
        return b""

    for upload in (Upload(breaks, None), Upload(breaks, 10), Upload(ends, 10)):
        with pytest.raises(UploadError) as caught:
            send(server, "POST", body=upload)
        assert SENTINEL not in str(caught.value)

    until(lambda: len(ended) == 3)
    assert None not in ended


def test_an_upload_can_be_had_again_while_it_is_short() -> None:
    def upload(length: int | None, keep: int) -> Upload:
        parts = [b"abc", b"def", b""]
        return Upload(lambda size: parts.pop(0), length, keep=keep)

    half_gone, gone, forgotten = upload(None, 100), upload(6, 100), upload(None, 4)
    assert next(iter(half_gone)) == b"abc"
    assert list(gone) == list(forgotten) == [b"abc", b"def"]

    assert half_gone.whole(100) == gone.whole(6) == b"abcdef"
    assert forgotten.whole(100) is None
    assert upload(6, 0).whole(5) is upload(None, 0).whole(5) is None
    assert upload(None, 0).whole(6) == b"abcdef"


# Time


def test_a_server_that_does_not_answer_is_given_up(server: Server) -> None:
    done = threading.Event()
    server.respond = lambda handler: done.wait(10)  # type: ignore[assignment]

    error = failing(lambda: send(server, limits=Limits(answer=0.2)))
    done.set()

    assert error.code == "timeout"


@pytest.mark.parametrize("limits", [Limits(idle=0.2), Limits(whole=0.3)])
def test_a_server_that_falls_silent_is_given_up(server: Server, limits: Limits) -> None:
    done = threading.Event()

    def respond(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi")
        done.wait(10)

    server.respond = respond

    error = failing(lambda: send(server, limits=limits))
    done.set()

    assert error.code == "timeout"


def test_a_server_that_drips_has_the_whole_limit_and_no_more(server: Server) -> None:
    done = threading.Event()

    def respond(handler: Any) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while not done.wait(0.02):
            handler.wfile.write(b"x")

    server.respond = respond

    error = failing(lambda: send(server, limits=Limits(answer=0.2, whole=0.6)))
    done.set()

    assert error.code == "timeout"


def test_who_waits_is_asked_whether_to_go_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    class EnoughError(Exception):
        pass

    def enough() -> None:
        raise EnoughError

    monkeypatch.setattr(streams, "TICK", 0.01)
    hung_up = threading.Event()

    def respond(handler: Any) -> None:
        if handler.path == "/body":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi")
        assert handler.connection.recv(1) == b""  # until the other side closes
        hung_up.set()

    server.respond = respond
    for path in ("/head", "/body"):
        hung_up.clear()
        with pytest.raises(EnoughError):
            answer = send(server, path=path, on_wait=enough)
            try:
                b"".join(answer)
            finally:
                answer.close()
        assert hung_up.wait(10)


def test_closing_closes_the_connection_to_the_server(server: Server) -> None:
    hung_up = threading.Event()

    def respond(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi")
        assert handler.connection.recv(1) == b""
        hung_up.set()

    server.respond = respond
    answer = send(server)
    assert next(answer) == b"hi"
    answer.close()

    assert hung_up.wait(10)
    assert list(answer) == []


def test_a_malformed_head_is_not_quoted_in_the_log(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    raw(server, b"HTTP/1.1 200 OK\r\nA B\r\n\r\nx")

    send(server, path=f"/?k={SENTINEL}").close()
    outbound.request("GET", f"{server.url}/?k={SENTINEL}")

    assert SENTINEL not in caplog.text


# TLS


def test_all_of_it_over_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts arrive one by one here, too; what the TLS layer has read ahead is not waited for."""
    authority = Authority.new(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    identity._shared.cache_clear()
    seen = threading.Semaphore(0)

    def respond(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in [*handler.parts(), b""]:
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
            assert not part or seen.acquire(timeout=10)

    try:
        with Server(tls=authority.server("127.0.0.1")) as server:
            server.reads, server.respond = False, respond
            parts = [b"a" * 16000, b"b" * 10, b""]
            got = []
            for part in send(server, "POST", body=Upload(lambda size: parts.pop(0), None)):
                got.append(part)
                if sum(map(len, got)) in (16000, 16010):
                    seen.release()
            assert b"".join(got) == b"a" * 16000 + b"b" * 10
    finally:
        identity._shared.cache_clear()
