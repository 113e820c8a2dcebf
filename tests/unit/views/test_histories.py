"""The history of a connection: every event in plain words, newest first, for every member and for nobody else."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext

from connections.actions import connections as actions
from connections.actions import events, grants, recordings
from connections.applications import Failure
from connections.models import Actor, Connection
from connections.models.choices import Status
from connections.views import histories
from connections.views.sentences import SENTENCES, kind, sentence
from tests import factories
from tests.unit.views.pages import visit

SOURCES = Path(actions.__file__).parent.parent


def written() -> set[str]:
    """Every action that is recorded anywhere."""
    found = set()
    for path in (path for path in SOURCES.rglob("*.py") if "events.record(" in path.read_text()):
        tree = ast.parse(path.read_text())
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            for call in calls(function, "events.record"):
                found |= names(next(each.value for each in call.keywords if each.arg == "action"), function, tree)
    return found


def calls(tree: ast.AST, name: str) -> list[ast.Call]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == name]


def names(value: ast.expr, function: ast.FunctionDef, tree: ast.Module) -> set[str]:
    """What `action=` may be: a text, one of each status, one of a table of the file, or what `function` is called with."""
    if isinstance(value, ast.Constant):
        return {str(value.value)}
    if ast.unparse(value) == "f'connection.{status}'":
        return {f"connection.{status}" for status in Status.values}
    if isinstance(value, ast.Subscript):
        tables = [
            node
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == ast.unparse(value.value)
        ]
        assert isinstance(tables[0].value, ast.Dict)
        return {str(ast.literal_eval(each)) for each in tables[0].value.values}
    place = [argument.arg for argument in function.args.args].index(ast.unparse(value))
    return {str(ast.literal_eval(call.args[place])) for call in calls(tree, function.name)}


def test_every_action_that_is_recorded_has_a_sentence() -> None:
    assert len(written()) > 20
    assert written() - set(SENTENCES) == set()


@pytest.mark.parametrize("action", SENTENCES)
@pytest.mark.parametrize("detail", [{}, {"changes": None, "failure": None, "scopes": None, "count": None}])
def test_a_sentence_bears_any_detail(action: str, detail: dict[str, Any]) -> None:
    said = sentence(action, detail)
    assert (said and said[0].isupper()) or said.startswith("Somebody")
    assert "None" not in said
    assert kind(action, detail) in ("", "ok", "bad")


@pytest.mark.parametrize(
    ("action", "detail", "says"),
    [
        ("connection.update", {"changes": {"base_uri": ["a", "b"], "scope": ["", "x"]}}, "Changed: Base URI, Scope"),
        ("connection.update", {"changes": {"password": ["replaced", "replaced"]}}, "Changed: Password"),
        ("connection.test", {"ok": True, "saved": True}, "Test passed"),
        ("connection.test", {"ok": False, "saved": False}, "Test of values not saved failed"),
        ("connection.test", {"ok": False, "cancelled": True}, "Test cancelled"),
        ("grant.authorize", {"identity": "VG1"}, "Authorized as VG1"),
        ("recording.start", {"minutes": 15}, "Recording of calls started, for 15 minutes"),
        ("token.read", {"count": 1}, "Access token handed out once"),
        ("token.read", {"count": 412}, "Access token handed out 412 times"),
        ("some.other", {}, "some.other"),
    ],
)  # fmt: skip
def test_a_sentence_says_what_happened(action: str, detail: dict[str, Any], says: str) -> None:
    assert sentence(action, detail) == says


@pytest.fixture
def connection(by: Actor) -> Connection:
    return factories.connection(by.team, name="Purchase orders")


def address(connection: Connection) -> str:
    return f"/connections/{connection.pk}/history/"


def test_it_tells_newest_first_and_who(as_bob: Client, as_mona: Client, by: Actor, connection: Connection) -> None:
    recordings.start(connection, minutes=15, by=by)
    failure: dict[str, Any] = {
        "error": "invalid_grant",
        "description": "",
        "status": 400,
        "request_id": None,
        "where": "token",
    }
    actions.set_status(connection, Status.OFFLINE, failure, by=Actor(by.team))
    factories.grant(connection, refresh_token="r")
    grants.drop(connection, by=by)
    explained = connection.provider.explain(Failure(**failure))
    for person in (as_bob, as_mona):
        words = visit(person, address(connection)).words
        told = [
            "Tokens deleted here",
            "Became a draft",
            f"Went offline. {explained.title}",
            "Recording of calls started, for 15 minutes",
        ]
        places = [words.index(text) for text in told]
        assert places == sorted(places)
        assert "alice@example.com" in words


def test_what_goes_on_all_the_time_is_told_once_until_something_else_happens(
    as_bob: Client, by: Actor, connection: Connection
) -> None:
    worker, keys = Actor(by.team), [Actor(by.team, api_key=name) for name in ("One", "Two")]

    def minutes(number: int) -> None:
        for _ in range(number):
            events.record(by=worker, action="grant.refresh", about=connection)
            for key in keys:
                events.record(by=key, action="token.read", about=connection, count=7, minute="x")

    minutes(10)
    events.record(by=by, action="connection.update", about=connection, changes={"scope": ["", "x"]})
    minutes(30)
    page = visit(as_bob, address(connection))
    told = ["handed out 210 times", "API key Two", "handed out 210 times", "API key One", "refreshed 30 times", "Gatehouse ·",
            "Changed: Scope", "handed out 70 times", "handed out 70 times", "refreshed 10 times"]  # fmt: skip
    at = 0
    for words in told:
        at = page.words.index(words, at) + len(words)
    assert "Older" not in page.words


def test_the_same_twice_is_told_once(as_bob: Client, by: Actor, connection: Connection) -> None:
    for ok in (True, True, False, True):
        events.record(by=by, action="connection.test", about=connection, ok=ok)
    words = visit(as_bob, address(connection)).words
    assert words.index("Test passed") < words.index("Test failed") < words.index("Test passed 2 times")


def test_older_events_are_a_step_away_and_none_is_left_out(as_bob: Client, by: Actor, connection: Connection) -> None:
    for number in range(45):
        events.record(by=by, action="grant.authorize", about=connection, identity=f"VG{number:02}")
    path, seen = address(connection), ""
    for _ in range(3):
        page = visit(as_bob, path)
        seen += page.words
        older = page.html.partition("?before=")[2].partition('"')[0]
        path = f"{address(connection)}?before={older}"
    assert older == ""
    assert [f"VG{number:02}" in seen for number in range(45)] == [True] * 45
    assert seen.count("Authorized as") == 45


def test_many_of_one_kind_lead_on_too(as_bob: Client, by: Actor, connection: Connection, monkeypatch: Any) -> None:
    monkeypatch.setattr(histories, "READ", 30)
    events.record(by=by, action="connection.create", about=connection)
    for _ in range(35):
        events.record(by=by, action="grant.refresh", about=connection)
    page = visit(as_bob, address(connection))
    assert "30 times" in page.words
    older = page.html.partition("?before=")[2].partition('"')[0]
    words = visit(as_bob, f"{address(connection)}?before={older}").words
    assert "5 times" in words and "Created" in words


def test_nothing_yet_says_so(as_bob: Client, connection: Connection) -> None:
    assert "Nothing has happened yet." in visit(as_bob, address(connection)).words
    assert "There is nothing older." in visit(as_bob, address(connection) + "?before=1").words


@pytest.mark.parametrize("before", ["x", "-1", "1.5", "²", "%00", "9" * 40, ""])
def test_nonsense_behind_before_is_borne(as_bob: Client, connection: Connection, before: str) -> None:
    assert as_bob.get(f"{address(connection)}?before={before}").status_code == 200


def test_other_connections_and_other_teams_stay_out(
    as_bob: Client, as_charlie: Client, by: Actor, connection: Connection
) -> None:
    other = factories.connection(by.team)
    events.record(by=by, action="grant.authorize", about=other, identity="ELSEWHERE")
    assert "ELSEWHERE" not in visit(as_bob, address(connection)).html
    assert as_charlie.get(address(connection)).status_code == 404


def test_the_fragment_is_the_same_without_its_page(as_bob: Client, by: Actor, connection: Connection) -> None:
    events.record(by=by, action="connection.create", about=connection)
    answer = as_bob.get(address(connection), headers={"HX-Request": "true"})
    html = answer.content.decode()
    assert html.strip().startswith('<div id="history">') and "Created" in html and "<html" not in html
    assert "HX-Request" in answer["Vary"]


def test_what_a_person_or_provider_wrote_is_text(as_bob: Client, by: Actor, connection: Connection) -> None:
    hostile = "<script>alert(1)</script>"
    events.record(by=by, action="grant.authorize", about=connection, identity=hostile)
    events.record(by=by, action="connection.offline", about=connection, failure={"error": hostile, "odd": 1})
    events.record(by=by, action="connection.update", about=connection, changes={hostile: [1, 2]})
    page = visit(as_bob, address(connection))
    assert page.text.count(hostile) == 3
    assert hostile not in page.html


def test_it_takes_as_many_queries_however_long_it_is(as_bob: Client, by: Actor, connection: Connection) -> None:
    def queries() -> int:
        with CaptureQueriesContext(database) as captured:
            as_bob.get(address(connection))
        return len(captured)

    events.record(by=by, action="connection.create", about=connection)
    as_bob.get(address(connection))
    few = queries()
    for number in range(60):
        events.record(by=by, action="grant.authorize", about=connection, identity=str(number))
    assert queries() == few <= 5
