"""OAuthError: its names, its kinds, and what it never says."""

import copy
import json
import time
from email.utils import formatdate
from urllib.parse import quote, quote_plus

import pytest

from connections.oauth.errors import OAuthError, from_answer, from_outbound, normalise, retry_after, scrub
from connections.outbound import OutboundError

SECRET = 'p|ss/w+rd ä"x'


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("ServerError", "server_error"),
        ("server_error", "server_error"),
        ("INVALID_GRANT", "invalid_grant"),
        ("invalid-grant", "invalid_grant"),
        ("Invalid Grant", "invalid_grant"),
        ("OAuthException", "oauth_exception"),
        ("x" * 100, "x" * 64),
        ("<script>", "script"),
        ("…", ""),
    ],
)
def test_error_names_are_lower_snake_case(sent: str, name: str) -> None:
    assert normalise(sent) == name


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        ("invalid_grant", 400, "reauthorize"),
        ("InvalidGrant", 400, "reauthorize"),
        ("bad_refresh_token", 200, "reauthorize"),
        ("interaction_required", 400, "reauthorize"),
        ("invalid_client", 401, "client"),
        ("unauthorized_client", 400, "client"),
        ("incorrect_client_credentials", 200, "client"),
        ("invalid_scope", 400, "misconfigured"),
        ("invalid_request", 400, "misconfigured"),
        ("unsupported_grant_type", 400, "misconfigured"),
        ("access_denied", 403, "misconfigured"),
        ("http_404", 404, "misconfigured"),
        ("never_seen_before", 400, "misconfigured"),
        ("ServerError", 500, "transient"),
        ("server_error", 400, "transient"),
        ("temporarily_unavailable", 400, "transient"),
        ("slow_down", 400, "transient"),
        ("anything", 429, "transient"),
        ("invalid_grant", 503, "transient"),
        ("not_json", 200, "misconfigured"),
        ("sign_in_page", None, "misconfigured"),
    ],
)
def test_every_error_has_a_kind(error: str, status: int | None, kind: str) -> None:
    assert OAuthError(error, status=status).kind == kind


@pytest.mark.parametrize(
    ("code", "error", "kind"),
    [
        ("address_refused", "refused_address", "misconfigured"),
        ("not_found", "unreachable", "transient"),
        ("connect", "unreachable", "transient"),
        ("tls", "untrusted_certificate", "transient"),
        ("timeout", "timeout", "transient"),
        ("too_large", "too_large", "misconfigured"),
        ("redirect", "redirected", "misconfigured"),
        ("insecure", "insecure", "misconfigured"),
        ("invalid_url", "invalid_url", "misconfigured"),
        ("broken", "broken_answer", "transient"),
    ],
)
def test_a_call_that_brought_nothing_is_an_oauth_error_too(code: str, error: str, kind: str) -> None:
    made = from_outbound(OutboundError(code, "a.example", "Sentence."))  # type: ignore[arg-type]

    assert (made.error, made.kind, made.code) == (error, kind, code)
    assert made.description == "a.example: Sentence."


def test_descriptions_are_short_and_without_control_characters() -> None:
    error = OAuthError("x", "a\r\nb\x00c\u202e\u2028d" + "e" * 1000)

    assert error.description.startswith("a b c de")
    assert len(error.description) == 500


@pytest.mark.parametrize(
    "echo",
    [
        SECRET,
        quote(SECRET, safe=""),
        quote_plus(SECRET),
        json.dumps(SECRET),
        "Atzr|IwEBIAnything",
        "Atz.sprdt|abc",
        "amzn1.oa2-cs.v1.0123456789abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sig",
        "Bearer abcdefghijklmnop1",
    ],
)
def test_a_secret_that_is_echoed_is_blotted_out(echo: str) -> None:
    fields = {"error": "invalid_grant", "error_description": f"bad value {echo} given", "request_id": echo}

    error = from_answer(400, {}, {**fields, "error_uri": "https://p.example/?" + echo}, [SECRET])

    core = echo.strip('"').removeprefix("Bearer ")
    assert core not in str(vars(error)) + str(error) + repr(error)
    assert error.description == "bad value •••••• given" or error.description == 'bad value "••••••" given'


def test_a_secret_in_the_error_name_is_blotted_out() -> None:
    assert from_answer(400, {}, {"error": "hunter22"}, ["hunter22"]).error == "http_400"


def test_a_secret_inside_a_longer_one_leaves_no_half() -> None:
    assert scrub("long-secret-tail", ["secret", "long-secret-tail"]) == "••••••"


def test_a_sentence_about_authentication_stays() -> None:
    assert scrub("Basic authentication or Bearer authentication required", []).count("•") == 0


def test_empty_and_tiny_secrets_do_not_garble_the_text() -> None:
    assert scrub("a plain sentence", ["", "a", "in"]) == "a plain sentence"


def test_an_error_uri_must_be_an_address() -> None:
    assert from_answer(400, {}, {"error": "x", "error_uri": "javascript:alert(1)"}).uri is None
    assert from_answer(400, {}, {"error": "x", "error_uri": "https://p.example/help"}).uri == "https://p.example/help"


@pytest.mark.parametrize("name", ["x-amzn-RequestId", "X-Amz-Rid", "X-Request-ID", "x-correlation-id"])
def test_the_request_id_is_found_under_its_usual_names(name: str) -> None:
    assert from_answer(500, {name: "id-1"}, {}).request_id == "id-1"


def test_odd_types_in_an_error_do_no_harm() -> None:
    error = from_answer(400, {}, {"error": 5, "error_description": ["x"], "error_uri": 1, "request_id": {}})

    assert (error.error, error.description, error.uri, error.request_id) == ("http_400", "", None, None)


@pytest.mark.parametrize(
    ("value", "seconds"), [("120", 120), ("0", 0), ("1.5", 1.5), ("-5", 0), ("soon", None), ("", None), ("inf", None)]
)
def test_retry_after_in_seconds(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}) == seconds


def test_retry_after_as_a_date() -> None:
    wait = retry_after({"Retry-After": formatdate(time.time() + 90, usegmt=True)})

    assert wait is not None
    assert 85 < wait <= 90
    assert retry_after({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}) == 0
    assert retry_after({"Retry-After": "Wed, 99 Oct 2015 07:28:00 GMT"}) is None


def test_a_copied_error_keeps_all_it_knows() -> None:
    error = copy.copy(OAuthError("slow_down", "Later.", status=429, retry_after=9.0, request_id="r", code=None))

    assert (error.error, error.status, error.retry_after, error.request_id) == ("slow_down", 429, 9.0, "r")
