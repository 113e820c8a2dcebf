"""The proxy's address, through a real gunicorn: who may, where to, what goes out and what comes back."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.test import Client

from connections.actions import usage
from connections.actions.proxying import IN_HAND
from connections.models import Actor, Connection, Event, Membership, Scope, Team, Usage
from tests import factories
from tests.unit.actions import api
from tests.unit.api.served import Caller, Served, Told, ask, plainly
from tests.unit.oauth.loopback import Server

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def caller(served: Served, server: Server, team: Team, by: Actor) -> Caller:
    return Caller(served, api.connection(team, server, base_uri=f"{server.url}/v1"), by)


def problem(told: Told) -> str:
    """The code of a problem, which is the same in the header."""
    assert told.headers["Content-Type"] == "application/problem+json"
    said = json.loads(told.body)
    assert said["status"] == told.status and said["detail"] and said["hint"]
    assert told.headers["Gatehouse-Error"] == said["code"]
    return str(said["code"])


# Who may


def test_a_key_for_the_proxy_opens_it(caller: Caller, server: Server) -> None:
    server.answer(200, b"hello", "text/plain")

    told = caller.ask()

    assert (told.status, told.body, told.headers["Content-Type"]) == (200, b"hello", "text/plain")
    assert "Gatehouse-Error" not in told.headers
    assert caller.key not in str(server.asked)


def test_without_a_good_key_nobody_is_asked(caller: Caller, server: Server) -> None:
    for shown in ("", "Bearer gth_x", "Basic YTpi", f"Bearer {caller.key}x"):
        told = ask(caller.served, "GET", f"{caller.address}/x", [("Authorization", shown)] if shown else [])
        assert (told.status, problem(told)) == (401, "unauthorized")
    assert server.asked == []


def test_other_scopes_do_not_open_the_proxy(caller: Caller, by: Actor, server: Server) -> None:
    others = [scope.value for scope in Scope if scope is not Scope.PROXY]

    told = Caller(caller.served, caller.connection, by, *others).ask("POST", body=b"abc")

    assert (told.status, problem(told), server.asked) == (403, "forbidden", [])


def test_another_teams_connection_is_none(caller: Caller, charlie: Membership, server: Server, by: Actor) -> None:
    stranger = Caller(caller.served, caller.connection, Actor.member(charlie))
    limited = Caller(caller.served, caller.connection, by, only=[api.connection(by.team, server)])
    nowhere = Caller(caller.served, Connection(pk=uuid.uuid4()), by)
    nonsense = Caller(caller.served, caller.connection, by)
    nonsense.address = "/api/v1/connections/x%20y/proxy"

    for each in (stranger, limited, nowhere, nonsense):
        told = each.ask()
        assert (told.status, problem(told)) == (404, "not_found")
    assert server.asked == []


def test_a_session_opens_nothing(caller: Caller, server: Server, alice: Membership) -> None:
    client = Client()
    client.force_login(alice.user)

    answer = client.post(f"{caller.address}/x", "a=1", content_type="application/x-www-form-urlencoded")

    assert (answer.status_code, answer["Gatehouse-Error"], server.asked) == (401, "unauthorized", [])


def test_each_call_is_counted(caller: Caller, server: Server) -> None:
    client = Client(headers={"Authorization": f"Bearer {caller.key}", "User-Agent": "nightly/1"})
    usage.forget()

    for path in ("/x", "/y", "/../z"):
        client.get(caller.address + path).close()
    usage.flush()

    counted = Usage.objects.get()
    assert (counted.kind, counted.count, counted.connection) == ("proxy", 2, caller.connection)
    assert counted.user_agent == "nightly/1"
    assert Connection.objects.get().last_used_at is not None


# Where to


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "/?", "?", "?a=1", "/a", "/a/", "/a%2fb%2Fc", "/%e2%82%ac%ff", "/a//b//", "/a;v=1/b+c%20d", "/a%0Ab%0d%00c", "/a?",
        "/a?b=../c", "/a?b=//h&c=http://h/", "/a=b@c:d,e!f*(g)'h~i$j", "/a%zz", "/[a]^`{|}\"<>?[a]^`{|}\"<>", "/a...b/..c/.d", "/save/https://a.example/",
        "/" + "long/" * 600,
    ],
)  # fmt: skip
def test_the_path_is_kept_byte_for_byte(caller: Caller, server: Server, path: str) -> None:
    told = caller.ask(path=path)

    assert told.status == 200
    # No path is the base URI itself, whichever way it is written.
    assert server.asked[0].path == "/v1" + (path.removeprefix("/") if path in ("/", "/?") else path)


@pytest.mark.parametrize(
    "path",
    [
        "/..", "/../admin", "/a/../../b", "/%2e%2e/admin", "/.%2E/x", "/%252e%252e/x", "/..%2fx", "/..;/x", "/..\\x", "/..%5cx", "/a\\b",
        "//host/x", "//", "/https://evil.example/", "/a#b", "/a?b#c", "/./a", "/%c0%ae%c0%ae/x",
    ],
)  # fmt: skip
def test_a_path_that_climbs_reaches_nobody(caller: Caller, server: Server, path: str) -> None:
    told = caller.ask(path=path)

    assert (told.status, problem(told), server.asked) == (422, "invalid_request", [])


def test_the_absolute_form_is_the_same_request(caller: Caller, server: Server) -> None:
    caller.address = f"{caller.served.url}{caller.address}"

    assert caller.ask(path="/a//b%2fc?d=http://e/f").status == 200
    assert server.asked[0].path == "/v1/a//b%2fc?d=http://e/f"


@pytest.mark.parametrize(
    ("before", "status"),
    [
        ("/api/v1/connections/ID/prox%79", 200),
        ("/api/v1/connections/ID%2fproxy", 422),
        ("/api%2fv1/connections/ID/proxy", 422),
    ],
)
def test_our_half_of_the_address_is_read_in_one_way(caller: Caller, server: Server, before: str, status: int) -> None:
    caller.address = before.replace("ID", str(caller.connection.pk))

    assert caller.ask(path="/a").status == status
    assert [asked.path for asked in server.asked] == (["/v1/a"] if status == 200 else [])


def test_a_server_that_tells_only_what_it_decoded_is_read_safely(caller: Caller, server: Server) -> None:
    client = Client(headers={"Authorization": f"Bearer {caller.key}"})

    for path in ("/a%2fb c", "/%2e%2e/x", "/€"):
        client.get(caller.address + path).close()

    assert [asked.path for asked in server.asked] == ["/v1/a/b%20c", "/v1/%E2%82%AC"]


# What goes out


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
@pytest.mark.parametrize("body", [None, b"", b"\x00raw\xff" * 100, [b"one", b"two" * 1000], []], ids=str)
def test_any_method_with_any_body(caller: Caller, server: Server, method: str, body: Any) -> None:
    server.answer(207, b"done")

    told = caller.ask(method, body=body)

    assert (told.status, told.body) == (207, b"" if method == "HEAD" else b"done")
    assert told.headers["Content-Length"] == "4"
    asked = server.asked[0]
    assert (asked.method, asked.body) == (method, body if isinstance(body, bytes) else b"".join(body or []))


@pytest.mark.parametrize("method", ["TRACE", "CONNECT"])
def test_a_method_that_shows_or_tunnels_is_refused(caller: Caller, server: Server, method: str) -> None:
    told = caller.ask(method)

    assert (told.status, problem(told), server.asked) == (422, "invalid_request", [])


def test_who_expects_100_continue_gets_it(caller: Caller, server: Server) -> None:
    wire = plainly(caller.served, caller.head("POST", "Content-Length: 3", "Expect: 100-continue"))

    assert wire.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    wire.sendall(b"abc")
    assert wire.recv(12) == b"HTTP/1.1 200"
    wire.close()
    assert (server.asked[0].body, "Expect" in server.asked[0].headers) == (b"abc", False)


def test_the_callers_headers_go_out_but_for_those_that_are_not_the_providers(caller: Caller, server: Server) -> None:
    kept = {
        "X-Trace": "7",
        "Accept": "application/pdf",
        "If-None-Match": '"a"',
        "Range": "bytes=0-9",
        "Content-Type": "text/csv",
    }
    dropped = {
        "Cookie": "gatehouse_session=s3cret", "Connection": "keep-alive, X-Hop", "X-Hop": "1", "TE": "trailers", "Upgrade": "h2c",
        "Forwarded": "for=1.2.3.4", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https", "X-Real-IP": "1.2.3.4", "Via": "1.1 x",
        "Gatehouse-Error": "x", "Proxy-Authorization": "Basic x", "Keep-Alive": "timeout=5",
    }  # fmt: skip

    assert caller.ask("POST", headers=kept | dropped, body=b"abc").status == 200

    sent = server.asked[0].headers
    assert {name: sent.get(name) for name in kept} == kept
    assert set(sent) - set(kept) == {"Host", "Content-Length", "Accept-Encoding", "User-Agent"}
    assert sent["Host"] == f"127.0.0.1:{server.port}"


# What comes back


def raw(server: Server, head: bytes, body: bytes = b"") -> None:
    def respond(handler: Any) -> None:
        handler.close_connection = True
        handler.wfile.write(head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)

    server.respond = respond


def test_the_providers_headers_come_back_but_for_those_that_are_not_the_callers(caller: Caller, server: Server) -> None:
    raw(
        server,
        b"HTTP/1.1 299 Mostly Fine\nContent-Type: text/html\nContent-Length: 2\nETag: \"a\"\nLink: <a>; rel=next\nlink: <b>; rel=prev\n"
        b"X-Amzn-RequestId: r1\nRateLimit-Limit: 7\nRetry-After: 3\nContent-Language: de\nX-Latin: caf\xe9\nLocation: https://a.example/\n"
        b"Cache-Control: public, max-age=60, s-maxage=600\n"
        b"Set-Cookie: sid=1\nStrict-Transport-Security: max-age=1\nAccess-Control-Allow-Origin: *\nContent-Security-Policy: script-src *\n"
        b"X-Frame-Options: ALLOWALL\nX-Accel-Redirect: /secret\nX-Sendfile: /etc/passwd\nClear-Site-Data: *\nAlt-Svc: h3=\":1\"\n"
        b"Service-Worker-Allowed: /\nCross-Origin-Resource-Policy: cross-origin\nServer: upstream\nKeep-Alive: timeout=5\n"
        b"Connection: X-Hop\nX-Hop: 1\nUpgrade: h2c\nTrailer: X\nGatehouse-Error: forged\nGatehouse-Verdict: forged\nReport-To: {}",
        b"hi",
    )  # fmt: skip

    told = caller.ask()

    assert (told.status, told.reason, told.body) == (299, "Mostly Fine", b"hi")
    assert {name: value for name, value in told.headers.items() if name not in ("Server", "Date", "Connection")} == {
        "Content-Type": "text/html", "Content-Length": "2", "ETag": '"a"', "Link": "<a>; rel=next, <b>; rel=prev", "X-Amzn-RequestId": "r1",
        "RateLimit-Limit": "7", "Retry-After": "3", "Content-Language": "de", "X-Latin": "café", "Location": "https://a.example/",
        "Cache-Control": "private, max-age=60",
        "Content-Security-Policy": "sandbox; default-src 'none'; frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin", "Referrer-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin-allow-popups",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 999 Request denied\nContent-Length: 2", b"hi"),
        (b"HTTP/1.1 200\nContent-Length: 2", b"hi"),
        (b"HTTP/1.1 200 OK\nContent-Length: 2, 2", b"hi"),
        (b"HTTP/1.1 200 \x01odd\xff\nContent-Length: 2\nX Y: 1\nX-Odd: a\x01b\nX-Fold: a\n b", b"hi"),
        (b"HTTP/1.0 200 OK\nContent-Type: text/plain", b"hi"),
        (b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\nContent-Length: 99", b"2\r\nhi\r\n0\r\nX-Trailer: 1\r\n\r\n"),
    ],
)
def test_an_odd_answer_comes_back_whole(caller: Caller, server: Server, head: bytes, body: bytes) -> None:
    raw(server, head, body)

    told = caller.ask()

    assert (told.status, told.body) == (int(head.split()[1]), b"hi")


@pytest.mark.parametrize(
    ("method", "status"), [("GET", 204), ("GET", 304), ("HEAD", 200), ("HEAD", 404), ("POST", 205)]
)
def test_an_answer_without_a_body_has_none(caller: Caller, server: Server, method: str, status: int) -> None:
    raw(server, f"HTTP/1.1 {status} X\nETag: a\nContent-Length: {0 if status == 205 else 5}".encode())

    told = caller.ask(method)

    assert (told.status, told.body, told.headers["ETag"]) == (status, b"", "a")


def test_a_refusal_after_the_repeat_is_passed_on_with_its_verdict(
    served: Served, server: Server, team: Team, by: Actor
) -> None:
    caller = Caller(served, api.authorized(team, server), by)
    api.answer_in_turn(
        server, (401, {"n": 1}), (200, {"access_token": "second", "expires_in": 9999}), (401, {"n": 2}), (429, {})
    )

    told = caller.ask("POST", body=b"abc")

    assert (told.status, told.body, told.headers["Gatehouse-Verdict"]) == (401, b'{"n": 2}', "unauthorized")
    assert [asked.body for asked in server.asked if asked.path == "/x"] == [b"abc", b"abc"]
    told = caller.ask()
    assert (told.status, told.headers["Gatehouse-Verdict"], "Gatehouse-Error" in told.headers) == (
        429,
        "rate_limited",
        False,
    )


# Failures of our own


def test_failures_of_our_own_are_told_apart(served: Served, server: Server, team: Team, by: Actor) -> None:
    unauthorized = api.authorized(team, server)
    unauthorized.grant.delete()
    full = api.connection(team, server, rate_wait_ms=60_000)
    in_body = api.authorized(team, server, token_location="body")
    private = api.connection(team, server, base_uri="https://10.0.0.1")

    def told(connection: Connection, method: str = "GET", body: Any = None) -> tuple[int, str, bool]:
        answer = Caller(served, connection, by).ask(method, body=body)
        return answer.status, problem(answer), "Retry-After" in answer.headers

    assert told(unauthorized) == (409, "not_authorized_yet", False)
    assert told(in_body) == (422, "invalid_request", False)
    assert told(in_body, "POST", [b"x" * 65536] * (IN_HAND // 65536 + 1)) == (413, "too_large", False)
    assert told(private) == (503, "provider_unavailable", True)
    assert server.asked == []
    Caller(served, full, by).ask()
    assert told(full) == (429, "rate_limited", True)
    refused = Event.objects.get(action="token.refuse")
    assert (refused.object_id, refused.detail["reason"]) == (str(unauthorized.pk), "not_authorized_yet")


def test_a_provider_that_does_not_answer_is_told(served: Served, team: Team, by: Actor) -> None:
    with api.running() as server:
        caller = Caller(served, api.connection(team, server), by)

    told = caller.ask("POST", body=b"abc")

    assert (told.status, problem(told)) == (503, "provider_unavailable")
    assert factories.SENTINEL not in told.body.decode()
