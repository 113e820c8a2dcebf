"""What is sent to a token endpoint, and what comes of it, over a real connection."""

import base64
import json
import os
import threading
from typing import Any

import pytest

from connections import outbound
from connections.oauth.endpoint import is_sign_in_page
from connections.oauth.exchange import client_credentials, exchange_code, probe_client
from connections.oauth.refresh import refresh
from connections.oauth.revoke import revoke
from connections.oauth.tokens import TokenPaths
from tests.unit.oauth.asks import ASKS, BACK, CODE, OLD, SECRET, Make, failing
from tests.unit.oauth.loopback import Server

# What is sent


def test_a_code_is_exchanged(server: Server, endpoint: Make) -> None:
    tokens = exchange_code(endpoint(), code=CODE, redirect_uri=BACK)

    assert (tokens.access_token, tokens.expires_in) == ("Atza|new", 3600)
    asked = server.asked[0]
    assert (asked.method, asked.path) == ("POST", "/auth/o2/token")
    assert asked.headers["Accept"] == "application/json"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded;charset=UTF-8"
    assert "Authorization" not in asked.headers
    assert asked.form == {
        "grant_type": "authorization_code",
        "code": CODE,
        "redirect_uri": BACK,
        "client_id": "the client",
        "client_secret": SECRET,
    }
    assert b"|" not in asked.body
    assert b"%7C" in asked.body


def test_a_redirect_uri_is_sent_only_if_one_was_used(server: Server, endpoint: Make) -> None:
    exchange_code(endpoint(), code=CODE, redirect_uri=None)

    assert "redirect_uri" not in server.asked[0].form


def test_the_verifier_goes_with_the_code(server: Server, endpoint: Make) -> None:
    exchange_code(endpoint(), code=CODE, redirect_uri=BACK, verifier="v" * 43)

    assert server.asked[0].form["code_verifier"] == "v" * 43


def test_a_refresh_sends_no_scope_unless_given(server: Server, endpoint: Make) -> None:
    refresh(endpoint(), refresh_token=OLD)
    refresh(endpoint(), refresh_token=OLD, scope="a b")

    assert server.asked[0].form == {
        "grant_type": "refresh_token",
        "refresh_token": OLD,
        "client_id": "the client",
        "client_secret": SECRET,
    }
    assert server.asked[1].form["scope"] == "a b"


def test_client_credentials_send_the_scope(server: Server, endpoint: Make) -> None:
    client_credentials(endpoint(), scope="sellingpartnerapi::notifications")

    assert server.asked[0].form == {
        "grant_type": "client_credentials",
        "scope": "sellingpartnerapi::notifications",
        "client_id": "the client",
        "client_secret": SECRET,
    }


@pytest.mark.parametrize("ask", ASKS)
def test_basic_authentication_is_form_encoded_as_rfc_6749_asks(server: Server, endpoint: Make, ask: Any) -> None:
    ask(endpoint(client_authentication="client_secret_basic"))

    kind, value = server.asked[0].headers["Authorization"].split()
    assert kind == "Basic"
    assert base64.b64decode(value) == b"the+client:amzn-s3cret%7CValue%2F%2B%C3%A4"
    assert not {"client_id", "client_secret"} & set(server.asked[0].form)


@pytest.mark.parametrize("way", ["client_secret_post", "client_secret_basic"])
def test_a_public_client_names_itself_in_the_body(server: Server, endpoint: Make, way: str) -> None:
    exchange_code(endpoint(client_secret=None, client_authentication=way), code=CODE, redirect_uri=BACK)

    assert "Authorization" not in server.asked[0].headers
    assert server.asked[0].form["client_id"] == "the client"
    assert "client_secret" not in server.asked[0].form


@pytest.mark.parametrize("ask", ASKS)
def test_extra_headers_and_fields_are_sent_and_win(server: Server, endpoint: Make, ask: Any) -> None:
    ask(endpoint(headers={"X-One": "1", "accept": "text/plain"}, body={"audience": "api", "client_id": "other"}))

    asked = server.asked[0]
    assert (asked.headers["X-One"], asked.headers["Accept"]) == ("1", "text/plain")
    assert (asked.form["audience"], asked.form["client_id"]) == ("api", "other")


def test_an_authorization_header_of_ones_own_wins(server: Server, endpoint: Make) -> None:
    own = {"Authorization": "Special abc"}

    refresh(endpoint(headers=own, client_authentication="client_secret_basic"), refresh_token=OLD)

    assert server.asked[0].headers["Authorization"] == "Special abc"


def test_a_json_content_type_sends_json(server: Server, endpoint: Make) -> None:
    refresh(endpoint(headers={"Content-Type": "application/json"}), refresh_token=OLD)

    assert json.loads(server.asked[0].body)["refresh_token"] == OLD
    assert server.asked[0].headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("ask", ASKS)
