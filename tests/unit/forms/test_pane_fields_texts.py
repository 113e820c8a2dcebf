"""Texts with a form of their own: placeholders, JSON, rows, headers, paths, and what must fit together."""

from typing import Any

import pytest

from connections.models import Actor
from tests.unit.forms.pane import form, post

pytestmark = pytest.mark.django_db

FIELDS = [["user", "ann"]]
SECRET_FIELDS = [["api_key", "s3cret"]]


def errors(by: Actor, auth_type: str, **values: Any) -> dict[str, list[str]]:
    return {name: [*texts] for name, texts in form(by, post(auth_type, **values)).errors.items()}


TEMPLATES: list[tuple[str, str, Any]] = [
    ("cookie", "cookie_body", "user={{ NAME }}"),
    ("jwt", "jwt_payload", '{"sub": "{{ NAME }}"}'),
    ("custom", "custom_headers", [["X-Key", "{{ NAME }}"]]),
    ("custom", "custom_query", [["key", "{{ NAME }}"]]),
    ("custom", "custom_body", [["key", "{{ NAME }}"]]),
    ("none", "headers", [["X-Key", "{{ NAME }}"]]),
]
RENEWAL = {"token_refresh_url": "https://api.example.com/t", "token_refresh_path": "token"}


def named(template: Any, name: str) -> Any:
    if isinstance(template, str):
        return template.replace("NAME", name)
    return [[key, text.replace("NAME", name)] for key, text in template]


@pytest.mark.parametrize(("auth_type", "field", "template"), TEMPLATES)
@pytest.mark.parametrize("name", ["field.user", "encrypted.api_key"])
def test_custom_fields_may_stand_in_templates(by: Actor, auth_type: str, field: str, template: Any, name: str) -> None:
    given = {field: named(template, name), "fields": FIELDS, "encrypted_fields": SECRET_FIELDS}

    assert errors(by, auth_type, **given) == {}


@pytest.mark.parametrize(("auth_type", "field", "template"), TEMPLATES)
@pytest.mark.parametrize("name", ["client_secret", "refresh_token", "query.x", "field", "user", "encrypted.", "a b"])
def test_any_other_name_is_an_error_at_the_field(
    by: Actor, auth_type: str, field: str, template: Any, name: str
) -> None:
    found = errors(by, auth_type, **{field: named(template, name)})

    assert list(found) == [field]
    assert "is not known here" in found[field][0]


@pytest.mark.parametrize(("auth_type", "field", "template"), TEMPLATES)
@pytest.mark.parametrize("name", ["field.gone", "encrypted.gone", "field.api_key", "encrypted.user"])
def test_a_custom_field_that_is_not_there_is_named(
    by: Actor, auth_type: str, field: str, template: Any, name: str
) -> None:
    given = {field: named(template, name), "fields": FIELDS, "encrypted_fields": SECRET_FIELDS}

    found = errors(by, auth_type, **given)

    assert list(found) == [field]
    assert found[field][0].endswith("Add it under Advanced.")


@pytest.mark.parametrize("text", ["{{ field.user", "field.user }}", "{% if x %}", "{{ {{ field.user }} }}"])
def test_braces_are_closed_and_hold_no_logic(by: Actor, text: str) -> None:
    assert "cookie_body" in errors(by, "cookie", cookie_body=text, fields=FIELDS)


def test_the_token_may_stand_in_its_own_request_only(by: Actor) -> None:
    assert errors(by, "token", token_refresh_body='{"old": "{{ token }}"}', **RENEWAL) == {}
    assert "cookie_body" in errors(by, "cookie", cookie_body="{{ token }}")


def test_a_token_request_needs_the_place_of_the_token(by: Actor) -> None:
    assert list(errors(by, "token", **RENEWAL | {"token_refresh_path": ""})) == ["token_refresh_path"]


@pytest.mark.parametrize("text", ["{", "[1]", '"a"', "1", "{'a': 1}", '{"a": {{ field.user }}}'])
def test_a_payload_is_a_json_object(by: Actor, text: str) -> None:
    assert list(errors(by, "jwt", jwt_payload=text, fields=FIELDS)) == ["jwt_payload"]


def test_jwt_headers_take_no_placeholder(by: Actor) -> None:
    assert list(errors(by, "jwt", jwt_headers='{"kid": "{{ field.user }}"}', fields=FIELDS)) == ["jwt_headers"]


