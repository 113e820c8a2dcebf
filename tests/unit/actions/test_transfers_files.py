"""Which bytes are a file of connections, and what is said of those that are none."""

from __future__ import annotations

import json

import pytest
from django.core.exceptions import ValidationError

from connections.forms.uploads import LARGEST, Upload, parse

BASIC = {
    "type": "http",
    "name": "One",
    "http": {"baseURI": "https://api.example.com", "auth": {"type": "basic", "basic": {"username": "svc"}}},
}


def test_one_object_a_list_and_a_file_are_the_same() -> None:
    for found in (BASIC, [BASIC], {"connections": [BASIC]}):
        assert [entry.name for entry in parse(json.dumps(found).encode(), "f").entries] == ["One"]


def test_an_upload_survives_being_put_aside() -> None:
    upload = parse(json.dumps({"connections": [BASIC, BASIC]}).encode(), "f")
    assert Upload.from_json(json.loads(json.dumps(upload.as_json()))) == upload


def test_a_byte_order_mark_is_no_trouble() -> None:
    assert parse(b"\xef\xbb\xbf" + json.dumps(BASIC).encode(), "f").entries[0].name == "One"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "line 1, column 1"),
        (b"{", "not JSON"),
        (b'{"connections": [}', "line 1, column 18"),
        (b"name,uri\nx,y", "not JSON"),
        ("{}".encode("utf-16"), "UTF-8"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b'{"name": "\\ud800"}', "UTF-8"),
        (b"[" * 200_000, "too deeply"),
        (b'{"a":' * 200_000, "too deeply"),
        (b'{"name": "a\\u0000b"}', "NUL"),
        (b'["\\\\\\u0000"]', "NUL"),
        (b'{"name": NaN}', "number"),
        (b'{"n": ' + b"9" * 10_000 + b"}", "number"),
        (b'{"name": "a", "name": "b"}', "stands twice"),
        (b"3", "no connections"),
        (b'"text"', "no connections"),
        (b"[1, 2]", "no list"),
        (b'{"connections": {}}', "no list"),
        (b'{"connections": []}', "no connection in"),
        (b"[" + b"{}," * 5_000 + b"{}]", "5,000"),
        (b" " * (LARGEST + 1), "10 MB"),
    ],
)
def test_a_file_that_is_none_gets_a_plain_sentence(content: bytes, says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        parse(content, "f")
    (sentence,) = caught.value.messages
    assert says in sentence
    assert len(sentence) < 150
