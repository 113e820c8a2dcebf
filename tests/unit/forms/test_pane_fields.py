"""The pane against the list of its fields: which there are, when each is shown, which must be filled, what they refuse."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from connections.forms.connections import ConnectionForm
from connections.forms.pem import PemField
from connections.forms.sections import SECTIONS
from connections.models import Actor
from connections.models.choices import AuthType
from tests.unit.forms.pane import AMAZON, TYPES, form, post, shown

pytestmark = pytest.mark.django_db

# Section, label (None: ours to choose), key.
FIELDS: list[tuple[str, str | None, str]] = [
    ("General", "Name", "name"),
    ("General", None, "region"),
    ("General", None, "marketplace"),
    ("Application details", "Base URI", "base_uri"),
    ("Application details", "HTTP headers", "headers"),
    ("Application details", "Media type", "media_type"),
    ("Application details", None, "success_media_type"),
    ("Application details", None, "error_media_type"),
    ("Authentication", "Authentication type", "auth_type"),
    ("OAuth 2.0", "OAuth 2.0 client", "oauth_client"),
    ("OAuth 2.0", "Grant type", "grant_type"),
    ("OAuth 2.0", "Send client credentials via", "client_authentication"),
    ("OAuth 2.0", "Authorization URL", "authorization_url"),
    ("OAuth 2.0", "Scope", "scope"),
    ("OAuth 2.0", "PKCE", "pkce"),
    ("OAuth 2.0", "Access token URL", "token_url"),
    ("OAuth 2.0", None, "refresh_token"),
    ("OAuth 2.0", "Revoke token URL", "revoke_url"),
    ("OAuth 2.0 overrides", "Scope delimiter", "scope_delimiter"),
    ("OAuth 2.0 overrides", "Extra authorization parameters", "authorization_params"),
    ("OAuth 2.0 overrides", "Authorization code parameter", "code_param"),
    ("OAuth 2.0 overrides", None, "token_headers"),
    ("OAuth 2.0 overrides", None, "token_body"),
    ("OAuth 2.0 overrides", None, "refresh_headers"),
    ("OAuth 2.0 overrides", None, "refresh_body"),
    ("OAuth 2.0 overrides", None, "revoke_headers"),
    ("OAuth 2.0 overrides", None, "revoke_body"),
    ("OAuth 2.0 overrides", None, "access_token_path"),
    ("OAuth 2.0 overrides", None, "refresh_token_path"),
    ("OAuth 2.0 overrides", None, "expires_in_path"),
    ("Token", "Token", "token"),
    ("Token", "Send token via", "token_location"),
    ("Token", "Header name", "token_header"),
    ("Token", "Header scheme", "token_scheme"),
    ("Token", "Parameter name", "token_param"),
    ("Authentication failures", "HTTP status that means “not authorized”", "auth_fail_status"),
    ("Authentication failures", None, "auth_fail_path"),
    ("Authentication failures", None, "auth_fail_values"),
    ("Non-standard API rate limiter", "Wait time between requests", "rate_wait_ms"),
    ("Non-standard API rate limiter", "HTTP status that means “slow down”", "rate_fail_status"),
    ("Non-standard API rate limiter", None, "rate_fail_path"),
    ("Non-standard API rate limiter", None, "rate_fail_values"),
    ("Non-standard API rate limiter", "Retry-after header", "retry_header"),
    ("How to test this connection", "HTTP method", "ping_method"),
    ("How to test this connection", "Relative URI", "ping_path"),
    ("How to test this connection", "HTTP request body", "ping_body"),
    ("How to test this connection", None, "ping_success_path"),
    ("How to test this connection", None, "ping_success_values"),
    ("How to test this connection", None, "ping_fail_path"),
    ("How to test this connection", None, "ping_fail_values"),
    ("How to test this connection", "Path to the error message", "ping_error_path"),
    ("Advanced", "Concurrency level", "concurrency"),
    ("Advanced", "Borrow concurrency from", "borrow_from"),
    ("Advanced", "TLS client certificate", "tls_certificate"),
    ("Advanced", None, "tls_key"),
    ("Advanced", None, "tls_passphrase"),
    ("Advanced", None, "encrypted_fields"),
    ("Advanced", None, "fields"),
]
# Besides: what the other authentication types need, and the draft switch of Amazon's consent page.
OTHERS = {
    "username", "password", "wsse_header", "cookie_method", "cookie_url", "cookie_body", "cookie_status",
    "oauth1_signature_method", "oauth1_consumer_key", "oauth1_consumer_secret", "oauth1_private_key", "oauth1_token",
    "oauth1_token_secret", "oauth1_realm", "jwt_algorithm", "jwt_secret", "jwt_private_key", "jwt_payload", "jwt_headers",
    "custom_headers", "custom_query", "custom_body", "token_refresh_url", "token_refresh_method", "token_refresh_headers",
    "token_refresh_body", "token_refresh_path", "draft_application",
}  # fmt: skip

ALWAYS = {key for section, _, key in FIELDS if section in (
    "Application details", "Authentication failures", "Non-standard API rate limiter", "How to test this connection", "Advanced",
)} - {"ping_body"} | {"name", "auth_type"}  # fmt: skip
OAUTH2 = {
    "oauth_client", "grant_type", "client_authentication", "token_url", "revoke_url", "scope", "scope_delimiter",
    "token_headers", "token_body", "access_token_path", "refresh_token_path", "expires_in_path", "token_location",
    "token_header", "token_scheme",
}  # fmt: skip
CONSENT = {
    "authorization_url", "pkce", "refresh_token", "authorization_params", "code_param", "refresh_headers", "refresh_body",
}  # fmt: skip
COOKIE = {"cookie_method", "cookie_url", "cookie_status"}
ONE = {"oauth1_signature_method", "oauth1_consumer_key", "oauth1_token", "oauth1_token_secret", "oauth1_realm"}
JWT = {"jwt_algorithm", "jwt_payload", "jwt_headers"}
TOKEN = {"token", "token_location", "token_header", "token_scheme", "token_refresh_url"}

SHOWN: list[tuple[dict[str, str], set[str]]] = [
    ({"auth_type": "oauth2", "grant_type": "authorization_code"}, OAUTH2 | CONSENT),
    ({"auth_type": "oauth2", "grant_type": "client_credentials"}, OAUTH2),
    (
        {"auth_type": "oauth2", "grant_type": "client_credentials", "revoke_url": "https://a.example.com/r"},
        OAUTH2 | {"revoke_headers", "revoke_body"},
    ),
    (
        {"auth_type": "oauth2", "grant_type": "client_credentials", "token_location": "query"},
        OAUTH2 - {"token_header", "token_scheme"} | {"token_param"},
    ),
    (
        {"auth_type": "oauth2", "grant_type": "client_credentials", "token_location": "body"},
        OAUTH2 - {"token_header", "token_scheme"} | {"token_param"},
    ),
    ({"auth_type": "token"}, TOKEN),
    ({"auth_type": "token", "token_location": "body"}, TOKEN - {"token_header", "token_scheme"} | {"token_param"}),
    (
        {"auth_type": "token", "token_refresh_url": "https://a.example.com/t"},
        TOKEN | {"token_refresh_method", "token_refresh_headers", "token_refresh_body", "token_refresh_path"},
    ),
    (
        {"auth_type": "token", "token_refresh_url": "https://a.example.com/t", "token_refresh_method": "GET"},
        TOKEN | {"token_refresh_method", "token_refresh_headers", "token_refresh_path"},
    ),
    ({"auth_type": "basic"}, {"username", "password"}),
    ({"auth_type": "digest"}, {"username", "password"}),
    ({"auth_type": "wsse"}, {"username", "password", "wsse_header"}),
    ({"auth_type": "cookie"}, COOKIE | {"cookie_body"}),
    ({"auth_type": "cookie", "cookie_method": "GET"}, COOKIE),
    ({"auth_type": "oauth1", "oauth1_signature_method": "HMAC-SHA1"}, ONE | {"oauth1_consumer_secret"}),
    ({"auth_type": "oauth1", "oauth1_signature_method": "PLAINTEXT"}, ONE | {"oauth1_consumer_secret"}),
    ({"auth_type": "oauth1", "oauth1_signature_method": "RSA-SHA512"}, ONE | {"oauth1_private_key"}),
    ({"auth_type": "jwt", "jwt_algorithm": "HS512"}, JWT | {"jwt_secret"}),
    ({"auth_type": "jwt", "jwt_algorithm": "PS256"}, JWT | {"jwt_private_key"}),
    ({"auth_type": "custom"}, {"custom_headers", "custom_query", "custom_body"}),
    ({"auth_type": "none"}, set()),
    ({"auth_type": "none", "ping_method": "HEAD"}, set()),
    ({"auth_type": "none", "ping_method": "POST"}, {"ping_body"}),
    ({"auth_type": "none", "ping_method": "PUT"}, {"ping_body"}),
]
REQUIRED = {
    "name", "region", "marketplace", "base_uri", "media_type", "auth_type", "oauth_client", "grant_type", "client_authentication",
    "authorization_url", "token_url", "token", "token_header", "token_param", "username", "password", "cookie_method", "cookie_url",
    "oauth1_signature_method", "oauth1_consumer_key", "oauth1_consumer_secret", "oauth1_private_key", "jwt_algorithm", "jwt_secret",
    "jwt_private_key", "jwt_payload", "token_refresh_path",
}  # fmt: skip
HIDDEN = {"version", "id", "filled_for"}


def test_the_pane_has_every_field_and_no_other() -> None:
    assert set(ConnectionForm.base_fields) - HIDDEN == {key for _, _, key in FIELDS} | OTHERS


@pytest.mark.parametrize(("section", "label", "key"), FIELDS)
def test_each_field_is_in_its_section(section: str, label: str | None, key: str) -> None:
    assert key in SECTIONS[section]


def test_sections_hold_each_field_once() -> None:
    keys = [key for keys in SECTIONS.values() for key in keys]

    assert sorted(keys) == sorted(set(ConnectionForm.base_fields) - HIDDEN)


@pytest.mark.parametrize(("section", "label", "key"), [row for row in FIELDS if row[1]])
def test_each_label_is_as_agreed(by: Actor, section: str, label: str, key: str) -> None:
    panes = [shown(by, **values) for values, _ in SHOWN]

    assert {str(pane.fields[key].label) for pane in panes if key in pane.fields} == {label}


@pytest.mark.parametrize(("values", "expected"), SHOWN)
def test_each_field_is_shown_when_it_applies_and_only_then(
    by: Actor, values: dict[str, str], expected: set[str]
) -> None:
    pane = shown(by, **values)

    assert set(pane.fields) - HIDDEN == ALWAYS | expected


@pytest.mark.parametrize(("values", "expected"), SHOWN)
def test_the_fields_marked_as_required_are(by: Actor, values: dict[str, str], expected: set[str]) -> None:
    pane = shown(by, **values)

    assert {name for name, field in pane.fields.items() if field.required} == (ALWAYS | expected) & REQUIRED


def test_a_region_is_there_for_amazon_only(by: Actor) -> None:
    assert {"region", "marketplace"} <= set(shown(by, application=AMAZON).fields)
    assert not {"region", "marketplace"} & set(shown(by).fields)


def test_a_lender_hides_the_concurrency_level(by: Actor, team: Any) -> None:
    lender = form(by, post("none"))
    lender.is_valid()
    lender.instance.save()

    assert "concurrency" not in shown(by, borrow_from=str(lender.instance.pk)).fields


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("media_type", "json"), ("auth_type", "oauth2"), ("client_authentication", "client_secret_post"), ("pkce", "S256"),
        ("scope_delimiter", " "), ("code_param", "code"), ("access_token_path", "access_token"),
        ("refresh_token_path", "refresh_token"), ("expires_in_path", "expires_in"), ("token_location", "header"),
        ("token_header", "Authorization"), ("token_scheme", "Bearer"), ("auth_fail_status", "401"),
        ("rate_fail_status", "429"), ("retry_header", "Retry-After"), ("ping_method", "GET"), ("concurrency", 25),
    ],
)  # fmt: skip
def test_each_default_is_as_agreed(by: Actor, name: str, expected: Any) -> None:
    assert shown(by)[name].value() == expected


def test_choices_are_as_agreed(by: Actor) -> None:
    def choices(name: str, **values: str) -> list[str]:
        return [str(value) for value, _ in shown(by, **values).fields[name].choices]  # type: ignore[attr-defined]

    assert choices("auth_type") == AuthType.values
    assert choices("grant_type") == ["authorization_code", "client_credentials"]
    assert choices("client_authentication") == ["client_secret_post", "client_secret_basic"]
    assert choices("media_type") == ["json", "xml", "form-data", "urlencoded", "text"]
    assert choices("success_media_type") == ["", "json", "xml", "csv", "text"]
    assert choices("error_media_type") == ["", "json", "xml", "text"]
    assert choices("pkce") == ["off", "S256", "plain"]
    assert choices("ping_method") == ["GET", "HEAD", "POST", "PUT"]
    assert choices("token_location") == ["header", "query", "body"]
    assert choices("cookie_method", auth_type="cookie") == ["GET", "POST"]


@pytest.mark.parametrize("auth_type", TYPES)
def test_what_each_type_needs_is_enough(by: Actor, auth_type: str) -> None:
    pane = form(by, post(auth_type))

    assert pane.is_valid(), pane.errors


@pytest.mark.parametrize(
    ("auth_type", "name"),
    [(kind, name) for kind, values in TYPES.items() for name in values if name != "wsse_header"]
    + [("none", "name"), ("none", "base_uri"), ("none", "media_type"), ("token", "token_header")],
)
def test_a_required_field_left_empty_says_so(by: Actor, auth_type: str, name: str) -> None:
    pane = form(by, post(auth_type, **{name: ""}))

    assert not pane.is_valid()
    assert name in pane.errors


def test_fields_left_empty_are_what_they_are_at_first(by: Actor) -> None:
    pane = form(by, post("wsse", wsse_header="", ping_method="", concurrency="", rate_wait_ms=""))

    assert pane.is_valid(), pane.errors
    kept = pane.values
    assert (kept["wsse_header"], kept["ping_method"], kept["concurrency"], kept["rate_wait_ms"]) == (
        "X-WSSE",
        "GET",
        25,
        0,
    )


def limits() -> list[tuple[str, int]]:
    fields = ConnectionForm.base_fields.items()
    return [(name, field.max_length) for name, field in fields if getattr(field, "max_length", None)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("name", "limit"), limits())
def test_a_text_that_is_too_long_is_refused(name: str, limit: int) -> None:
    field = ConnectionForm.base_fields[name]
    text = "https://api.example.com/" if name.endswith(("_uri", "_url")) else ""

    with pytest.raises(ValidationError, match="not PEM" if isinstance(field, PemField) else "at most"):
        field.clean(text + "x" * (limit + 1))


@pytest.mark.parametrize(
    ("auth_type", "name"),
    [
        ("none", "name"), ("basic", "username"), ("basic", "password"), ("token", "token"), ("token", "token_header"),
        ("none", "ping_path"), ("none", "auth_fail_path"), ("none", "auth_fail_values"), ("none", "retry_header"),
        ("oauth1", "oauth1_consumer_key"), ("oauth1", "oauth1_realm"), ("jwt", "jwt_secret"), ("wsse", "wsse_header"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("character", ["\r\n", "\x00", "\u2028", "\x1b"])
def test_control_characters_are_refused(by: Actor, auth_type: str, name: str, character: str) -> None:
    pane = form(by, post(auth_type, **{name: f"one{character}two"}))

    assert name in pane.errors


@pytest.mark.parametrize(
    ("name", "text"), [("concurrency", "0"), ("concurrency", "51"), ("rate_wait_ms", "-1"), ("rate_wait_ms", "x")]
)
def test_numbers_stay_within_their_bounds(by: Actor, name: str, text: str) -> None:
    assert name in form(by, post("none", **{name: text})).errors


@pytest.mark.parametrize("text", ["40", "4011", "9xx", "401;403"])
def test_a_status_has_three_digits(by: Actor, text: str) -> None:
    assert "auth_fail_status" in form(by, post("none", auth_fail_status=text)).errors


def test_several_statuses_are_separated_by_commas(by: Actor) -> None:
    pane = form(by, post("none", auth_fail_status="401,403 , 419"))

    assert pane.is_valid(), pane.errors
    assert pane.values["auth_fail_status"] == "401, 403, 419"


@pytest.mark.parametrize("text", ["none", "None", ""])
def test_no_scheme_is_no_scheme(by: Actor, text: str) -> None:
    pane = form(by, post("token", token_scheme=text))

    assert pane.is_valid(), pane.errors
    assert pane.values["token_scheme"] == ""
