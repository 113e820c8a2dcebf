"""OAuth 2.0 clients: made, edited and deleted; their secret goes only where it was meant to."""

from __future__ import annotations

import pytest
from django.test import Client

from connections.models import Connection, Event, Membership, OAuthClient, Team
from tests import factories
from tests.conftest import Simulator
from tests.unit.views.pages import Page, press, visit

NEW = "/clients/new/"
SECRET = factories.SENTINEL
TYPED = {"name": "Vendor app", "client_id": factories.CLIENT_ID, "client_secret": SECRET,
         "application_id": factories.APPLICATION_ID, "secret_hosts": "api.amazon.com"}  # fmt: skip


def stored_secret(client: OAuthClient) -> str:
    client.refresh_from_db()
    assert client.client_secret is not None
    return client.client_secret.reveal()


def test_a_client_is_made_and_listed(as_bob: Client, db: None) -> None:
    answer = press(as_bob, visit(as_bob, NEW), "Save", TYPED)
    assert (answer.status, answer.response["Location"]) == (303, "/clients/")
    made = OAuthClient.objects.get()
    assert (made.team.name, made.secret_hosts, stored_secret(made)) == ("Bolt & Nut", ["api.amazon.com"], SECRET)
    page = visit(as_bob, "/clients/")
    assert "Vendor app is saved." in page.words
    assert "0 connections" in page.words
    assert SECRET not in page.html


def test_the_same_form_sent_twice_makes_one_client(as_bob: Client, db: None) -> None:
    page = visit(as_bob, NEW)
    assert [press(as_bob, page, "Save", TYPED).status for _ in range(2)] == [303, 303]
    assert OAuthClient.objects.count() == 1


def test_the_id_of_another_teams_client_touches_nothing_there(as_bob: Client, charlie: Membership) -> None:
    theirs = factories.oauth_client(charlie.team, name="Theirs")
    assert as_bob.post(NEW, TYPED | {"id": str(theirs.pk)}).status_code == 303
    assert (stored_secret(theirs), theirs.name) == (factories.CLIENT_SECRET, "Theirs")
    assert OAuthClient.objects.exclude(pk=theirs.pk).get().team.name == "Bolt & Nut"


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("name", "", "required"), ("name", "x" * 101, "100"), ("name", "a\nb", "line break"), ("name", "a\x00b", ""),
        ("client_id", "", "required"), ("client_id", "x" * 501, "500"), ("client_id", "a\u2028b", "line break"),
        ("client_secret", "", "required"), ("client_secret", "••••••••", "dots"), ("client_secret", "*****", "dots"),
        ("client_secret", "a\nb", "line break"), ("client_secret", "x" * 4097, "4096"), ("client_secret", "a\x00", ""),
        ("client_secret", "\u200b \n", "required"), ("application_id", "x" * 201, "200"),
        ("application_id", "a\rb", "line break"), ("secret_hosts", "not a host!", "not a host"),
        ("secret_hosts", "javascript:alert(1)", "not a host"), ("secret_hosts", "user:pw@api.example.com", "not a host"),
        ("secret_hosts", "a\x00b.example", "not a host"), ("secret_hosts", "x" * 300 + ".example", "not a host"),
        ("secret_hosts", " ".join(f"h{n}.example" for n in range(21)), "20 hosts"),
    ],
)  # fmt: skip
def test_bad_input_says_so_at_the_field_and_is_kept(as_bob: Client, db: None, name: str, value: str, says: str) -> None:
    page = press(as_bob, visit(as_bob, NEW), "Save", TYPED | {name: value})
    assert page.status == 422
    assert says in page.error(name)
    assert not OAuthClient.objects.exists()
    assert page.value("name") == (value if name == "name" else "Vendor app")
    assert SECRET not in page.html


def test_blanks_and_quotes_around_what_was_pasted_are_left_out_and_told(as_bob: Client, db: None) -> None:
    dressed = {"client_id": f' "{factories.CLIENT_ID}"', "client_secret": f"\u201c{SECRET}\u201d\n"}
    press(as_bob, visit(as_bob, NEW), "Save", TYPED | dressed)
    made = OAuthClient.objects.get()
    assert (made.client_id, stored_secret(made)) == (factories.CLIENT_ID, SECRET)
    assert "quotation marks around Client ID and Client secret were left out" in visit(as_bob, "/clients/").words


def test_hosts_are_kept_as_hosts(as_bob: Client, db: None) -> None:
    hosts = "https://API.Amazon.com/auth/o2/token, api.amazon.com:443\napi.example.com:8443"
    press(as_bob, visit(as_bob, NEW), "Save", TYPED | {"secret_hosts": hosts})
    assert OAuthClient.objects.get().secret_hosts == ["api.amazon.com", "api.example.com:8443"]


