"""Values out of answers: what is found, and what a hostile body or path cannot do."""

from __future__ import annotations

import time

import pytest

from connections.oauth import paths

ERRORS = b'{"errors": [{"code": "Unauthorized", "n": 1, "ok": false, "a.b": "x"}], "top.level": 1.50, "none": null}'
SOAP = b"""<?xml version="1.0" encoding="ISO-8859-1"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
<Fault xmlns="urn:api" lang="en"><code>7</code><text>caf\xe9 <b>closed</b></text></Fault></soap:Body></soap:Envelope>"""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("errors[0].code", "Unauthorized"),
        ("$.errors[0].code", "Unauthorized"),
        ("errors.0.code", "Unauthorized"),
        ("$['errors'][0][\"a.b\"]", "x"),
        ("top.level", "1.5"),
        ("errors[0].n", "1"),
        ("errors[0].ok", "false"),
        ("errors[0]", '{"code": "Unauthorized", "n": 1, "ok": false, "a.b": "x"}'),
        ("none", None),
        ("errors[1].code", None),
        ("errors.code", None),
        ("missing", None),
        ("", None),
        ("errors[", None),
        ("errors..code", None),
        ("errors[*].code", None),
    ],
)
def test_json(path: str, found: str | None) -> None:
    assert paths.read(ERRORS, "json", path) == found


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("//code", "7"),
        ("/soap:Envelope/soap:Body/Fault/code", "7"),
        ("//*[local-name()='Body']/Fault/@lang", "en"),
        ("//text", "café closed"),
        ("count(//code)", "1"),
        ("//code = 7", "true"),
        ("//missing", None),
        ("//undeclared:code", None),
        ("][", None),
    ],
)
def test_xml(path: str, found: str | None) -> None:
    assert paths.read(SOAP, "xml", path) == found


def test_forms_by_name_and_nothing_in_csv_and_text() -> None:
    assert paths.read(b"error=slow+down&code=", "urlencoded", "error") == "slow down"
    assert paths.read(b"error=slow+down&code=", "urlencoded", "code") == ""
    assert paths.read(b"a,b\n1,2", "csv", "a") is None
    assert paths.read(b"a", "text", "a") is None


@pytest.mark.parametrize("media_type", ["json", "xml", "urlencoded", "csv"])
@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", b"<html>", b"null", b"[]", b"{", b"<a>" * 300 + b"</a>" * 300])
def test_a_body_that_is_something_else_has_no_value(media_type: str, body: bytes) -> None:
    assert paths.read(body, media_type, "a") in (None, "")


def laughs(use: bytes) -> bytes:
    entities = b'<!ENTITY a "ha">' + b"".join(
        b'<!ENTITY a%d "%s">' % (n, (b"&a%d;" % (n - 1) if n else b"&a;") * 10) for n in range(10)
    )
    return b"<!DOCTYPE r [" + entities + b"]><r>" + use + b"</r>"


@pytest.mark.parametrize(
    "body",
    [
        laughs(b"<v>&a9;</v>"),
        laughs(b'<v at="&a9;">1</v>'),
        b'<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r><v>&x;</v></r>',
        b'<!DOCTYPE r [<!ENTITY % x SYSTEM "http://127.0.0.1:1/x"> %x;]><r><v>1</v></r>',
        b'<!DOCTYPE r SYSTEM "http://127.0.0.1:1/dtd"><r><v>1</v></r>',
        '<?xml version="1.0" encoding="UTF-16"?><!DOCTYPE r [<!ENTITY x "1">]><r><v>&x;</v></r>'.encode("utf-16"),
    ],
)
def test_document_types_and_entities_are_refused(body: bytes) -> None:
    started = time.monotonic()

    assert paths.read(body, "xml", "//v") is None
    assert time.monotonic() - started < 5


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("json", b'{"v": "' + b"x" * 2_000_000 + b'"}'),
        ("xml", b"<r><v>" + b"x" * 2_000_000 + b"</v></r>"),
        ("json", b"[" * 500_000 + b"]" * 500_000),
        ("json", b'{"v":' * 100_000 + b"1" + b"}" * 100_000),
        ("xml", b"<v>" * 30_000 + b"</v>" * 30_000),
    ],
)
def test_huge_and_deep_bodies_are_refused(media_type: str, body: bytes) -> None:
    assert paths.read(body, media_type, "v" if media_type == "json" else "//v") is None


@pytest.mark.parametrize("path", ["//*[count(//*)>0]", "//a//b//c", "//*[..//x]", "//a/following::a", "//a[b[c]]"])
def test_paths_that_search_everything_for_everything_are_none(path: str) -> None:
    assert "too widely" in paths.problem(path, "xml")
    assert paths.read(b"<a/>", "xml", path) is None


def test_extension_functions_are_not_there() -> None:
    body = b'<a xmlns:s="http://exslt.org/strings" xmlns:re="http://exslt.org/regular-expressions">x</a>'

    assert paths.read(body, "xml", "s:padding(100000000, 'x')") is None
    assert paths.read(body, "xml", "re:test('x', 'x')") is None


@pytest.mark.parametrize("path", ["//e", "/r/a[@x]", "//a[position()=last()]", "/r/*[a=a]", "//*[*=*]"])
def test_the_widest_path_is_quick_in_the_largest_document(path: str) -> None:
    body = b"<r>" + b"<a><b>1</b></a>" * 17_000 + b"</r>"
    assert len(body) < paths.MAX_BYTES["xml"]
    started = time.process_time()

    paths.read(body, "xml", path)

    assert time.process_time() - started < 5


def test_a_path_for_the_field_it_was_typed_in() -> None:
    assert paths.problem("errors[0].code", "json") == ""
    assert "errors[0].code" in paths.problem("errors[", "json")
    assert paths.problem("/r/code", "xml") == ""
    assert "not an XPath" in paths.problem("/r/[", "xml")
    assert "JSON and XML only" in paths.problem("a", "csv")
