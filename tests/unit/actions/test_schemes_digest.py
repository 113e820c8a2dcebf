"""Digest: which challenge is answered, and that the answer is right for the algorithms Apache does not have."""

import hashlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from connections import outbound
from connections.oauth import schemes
from tests.unit.oauth.loopback import Server

BASIC = 'Basic realm="r"'
MD5 = 'Digest realm="r", nonce="n1", algorithm=MD5, qop="auth"'
SHA256 = 'Digest realm="r", nonce="n2", algorithm=SHA-256, qop="auth"'
SHA512_256 = 'Digest realm="r", nonce="n3", algorithm=SHA-512-256, qop="auth"'
INTEGRITY = 'Digest realm="r", nonce="n4", qop="auth-int"'
OLD = 'Digest realm="r", nonce="n5"'


@pytest.mark.parametrize(
    ("challenges", "expected"),
    [
        ([MD5], MD5),
        ([BASIC, MD5], MD5),
        ([MD5, BASIC], MD5),
        ([SHA256, MD5], SHA256),
        ([SHA512_256, SHA256, MD5], SHA256),
        ([INTEGRITY, MD5], MD5),
        ([OLD], OLD),
        ([BASIC], ""),
        ([SHA512_256], ""),
        ([INTEGRITY], ""),
        ([""], ""),
    ],
)
def test_the_first_challenge_that_can_be_answered_is(challenges: list[str], expected: str) -> None:
    assert schemes.pick_challenge(", ".join(challenges)) == expected


@pytest.mark.parametrize("qop", ['"auth,auth-int"', '"auth-int, auth"', "auth", '"AUTH"'])
def test_auth_is_chosen_among_the_protections(qop: str) -> None:
    assert (
        schemes.pick_challenge(f'Digest realm="r", qop={qop}, nonce="n"') == 'Digest realm="r", qop="auth", nonce="n"'
    )


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        outbound.configure(private_hosts_allowed=[f"127.0.0.1:{server.port}"])
        yield server


def judge(server: Server, challenge: str, digest: str) -> None:
    """Let the answer to `challenge` in where it is what RFC 7616 §3.4.1 reckons for ann and "pw"."""

    def h(text: str) -> str:
        return hashlib.new(digest, text.encode()).hexdigest()

    def respond(handler: Any) -> None:
        asked = server.asked[-1]
        said = dict(re.findall(r'(\w+)="?([^",]+)', asked.headers.get("Authorization", "")))
        ha1, ha2 = h("ann:r:pw"), h(f"{asked.method}:{asked.path}")
        middle = f"{said.get('nonce')}:{said.get('nc')}:{said.get('cnonce')}:auth"
        good = said.get("response") == h(f"{ha1}:{middle}:{ha2}")
        handler.send_response(200 if good else 401)
        handler.send_header("Content-Length", "0")
        if not good:
            handler.send_header("WWW-Authenticate", challenge)
        handler.end_headers()

    server.respond = respond


@pytest.mark.parametrize(("challenge", "digest"), [(SHA256, "sha256"), (f"{BASIC}, {SHA512_256}, {MD5}", "md5")])
def test_the_answer_to_the_challenge_is_let_in(server: Server, challenge: str, digest: str) -> None:
    judge(server, challenge, digest)

    answer = outbound.request("POST", f"{server.url}/a?b=c", data=b"body", auth=schemes.Digest("ann", "pw"))

    assert answer.status == 200
    assert [asked.body for asked in server.asked] == [b"body", b"body"]


@pytest.mark.parametrize("challenge", [BASIC, SHA512_256, ""])
def test_without_a_challenge_the_refusal_stands_and_nothing_more_is_sent(server: Server, challenge: str) -> None:
    server.answer(401, **{"www-authenticate": challenge})

    answer = outbound.request("GET", server.url, auth=schemes.Digest("ann", "pw"))

    assert (answer.status, len(server.asked)) == (401, 1)


def test_a_wrong_password_is_sent_once(server: Server) -> None:
    judge(server, SHA256, "sha256")

    assert outbound.request("GET", server.url, auth=schemes.Digest("ann", "guess")).status == 401
    assert len(server.asked) == 2