def test_a_token_urls_own_query_is_kept_and_gets_no_secret(server: Server, endpoint: Make, ask: Any) -> None:
    ask(endpoint(url=f"{server.url}/token?tenant=a%20b"))

    assert server.asked[0].path == "/token?tenant=a%20b"


# What comes back


def test_a_refresh_without_a_new_refresh_token_says_none(endpoint: Make) -> None:
    assert refresh(endpoint(), refresh_token=OLD).refresh_token is None


def test_a_rotated_refresh_token_is_given(server: Server, endpoint: Make) -> None:
    server.json({"access_token": "a", "refresh_token": "Atzr|rotated"})

    assert refresh(endpoint(), refresh_token=OLD).refresh_token == "Atzr|rotated"


def test_another_scope_than_asked_for_is_no_error(server: Server, endpoint: Make) -> None:
    server.json({"access_token": "a", "scope": "less"})

    assert client_credentials(endpoint(), scope="more").scope == "less"
    assert refresh(endpoint(), refresh_token=OLD, scope="more").scope == "less"


def test_an_answer_that_oauthlib_cannot_read_is_read(server: Server, endpoint: Make) -> None:
    server.json({"ok": True, "authed_user": {"access_token": "x" * 8192, "expires_in": "43200.0"}, "expires_in": "?"})
    paths = TokenPaths("authed_user.access_token", "authed_user.refresh_token", "authed_user.expires_in")

    tokens = refresh(endpoint(paths=paths), refresh_token=OLD)

    assert (len(tokens.access_token), tokens.expires_in) == (8192, 43200)


def test_a_form_encoded_answer_is_read(server: Server, endpoint: Make) -> None:
    server.answer(200, "access_token=abc&expires_in=60", "application/x-www-form-urlencoded")

    assert exchange_code(endpoint(), code=CODE, redirect_uri=None).expires_in == 60


AMAZON = [
    (401, {"error": "invalid_client", "error_description": "Client authentication failed"}, "client"),
    (400, {"error": "invalid_grant", "error_index": "x", "request_id": "r"}, "reauthorize"),
    (400, {"error": "unauthorized_client", "error_description": "Not authorized for requested operation"}, "client"),
    (400, {"error": "unsupported_grant_type"}, "misconfigured"),
    (400, {"error": "invalid_scope"}, "misconfigured"),
    (500, {"error": "ServerError"}, "transient"),
    (503, {"error": "temporarily_unavailable"}, "transient"),
]


@pytest.mark.parametrize(("status", "fields", "kind"), AMAZON, ids=[str(fields["error"]) for _, fields, _ in AMAZON])
def test_amazons_refusals_are_told_apart(
    server: Server, endpoint: Make, status: int, fields: dict[str, str], kind: str
) -> None:
    server.json(fields, status, x_amzn_RequestId="amzn-1", retry_after="7")

    error = failing(lambda: refresh(endpoint(), refresh_token=OLD))

    assert (error.kind, error.status, error.request_id, error.retry_after) == (kind, status, "amzn-1", 7)
    assert error.description == fields.get("error_description", "")


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, "<html>Sign in", "not_json"),
        (502, "<html>Bad gateway", "http_502"),
        (404, "", "http_404"),
        (429, "", "http_429"),
    ],
)
def test_pages_and_failures_are_told(
    server: Server, endpoint: Make, ask: Any, status: int, body: str, error: str
) -> None:
    server.answer(status, body, "text/html")

    assert failing(lambda: ask(endpoint())).error == error


@pytest.mark.parametrize("ask", ASKS[:3])
def test_an_empty_answer_is_no_token(server: Server, endpoint: Make, ask: Any) -> None:
    server.answer(200, "")

    assert failing(lambda: ask(endpoint())).error == "not_json"


@pytest.mark.parametrize("ask", ASKS)
def test_a_redirect_does_not_post_the_secret_again(server: Server, endpoint: Make, ask: Any) -> None:
    with Server() as other:
        server.answer(307, location=f"{other.url}/steal")

        error = failing(lambda: ask(endpoint()))

        assert (error.error, error.code, error.kind) == ("redirected", "redirect", "misconfigured")
        assert other.asked == []


@pytest.mark.parametrize("ask", ASKS)
def test_an_endless_answer_is_too_large(server: Server, endpoint: Make, ask: Any) -> None:
    server.answer(200, b" " * 1_100_000)

    assert failing(lambda: ask(endpoint())).error == "too_large"


def test_nobody_listening_is_unreachable(endpoint: Make) -> None:
    error = failing(lambda: refresh(endpoint(url="http://127.0.0.1:1/"), refresh_token=OLD))

    assert (error.error, error.kind, error.code) == ("unreachable", "transient", "connect")


