"""The pane as a page: which sections are drawn and open, what works without script, and that no secret is in it."""

import re
from typing import Any

import pytest
from django.test import Client

from connections.models import Connection, Team
from connections.models.choices import AuthType
from tests import factories
from tests.factories import SENTINEL
from tests.unit.forms.pane import post

pytestmark = pytest.mark.django_db

SUMMARY = re.compile(r'<details class="section"[^>]*?( open)?>\s*<summary>.*?section-title">([^<]+)<', re.S)
CLOSED = ["Authentication failures", "Non-standard API rate limiter", "How to test this connection", "Advanced"]


def pane(client: Client, query: str) -> str:
    answer = client.get(f"/connections/new/http/?{query}")
    assert answer.status_code == 200
    return answer.content.decode()


def sections(html: str) -> dict[str, bool]:
    """Title: whether it is open, in order."""
    return {title: bool(is_open) for is_open, title in SUMMARY.findall(html)}


@pytest.mark.parametrize("auth_type", [kind for kind in AuthType.values if kind not in ("oauth2", "token")])
def test_sections_without_a_field_are_not_drawn(as_alice: Client, auth_type: str) -> None:
    drawn = sections(pane(as_alice, f"auth_type={auth_type}"))

    assert drawn == dict.fromkeys(["General", "Application details", "Authentication"], True) | dict.fromkeys(
        CLOSED, False
    )


def test_oauth2_has_sections_of_its_own(as_alice: Client) -> None:
    drawn = sections(pane(as_alice, "auth_type=oauth2"))

    assert list(drawn) == [
        "General", "Application details", "Authentication", "OAuth 2.0", "OAuth 2.0 overrides", "Token", *CLOSED,
    ]  # fmt: skip
    assert [title for title, is_open in drawn.items() if not is_open] == ["OAuth 2.0 overrides", *CLOSED]


@pytest.mark.parametrize(
    ("field", "value", "title"),
    [
        ("auth_fail_status", "x", "Authentication failures"),
        ("rate_wait_ms", "x", "Non-standard API rate limiter"),
        ("ping_path", "https://a.example.com", "How to test this connection"),
        ("concurrency", "99", "Advanced"),
    ],
)
def test_an_error_opens_its_section_and_is_counted(as_alice: Client, field: str, value: str, title: str) -> None:
    answer = as_alice.post("/connections/new/http/", post("none", **{field: value}))

    html = answer.content.decode()
    assert answer.status_code == 422
    assert [name for name, is_open in sections(html).items() if is_open and name in CLOSED] == [title]
    assert "1 error<" in html


@pytest.mark.parametrize("auth_type", AuthType.values)
def test_each_control_has_its_label_and_the_footer_fits(as_alice: Client, auth_type: str) -> None:
    html = pane(as_alice, f"auth_type={auth_type}")

    named = set(re.findall(r'<label for="([^"]+)"', html))
    ids = set(re.findall(r'<(?:select|textarea|input(?! type="hidden"))[^>]* id="(id_[^"]+)"', html))
    assert ids <= named
    main = "Save &amp; authorize" if auth_type == "oauth2" else "Save &amp; close"
    assert main in html
    assert ("Save &amp; authorize" in html) == (auth_type == "oauth2")
    assert "Test connection" in html


@pytest.mark.parametrize(
    ("changed", "appears", "goes"),
    [
        ({"auth_type": "wsse"}, "wsse_header", "token"),
        ({"auth_type": "token", "token_location": "query"}, "token_param", "token_header"),
        ({"auth_type": "token", "token_refresh_url": "https://a.example.com/t"}, "token_refresh_path", "username"),
        ({"auth_type": "jwt", "jwt_algorithm": "ES256"}, "jwt_private_key", "jwt_secret"),
        (
            {"auth_type": "oauth1", "oauth1_signature_method": "RSA-SHA1"},
            "oauth1_private_key",
            "oauth1_consumer_secret",
        ),
        ({"auth_type": "cookie", "cookie_method": "GET"}, "cookie_status", "cookie_body"),
        ({"auth_type": "none", "ping_method": "PUT"}, "ping_body", "username"),
    ],
)
@pytest.mark.parametrize("with_htmx", [True, False])
def test_a_choice_changes_the_fields_with_and_without_script(
    as_alice: Client, changed: Any, appears: str, goes: str, with_htmx: bool
) -> None:
    headers = {"HX-Request": "true"} if with_htmx else {}

    answer = as_alice.post("/connections/new/http/fields/", post(**changed), headers=headers)

    html = answer.content.decode()
    assert answer.status_code == 200
    assert f'id="id_{appears}"' in html
    assert f'id="id_{goes}"' not in html


