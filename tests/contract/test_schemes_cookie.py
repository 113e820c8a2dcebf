"""A login with a form against a small real server (Werkzeug's), whose sessions end."""

import secrets
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from werkzeug.serving import make_server
from werkzeug.wrappers import Request as Asked
from werkzeug.wrappers import Response

from connections import outbound
from connections.actions import calls, schemes
from connections.actions.calls import Request
from connections.models import Actor, Connection, Grant, Team
from tests import factories

PASSWORD = "p&ss=wörd +1"

pytestmark = [pytest.mark.contract, pytest.mark.django_db(transaction=True)]


class Shop:
    """POST /login with a form gives a session; GET /orders wants it."""

    def __init__(self) -> None:
        self.sessions: set[str] = set()
        self.logins = 0

    @Asked.application
    def __call__(self, asked: Asked) -> Response:
        if asked.path == "/login":
            self.logins += 1
            if (asked.form.get("user"), asked.form.get("password")) != ("zoë", PASSWORD):
                return Response("Wrong.", 403)
            session = secrets.token_urlsafe()
            self.sessions.add(session)
            response = Response("Welcome.")
            response.set_cookie("session", session, httponly=True, samesite="Strict", path="/")
            response.set_cookie("theme", "dark; wide", max_age=86400)
            return response
        return Response("3 orders") if asked.cookies.get("session") in self.sessions else Response("Who?", 401)


@pytest.fixture
def shop() -> Iterator[tuple[Shop, str]]:
    app = Shop()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    outbound.configure(private_hosts_allowed=[f"127.0.0.1:{server.port}"])
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield app, f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()
    server.server_close()


def connection(team: Team, url: str, **fields: Any) -> Connection:
    usual: dict[str, Any] = {
        "application": "http", "base_uri": url, "oauth_client": None, "auth_type": "cookie", "cookie_method": "POST",
        "cookie_url": f"{url}/login", "cookie_body": "user={{ field.user }}&password={{ encrypted.password }}",
        "fields": [["user", "zoë"]], "encrypted_field_names": ["password"],
        "encrypted_fields": f'{{"password": "{PASSWORD}"}}',
    }  # fmt: skip
    return factories.connection(team, **usual | fields)


def test_a_login_lets_the_calls_in(team: Team, by: Actor, shop: tuple[Shop, str]) -> None:
    app, url = shop
    orders = connection(team, url)

    replies = [calls.perform(orders, Request("GET", "/orders"), by=by) for _ in range(3)]

    assert [(reply.status, reply.body) for reply in replies] == [(200, b"3 orders")] * 3
    assert app.logins == 1


def test_a_session_that_ends_is_begun_again(team: Team, by: Actor, shop: tuple[Shop, str]) -> None:
    app, url = shop
    orders = connection(team, url)
    calls.perform(orders, Request("GET", "/orders"), by=by)
    app.sessions.clear()
    was = Grant.objects.get().refreshed_at
    assert was
    Grant.objects.update(refreshed_at=was - schemes.JUST_NOW)

    reply = calls.perform(orders, Request("GET", "/orders"), by=by)

    assert (reply.status, reply.repeats, app.logins) == (200, 1, 2)


def test_a_wrong_password_is_tried_once(team: Team, by: Actor, shop: tuple[Shop, str]) -> None:
    app, url = shop
    orders = connection(team, url, encrypted_fields='{"password": "guess"}')

    for _ in range(3):
        with pytest.raises(calls.grants.GrantError):
            calls.perform(orders, Request("GET", "/orders"), by=by)

    assert app.logins == 1
