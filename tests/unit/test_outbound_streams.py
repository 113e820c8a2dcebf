"""What is handed on bit by bit: byte for byte, at once, with flat memory, and never silently short."""

from __future__ import annotations

import gzip
import logging
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connections import outbound
from connections.oauth.schemes import Digest
from connections.outbound import Limits, OutboundError, Upload, UploadError, identity, policy, streams
from tests.unit.oauth.certificates import Authority
from tests.unit.oauth.loopback import Server

SENTINEL = "s3ntinel-Value"


@pytest.fixture(autouse=True)
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_policy", policy._policy)
    outbound.configure(private_hosts_allowed=["127.0.0.1"])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def send(server: Server, method: str = "GET", path: str = "/", **more: Any) -> outbound.Stream:
    return outbound.stream(method, server.url + path, **{"headers": {}} | more)


def raw(server: Server, *parts: bytes) -> None:
    """Answer with these bytes, just so, and hang up."""

    def respond(handler: Any) -> None:
        handler.close_connection = True
        handler.wfile.write(b"".join(parts))

    server.respond = respond


def failing(stream: Callable[[], outbound.Stream]) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        b"".join(stream())
    return caught.value


# Exactly


@pytest.mark.parametrize(
    "path",
    [
        "/a%2fb", "/a%2Fb", "/%e2%82%ac", "/a+b", "/a;x=1/b;y", "/a//b", "/a/", "/a/?", "/?", "/a?x=1&&y=", "/a?x=%7c|{}",
        "/a?next=http://b/../c", "/a=b@c:d,e!f*(g)'h~i$j", "/a%zz%", "/a%00b", "/[a]^`{|}\"<>",
    ],
)  # fmt: skip
def test_path_and_query_go_out_byte_for_byte(server: Server, path: str) -> None:
    send(server, path=path).close()

    assert server.asked[0].path == path


def test_parameters_go_behind_the_query(server: Server) -> None:
    for path in ("/a", "/a?", "/a?x", "/a?x&"):
        send(server, path=path, params=[("k", "1 2|")]).close()

    assert [asked.path for asked in server.asked] == ["/a?k=1+2%7C", "/a?k=1+2%7C", "/a?x&k=1+2%7C", "/a?x&k=1+2%7C"]


def test_what_digest_signs_is_what_is_sent(server: Server) -> None:
    server.answer(401, b"x" * 10, www_authenticate='Digest realm="r", nonce="n", qop="auth"')

    with_params = send(server, "POST", "/a%2fb;c=1?x=%7c", body=b"body", auth=Digest("ann", "pw"))

    assert b"".join(with_params) == b"x" * 10
    assert [asked.body for asked in server.asked] == [b"body"] * 2
    assert 'uri="/a%2fb;c=1?x=%7c"' in server.asked[1].headers["Authorization"]


def test_a_refusal_that_digest_answers_is_never_held_in_memory(server: Server) -> None:
    packed = gzip.compress(b"\0" * 50_000_000)
    server.answer(401, packed, content_encoding="gzip", www_authenticate='Digest realm="r", nonce="n", qop="auth"')
    tracemalloc.start()
    send(server, auth=Digest("ann", "pw")).close()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(server.asked) == 2
    assert peak < 5_000_000


def test_nothing_is_said_that_was_not_told(server: Server) -> None:
    send(server, headers={"X-One": "1"}).close()

    assert {name.lower(): value for name, value in server.asked[0].headers.items()} == {
        "host": f"127.0.0.1:{server.port}",
        "accept-encoding": "identity",
        "user-agent": "Gatehouse",
        "x-one": "1",
    }


def test_the_answer_comes_as_it_is_on_the_wire(server: Server) -> None:
    packed = gzip.compress(b"hello" * 100)
    head = f"HTTP/1.1 299 Mostly Fine\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\nLink: a\r\nlink: b\r\n\r\n"
    raw(server, head.encode(), packed)

    answer = send(server)

    assert (answer.status, answer.reason, b"".join(answer)) == (299, "Mostly Fine", packed)
    assert [value for name, value in answer.headers if name.lower() == "link"] == ["a", "b"]


def test_an_answer_that_points_elsewhere_is_not_followed(server: Server) -> None:
    server.answer(302, b"moved", location=f"{server.url}/elsewhere")

    assert (send(server).status, len(server.asked)) == (302, 1)


