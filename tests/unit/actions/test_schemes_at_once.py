"""Logins: many at once, and what is sent."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection as database

from connections.actions import grants, logins
from connections.models import Actor, Connection, Team
from tests.unit.actions.test_schemes_logins import cookie, signed
from tests.unit.oauth.loopback import Server

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("body", "media_type", "expected"),
    [
        (' {"a": 1}', "xml", "application/json"),
        ("[1]", "json", "application/json"),
        ("<a/>", "json", "application/xml"),
        ("a=1&b=2", "json", "application/x-www-form-urlencoded"),
        ("a=1", "text", "text/plain; charset=utf-8"),
        ("hello", "json", "application/json"),
        ("hello", "form-data", "text/plain; charset=utf-8"),
    ],
)
def test_a_body_is_sent_as_what_it_looks_like(body: str, media_type: str, expected: str) -> None:
    assert logins.schemes.look(body, media_type) == expected


@pytest.mark.django_db(transaction=True)
def test_many_callers_at_once_log_in_once(team: Team, server: Server, by: Actor) -> None:
    server.answer(200, set_cookie="session=1")
    connection = cookie(team, server)
    grants.find(connection)
    answers: list[Any] = []

    def call() -> None:
        try:
            answers.append(signed(Connection.objects.get(pk=connection.pk), by)[0])
        finally:
            database.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: call(), range(8)))

    assert answers == [{"Cookie": "session=1"}] * 8
    assert len(server.asked) == 1
