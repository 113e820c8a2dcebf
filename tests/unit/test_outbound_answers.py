"""What may come back: size, time, redirects, broken servers, and what errors must not tell."""

import copy
import gzip
import logging
import threading
import time
import traceback
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from requests.auth import HTTPDigestAuth

from connections import outbound
from connections.outbound import OutboundError, policy
from tests.unit.oauth.loopback import Server

SENTINEL = "s3ntinel-Value"


@pytest.fixture(autouse=True)
def loopback_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_policy", policy._policy)  # so that the app's own comes back afterwards
    outbound.configure(private_hosts_allowed=["127.0.0.1"])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def failing(url: str, **kwargs: Any) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        outbound.request("GET", url, **kwargs)
    return caught.value


def raw(server: Server, *parts: bytes, pause: float = 0.0) -> None:
    """Answer with these bytes, just so, a pause between them, and hang up."""

    def respond(handler: Any) -> None:
        handler.close_connection = True
        for part in parts:
            handler.wfile.write(part)
            handler.wfile.flush()
            time.sleep(pause)

    server.respond = respond


def test_an_answer_comes_back_whatever_its_status(server: Server) -> None:
    server.answer(404, b"no", "text/plain", x_request_id="r-1")

    answer = outbound.request("GET", server.url + "/a", params={"q": "1 2|3"}, headers={"X-One": "1"})

    assert (answer.status, answer.body, answer.headers["X-Request-ID"]) == (404, b"no", "r-1")
    assert answer.host == f"127.0.0.1:{server.port}"
    assert server.asked[0].path == "/a?q=1+2%7C3"
    assert server.asked[0].headers["X-One"] == "1"


def test_the_repr_of_an_answer_shows_neither_body_nor_headers(server: Server) -> None:
    server.answer(200, SENTINEL, x_token=SENTINEL)

    answer = outbound.request("GET", server.url)

    assert SENTINEL not in repr(answer)
    assert SENTINEL not in str(answer)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "HEAD"])
def test_methods_and_bodies_arrive(server: Server, method: str) -> None:
    outbound.request(method, server.url, data=b"<a/>" if method in {"POST", "PUT"} else None)

    assert server.asked[0].method == method
    assert server.asked[0].body == (b"<a/>" if method in {"POST", "PUT"} else b"")


def test_digest_authentication_goes_through_the_guard(server: Server) -> None:
    server.answer(401, www_authenticate='Digest realm="r", nonce="n", qop="auth"')

    outbound.request("GET", server.url, auth=HTTPDigestAuth("ann", "pw"))

    assert [asked.headers.get("Authorization", "")[:6] for asked in server.asked] == ["", "Digest"]


def test_environment_proxies_and_netrc_are_not_used(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine 127.0.0.1 login ann password {SENTINEL}\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")

    outbound.request("GET", server.url)

    assert "Authorization" not in server.asked[0].headers


# Size


def test_a_body_over_the_cap_is_refused(server: Server) -> None:
    server.answer(200, b"x" * 2001)

    assert failing(server.url, max_bytes=2000).code == "too_large"


def test_a_body_of_just_the_cap_passes(server: Server) -> None:
    server.answer(200, b"x" * 2000)

    assert len(outbound.request("GET", server.url, max_bytes=2000).body) == 2000


@pytest.mark.parametrize("coding", ["gzip", "deflate", "gzip, gzip"])
def test_a_compression_bomb_is_refused_and_never_held_in_memory(server: Server, coding: str) -> None:
    packed = zlib.compress(b"\0" * 50_000_000) if coding == "deflate" else gzip.compress(b"\0" * 50_000_000)
    if coding == "gzip, gzip":
        packed = gzip.compress(packed)
    server.answer(200, packed, content_encoding=coding)
    tracemalloc.start()
    error = failing(server.url, max_bytes=100_000)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert error.code == "too_large"
    assert peak < 5_000_000


def test_a_compressed_body_is_given_unpacked(server: Server) -> None:
    server.answer(200, gzip.compress(b"hello"), content_encoding="gzip")

    assert outbound.request("GET", server.url).body == b"hello"


@pytest.mark.parametrize(
    ("start", "endless"),
    [
        (b"", b"0" * 65536),  # the size of the first chunk, with leading zeros for ever
        (b"0\r\n", b"X: y\r\n" * 8192),  # trailers behind the last chunk
        (b"1;", b"x" * 65536),  # an extension of a chunk
    ],
)
def test_framing_without_end_is_cut_off(server: Server, start: bytes, endless: bytes) -> None:
    def respond(handler: Any) -> None:
        handler.close_connection = True
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + start)
        while True:
            handler.wfile.write(endless)

    server.respond = respond

    assert failing(server.url, max_bytes=1000, deadline=5).code in {"too_large", "broken"}


