"""API keys: which ones let in, for what, and what is told of those that do not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.test import Client, RequestFactory
from django.utils import timezone

from connections.actions import api_keys, usage
from connections.api import access
from connections.api.problems import Problem
from connections.models import ApiKey, Connection, Event, Membership, Scope, Team
from tests import factories
from tests.unit.api.integrations import BASE, Integration, authorized, events, integration, problem

# Every operation, with a scope that opens it.
OPERATIONS = [
    ("GET", "/connections", Scope.CONNECTIONS),
    ("GET", "/connections/{id}", Scope.CONNECTIONS),
    ("GET", "/connections/{id}/token", Scope.TOKENS),
    ("GET", "/connections/{id}/token?min_valid=10", Scope.TOKENS),
    ("POST", "/connections/{id}/refresh", Scope.TOKENS),
    ("POST", "/connections/{id}/test", Scope.TEST),
]
IDS = [f"{method} {path}" for method, path, _ in OPERATIONS]


@pytest.mark.parametrize(("method", "path", "scope"), OPERATIONS, ids=IDS)
class TestEveryOperation:
    def test_needs_a_key(self, method: str, path: str, scope: Scope, good: Connection, client: Client) -> None:
        for id in (good.pk, uuid4(), "no-id"):
            answer = client.generic(method, BASE + path.format(id=id))
            told = problem(answer, 401, "unauthorized")
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert "RateLimit-Limit" not in answer.headers
            assert told["detail"] == "The request has no API key."

    def test_needs_its_scope(self, method: str, path: str, scope: Scope, good: Connection, team: Team) -> None:
        others = integration(team, *(other for other in Scope.values if other != scope))
        told = problem(others.call(method, path.format(id=good.pk)), 403, "forbidden")
        assert scope in told["detail"]
        (event,) = events("api_key.refuse")
        assert (event.actor, event.object_id, event.address) == (
            "API key Nightly import",
            str(others.key.pk),
            "192.0.2.7",
        )
        assert event.detail == {"reason": f"scope {scope}", "unwritten": 0}
        assert event.user_agent == "nightly-import/2.1"

    def test_shows_nothing_of_another_team(
        self, method: str, path: str, scope: Scope, good: Connection, charlie: Membership
    ) -> None:
        stranger = integration(charlie.team)
        answers = [stranger.call(method, path.format(id=id)) for id in (good.pk, uuid4(), "no-id", "%00", "x" * 3000)]
        if "{id}" not in path:
            assert [answer.json() for answer in answers] == [{"items": [], "next": None}] * 5
            return
        told = [problem(answer, 404, "not_found") for answer in answers]
        assert all(each == told[0] for each in told)
        assert not Event.objects.filter(team=good.team, action__startswith="token").exists()

    def test_shows_a_limited_key_nothing_of_the_others(
        self, method: str, path: str, scope: Scope, good: Connection, team: Team
    ) -> None:
        limited = integration(team, connections=[authorized(team, name="Another")])
        answer = limited.call(method, path.format(id=good.pk))
        if "{id}" in path:
            problem(answer, 404, "not_found")
        else:
            assert [item["name"] for item in answer.json()["items"]] == ["Another"]

    def test_ends_with_the_key(
        self, method: str, path: str, scope: Scope, good: Connection, nightly: Integration
    ) -> None:
        address = path.format(id=good.pk)
        with time_machine.travel(timezone.now() + timedelta(days=2)):
            ApiKey.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
            told = problem(nightly.call(method, address), 401, "unauthorized")
            assert "expired" in told["detail"]
        ApiKey.objects.update(expires_at=None)
        api_keys.revoke(nightly.key, by=factories.actor(good.team))
        told = problem(nightly.call(method, address), 401, "unauthorized")
        assert "revoked" in told["detail"]
        assert [event.detail["reason"] for event in events("api_key.refuse")] == ["expired", "revoked"]


def test_a_key_works_until_the_moment_it_expires(nightly: Integration) -> None:
    end = timezone.now() + timedelta(days=1)
    ApiKey.objects.update(expires_at=end)
    with time_machine.travel(end - timedelta(seconds=1), tick=False):
        assert nightly.get("/connections").status_code == 200
    with time_machine.travel(end, tick=False):
        problem(nightly.get("/connections"), 401, "unauthorized")


def wrong(text: str) -> dict[str, str]:
    """Headers that are no right key, made from one that is."""
    prefix, secret = text[:16], text[17:]
    return {
        "another secret": f"Bearer {prefix}_{secret[:-1]}{'A' if secret[-1] != 'A' else 'B'}",
        "half of it": f"Bearer {text[:-10]}",
        "more": f"Bearer {text}x",
        "another prefix": f"Bearer gth_{'0' * 12}_{secret}",
        "no prefix": f"Bearer {secret}",
        "prefix alone": f"Bearer {prefix}",
        "nothing": "Bearer",
        "blanks": "Bearer    ",
        "another scheme": f"Basic {text}",
        "no scheme": text,
        "upper case": f"Bearer {text.upper()}",
        "twice": f"Bearer {text}, Bearer {text}",
        "a blank within": f"Bearer {text[:20]} {text[20:]}",
        "a tab before": f"Bearer\t{text}",
        "a NUL": f"Bearer {text}\0",
        "a line break": f"Bearer {text}\r\nX-Y: z",
        "not ASCII": f"Bearer {text}é",
        "not UTF-8": f"Bearer {text}\xff\xfe",
        "very long": f"Bearer {text}" + "x" * 100_000,
        "the hash": "Bearer " + api_keys.digest(text),
    }


@pytest.mark.parametrize("kind", wrong("gth_0123456789ab_secret"))
def test_a_wrong_key_lets_nobody_in_and_says_only_that(nightly: Integration, good: Connection, kind: str) -> None:
    answer = Client().get(f"{BASE}/connections/{good.pk}/token", HTTP_AUTHORIZATION=wrong(nightly.text)[kind])
    told = problem(answer, 401, "unauthorized")
    assert told["detail"] == "The API key is not valid."
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert good.name not in answer.content.decode()
    assert events("api_key.refuse") == []


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "Bearer ", "Bearer  "])
def test_the_scheme_is_read_in_any_case(nightly: Integration, scheme: str) -> None:
    answer = Client().get(f"{BASE}/connections", HTTP_AUTHORIZATION=f"{scheme} {nightly.text} ")
    assert answer.status_code == 200


def test_a_key_is_only_taken_from_its_header(nightly: Integration, good: Connection) -> None:
    person = Client()
    person.cookies["key"] = nightly.text
    for path in (f"?key={nightly.text}", f"?access_token={nightly.text}", f"?Authorization=Bearer {nightly.text}"):
        problem(person.get(f"{BASE}/connections/{good.pk}/token{path}"), 401, "unauthorized")


def test_a_session_opens_nothing(as_alice: Client, good: Connection) -> None:
    problem(as_alice.get(f"{BASE}/connections"), 401, "unauthorized")


def test_an_answer_sets_no_cookie_and_knows_no_session(nightly: Integration, good: Connection) -> None:
    for answer in (nightly.get("/connections"), nightly.get(f"/connections/{good.pk}/token"), nightly.get("/nope")):
        assert not answer.cookies
        assert "Vary" not in answer.headers


def test_a_flood_of_refusals_leaves_one_row_a_minute_that_tells_how_many(team: Team, good: Connection) -> None:
    keys = [integration(team, Scope.CONNECTIONS), integration(team, Scope.CONNECTIONS)]
    start = timezone.now()
    for minute in range(3):
        with time_machine.travel(start + timedelta(seconds=61 * minute), tick=False):
            for _ in range(20):
                for key in keys:
                    assert key.get(f"/connections/{good.pk}/token").status_code == 403
    told = [(event.object_id, event.detail["unwritten"]) for event in events("api_key.refuse")]
    assert sorted(told) == sorted((str(key.key.pk), since) for key in keys for since in (0, 19, 19))


def test_two_reasons_are_told_apart(team: Team, good: Connection) -> None:
    key = integration(team, Scope.CONNECTIONS)
    for _ in range(3):
        key.get(f"/connections/{good.pk}/token")
        key.post(f"/connections/{good.pk}/test")
    assert [event.detail["reason"] for event in events("api_key.refuse")] == ["scope tokens", "scope test"]


def test_the_last_use_of_a_key_is_kept(nightly: Integration, team: Team) -> None:
    unused = integration(team)
    with time_machine.travel("2026-03-01 12:00:00", tick=False):
        nightly.get("/connections")
    usage.flush()
    keys = {key.pk: key.last_used_at for key in ApiKey.objects.all()}
    assert str(keys[nightly.key.pk]) == "2026-03-01 12:00:00+00:00"
    assert keys[unused.key.pk] is None


def test_a_refused_key_was_not_used(team: Team, good: Connection) -> None:
    key = integration(team, Scope.CONNECTIONS)
    key.get(f"/connections/{good.pk}/token")
    Client().get(f"{BASE}/connections", HTTP_AUTHORIZATION=f"Bearer {key.text}x")
    usage.flush()
    assert ApiKey.objects.get(pk=key.key.pk).last_used_at is None


def request(key: Integration, **headers: Any) -> Any:
    return RequestFactory().get("/", HTTP_AUTHORIZATION=f"Bearer {key.text}", HTTP_USER_AGENT="\0agent\r\n" + "x" * 400)


def test_a_plain_view_gets_caller_and_connection(nightly: Integration, good: Connection) -> None:
    asked = request(nightly)
    caller, connection = access.open_connection(asked, Scope.PROXY, str(good.pk))
    assert connection == asked.connection == good
    assert connection.oauth_client == good.oauth_client
    assert asked.caller is caller
    assert asked.rate.limit == 300_000
    assert (caller.key.pk, caller.key.name, caller.key.team) == (nightly.key.pk, "Nightly import", good.team)
    by = caller.actor
    assert (by.label, by.team, by.may_manage, by.may_administer) == ("API key Nightly import", good.team, True, False)
    assert by.address == "127.0.0.1"
    assert (len(by.user_agent), by.user_agent[:9]) == (300, " agent  x")


@pytest.mark.parametrize(("id", "code"), [("nope", "not_found"), (uuid4(), "not_found")])
def test_a_plain_view_gets_a_problem(nightly: Integration, good: Connection, id: Any, code: str) -> None:
    with pytest.raises(Problem) as raised:
        access.open_connection(request(nightly), Scope.PROXY, id)
    assert raised.value.code == code


def test_a_plain_view_asks_for_its_scope(team: Team, good: Connection) -> None:
    with pytest.raises(Problem) as raised:
        access.open_connection(request(integration(team, Scope.TOKENS)), Scope.PROXY, good.pk)
    assert raised.value.code == "forbidden"