@pytest.mark.parametrize("auth_type", AuthType.values)
def test_a_button_redraws_the_fields_where_script_is_off(as_alice: Client, auth_type: str) -> None:
    html = pane(as_alice, f"auth_type={auth_type}")

    within = html[html.index('id="id_auth_type"') :]
    assert "Update the fields below" in within[: within.index("</details>")]


def test_what_was_typed_for_another_type_comes_back_with_it(as_alice: Client) -> None:
    first = as_alice.post(
        "/connections/new/http/fields/", post("none", username="ann", cookie_url="https://a.example.com")
    )

    html = first.content.decode()
    assert '<input type="hidden" name="username" value="ann">' in html
    assert '<input type="hidden" name="cookie_url" value="https://a.example.com">' in html


def test_schemes_are_offered_and_free(as_alice: Client) -> None:
    html = pane(as_alice, "auth_type=token")

    assert 'list="token-schemes"' in html
    assert '<datalist id="token-schemes"><option value="Bearer"><option value="MAC"><option value="None">' in html


@pytest.mark.parametrize(
    "stored",
    [
        {"auth_type": "basic", "username": "ann", "password": SENTINEL},
        {"auth_type": "token", "token": SENTINEL},
        {"auth_type": "oauth1", "oauth1_signature_method": "HMAC-SHA1", "oauth1_consumer_secret": SENTINEL},
        {"auth_type": "oauth1", "oauth1_signature_method": "RSA-SHA1", "oauth1_private_key": SENTINEL},
        {"auth_type": "jwt", "jwt_algorithm": "HS256", "jwt_secret": SENTINEL},
        {"auth_type": "jwt", "jwt_algorithm": "RS256", "jwt_private_key": SENTINEL},
        {"auth_type": "none", "tls_certificate": "public", "tls_key": SENTINEL, "tls_passphrase": SENTINEL},
        {"auth_type": "none", "encrypted_fields": f'{{"a": "{SENTINEL}"}}', "encrypted_field_names": ["a"]},
    ],
)
def test_no_stored_secret_is_in_the_page(as_alice: Client, team: Team, stored: Any) -> None:
    usual = {"application": "http", "base_uri": "https://api.example.com", "oauth_client": None}
    connection = factories.connection(team, **usual | stored)

    html = as_alice.get(f"/connections/{connection.pk}/").content.decode()

    assert SENTINEL not in html
    assert "Stored" in html


def test_a_save_keeps_a_blank_secret_and_refuses_another_host(as_alice: Client, team: Team) -> None:
    usual = {"application": "http", "base_uri": "https://api.example.com", "oauth_client": None}
    connection = factories.connection(team, **usual, auth_type="basic", username="ann", password=SENTINEL)
    address = f"/connections/{connection.pk}/"

    kept = as_alice.post(address, post("basic", password="", username="bea", version="1"))
    moved = as_alice.post(address, post("basic", password="", base_uri="https://evil.example.com", version="2"))

    assert (kept.status_code, moved.status_code) == (303, 422)
    assert "Enter this again" in moved.content.decode()
    saved = Connection.objects.get(pk=connection.pk)
    assert (saved.username, saved.base_uri) == ("bea", "https://api.example.com")
    assert saved.password.reveal() == SENTINEL  # by the test, to see what is kept
