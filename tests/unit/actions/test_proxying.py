"""The proxy: what goes out through a connection, and what comes back."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from connections import outbound
from connections.actions.errors import GrantError
from connections.actions.proxying import IN_HAND, REPEATABLE, CallError, UploadError
from connections.models import Actor, Team
from connections.outbound import OutboundError, Upload
from tests.unit.actions import api
from tests.unit.actions.proxied import call, upload
from tests.unit.oauth.loopback import Server

TOKEN = "the-access-token-of-the-tests"


@pytest.fixture
def server() -> Iterator[Server]:
    with api.running() as running:
        yield running


# Where to


@pytest.mark.parametrize(
    ("base", "path", "sent"),
    [
        ("", "", "/"),
        ("", "?", "/?"),
        ("/v1", "", "/v1"),
        ("/v1/", "", "/v1/"),
        ("/v1/", "?a=1", "/v1/?a=1"),
        ("/v1", "/", "/v1/"),
        ("/v1/", "/orders", "/v1/orders"),
        ("/v1", "/orders/", "/v1/orders/"),
        ("/v1", "/a%2fb%2Fc", "/v1/a%2fb%2Fc"),
        ("/v1", "/%e2%82%ac%E2%82%AC%ff", "/v1/%e2%82%ac%E2%82%AC%ff"),
        ("/v1", "/a//b///", "/v1/a//b///"),
        ("/v1", "/a;v=1;w/b+c d".replace(" ", "%20"), "/v1/a;v=1;w/b+c%20d"),
        ("/v1", "/a%0Ab%00", "/v1/a%0Ab%00"),
        ("/v1", "/users/@me/bob@example.com", "/v1/users/@me/bob@example.com"),
        ("/v1", "/a...b/.../.well-known/..a", "/v1/a...b/.../.well-known/..a"),
        ("/v1", "/a?b=../c&d=//e&f=%2e%2e?g=https://h", "/v1/a?b=../c&d=//e&f=%2e%2e?g=https://h"),
        ("/v1", "/save/https://a.example/", "/v1/save/https://a.example/"),
        ("/v1?tenant=7", "/a?", "/v1/a?tenant=7"),
        ("/v1?tenant=7", "/a?b=%7c|", "/v1/a?tenant=7&b=%7c|"),
    ],
)
def test_the_path_is_kept_byte_for_byte(team: Team, by: Actor, server: Server, base: str, path: str, sent: str) -> None:
    call(api.connection(team, server, base_uri=server.url + base), by, path=path)

    assert server.asked[0].path == sent


@pytest.mark.parametrize(
    "path",
    [
        "/..", "/../x", "/a/../../x", "/./x", "/a/..", "/%2e%2e/x", "/%2E./x", "/.%2e", "/%252e%252e/x", "/%25252e%25252e/x",
        "/a/%2e%2e%2fx", "/..%2fx", "/..;/x", "/..;a=b/x", "/%2e%2e%3bx/y", "/..%00/x", "/..%20/x", "/..%5cx", "/%5c..%5cx",
        "/..%255cx", "\\..\\x", "/a\\b", "/%c0%ae%c0%ae/x", "/%C0%AE./x", "/..%c0%afx", "/%e0%80%ae%e0%80%ae/x",
        "//evil.example/x", "///x", "//", "https://evil.example/", "/https://evil.example/", "/http:/evil.example", "/a#b", "/a?b#c",
        "/a\r\nX-Injected: 1", "/a?b\nc", "/a\x00",
    ],
)  # fmt: skip
def test_a_path_that_climbs_reaches_nobody(team: Team, by: Actor, server: Server, path: str) -> None:
    with pytest.raises(CallError) as caught:
        call(api.connection(team, server, base_uri=f"{server.url}/v1"), by, path=path)

    assert caught.value.code == "invalid_request"
    assert server.asked == []


def test_an_at_sign_is_no_way_to_another_host(team: Team, by: Actor, server: Server) -> None:
    for path in ("@evil.example/", "/@evil.example/", ":80@evil.example/"):
        call(api.connection(team, server), by, path=path)

    assert [asked.path for asked in server.asked] == ["/@evil.example/", "/@evil.example/", "/:80@evil.example/"]


def test_no_private_address_is_reached(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server, base_uri=server.url.replace("http:", "https:"))
    outbound.configure(private_hosts_allowed=[])

    with pytest.raises(OutboundError) as caught:
        call(connection, by)

    assert caught.value.code == "address_refused"


# What goes out


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH"])
@pytest.mark.parametrize("kind", ["none", "bytes", "known", "chunks", "long"])
def test_any_method_with_any_body(team: Team, by: Actor, server: Server, method: str, kind: str) -> None:
    long = b"x" * (REPEATABLE + 1)
    bodies: dict[str, Any] = {
        "none": b"",
        "bytes": b"\x00\xffraw",
        "known": upload(b"one", b"two", length=6),
        "chunks": upload(b"one", b"two"),
        "long": upload(*[long[at : at + 65536] for at in range(0, len(long), 65536)], length=len(long)),
    }
    sent = {"none": b"", "bytes": b"\x00\xffraw", "known": b"onetwo", "chunks": b"onetwo", "long": long}
    server.answer(207, b"done")

    got = call(api.connection(team, server), by, method, "/x", body=bodies[kind])

    asked = server.asked[0]
    assert (asked.method, asked.body == sent[kind]) == (method, True)
    assert ("Transfer-Encoding" in asked.headers) == (kind == "chunks")
    assert (got.status, got.body) == (207, b"" if method == "HEAD" else b"done")


@pytest.mark.parametrize("method", ["TRACE", "trace", "CONNECT", "A B", "GET\r\nX: 1", ""])
def test_a_method_that_shows_or_tunnels_is_refused(team: Team, by: Actor, server: Server, method: str) -> None:
    with pytest.raises(CallError) as caught:
        call(api.connection(team, server), by, method)

    assert (caught.value.code, server.asked) == ("invalid_request", [])


def test_the_callers_headers_go_out_but_for_those_that_are_not_the_providers(
    team: Team, by: Actor, server: Server
) -> None:
    kept = {
        "X-Trace": "7", "Accept": "application/pdf", "Accept-Language": "de", "If-None-Match": '"a"', "Range": "bytes=0-9",
        "User-Agent": "them/1", "Content-Type": "text/csv", "Prefer": "wait=1", "Idempotency-Key": "k", "Origin": "https://a.example",
    }  # fmt: skip
    dropped = {
        "authorization": "Bearer gth_key", "Cookie": "session=1", "Cookie2": "x", "Host": "evil.example", "Connection": "close, X-Hop",
        "X-Hop": "1", "Keep-Alive": "9", "Proxy-Authorization": "Basic x", "Proxy-Connection": "x", "TE": "trailers", "Trailer": "X",
        "Upgrade": "websocket", "Expect": "100-continue", "Forwarded": "for=1.2.3.4", "Via": "1.1 front", "X-Real-IP": "1.2.3.4",
        "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "h", "X-Forwarded-Proto": "https", "Gatehouse-Anything": "1",
        "Transfer-Encoding": "chunked", "Content-Length": "999",
    }  # fmt: skip

    call(api.connection(team, server), by, "POST", body=b"abc", headers=kept | dropped)

    sent = server.asked[0].headers
    assert {name: sent.get(name) for name in kept} == kept
    ours = {"Host": f"127.0.0.1:{server.port}", "Content-Length": "3", "Accept-Encoding": "identity"}
    assert {name: sent[name] for name in sent if name not in kept} == ours


def test_the_connections_own_headers_win(team: Team, by: Actor, server: Server) -> None:
    connection = api.connection(team, server, headers=[["X-Tenant", "bolt"], ["User-Agent", "ours/1"]])

    call(connection, by, headers={"x-tenant": "theirs", "user-agent": "theirs/1", "Connection": "X-Tenant"})

    sent = server.asked[0].headers
    assert (sent["X-Tenant"], sent["User-Agent"]) == ("bolt", "ours/1")


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("gzip, deflate, br, zstd", "gzip, deflate"),
        ("GZIP;q=0.5, *;q=0", "GZIP;q=0.5"),
        ("br", "identity"),
        ("", "identity"),
    ],
)
def test_only_encodings_that_can_be_looked_into_are_asked_for(
    team: Team, by: Actor, server: Server, asked: str, sent: str
) -> None:
    call(api.connection(team, server), by, headers={"Accept-Encoding": asked} if asked else {})

    assert server.asked[0].headers["Accept-Encoding"] == sent


# Proof of who asks


def proof(team: Team, server: Server, kind: str) -> Any:
    fields: dict[str, dict[str, Any]] = {
        "oauth2 header": {},
        "oauth2 query": {"token_location": "query", "token_param": "key"},
        "oauth2 body": {"token_location": "body"},
        "token": {"auth_type": "token", "token": TOKEN, "token_header": "X-Key", "token_scheme": ""},
        "token body": {"auth_type": "token", "token": TOKEN, "token_location": "body"},
        "basic": {"auth_type": "basic", "username": "ann", "password": "pw"},
        "digest": {"auth_type": "digest", "username": "ann", "password": "pw"},
        "wsse": {"auth_type": "wsse", "username": "ann", "password": "pw", "wsse_header": "X-WSSE"},
        "jwt": {"auth_type": "jwt", "jwt_algorithm": "HS256", "jwt_secret": "s" * 32, "jwt_payload": '{"sub": "a"}'},
        "cookie": {"auth_type": "cookie", "cookie_method": "GET", "cookie_url": f"{server.url}/login"},
        "oauth1": {
            "auth_type": "oauth1", "oauth1_signature_method": "HMAC-SHA1", "oauth1_consumer_key": "k",
            "oauth1_consumer_secret": "secret", "oauth1_token": "t", "oauth1_token_secret": "secret2",
        },
        "custom": {
            "auth_type": "custom", "encrypted_fields": '{"key": "k3y-of-the-tests"}', "custom_headers": [["X-Key", "{{ encrypted.key }}"]],
            "custom_query": [["q", "{{ encrypted.key }}"]],
        },
        "custom body": {
            "auth_type": "custom", "encrypted_fields": '{"key": "k3y-of-the-tests"}', "custom_body": [["k", "{{ encrypted.key }}"]],
        },
    }  # fmt: skip
    make = api.authorized if kind.startswith("oauth2") else api.connection
    return make(team, server, **fields[kind])


PROOFS = {
    "oauth2 header": lambda asked: asked.headers["Authorization"] == f"Bearer {TOKEN}",
    "oauth2 query": lambda asked: asked.path == f"/x%2f?a=1&key={TOKEN}",
    "oauth2 body": lambda asked: json.loads(asked.body)["access_token"] == TOKEN,
    "token": lambda asked: asked.headers["X-Key"] == TOKEN,
    "token body": lambda asked: json.loads(asked.body)["access_token"] == TOKEN,
    "basic": lambda asked: asked.headers["Authorization"].startswith("Basic "),
    "digest": lambda asked: _is_digest(asked),
    "wsse": lambda asked: "PasswordDigest" in asked.headers["X-WSSE"],
    "jwt": lambda asked: asked.headers["Authorization"].startswith("Bearer ey"),
    "cookie": lambda asked: asked.headers["Cookie"] == "sid=1",
    "oauth1": lambda asked: "oauth_signature=" in asked.headers["Authorization"],
    "custom": lambda asked: (asked.headers["X-Key"], asked.path) == ("k3y-of-the-tests", "/x%2f?a=1&q=k3y-of-the-tests"),
    "custom body": lambda asked: json.loads(asked.body)["k"] == "k3y-of-the-tests",
}  # fmt: skip


def _is_digest(asked: Any) -> bool:
    """Right for ann and "pw" at the path and query that were asked for."""
    said = dict(re.findall(r'(\w+)="?([^",]*)"?', asked.headers["Authorization"]))

    def h(text: str) -> str:
        return hashlib.md5(text.encode()).hexdigest()  # noqa: S324

    rest = f"{said['nonce']}:{said['nc']}:{said['cnonce']}:auth:{h(f'{asked.method}:{asked.path}')}"
    return said["response"] == h(f"{h('ann:r:pw')}:{rest}")


@pytest.mark.parametrize("kind", PROOFS)
def test_every_authentication_type_goes_with_the_request(team: Team, by: Actor, server: Server, kind: str) -> None:
    def respond(handler: Any) -> None:
        needs = kind == "digest" and "Authorization" not in handler.headers
        handler.send_response(401 if needs else 200)
        if needs:
            handler.send_header("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="auth"')
        handler.send_header("Set-Cookie", "sid=1")
        handler.send_header("Content-Length", "2")
        handler.end_headers()
        handler.wfile.write(b"ok")

    server.respond = respond
    parts = upload(b'{"a": ', b"1}")
    headers = {"Authorization": "Bearer theirs", "Content-Type": "application/json", "Cookie": "theirs=1"}

    got = call(proof(team, server, kind), by, "POST", "/x%2f?a=1", body=parts, headers=headers)

    assert (got.status, got.body) == (200, b"ok")
    asked = server.asked[-1]
    assert PROOFS[kind](asked)
    assert json.loads(asked.body)["a"] == 1
    assert "theirs" not in str(asked.headers)


@pytest.mark.parametrize("kind", ["oauth2 body", "digest", "oauth1", "custom body"])
def test_a_body_that_the_authentication_reads_has_a_limit(team: Team, by: Actor, server: Server, kind: str) -> None:
    read = [0]

    def endless(size: int) -> bytes:
        read[0] += size
        return b"x" * size

    for length in (None, IN_HAND + 1):
        with pytest.raises(CallError) as caught:
            call(proof(team, server, kind), by, "POST", body=Upload(endless, length))
        assert caught.value.code == "too_large" and "5 MB" in str(caught.value)

    assert server.asked == []
    assert read[0] < 2 * IN_HAND


def test_oauth_1_does_not_read_what_is_no_form(team: Team, by: Actor, server: Server) -> None:
    size = IN_HAND + 65536
    body = Upload(lambda wanted: b"x" * wanted, size)

    call(proof(team, server, "oauth1"), by, "POST", body=body, headers={"Content-Type": "video/mp4"})

    assert len(server.asked[0].body) == size
    assert "oauth_signature=" in server.asked[0].headers["Authorization"]


def test_without_a_grant_nothing_is_sent(team: Team, by: Actor, server: Server) -> None:
    connection = api.authorized(team, server)
    connection.grant.delete()

    with pytest.raises(GrantError) as caught:
        call(connection, by)

    assert (caught.value.code, server.asked) == ("not_authorized_yet", [])


def test_a_caller_that_breaks_off_is_no_whole_request(team: Team, by: Actor, server: Server) -> None:
    for length in (10, REPEATABLE + 10, None):
        source = [b"abc"]

        def read(size: int, source: list[bytes] = source) -> bytes:
            if not source:
                raise ConnectionResetError
            return source.pop()

        with pytest.raises(UploadError):
            call(api.connection(team, server), by, "POST", body=Upload(read, length))

    assert server.asked == []


# What comes back


def test_the_answer_comes_as_it_came(team: Team, by: Actor, server: Server) -> None:
    packed = gzip.compress(b"hello")
    server.answer(418, packed, "text/x; a=b", content_encoding="gzip", x_one="1", set_cookie="a=1")

    got = call(api.connection(team, server), by, headers={"Accept-Encoding": "gzip"})

    assert (got.status, got.body, got.verdict) == (418, packed, "")
    told = {name.lower(): value for name, value in got.headers}
    assert {
        "content-type": "text/x; a=b",
        "content-encoding": "gzip",
        "x-one": "1",
        "set-cookie": "a=1",
    }.items() <= told.items()


@pytest.mark.parametrize("status", [301, 302, 304, 307])
def test_a_redirect_is_the_callers_to_follow(team: Team, by: Actor, server: Server, status: int) -> None:
    server.answer(status, b"", location="https://elsewhere.example/")

    got = call(api.authorized(team, server), by)

    assert (got.status, dict(got.headers)["location"], len(server.asked)) == (status, "https://elsewhere.example/", 1)