class TestEditing:
    @pytest.fixture
    def client_at_amazon(self, team: Team) -> OAuthClient:
        return factories.oauth_client(team, name="Vendor app", secret_hosts=["api.amazon.com"])

    @pytest.fixture
    def page(self, as_bob: Client, client_at_amazon: OAuthClient) -> Page:
        return visit(as_bob, f"/clients/{client_at_amazon.pk}/")

    def test_shows_that_a_secret_is_stored_and_never_the_secret(self, page: Page) -> None:
        assert "One is stored. Leave this blank to keep it." in page.words
        assert factories.CLIENT_SECRET not in page.html
        assert page.value("client_id") == factories.CLIENT_ID

    def test_blank_keeps_the_secret(self, page: Page, as_bob: Client, client_at_amazon: OAuthClient) -> None:
        assert press(as_bob, page, "Save", {"name": "Renamed"}).status == 303
        assert stored_secret(client_at_amazon) == factories.CLIENT_SECRET
        assert (client_at_amazon.name, client_at_amazon.version) == ("Renamed", 2)

    def test_a_new_secret_replaces_the_old_one_and_is_noted_without_it(
        self, page: Page, as_bob: Client, client_at_amazon: OAuthClient
    ) -> None:
        press(as_bob, page, "Save", {"client_secret": SECRET})
        assert stored_secret(client_at_amazon) == SECRET
        event = Event.objects.get(action="client.update")
        assert event.detail["changes"] == {"client_secret": ["replaced", "replaced"]}

    @pytest.mark.parametrize("hosts", ["api.amazon.com\nevil.example", "evil.example", "api.amazon.com:8443"])
    def test_another_host_needs_the_secret_again(
        self, page: Page, as_bob: Client, client_at_amazon: OAuthClient, hosts: str
    ) -> None:
        answer = press(as_bob, page, "Save", {"secret_hosts": hosts})
        assert answer.status == 422
        assert "enter it again" in answer.error("client_secret")
        client_at_amazon.refresh_from_db()
        assert client_at_amazon.secret_hosts == ["api.amazon.com"]
        assert press(as_bob, answer, "Save", {"client_secret": SECRET}).status == 303

    @pytest.mark.parametrize("hosts", ["", " \n ", ","])
    def test_an_emptied_list_lets_any_host_in_and_needs_the_secret_again(
        self, page: Page, as_bob: Client, client_at_amazon: OAuthClient, hosts: str
    ) -> None:
        answer = press(as_bob, page, "Save", {"secret_hosts": hosts})
        assert answer.status == 422
        assert "enter it again" in answer.error("client_secret")
        client_at_amazon.refresh_from_db()
        assert client_at_amazon.secret_hosts == ["api.amazon.com"]

    def test_a_host_may_be_taken_off(self, as_bob: Client, team: Team) -> None:
        client = factories.oauth_client(team, secret_hosts=["api.amazon.com", "old.example.com"])
        page = visit(as_bob, f"/clients/{client.pk}/")
        assert press(as_bob, page, "Save", {"secret_hosts": "api.amazon.com"}).status == 303
        client.refresh_from_db()
        assert client.secret_hosts == ["api.amazon.com"]

    @pytest.mark.parametrize("version", ["0", "nonsense", ""])
    def test_a_stale_edit_shows_both_and_loses_nothing(
        self, page: Page, as_bob: Client, client_at_amazon: OAuthClient, version: str
    ) -> None:
        answer = press(as_bob, page, "Save", {"version": version, "name": "Mine", "client_secret": SECRET})
        assert answer.status == 409
        for told in ("Mine", "Vendor app", "not shown; enter it again"):
            assert told in answer.words
        assert (answer.value("name"), stored_secret(client_at_amazon)) == ("Mine", factories.CLIENT_SECRET)
        assert SECRET not in answer.html
        assert press(as_bob, answer, "Save", {"client_secret": SECRET}).status == 303
        assert stored_secret(client_at_amazon) == SECRET


def test_a_secret_that_cannot_be_opened_is_asked_for_again(as_bob: Client, team: Team) -> None:
    client = factories.oauth_client(team, name="Moved", secret_hosts=["api.amazon.com"])
    other = factories.oauth_client(team)
    OAuthClient.objects.filter(pk=client.pk).update(client_secret=other.client_secret)  # sealed for another row
    page = visit(as_bob, f"/clients/{client.pk}/")
    assert "can no longer be read. Enter it again." in page.words
    assert "required" in press(as_bob, page, "Save").error("client_secret")
    assert visit(as_bob, "/clients/").status == 200
    connection = factories.connection(team, oauth_client=client)
    pane = press(as_bob, visit(as_bob, f"/connections/{connection.pk}/"), "Save & authorize")
    assert pane.error("oauth_client") == "This client needs its secret again. Enter it with the pencil."


def test_a_client_in_use_is_not_deleted_and_names_who_uses_it(as_bob: Client, connection: Connection) -> None:
    page = visit(as_bob, f"/clients/{connection.oauth_client_id}/delete/")
    assert "Simulator app is in use" in page.words
    assert "Purchase orders" in page.words
    answer = as_bob.post(f"/clients/{connection.oauth_client_id}/delete/")
    assert answer.status_code == 303
    assert "Still used by Purchase orders." in visit(as_bob, "/clients/").words
    assert OAuthClient.objects.exists()
    connection.delete()
    page = visit(as_bob, f"/clients/{connection.oauth_client_id}/delete/")
    assert press(as_bob, page, "Delete").response["Location"] == "/clients/"
    assert not OAuthClient.objects.exists()