def test_interim_answers_are_passed_over(server: Server) -> None:
    interim = (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    )
    raw(server, interim, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

    answer = send(server)

    assert (answer.status, b"".join(answer), dict(answer.headers)) == (200, b"hi", {"Content-Length": "2"})


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
def test_an_answer_without_a_body_is_over_at_once(server: Server, method: str, status: int) -> None:
    raw(server, f"HTTP/1.1 {status} X\r\nContent-Length: 5\r\n\r\n".encode())

    assert b"".join(send(server, method)) == b""


@pytest.mark.parametrize(
    "head", [b"101 Switching Protocols\r\nUpgrade: x", b"200 OK\r\nTransfer-Encoding: gzip, chunked"]
)
def test_what_nobody_asked_for_is_no_answer(server: Server, head: bytes) -> None:
    raw(server, b"HTTP/1.1 " + head + b"\r\n\r\n5\r\nhello\r\n0\r\n\r\n")

    assert failing(lambda: send(server)).code == "broken"


def test_no_address_beyond_the_policy(server: Server) -> None:
    outbound.configure(private_hosts_allowed=[])

    assert failing(lambda: send(server)).code == "insecure"
    assert failing(lambda: outbound.stream("GET", "https://127.0.0.1/", headers={})).code == "address_refused"
    assert failing(lambda: outbound.stream("GET", f"{server.url}/#a", headers={})).code == "invalid_url"
    assert server.asked == []


# At once


def test_a_part_is_given_before_the_next_one_is_written(server: Server) -> None:
    """In chunks, by length, and until the end of the connection, as event streams come."""
    for head in (b"Transfer-Encoding: chunked", b"Content-Length: 6", b"Connection: close"):
        seen = threading.Semaphore(0)

        def respond(handler: Any, head: bytes = head, seen: threading.Semaphore = seen) -> None:
            handler.close_connection = True
            is_chunked = b"chunked" in head
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n")
            for part in (b"one", b"two"):
                handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if is_chunked else part)
                handler.wfile.flush()
                assert seen.acquire(timeout=10)
            handler.wfile.write(b"0\r\n\r\n" if is_chunked else b"")

        server.respond = respond
        got = []
        for part in send(server):
            got.append(part)
            seen.release()

        assert got == [b"one", b"two"]


def test_a_part_of_an_upload_goes_out_before_the_next_one_is_read(server: Server) -> None:
    arrived = threading.Semaphore(0)
    parts = [b"one", b"two", b""]
    got = []

    def read(size: int) -> bytes:
        if len(parts) < 3:
            assert arrived.acquire(timeout=10)
        return parts.pop(0)

    def respond(handler: Any) -> None:
        for part in handler.parts():
            got.append(part)
            arrived.release()
        handler.send_response(204)
        handler.end_headers()

    server.reads, server.respond = False, respond

    assert send(server, "POST", body=Upload(read, None)).status == 204
    assert got == [b"one", b"two"]
    assert server.asked[0].headers["Transfer-Encoding"] == "chunked"


def test_an_upload_of_known_length_says_so(server: Server) -> None:
    parts = [b"abc", b"def", b""]

    send(server, "PUT", body=Upload(lambda size: parts.pop(0), 6)).close()

    assert (server.asked[0].body, server.asked[0].headers["Content-Length"]) == (b"abcdef", "6")
    assert "Transfer-Encoding" not in server.asked[0].headers


@pytest.mark.parametrize("method", ["DELETE", "POST", "OPTIONS", "PROPFIND"])
def test_no_body_is_no_body(server: Server, method: str) -> None:
    send(server, method).close()

    assert (server.asked[0].method, server.asked[0].body) == (method, b"")


# However large


def test_a_large_download_and_upload_are_not_held_in_memory(server: Server) -> None:
    size, part = 100 * 1024 * 1024, b"x" * 65536
    taken = [0]

    def respond(handler: Any) -> None:
        taken[0] = sum(len(part) for part in handler.parts())
        handler.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode())
        for _ in range(size // len(part)):
            handler.wfile.write(part)

    server.reads, server.respond = False, respond
    tracemalloc.start()
    answer = send(server, "POST", body=Upload(lambda size: part[:size], size))
    given = sum(len(part) for part in answer)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (taken[0], given) == (size, size)
    assert peak < 3_000_000


def test_a_head_without_end_is_cut_off(server: Server) -> None:
    def respond(handler: Any) -> None:
        while True:
            handler.wfile.write(b"HTTP/1.1 103 X\r\nA: b\r\n\r\n" * 1000)

    server.respond = respond

    assert failing(lambda: send(server)).code in ("too_large", "broken")


# Looking into it


def test_what_was_peeked_at_is_still_given(server: Server) -> None:
    server.answer(200, b"0123456789" * 10)

    answer = send(server)

    assert answer.peek(15) == b"012345678901234" and not answer.is_over
    assert b"".join(answer) == b"0123456789" * 10


def test_an_answer_that_was_peeked_to_its_end_holds_no_connection(server: Server) -> None:
    server.answer(200, b"short")

    answer = send(server)

    assert (answer.peek(1000), answer.is_over, b"".join(answer)) == (b"short", True, b"short")


@pytest.mark.parametrize(
    ("coding", "found"), [("", b"hello"), ("Identity", b"hello"), ("gzip", b"plain"), ("deflate", None), ("br", None)]
)
def test_the_beginning_of_a_packed_body_can_be_read(coding: str, found: bytes | None) -> None:
    part = gzip.compress(b"plain" * 1000)[:-8] if coding == "gzip" else b"hello-hello"

    assert outbound.unpacked(part, coding, 5) == found


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


def until(condition: Callable[[], bool]) -> None:
    done = threading.Event()
    for _ in range(1000):
        if condition():
            return
        done.wait(0.01)
    raise AssertionError("waited in vain")
