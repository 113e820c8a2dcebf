"""Headers and fields of one's own in a token request: added, in place of ours, or taking ours out."""

from typing import Any

import pytest

from connections import outbound
from connections.oauth.refresh import refresh
from connections.oauth.tokens import TokenPaths, parse
from tests.unit.oauth.asks import ASKS, OLD, SECRET, Make, failing
from tests.unit.oauth.loopback import Server

BASIC = "client_secret_basic"


@pytest.mark.parametrize("ask", ASKS)
def test_a_blank_field_is_left_out(server: Server, endpoint: Make, ask: Any) -> None:
    ask(endpoint(body={"client_secret": "", "redirect_uri": "", "token_type_hint": "", "unknown": ""}))

    form = server.asked[0].form
    assert form["client_id"] == "the client"
    assert not {"client_secret", "redirect_uri", "token_type_hint", "unknown"} & set(form)


@pytest.mark.parametrize("ask", ASKS)
def test_a_blank_field_is_left_out_of_json_too(server: Server, endpoint: Make, ask: Any) -> None:
    ask(endpoint(headers={"content-type": "application/json"}, body={"client_id": ""}))

    assert b"client_id" not in server.asked[0].body
    assert b'"client_secret"' in server.asked[0].body


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("name", ["Accept", "authorization"])
def test_a_blank_header_is_left_out(server: Server, endpoint: Make, ask: Any, name: str) -> None:
    ask(endpoint(headers={name: ""}, client_authentication=BASIC))

    assert name not in server.asked[0].headers


@pytest.mark.parametrize("ask", ASKS)
def test_without_a_content_type_of_ours_a_form_still_says_what_it_is(server: Server, endpoint: Make, ask: Any) -> None:
    ask(endpoint(headers={"Content-Type": ""}))

    assert server.asked[0].headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize("ask", ASKS)
def test_a_secret_in_the_body_takes_the_place_of_the_basic_header(server: Server, endpoint: Make, ask: Any) -> None:
    """RFC 6749 §2.3: one way of client authentication in a request."""
    ask(endpoint(client_authentication=BASIC, body={"client_secret": SECRET}))

    assert "Authorization" not in server.asked[0].headers
    assert server.asked[0].form["client_secret"] == SECRET
    assert server.asked[0].form["client_id"] == "the client"


@pytest.mark.parametrize("ask", ASKS)
def test_a_blank_secret_leaves_the_basic_header(server: Server, endpoint: Make, ask: Any) -> None:
    ask(endpoint(client_authentication=BASIC, body={"client_secret": ""}))

    assert server.asked[0].headers["Authorization"].startswith("Basic ")
    assert "client_secret" not in server.asked[0].form


def test_a_part_of_a_header_can_be_a_secret(server: Server, endpoint: Make) -> None:
    server.json({"error": "no", "error_description": "the key is k3y-1"}, 400)

    error = failing(lambda: refresh(endpoint(headers={"X-Key": "ApiKey k3y-1"}, secrets=("k3y-1",)), refresh_token=OLD))

    assert error.description == "the key is ••••••"
    assert "k3y-1" not in repr(endpoint(secrets=("k3y-1",)))


@pytest.mark.parametrize("ask", ASKS)
def test_a_client_certificate_that_does_not_fit_is_told(server: Server, endpoint: Make, ask: Any) -> None:
    error = failing(lambda: ask(endpoint(identity=outbound.Identity("no certificate", "no key"))))

    assert (error.error, error.code) == ("untrusted_certificate", "tls")
    assert server.asked == []


@pytest.mark.parametrize(
    "path", ["data[1].token", "$.data[1].token", "data.1.token", "$.data.1.token", "odd.name[0]", "deep[0][1].token"]
)
def test_a_path_may_be_written_in_several_ways(path: str) -> None:
    body = b'{"data": [{}, {"token": "a"}], "odd.name[0]": "a", "deep": [[0, {"token": "a"}]]}'

    assert parse(body, "", 200, paths=TokenPaths(path)).access_token == "a"


@pytest.mark.parametrize("path", ["data[7].token", "data[]", "[", "]", "data[x]", "data[-1].token", "$", "."])
def test_a_path_that_leads_nowhere_finds_no_token(path: str) -> None:
    error = failing(lambda: parse(b'{"data": [{"token": "a"}]}', "", 200, paths=TokenPaths(path)))

    assert error.error == "no_access_token"