def test_a_guarded_session_caps_every_way_of_sending(server: Server) -> None:
    server.answer(200, b"x" * 2001)
    session = outbound.guard(requests.Session(), max_bytes=2000)

    with session, pytest.raises(OutboundError) as caught:
        session.get(server.url, stream=True)

    assert caught.value.code == "too_large"


# Time


@pytest.mark.parametrize(
    "parts",
    [
        [b"HTTP/1.1 200 OK\r\n"] + [b"X"] * 40,
        [b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n"] + [b"x"] * 40,
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"] + [b"1\r\nx\r\n"] * 40,
        [b"HTTP/1.1 100 Continue\r\n\r\n"] * 40,
    ],
    ids=["headers", "body", "chunks", "interim answers"],
)
def test_a_server_that_drips_is_cut_off_at_the_deadline(server: Server, parts: list[bytes]) -> None:
    raw(server, *parts, pause=0.05)
    started = time.monotonic()

    error = failing(server.url, deadline=0.3)

    assert error.code == "timeout"
    assert time.monotonic() - started < 1.5


def test_a_server_that_never_answers_is_cut_off_at_the_deadline(server: Server) -> None:
    done = threading.Event()
    server.respond = lambda handler: done.wait(5)  # type: ignore[assignment]

    error = failing(server.url, deadline=0.2)
    done.set()

    assert error.code == "timeout"


# Redirects


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_never_carries_a_secret_to_another_server(server: Server, status: int) -> None:
    with Server() as other:
        server.answer(status, location=f"{other.url}/steal?{SENTINEL}")

        with pytest.raises(OutboundError) as caught:
            outbound.request("POST", server.url, data={"client_secret": SENTINEL})

        assert caught.value.code == "redirect"
        assert f"127.0.0.1:{other.port}" in caught.value.detail
        assert SENTINEL not in "".join(traceback.format_exception(caught.value))
        assert other.asked == []


def test_a_redirect_is_an_answer_where_that_is_asked_for(server: Server) -> None:
    with Server() as other:
        server.answer(302, b"there", location=other.url)

        answer = outbound.request("GET", server.url, redirects="return")

        assert (answer.status, answer.headers["location"]) == (302, other.url)
        assert other.asked == []


@pytest.mark.parametrize("location", ["http://[broken", "//", "\\\\x", "javascript:alert(1)"])
def test_a_nonsensical_redirect_is_only_returned_or_refused(server: Server, location: str) -> None:
    server.answer(302, location=location)

    assert failing(server.url).code == "redirect"
    assert outbound.request("GET", server.url, redirects="return").status == 302


def test_a_session_made_here_follows_no_redirect(server: Server) -> None:
    with Server() as other, outbound.session(redirects="return") as session:
        server.answer(302, location=other.url)

        assert session.get(server.url, allow_redirects=True).status_code == 302
        assert other.asked == []


# Broken servers and what errors tell


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 200 + b"\r\n",
    ],
    ids=["nothing", "not http", "cut short", "bad chunk", "bad gzip", "two lengths", "long header", "many headers"],
)
def test_a_broken_answer_is_one_plain_error(server: Server, answer: bytes) -> None:
    raw(server, answer)

    error = failing(server.url, deadline=2)

    assert error.code == "broken"
    assert error.__context__ is None


def test_nobody_listening_is_a_connect_error() -> None:
    assert failing("http://127.0.0.1:1/").code == "connect"


@pytest.mark.parametrize(
    "sending",
    [
        {"params": {"token": SENTINEL}},
        {"headers": {"Authorization": f"Bearer {SENTINEL}"}},
        {"headers": {"Authorization": f"Bearer {SENTINEL}\nX: y"}},
        {"headers": {"Authorization": f"Bearer {SENTINEL}\u2026"}},
        {"headers": {f"{SENTINEL}: x\n": "y"}},
        {"data": {"client_secret": SENTINEL}},
    ],
)
def test_no_error_quotes_what_was_sent(sending: dict[str, Any]) -> None:
    error = failing("http://127.0.0.1:1/" + SENTINEL, **sending)

    told = "".join(traceback.format_exception(error)) + repr(error) + str(error) + repr(error.__context__)
    assert SENTINEL not in told
    assert error.__context__ is None
    assert error.code in {"connect", "broken"}


def test_no_log_line_holds_a_query_even_at_debug(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("urllib3.connectionpool").setLevel(logging.DEBUG)

    outbound.request("GET", server.url, params={"token": SENTINEL}, headers={"X-Key": SENTINEL})

    assert SENTINEL not in caplog.text


def test_an_error_survives_pickling() -> None:
    error = copy.copy(OutboundError("tls", "a.example", "Its certificate has expired."))

    assert (error.code, error.host, error.detail) == ("tls", "a.example", "Its certificate has expired.")
