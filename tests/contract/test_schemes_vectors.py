"""Vectors that others published: Basic of RFC 7617, and WSSE as Mark Pilgrim's article on Atom authentication has it."""

import base64
import hashlib
from datetime import UTC, datetime

import pytest

from connections.oauth import schemes

pytestmark = pytest.mark.contract


def test_basic_of_rfc_7617() -> None:
    assert schemes.basic("Aladdin", "open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert schemes.basic("test", "123£") == "Basic dGVzdDoxMjPCow=="  # §2.1, in UTF-8


def test_wsse_of_the_article() -> None:
    nonce, created, password = "d36e316282959a9ed4c89851497a717f", "2003-12-15T14:43:07Z", "taadtaadpstcsm"
    by_hand = base64.b64encode(hashlib.sha1(f"{nonce}{created}{password}".encode()).digest()).decode()  # noqa: S324
    assert by_hand == "quR/EWLAV4xLf9Zqyw4pDmfV9OY="

    header = schemes.wsse("bob", password, nonce=nonce, created=datetime(2003, 12, 15, 14, 43, 7, tzinfo=UTC))

    assert header == (f'UsernameToken Username="bob", PasswordDigest="{by_hand}", Nonce="{nonce}", Created="{created}"')


def test_a_name_with_quotation_marks_stays_one_value() -> None:
    header = schemes.wsse('b"o\\b', "pw", nonce="n", created=datetime(2026, 1, 1, tzinfo=UTC))

    assert header.startswith('UsernameToken Username="b\\"o\\\\b", ')
