"""Fields that forms share."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.http import QueryDict

from connections import outbound
from connections.forms.connections import ConnectionForm
from connections.forms.fields import (  # fmt: skip
    HeadersField,
    HostsField,
    IdField,
    LineField,
    PastedField,
    RowsWidget,
    SecretField,
    UrlField,
    VersionField,
)


@pytest.mark.parametrize(
    "dressed", ["x", " x ", '"x"', "'x'", "“x”", "«x»", "`x`", " \"'x'\" ", "\u200bx\ufeff", "x\n"]
)
def test_a_pasted_value_is_undressed(dressed: str) -> None:
    field = PastedField()
    assert field.clean(dressed) == "x"
    assert field.trimmed is (dressed != "x")


@pytest.mark.parametrize("value", ['"x', "x'", 'a"b', "it's"])
def test_a_quotation_mark_that_belongs_to_the_value_stays(value: str) -> None:
    assert PastedField().clean(value) == value


@pytest.mark.parametrize("character", [*map(chr, range(32)), "\x7f", "\x85", "\u2028", "\u2029"])
def test_a_control_character_inside_a_line_is_refused(character: str) -> None:
    for field in (LineField(), PastedField(), SecretField()):
        with pytest.raises(ValidationError):
            field.clean(f"a{character}b")


@pytest.mark.parametrize("mask", ["•", "••••••••", "****", "●●●", "•*●"])
def test_a_mask_is_no_secret(mask: str) -> None:
    with pytest.raises(ValidationError, match="These are dots"):
        SecretField().clean(mask)


def test_a_secret_with_stars_in_it_is_one() -> None:
    assert SecretField().clean("a***b") == "a***b"


def test_a_secret_is_never_drawn() -> None:
    assert "hunter2" not in SecretField().widget.render("client_secret", "hunter2")


def test_plain_http_is_for_hosts_that_the_operator_allows() -> None:
    with pytest.raises(ValidationError, match="Use https"):
        UrlField().clean("http://api.example.com")
    outbound.configure(private_hosts_allowed=["api.example.com:8080"])
    assert UrlField().clean("http://api.example.com:8080/x") == "http://api.example.com:8080/x"
    with pytest.raises(ValidationError, match="Use https"):
        UrlField().clean("HTTP://api.example.com/x")


@pytest.mark.parametrize("value", ["nonsense", "\x00", "1e9", "٣½"])
def test_a_garbled_hidden_value_counts_as_missing(value: str) -> None:
    assert VersionField().clean(value) is None
    assert IdField().clean(value) is None


def test_hosts_are_read_in_any_writing_and_kept_once() -> None:
    typed = "https://API.example.com/x, api.example.com\n\tbücher.example:8443 api.example.com:443"
    assert HostsField().clean(typed) == ["api.example.com", "xn--bcher-kva.example:8443"]


def test_rows_are_read_as_posted_and_as_lines() -> None:
    posted = QueryDict("headers_name=A&headers_value=1&headers_name=&headers_value=&headers_name=B")
    widget = RowsWidget()
    assert widget.value_from_datadict(posted, {}, "headers") == [["A", "1"], ["B", ""]]
    assert widget.value_from_datadict({"headers": "A: 1\nB:2:3\n\n C "}, {}, "headers") == [
        ["A", "1"],
        ["B", "2:3"],
        ["C", ""],
    ]


@pytest.mark.parametrize("name", ["authorization", "COOKIE", "Host", "Content-Length", "Transfer-Encoding"])
def test_headers_that_gatehouse_sets_are_refused_in_any_case(name: str) -> None:
    with pytest.raises(ValidationError, match="Gatehouse sets"):
        HeadersField().clean([[name, "x"]])


def test_a_draft_may_hold_every_field_but_the_secret_ones() -> None:
    names = ConnectionForm.draft_names()
    assert {"name", "headers_name", "headers_value", "oauth_client", "id", "version"} <= names
    assert not names & {"refresh_token", "client_secret", "password", "csrfmiddlewaretoken"}
