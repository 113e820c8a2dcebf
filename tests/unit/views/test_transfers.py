"""Export and import pages: who may, what they answer, and that the file that came is not kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from connections.models import Connection, Event, OAuthClient
from tests import factories

HOSTILE = '=cmd|"/c calc"!A1 <script>alert(1)</script>'


def basic(name: str = "One", **http: Any) -> dict[str, Any]:
    auth = {"type": "basic", "basic": {"username": "svc", "password": "******"}}
    return {
        "_id": name,
        "type": "http",
        "name": name,
        "http": {"baseURI": "https://api.example.com", "auth": auth} | http,
    }


def upload(client: Client, *resources: dict[str, Any], clients: Any = (), content: bytes | None = None) -> Any:
    if content is None:
        content = json.dumps({"connections": list(resources), "clients": list(clients)}).encode()
    file = SimpleUploadedFile("mine.json", content, "application/json")
    return client.post("/connections/import/", {"file": file})


def text(response: Any) -> str:
    return b"".join(response.streaming_content).decode() if response.streaming else response.content.decode()


def apply(client: Client, **data: Any) -> Any:
    return client.post("/connections/import/apply/", data)


def test_the_list_links_to_import_and_export(as_alice: Client, as_mona: Client, team: Any) -> None:
    factories.connection(team)
    page = as_alice.get("/connections/").content.decode()
    assert 'href="/connections/import/"' in page
    assert 'href="/connections/export/"' in page
    assert "import" not in as_mona.get("/connections/").content.decode()


def test_a_file_is_checked_shown_and_then_stored(as_alice: Client) -> None:
    page = text(upload(as_alice, basic("One"), basic("Two")))
    assert "2 of 2 connections are checked" in page
    assert "2 connections and 0 clients will be created" in page
    assert "Needs: Password" in page
    assert page.rstrip().endswith("</html>")
    assert Connection.objects.count() == 0
    done = text(apply(as_alice))
    assert "2 connections and 0 clients imported" in done
    assert set(Connection.objects.values_list("name", "status")) == {("One", "draft"), ("Two", "draft")}
    assert Event.objects.filter(action="connection.import").count() == 1


def test_progress_comes_in_pieces(as_alice: Client) -> None:
    response = upload(as_alice, *(basic(f"C{number}") for number in range(120)))
    pieces = [piece.decode() for piece in response.streaming_content]
    assert [("checked" in piece) for piece in pieces[:8]] == [False, False, True, True, True, True, True, False]
    assert response["X-Accel-Buffering"] == "no"


def test_who_leaves_in_the_middle_has_stored_nothing(as_alice: Client) -> None:
    text(upload(as_alice, *(basic(f"C{number}") for number in range(60))))
    response = apply(as_alice)
    pieces = iter(response.streaming_content)
    next(pieces), next(pieces), next(pieces)
    response._resource_closers[0]()  # what the web server calls when the browser has gone
    assert Connection.objects.count() == 0
    assert "60 connections" in text(apply(as_alice))


def test_a_file_can_be_stored_once(as_alice: Client) -> None:
    text(upload(as_alice, basic()))
    text(apply(as_alice))
    again = apply(as_alice)
    assert again.status_code == 302
    assert again.url == "/connections/import/"
    assert Connection.objects.count() == 1


def test_of_two_presses_at_once_one_stores(as_alice: Client) -> None:
    text(upload(as_alice, basic()))
    first, second = apply(as_alice, copies="on"), apply(as_alice, copies="on")
    assert "imported" in text(first)
    assert "Nothing was imported" in text(second)
    assert Connection.objects.count() == 1


def test_what_was_put_aside_belongs_to_one_person(as_alice: Client, as_bob: Client) -> None:
    text(upload(as_alice, basic()))
    assert apply(as_bob).status_code == 302
    assert Connection.objects.count() == 0


def test_what_is_put_aside_holds_no_secret_and_opens_no_session(as_alice: Client) -> None:
    found = basic()
    found["http"]["auth"]["basic"]["password"] = factories.SENTINEL
    page = text(upload(as_alice, found))
    assert factories.SENTINEL not in page
    assert "secrets in clear" in page
    aside = as_alice.session["import"]
    stored = Session.objects.get(session_key=aside).get_decoded()
    assert factories.SENTINEL not in json.dumps(stored)
    thief = Client()
    thief.cookies["gatehouse_session"] = aside
    assert thief.get("/connections/").status_code == 302


def test_a_second_file_takes_the_place_of_the_first(as_alice: Client) -> None:
    text(upload(as_alice, basic("First")))
    text(upload(as_alice, basic("Second")))
    text(apply(as_alice))
    assert [connection.name for connection in Connection.objects.all()] == ["Second"]
    assert not Session.objects.filter(session_key=as_alice.session["import"]).exists()


def test_names_that_exist_are_shown_and_copied_only_if_asked(as_alice: Client) -> None:
    text(upload(as_alice, basic()))
    text(apply(as_alice))
    page = text(upload(as_alice, basic()))
    assert "Also create copies of the 1" in page
    text(apply(as_alice))
    assert Connection.objects.count() == 1
    text(upload(as_alice, basic()))
    text(apply(as_alice, copies="on"))
    assert set(Connection.objects.values_list("name", flat=True)) == {"One", "One (copy)"}


def test_matching_clients_are_asked_about(as_alice: Client, team: Any) -> None:
    factories.oauth_client(team, name="Mine", client_id="id")
    page = text(upload(as_alice, clients=[{"_id": "c", "name": "Theirs", "client_id": "id"}], content=None))
    assert "There is nothing to import" in page
    file = [{"_id": "c", "name": "Theirs", "client_id": "id"}, {"_id": "d", "name": "New", "client_id": "other"}]
    page = text(upload(as_alice, clients=file))
    assert "Use those, with the secrets they have" in page
    assert "Mine" in page
    text(apply(as_alice, clients="existing"))
    assert set(OAuthClient.objects.values_list("name", flat=True)) == {"Mine", "New"}


def test_errors_are_listed_and_nothing_can_be_pressed(as_alice: Client) -> None:
    page = text(upload(as_alice, basic("Good"), basic("Bad", baseURI="nonsense", mediaType="toml")))
    assert "Bad, Base URI:" in page
    assert "Bad, Media type:" in page
    assert "/connections/import/apply/" not in page
    text(apply(as_alice))
    assert Connection.objects.count() == 0


def test_unknown_keys_are_listed(as_alice: Client) -> None:
    page = text(upload(as_alice, basic(disableStrictSSL=True)))
    assert "http.disableStrictSSL" in page


def test_hostile_names_and_keys_are_only_text(as_alice: Client) -> None:
    page = text(upload(as_alice, basic(HOSTILE, **{"<img src=x onerror=1>": 1}), {"type": "<b>ftp", "name": HOSTILE}))
    done = text(apply(as_alice))
    for shown in (page, done):
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "<b>ftp" not in shown
    assert Connection.objects.get().name == HOSTILE


@pytest.mark.parametrize(
    ("content", "says"), [(b"{", "not JSON"), (b"", "empty"), (b"\xff\xfe", "UTF-8"), (b"[" * 99_999, "too deeply")]
)
def test_a_bad_file_gets_a_sentence(as_alice: Client, content: bytes, says: str) -> None:
    response = upload(as_alice, content=content)
    assert response.status_code == 422
    assert says in response.content.decode()


def test_no_file_gets_a_sentence(as_alice: Client) -> None:
    response = as_alice.post("/connections/import/", {})
    assert response.status_code == 422
    assert "required" in response.content.decode()


def test_a_file_that_is_too_large_gets_a_sentence(as_alice: Client) -> None:
    response = upload(as_alice, content=b" " * (10 * 1024 * 1024 + 1))
    assert response.status_code == 422
    assert "larger than 10 MB" in response.content.decode()


def test_what_breaks_is_told_and_logged(as_alice: Client, monkeypatch: Any, caplog: Any) -> None:
    monkeypatch.setattr("connections.forms.transfers.Import._judge", lambda self, entry: 1 / 0)
    page = text(upload(as_alice, basic()))
    assert "The import broke off." in page
    assert page.rstrip().endswith("</html>")
    assert "An import broke off: ZeroDivisionError" in caplog.text
    assert "division by zero" not in caplog.text


def test_export_is_a_file_without_secrets(as_alice: Client, team: Any) -> None:
    client = factories.oauth_client(team, client_secret=factories.SENTINEL)
    connection = factories.connection(team, name=HOSTILE, oauth_client=client, token=factories.SENTINEL)
    factories.grant(connection, access_token=factories.SENTINEL, refresh_token=factories.SENTINEL)
    for address in ("/connections/export/", f"/connections/{connection.pk}/export/"):
        response = as_alice.get(address)
        assert response["Content-Type"] == "application/json; charset=utf-8"
        assert response["Content-Disposition"].startswith('attachment; filename="')
        assert "no-store" in response["Cache-Control"]
        file = text(response)
        assert factories.SENTINEL not in file
        assert json.loads(file)["connections"][0]["name"] == HOSTILE


def test_the_name_of_the_file_is_plain(as_alice: Client, team: Any) -> None:
    connection = factories.connection(team, name='"\r\nSet-Cookie: a=b <日本>')
    response = as_alice.get(f"/connections/{connection.pk}/export/")
    assert response["Content-Disposition"] == 'attachment; filename="set-cookie-ab.json"'
    text(response)


def test_what_was_exported_can_be_imported_by_another_team(
    as_alice: Client, as_charlie: Client, team: Any, charlie: Any
) -> None:
    factories.connection(team, name="Moves")
    file = text(as_alice.get("/connections/export/")).encode()
    assert "1 connection and 1 client will be created" in text(upload(as_charlie, content=file))
    done = text(apply(as_charlie))
    assert "Clients that need their secret" in done
    moved = Connection.objects.get(team=charlie.team)
    assert moved.name == "Moves"
    assert moved.oauth_client.team == charlie.team


@pytest.mark.parametrize("address", ["/connections/import/", "/connections/export/", "/connections/{}/export/"])
def test_who_only_watches_may_neither_import_nor_export(as_mona: Client, team: Any, address: str) -> None:
    assert as_mona.get(address.format(factories.connection(team).pk)).status_code == 403


def test_who_only_watches_may_not_store(as_mona: Client) -> None:
    assert apply(as_mona).status_code == 403


def test_strangers_get_404(as_charlie: Client, team: Any) -> None:
    assert as_charlie.get(f"/connections/{factories.connection(team).pk}/export/").status_code == 404


def test_nobody_gets_the_sign_in_page(alice: Any) -> None:
    for address in ("/connections/import/", "/connections/export/"):
        assert Client().get(address).status_code == 302


@pytest.mark.parametrize(
    ("method", "address"),
    [("put", "/connections/import/"), ("get", "/connections/import/apply/"), ("post", "/connections/export/")],
)
def test_another_method_is_refused(as_alice: Client, method: str, address: str) -> None:
    assert getattr(as_alice, method)(address).status_code == 405
