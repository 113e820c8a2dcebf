"""The debug page of a connection: who may see it, start it, stop it, and take what was recorded home."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from connections.actions import recordings
from connections.models import Actor, Connection, Recording, Team
from tests import factories


@pytest.fixture
def connection(team: Team) -> Connection:
    return factories.connection(team, name="Bolt orders")


@pytest.fixture
def url(connection: Connection) -> str:
    return reverse("connection_debug", args=[connection.pk])


@pytest.fixture
def recorded(connection: Connection) -> Recording:
    return Recording.objects.create(
        connection=connection, kind="call", method="GET", url="https://api.example.com/x", status=200, ms=12,
        request_headers={"Authorization": "••••••"}, response_body='{"html": "<script>alert(1)</script>"}',
    )  # fmt: skip


def test_it_says_what_to_do_when_nothing_is_recorded(as_bob: Client, url: str) -> None:
    page = as_bob.get(url)

    assert page.status_code == 200
    assert "Nothing recorded" in page.content.decode()
    assert "no-store" in page["Cache-Control"]


def test_start_and_stop(as_bob: Client, url: str, connection: Connection) -> None:
    assert as_bob.post(url, {"minutes": "45"}).status_code == 302
    assert "Stop recording" in as_bob.get(url).content.decode()
    assert recordings.running(connection)

    as_bob.post(url, {"stop": "1"})

    assert recordings.running(connection) is None
    assert "Start recording" in as_bob.get(url).content.decode()


@pytest.mark.parametrize("minutes", ["", "7", "-15", "x", "1500000", "²"])
def test_other_lengths_are_refused(as_bob: Client, url: str, connection: Connection, minutes: str) -> None:
    page = as_bob.post(url, {"minutes": minutes}, follow=True)

    assert "Choose 15, 30, 45 or 60 minutes." in page.content.decode()
    assert recordings.running(connection) is None


def test_it_lists_what_was_recorded(as_bob: Client, url: str, recorded: Recording) -> None:
    page = as_bob.get(url).content.decode()

    assert "https://api.example.com/x" in page and "in 12 ms" in page
    assert "<script>alert" not in page


def test_download(as_bob: Client, url: str, recorded: Recording) -> None:
    file = as_bob.get(f"{url}download/")

    assert file["Content-Type"] == "application/json"
    assert file["Content-Disposition"].startswith('attachment; filename="debug-')
    assert json.loads(file.content)["recordings"][0]["url"] == "https://api.example.com/x"


@pytest.mark.parametrize("path", ["", "download/"])
def test_roles(as_mona: Client, as_charlie: Client, client: Client, url: str, recorded: Recording, path: str) -> None:
    assert as_mona.get(url + path).status_code == 403
    assert as_charlie.get(url + path).status_code == 404
    assert client.get(url + path).status_code == 302
    assert as_mona.post(url, {"minutes": "15"}).status_code == 403
    assert as_charlie.post(url, {"minutes": "15"}).status_code == 404


def test_wrong_methods_and_unknown_connections(as_bob: Client, url: str) -> None:
    assert as_bob.put(url).status_code == 405
    assert as_bob.post(f"{url}download/").status_code == 405
    assert as_bob.get(reverse("connection_debug", args=[uuid.uuid4()])).status_code == 404


def test_recordings_of_another_connection_stay_there(
    as_bob: Client, by: Actor, team: Team, url: str, recorded: Recording
) -> None:
    other = factories.connection(team)

    page: Any = as_bob.get(reverse("connection_debug", args=[other.pk]))

    assert "api.example.com" not in page.content.decode()