class TestFromAPane:
    def test_everything_typed_is_there_again_with_the_new_client_chosen(
        self, as_bob: Client, db: None, simulator: Simulator
    ) -> None:
        typed = {"name": "Half typed", "ping_path": "/x?y=1&z=2", "headers_name": ["X-A", "X-B"], "headers_value": ["1", "2"],
                 "region": "eu", "base_uri": "https://proxy.example.com", "refresh_token": SECRET}  # fmt: skip
        away = press(
            as_bob, visit(as_bob, "/connections/new/amazon-vendor-central/"), "New OAuth 2.0 client", typed
        ).response
        assert away.status_code == 302
        form = visit(as_bob, away["Location"])
        assert "api.amazon.com" in form.value("secret_hosts").split()
        back = press(as_bob, form, "Save", {key: TYPED[key] for key in ("name", "client_id", "client_secret")})
        assert back.response["Location"].startswith("/connections/new/amazon-vendor-central/?")
        page = visit(as_bob, back.response["Location"])
        kept = {name: page.form.values[name][:2] for name in ("headers_name", "headers_value")}
        assert kept == {"headers_name": ["X-A", "X-B"], "headers_value": ["1", "2"]}
        for name in ("name", "ping_path", "base_uri"):
            assert page.value(name) == typed[name]
        assert page.value("oauth_client") == str(OAuthClient.objects.get().pk)
        assert SECRET not in page.html
        assert SECRET not in str(as_bob.session.items())

    def test_closing_the_client_form_loses_nothing_either(self, as_bob: Client, connection: Connection) -> None:
        page = visit(as_bob, f"/connections/{connection.pk}/")
        away = press(as_bob, page, "Edit OAuth 2.0 client", {"name": "Half typed"}).response["Location"]
        assert away.startswith(f"/clients/{connection.oauth_client_id}/?")
        form = visit(as_bob, away)
        assert f'href="/connections/{connection.pk}/?draft=1"' in form.html
        page = visit(as_bob, f"/connections/{connection.pk}/?draft=1")
        assert page.value("name") == "Half typed"
        assert press(as_bob, page, "Save & authorize").status == 303

    def test_the_host_of_a_typed_token_url_is_offered(self, as_bob: Client, db: None) -> None:
        for typed, offered in (
            ("https://ID.example.com:8443/token", "id.example.com:8443"),
            ("https://www.amazon.com/ap/oa", ""),
            ("nonsense", ""),
        ):
            away = press(as_bob, visit(as_bob, "/connections/new/http/"), "New OAuth 2.0 client", {"token_url": typed})
            assert visit(as_bob, away.response["Location"]).value("secret_hosts") == offered

    @pytest.mark.parametrize("client", ["nonsense", "", "6f1c5d0e-0000-4000-8000-000000000000"])
    def test_the_pencil_without_a_client_leads_somewhere(self, as_bob: Client, db: None, client: str) -> None:
        values = {"client": "edit", "oauth_client": client}
        answer = as_bob.post("/connections/new/http/client/", values)
        assert as_bob.get(answer["Location"]).status_code in (200, 404)

    @pytest.mark.parametrize(
        "pane", ["https://evil.example/", "//evil.example/connections/new/http/", "/connections/", "javascript:alert(1)",
                 "/connections/new/http/?x=https://evil.example", "/\\evil.example", "/connections/new/http/\n"],
    )  # fmt: skip
    def test_it_leads_back_to_a_pane_of_ours_only(self, as_bob: Client, db: None, pane: str) -> None:
        answer = as_bob.post(NEW, TYPED | {"pane": pane})
        assert answer["Location"] == "/clients/"

    def test_a_draft_belongs_to_one_browser(self, as_alice: Client, as_bob: Client, db: None) -> None:
        press(as_bob, visit(as_bob, "/connections/new/http/"), "New OAuth 2.0 client", {"name": "Bob's draft"})
        assert "Bob" not in visit(as_alice, "/connections/new/http/?draft=1").html

    def test_a_draft_holds_only_what_the_pane_has(self, as_bob: Client, db: None) -> None:
        extra = {
            "password": SECRET,
            "client_secret": SECRET,
            "refresh_token": SECRET,
            "whatever": SECRET,
            "name": "Mine",
        }
        as_bob.post("/connections/new/http/client/", extra)
        assert SECRET not in str(as_bob.session.items())


def test_htmx_gets_the_drawer_and_the_event_that_chooses_the_client(as_bob: Client, db: None) -> None:
    page = visit(as_bob, NEW, headers={"HX-Request": "true"})
    assert page.html.lstrip().startswith("<form")
    answer = press(as_bob, page, "Save", TYPED, headers={"HX-Request": "true"}).response
    assert str(OAuthClient.objects.get().pk) in answer["HX-Trigger"]
    assert SECRET not in answer["HX-Trigger"]
