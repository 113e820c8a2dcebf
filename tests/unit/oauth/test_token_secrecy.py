"""What no error, log line or repr ever holds."""

import base64
import logging
import traceback
import warnings
from typing import Any

import pytest

from connections.oauth.endpoint import TokenEndpoint
from connections.oauth.errors import OAuthError
from connections.oauth.refresh import refresh
from tests.unit.oauth.asks import ASKS, CODE, OLD, SECRET, Make, failing
from tests.unit.oauth.loopback import Server

PLANTED = [SECRET, CODE, OLD, "v" * 43, "s3nt"]


def told_by(error: OAuthError) -> str:
    return "".join(traceback.format_exception(error)) + repr(error) + str(error) + str(vars(error))


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("way", ["client_secret_post", "client_secret_basic"])
@pytest.mark.parametrize("status", [200, 400, 401, 500])
def test_no_error_holds_a_secret_that_the_provider_echoes(
    server: Server, endpoint: Make, ask: Any, way: str, status: int
) -> None:
    def echo(handler: Any) -> None:
        asked = server.asked[-1]
        said = f"{asked.headers.get('Authorization')} {asked.body.decode()} {list(asked.form.values())} Atza|s3nt"
        server.json({"error": "no", "error_description": said, "access_token": "Atza|s3nt", "hint": said}, status)
        server.respond(handler)

    server.respond = echo

    error = failing(lambda: ask(endpoint(client_authentication=way)))

    assert "••••••" in error.description
    assert not [held for held in PLANTED if held in told_by(error)]
    assert error.__context__ is None


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize(
    ("status", "body"),
    [(400, f"garbage {SECRET} s3nt"), (500, f"<pre>{SECRET} s3nt</pre>"), (403, '{"access_token": "s3nt')],
)
def test_no_error_holds_what_could_not_be_read(
    server: Server, endpoint: Make, ask: Any, status: int, body: str
) -> None:
    server.answer(status, body)

    error = failing(lambda: ask(endpoint()))

    assert not [held for held in PLANTED if held in told_by(error)]
    assert error.__context__ is None


def test_no_error_holds_a_secret_that_cannot_be_sent(endpoint: Make) -> None:
    error = failing(lambda: refresh(endpoint(headers={"Authorization": f"x {SECRET}\n"}), refresh_token=OLD))

    assert SECRET not in told_by(error)
    assert error.__context__ is None


@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("status", [200, 400])
def test_no_log_line_holds_a_secret_even_at_debug(
    server: Server, endpoint: Make, ask: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when the app sets the level of these loggers, or of their parents, after we were imported."""
    logging.captureWarnings(False)
    for name in ("", "oauthlib", "requests_oauthlib", "requests_oauthlib.oauth2_session", "urllib3", "requests"):
        caplog.set_level(logging.DEBUG, logger=name)
    server.json(
        {"access_token": "Atza|s3nt", "refresh_token": "Atzr|s3nt", "error": "x" if status == 400 else ""}, status
    )

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            ask(endpoint(client_authentication="client_secret_basic"))
        except OAuthError:
            assert status == 400

    basic = base64.b64encode(b"the+client:amzn-s3cret%7CValue%2F%2B%C3%A4").decode()
    assert not [held for held in (*PLANTED, basic, "%7CValue") if held in caplog.text]


def test_the_repr_of_an_endpoint_shows_no_secret() -> None:
    endpoint = TokenEndpoint(
        url=f"https://a.example/token?key={SECRET}",
        client_id="c",
        client_secret=SECRET,
        headers={"X-Key": SECRET},
        body={"key": SECRET},
    )

    assert SECRET not in repr(endpoint) + str(endpoint)
    assert "https://a.example/token" in repr(endpoint)