@pytest.mark.parametrize(
    "row",
    [
        ["", "value"],
        ["a b", "x"],
        ["X-Ü", "x"],
        ["X-A", "snow☃"],
        ["Authorization", "x"],
        ["cookie", "x"],
        ["Host", "x"],
    ],
)
def test_headers_that_cannot_be_sent_are_refused(by: Actor, row: list[str]) -> None:
    assert list(errors(by, "none", headers=[row])) == ["headers"]


def test_authentication_headers_may_set_authorization(by: Actor) -> None:
    assert errors(by, "custom", custom_headers=[["Authorization", "Key x"]]) == {}
    assert list(errors(by, "custom", custom_headers=[["Host", "x"]])) == ["custom_headers"]


@pytest.mark.parametrize(
    ("auth_type", "values", "name"),
    [
        ("token", {"token_header": "X-Token"}, "x-token"),
        ("wsse", {"wsse_header": "X-WSSE"}, "X-Wsse"),
        ("custom", {"custom_headers": [["X-Key", "k"]]}, "X-KEY"),
    ],
)
def test_a_header_is_not_set_twice(by: Actor, auth_type: str, values: Any, name: str) -> None:
    assert list(errors(by, auth_type, headers=[[name, "mine"]], **values)) == ["headers"]


@pytest.mark.parametrize("name", ["a b", "ä", "x" * 101, "a}}"])
@pytest.mark.parametrize("field", ["fields", "encrypted_fields"])
def test_a_custom_field_has_a_plain_name(by: Actor, field: str, name: str) -> None:
    assert list(errors(by, "none", **{field: [[name, "x"]]})) == [field]


@pytest.mark.parametrize("field", ["fields", "encrypted_fields"])
def test_a_custom_field_is_there_once(by: Actor, field: str) -> None:
    assert errors(by, "none", **{field: [["a", "1"], ["a", "2"]]}) == {field: ["a is there twice."]}


def test_fifty_rows_are_the_most(by: Actor) -> None:
    assert errors(by, "none", fields=[[f"n{number}", "x"] for number in range(50)]) == {}
    assert list(errors(by, "none", fields=[[f"n{number}", "x"] for number in range(51)])) == ["fields"]


def test_custom_fields_are_kept_as_rows(by: Actor) -> None:
    pane = form(by, post("none", fields=FIELDS))

    assert pane.is_valid()
    assert pane.values["fields"] == FIELDS


@pytest.mark.parametrize(
    ("field", "auth_type"), [("base_uri", "none"), ("cookie_url", "cookie"), ("token_refresh_url", "token")]
)
@pytest.mark.parametrize(
    "text",
    [
        "api.example.com",
        "ftp://a.example.com",
        "https://u:p@a.example.com",
        "https://",
        "https://a b",
        "http://a.example.com",
    ],
)
def test_an_address_is_whole_and_https(by: Actor, field: str, auth_type: str, text: str) -> None:
    assert field in errors(by, auth_type, **{field: text})


@pytest.mark.parametrize("text", ["https://elsewhere.example.com/x", "//elsewhere", "/a/../b", "a\\b", "/a#b"])
def test_the_relative_uri_stays_below_the_base_uri(by: Actor, text: str) -> None:
    assert list(errors(by, "none", ping_path=text)) == ["ping_path"]


@pytest.mark.parametrize(
    ("auth_type", "username"), [("basic", "an:n"), ("digest", "Zoë"), ("wsse", "Zoë")]
)  # fmt: skip
def test_a_username_that_cannot_be_sent_is_refused(by: Actor, auth_type: str, username: str) -> None:
    assert list(errors(by, auth_type, username=username)) == ["username"]


def test_basic_takes_any_other_username(by: Actor) -> None:
    assert errors(by, "basic", username="Zoë@example.com") == {}


@pytest.mark.parametrize("media_type", ["xml", "text"])
def test_a_body_without_fields_takes_no_credentials(by: Actor, media_type: str) -> None:
    in_body = {"token_location": "body", "token_param": "k", "media_type": media_type}

    assert list(errors(by, "token", **in_body)) == ["token_location"]
    assert list(errors(by, "custom", custom_body=[["k", "v"]], media_type=media_type)) == ["custom_body"]