def test_a_server_that_does_not_answer_is_a_timeout(server: Server, endpoint: Make) -> None:
    done = threading.Event()
    server.respond = lambda handler: done.wait(5)  # type: ignore[assignment]

    error = failing(lambda: refresh(endpoint(deadline=0.2), refresh_token=OLD))
    done.set()

    assert (error.error, error.kind) == ("timeout", "transient")


def test_a_private_token_url_is_refused(endpoint: Make) -> None:
    error = failing(lambda: refresh(endpoint(url="https://169.254.169.254/latest"), refresh_token=OLD))

    assert (error.error, error.kind) == ("refused_address", "misconfigured")


def test_plain_http_is_decided_by_the_guard_alone(server: Server, endpoint: Make) -> None:
    assert refresh(endpoint(), refresh_token=OLD).access_token == "Atza|new"
    assert "OAUTHLIB_INSECURE_TRANSPORT" not in os.environ
    outbound.configure(private_hosts_allowed=[])

    assert failing(lambda: refresh(endpoint(), refresh_token=OLD)).error == "insecure"
    assert len(server.asked) == 1


def test_no_environment_variable_loosens_the_rule(endpoint: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    outbound.configure(private_hosts_allowed=[])

    assert failing(lambda: refresh(endpoint(), refresh_token=OLD)).error == "insecure"


# Pages for people


@pytest.mark.parametrize(
    "url",
    [
        "https://www.amazon.com/ap/oa",
        "https://eu.account.amazon.com/ap/oa?client_id=x",
        "https://apac.account.amazon.com/ap/oa/",
        "https://WWW.AMAZON.COM//AP/%6Fa;x",
        "https://vendorcentral.amazon.com/apps/authorize/consent",
        "https://proxy.example/ap/oa",
    ],
)
def test_amazons_pages_are_recognised(url: str) -> None:
    assert is_sign_in_page(url)


@pytest.mark.parametrize("url", ["https://api.amazon.com/auth/o2/token", "https://x.example/ap", "https://x.example/"])
def test_token_urls_are_no_pages(url: str) -> None:
    assert not is_sign_in_page(url)


@pytest.mark.parametrize("ask", ASKS)
def test_nothing_is_ever_posted_to_a_sign_in_page(server: Server, endpoint: Make, ask: Any) -> None:
    error = failing(lambda: ask(endpoint(url=f"{server.url}/ap/oa")))

    assert (error.error, error.kind) == ("sign_in_page", "misconfigured")
    assert "https://api.amazon.com/auth/o2/token" in error.description
    assert server.asked == []


# Probing the client


@pytest.mark.parametrize("error", ["invalid_grant", "bad_verification_code"])
def test_a_refused_made_up_code_proves_the_client(server: Server, endpoint: Make, error: str) -> None:
    server.json({"error": error}, 400)

    probe_client(endpoint(), redirect_uri=BACK, grant_type="authorization_code")

    assert server.asked[0].form["grant_type"] == "authorization_code"
    assert server.asked[0].form["redirect_uri"] == BACK


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, "invalid_client"), (400, "unauthorized_client"), (400, "invalid_request"), (503, "invalid_grant")],
)
def test_any_other_answer_does_not(server: Server, endpoint: Make, status: int, error: str) -> None:
    server.json({"error": error}, status)

    assert failing(lambda: probe_client(endpoint(), redirect_uri=BACK, grant_type="authorization_code")).error == error


def test_a_complaint_about_the_scope_proves_the_client(server: Server, endpoint: Make) -> None:
    server.json({"error": "invalid_scope"}, 400)

    probe_client(endpoint(), redirect_uri=None, grant_type="client_credentials")

    assert server.asked[0].form["grant_type"] == "client_credentials"


# Revoking


def test_a_token_is_revoked_as_rfc_7009_asks(server: Server, endpoint: Make) -> None:
    server.answer(200, "")

    revoke(endpoint(), token=OLD)
    revoke(endpoint(), token=OLD, hint=None)

    assert server.asked[0].form == {
        "token": OLD,
        "token_type_hint": "refresh_token",
        "client_id": "the client",
        "client_secret": SECRET,
    }
    assert "token_type_hint" not in server.asked[1].form


def test_an_unknown_token_is_as_good_as_revoked(server: Server, endpoint: Make) -> None:
    server.json({"error": "invalid_token"}, 400)

    revoke(endpoint(), token=OLD)


def test_a_revocation_that_failed_is_told(server: Server, endpoint: Make) -> None:
    server.json({"error": "unsupported_token_type", "error_description": f"not {OLD}"}, 400)

    error = failing(lambda: revoke(endpoint(), token=OLD))

    assert (error.error, error.description) == ("unsupported_token_type", "not ••••••")
