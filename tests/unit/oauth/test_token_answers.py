"""What providers send back: standard, odd, nested, broken. Nothing unreadable is ever quoted or kept."""

import json
import traceback
from typing import Any

import pytest

from connections.oauth.errors import OAuthError
from connections.oauth.tokens import TokenPaths, Tokens, parse

JSON = "application/json;charset=UTF-8"
FORM = "application/x-www-form-urlencoded"
NESTED = TokenPaths("authed_user.access_token", "authed_user.refresh_token", "authed_user.expires_in")


def read(body: Any, content_type: str = JSON, status: int = 200, **options: Any) -> Tokens:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return parse(raw, content_type, status, paths=options.pop("paths", TokenPaths()), **options)


def failing(body: Any, content_type: str = JSON, status: int = 200, **options: Any) -> OAuthError:
    with pytest.raises(OAuthError) as caught:
        read(body, content_type, status, **options)
    return caught.value


def test_amazons_answer_is_read() -> None:
    tokens = read({"access_token": "Atza|a", "refresh_token": "Atzr|r", "token_type": "bearer", "expires_in": 3600})

    assert tokens == Tokens("Atza|a", "Atzr|r", "bearer", 3600, None, {})


def test_a_form_encoded_answer_is_read() -> None:
    tokens = read(b"access_token=gho%5Fx&scope=repo%2Cgist&token_type=bearer&expires_in=28800", FORM)

    assert (tokens.access_token, tokens.scope, tokens.expires_in) == ("gho_x", "repo,gist", 28800)


@pytest.mark.parametrize("content_type", ["text/plain", ""])
def test_a_form_under_a_vague_type_is_read(content_type: str) -> None:
    assert read(b"access_token=abc&expires=5", content_type).access_token == "abc"


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "", "application/octet-stream"])
def test_json_is_read_whatever_it_calls_itself(content_type: str) -> None:
    assert read({"access_token": "abc"}, content_type).access_token == "abc"


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (3600, 3600),
        ("3600", 3600),
        (3600.0, 3600),
        ("3599.9", 3599),
        (" 60 ", 60),
        (31536000, 31536000),
        (0, None),
        (-1, None),
        ("", None),
        ("soon", None),
        (None, None),
        (True, None),
        ([3600], None),
        ({"s": 1}, None),
        ("NaN", None),
        ("inf", None),
        (1e400, None),
    ],
)
def test_expires_in_is_taken_as_it_comes(value: Any, seconds: int | None) -> None:
    assert read({"access_token": "a", "expires_in": value}).expires_in == seconds


def test_a_missing_lifetime_is_none_and_not_a_guess() -> None:
    assert read({"access_token": "a"}).expires_in is None


def test_a_lifetime_in_milliseconds_is_a_setting() -> None:
    assert read(
        {"access_token": "a", "expires_in": 3600000}, paths=TokenPaths(expires_in_unit="milliseconds")
    ) == Tokens("a", expires_in=3600)


def test_nested_tokens_are_found_by_their_paths() -> None:
    answer = {
        "ok": True,
        "access_token": "bot",
        "authed_user": {"access_token": "user", "refresh_token": "r", "expires_in": "43200"},
    }

    tokens = read(answer, paths=NESTED)

    assert (tokens.access_token, tokens.refresh_token, tokens.expires_in) == ("user", "r", 43200)
    assert "bot" not in json.dumps(dict(tokens.extra))


def test_a_path_may_lead_through_a_list_and_start_with_a_dollar() -> None:
    assert read({"data": [{"t": "x"}]}, paths=TokenPaths(access_token="$.data.0.t")).access_token == "x"


def test_a_path_that_leads_nowhere_is_no_token() -> None:
    assert failing({"authed_user": [1]}, paths=NESTED).error == "no_access_token"


def test_tokens_of_many_kilobytes_are_kept_whole() -> None:
    token = "eyJ" + "x" * 8192

    assert read({"access_token": token}).access_token == token


