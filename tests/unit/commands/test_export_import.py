"""export_connections and import_connections."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from connections.models import Connection, Event, OAuthClient
from tests import factories


@pytest.fixture
def file(team: Any, tmp_path: Path) -> Path:
    """An export of a team with one connection."""
    client = factories.oauth_client(team, client_secret=factories.SENTINEL)
    connection = factories.connection(team, name="Moves", oauth_client=client)
    factories.grant(connection, access_token=factories.SENTINEL, refresh_token=factories.SENTINEL)
    path = tmp_path / "out.json"
    call_command("export_connections", str(path), verbosity=0)
    return path


def test_export_writes_a_file_for_its_owner_only_and_without_secrets(file: Path) -> None:
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert factories.SENTINEL not in file.read_text()
    assert [connection["name"] for connection in json.loads(file.read_text())["connections"]] == ["Moves"]
    assert not file.with_name("out.json.part").exists()
    assert Event.objects.filter(action="connection.export", actor="Gatehouse").count() == 1


def test_export_never_writes_over_a_file(file: Path) -> None:
    before = file.read_text()
    with pytest.raises(CommandError, match="exists"):
        call_command("export_connections", str(file))
    assert file.read_text() == before


def test_export_says_where_it_cannot_write(team: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("export_connections", str(tmp_path / "no" / "where.json"))


def test_the_team_must_be_clear(team: Any, charlie: Any, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="several teams"):
        call_command("export_connections", str(tmp_path / "x.json"))
    with pytest.raises(CommandError, match="no team Nobody"):
        call_command("export_connections", str(tmp_path / "x.json"), team="Nobody")
    call_command("export_connections", str(tmp_path / "x.json"), team="Strangers")


def test_import_into_another_team(file: Path, charlie: Any, capsys: Any) -> None:
    call_command("import_connections", str(file), team="Strangers")
    moved = Connection.objects.get(team=charlie.team)
    assert (moved.name, moved.status) == ("Moves", "draft")
    assert moved.oauth_client.client_secret is None
    told = capsys.readouterr().out
    assert "create Moves; needs: The secret of its client" in told
    assert "1 connections and 1 clients are imported." in told


def test_a_dry_run_stores_nothing(file: Path, charlie: Any, capsys: Any) -> None:
    call_command("import_connections", str(file), team="Strangers", dry_run=True)
    assert not Connection.objects.filter(team=charlie.team).exists()
    assert "create Moves" in capsys.readouterr().out


def test_the_same_file_again_leaves_out_what_exists(file: Path, capsys: Any) -> None:
    call_command("import_connections", str(file))
    assert "leave out Moves: it exists" in capsys.readouterr().out
    assert (Connection.objects.count(), OAuthClient.objects.count()) == (1, 1)


def test_a_file_with_an_error_stores_nothing_and_fails(team: Any, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "bad.json"
    good = {"type": "http", "name": "Good", "http": {"baseURI": "https://a.example.com", "auth": {"type": "none"}}}
    bad = good | {"name": "Bad", "http": {"baseURI": "nonsense"}}
    path.write_text(json.dumps([good, bad]))
    with pytest.raises(CommandError, match="Nothing was imported"):
        call_command("import_connections", str(path))
    assert "Bad, Base URI:" in capsys.readouterr().err
    assert Connection.objects.count() == 0


@pytest.mark.parametrize(("content", "says"), [("{", "not JSON"), ("[]", "no connection"), (None, "cannot be read")])
def test_a_file_that_is_none_is_told(team: Any, tmp_path: Path, content: str | None, says: str) -> None:
    path = tmp_path / "x.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(CommandError, match=says):
        call_command("import_connections", str(path))


def test_a_secret_in_clear_is_told_without_it(team: Any, tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "x.json"
    auth = {"type": "basic", "basic": {"username": "u", "password": factories.SENTINEL}}
    path.write_text(
        json.dumps({"type": "http", "name": "One", "http": {"baseURI": "https://a.example.com", "auth": auth}})
    )
    call_command("import_connections", str(path))
    told = capsys.readouterr()
    assert "http.auth.basic.password holds a secret in clear" in told.err
    assert factories.SENTINEL not in told.out + told.err
    assert Connection.objects.get().password is None
