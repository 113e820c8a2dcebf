"""What is handed on bit by bit: byte for byte, at once, with flat memory, and never silently short."""

from __future__ import annotations

import gzip
import threading
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest

from connections import outbound
from connections.oauth.schemes import Digest
from connections.outbound import Upload, policy
from tests.unit.oauth.loopback import Server
from tests.unit.streaming import failing, raw, send

SENTINEL = "s3ntinel-Value"


@pytest.fixture(autouse=True)
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_policy", policy._policy)
    outbound.configure(private_hosts_allowed=["127.0.0.1"])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


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