@pytest.mark.parametrize("value", [None, "", "  ", 5, ["a"], {"a": "b"}])
def test_an_answer_without_a_usable_access_token_keeps_nothing(value: Any) -> None:
    error = failing({"access_token": value, "refresh_token": "keep-me-not"})

    assert error.error == "no_access_token"
    assert "keep-me-not" not in str(error)


def test_a_missing_refresh_token_is_none() -> None:
    assert read({"access_token": "a"}).refresh_token is None
    assert read({"access_token": "a", "refresh_token": ""}).refresh_token is None


def test_granted_scopes_come_as_text_or_list() -> None:
    assert read({"access_token": "a", "scope": ["x", "y"]}).scope == "x y"


def test_extras_hold_no_credential() -> None:
    tokens = read(
        {
            "access_token": "a",
            "id_token": "secret-1",
            "api_key": "secret-2",
            "clientSecret": "secret-3",
            "resource": {"key": "secret-4"},
            "instance_url": "https://eu1.example.com",
            "account": 7,
        }
    )

    assert tokens.extra == {"instance_url": "https://eu1.example.com", "account": "7"}


def test_tokens_show_dots() -> None:
    tokens = Tokens("the-access", "the-refresh", extra={"a": "b"})

    for told in (repr(tokens), str(tokens), f"{tokens}", repr([tokens])):
        assert "the-access" not in told
        assert "the-refresh" not in told
        assert "••••••" in told


# Refusals


def test_a_refusal_is_read_with_its_request_id() -> None:
    error = failing(
        {"error": "invalid_grant", "error_description": "revoked", "error_index": "opaque", "request_id": "b"},
        status=400,
        headers={"x-amzn-requestid": "h"},
    )

    assert (error.error, error.kind, error.status, error.request_id) == ("invalid_grant", "reauthorize", 400, "h")
    assert error.description == "revoked"
    assert "opaque" not in str(vars(error))


def test_an_error_with_status_200_is_an_error() -> None:
    error = failing({"error": "bad_verification_code", "access_token": "not-kept"})

    assert error.kind == "reauthorize"
    assert "not-kept" not in str(vars(error))


def test_an_empty_error_beside_a_token_is_none() -> None:
    assert read({"access_token": "a", "error": None}).access_token == "a"


def test_an_error_object_is_read() -> None:
    error = failing({"error": {"message": "Bad code", "type": "OAuthException", "code": 100}}, status=400)

    assert (error.error, error.description) == ("oauth_exception", "Bad code")


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, "misconfigured"), (404, "misconfigured"), (429, "transient"), (500, "transient"), (503, "transient")],
)
def test_a_failure_that_says_nothing_is_told_by_its_status(status: int, kind: str) -> None:
    error = failing(b"<html>secret page</html>", "text/html", status)

    assert (error.error, error.kind) == (f"http_{status}", kind)
    assert "secret page" not in str(error)


@pytest.mark.parametrize(
    ("body", "content_type", "word"),
    [
        (b"<!DOCTYPE html><p>Sign in", "text/html", "web page"),
        (b"  \n<html>", JSON, "web page"),
        (b"", JSON, "nothing"),
        (b"  ", "", "nothing"),
        (b'{"access_token": "s3ntinel-cut', JSON, "something else"),
        (b"s3ntinel garbage", "text/plain", "something else"),
        (b'["s3ntinel"]', JSON, "something else"),
        (b'"s3ntinel"', JSON, "something else"),
        (b"\xff\xfe\x00s3ntinel", JSON, "something else"),
        (b"[" * 100_000, JSON, "something else"),
        (b'{"a": ' + b"9" * 5000 + b"}", JSON, "something else"),
    ],
)
def test_what_cannot_be_read_is_never_quoted(body: bytes, content_type: str, word: str) -> None:
    error = failing(body, content_type)

    assert error.error == "not_json"
    assert error.kind == "misconfigured"
    assert word in error.description
    assert error.__context__ is None
    assert error.__cause__ is None
    assert "s3ntinel" not in "".join(traceback.format_exception(error)) + str(vars(error))
