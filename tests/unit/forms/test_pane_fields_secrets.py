"""Secrets of the pane: never shown again, kept when left blank, and bound to the host they were entered for."""

import base64
import json
from typing import Any

import pytest
from django.http import QueryDict

from connections import sealing
from connections.actions import connections
from connections.forms.connections import ConnectionForm
from connections.models import Actor, Connection
from connections.models.pane import SECRET
from tests import factories
from tests.factories import SENTINEL
from tests.unit.forms.pane import HTTP, form, post

pytestmark = pytest.mark.django_db

SHOWN = {
    "password": {"auth_type": "basic", "username": "ann"},
    "token": {"auth_type": "token"},
    "oauth1_consumer_secret": {
        "auth_type": "oauth1",
        "oauth1_signature_method": "HMAC-SHA1",
        "oauth1_consumer_key": "k",
    },
    "oauth1_private_key": {"auth_type": "oauth1", "oauth1_signature_method": "RSA-SHA1", "oauth1_consumer_key": "k"},
    "oauth1_token_secret": {"auth_type": "oauth1", "oauth1_signature_method": "HMAC-SHA1", "oauth1_consumer_key": "k"},
    "jwt_secret": {"auth_type": "jwt", "jwt_algorithm": "HS256", "jwt_payload": "{}"},
    "jwt_private_key": {"auth_type": "jwt", "jwt_algorithm": "RS256", "jwt_payload": "{}"},
    "tls_key": {"auth_type": "none"},
    "tls_passphrase": {"auth_type": "none"},
    "encrypted_fields": {"auth_type": "none"},
}
REQUIRED = ("password", "token", "oauth1_consumer_secret", "oauth1_private_key", "jwt_secret", "jwt_private_key")


def stored(by: Actor, name: str, **fields: Any) -> Connection:
    value = json.dumps({"api_key": SENTINEL}) if name == "encrypted_fields" else SENTINEL
    names = {"encrypted_field_names": ["api_key"]} if name == "encrypted_fields" else {}
    usual: dict[str, Any] = {"application": "http", "base_uri": "https://api.example.com", "oauth_client": None}
    made = factories.connection(by.team, **usual | SHOWN[name] | {name: value} | names | fields)
    return Connection.objects.get(pk=made.pk)


def blank(name: str, **changed: Any) -> QueryDict:
    """The pane posted with that secret left blank, as the page has it."""
    rows = {"encrypted_fields": [["api_key", ""]]} if name == "encrypted_fields" else {name: ""}
    others = {"oauth1_consumer_secret": "typed"} if name == "oauth1_token_secret" else {}
    return post(**SHOWN[name] | others | rows | changed)  # type: ignore[arg-type]


def opened(connection: Connection, name: str) -> Any:
    sealed = getattr(connection, name)
    return sealed.reveal() if sealed else None  # by the test, to see what is kept


def test_every_secret_is_looked_at_here() -> None:
    assert set(SHOWN) == set(SECRET)


@pytest.mark.parametrize("name", SHOWN)
def test_a_stored_secret_is_never_in_the_page_but_said_to_be_there(by: Actor, name: str) -> None:
    pane = ConnectionForm(by=by, application=HTTP, instance=stored(by, name))

    html = str(pane[name])
    assert SENTINEL not in pane.as_p()
    assert "tored" in html
    assert not pane.fields[name].required


@pytest.mark.parametrize("name", SHOWN)
def test_a_typed_secret_is_not_sent_back_with_the_errors(by: Actor, name: str) -> None:
    rows = [["api_key", SENTINEL]] if name == "encrypted_fields" else SENTINEL
    pane = form(by, post(**SHOWN[name] | {name: rows, "name": ""}))  # type: ignore[arg-type]

    assert not pane.is_valid()
    assert SENTINEL not in pane.as_p()
    assert SENTINEL not in str(pane.errors)
    assert "tored" not in str(pane[name])


@pytest.mark.parametrize("name", SHOWN)
def test_a_secret_left_blank_is_kept(by: Actor, name: str) -> None:
    connection = stored(by, name)
    before = opened(connection, name)
    pane = form(by, blank(name), instance=Connection.objects.get(pk=connection.pk))

    assert pane.is_valid(), pane.errors
    connections.update(connection, by=by, version=1, secrets=pane.secrets, **pane.values)
    assert opened(Connection.objects.get(pk=connection.pk), name) == before


@pytest.mark.parametrize("name", REQUIRED)
def test_a_secret_that_was_never_entered_is_asked_for(by: Actor, name: str) -> None:
    assert list(form(by, blank(name)).errors) == [name]


@pytest.mark.parametrize("name", REQUIRED)
def test_a_secret_that_cannot_be_opened_is_asked_for(by: Actor, name: str) -> None:
    connection = stored(by, name)
    keys = sealing.keyring()
    sealing.configure([base64.b64encode(bytes(32)).decode()])
    try:
        pane = form(by, blank(name), instance=connection)
        assert list(pane.errors) == [name]
        assert "tored" not in str(pane[name])
    finally:
        sealing._keyring = keys


@pytest.mark.parametrize("dots", ["••••••", "******", "●●●"])
@pytest.mark.parametrize("name", ["password", "token", "jwt_secret", "oauth1_consumer_secret"])
def test_a_mask_is_no_secret(by: Actor, name: str, dots: str) -> None:
    assert list(form(by, post(**SHOWN[name] | {name: dots})).errors) == [name]


BOUND = [name for name in SHOWN if not name.startswith("tls_")]


@pytest.mark.parametrize("name", BOUND)
@pytest.mark.parametrize(
    "moved", [{"base_uri": "https://evil.example.com"}, {"base_uri": "https://api.example.com:444"}]
)
def test_another_host_needs_the_secret_again(by: Actor, name: str, moved: dict[str, str]) -> None:
    pane = form(by, blank(name, **moved), instance=stored(by, name))

    assert list(pane.errors) == [name]
    assert getattr(pane.instance, name) is None, "nor may a test of the typed values send it there"


def test_another_path_of_the_same_host_does_not(by: Actor) -> None:
    pane = form(by, blank("password", base_uri="https://API.example.com/v2"), instance=stored(by, "password"))

    assert pane.is_valid(), pane.errors


def test_a_secret_of_another_type_is_left_behind_too(by: Actor) -> None:
    """Nothing of it is on the pane now; it must not wait for the type to be chosen again."""
    connection = stored(by, "token")
    pane = form(
        by, post("none", base_uri="https://evil.example.com"), instance=Connection.objects.get(pk=connection.pk)
    )

    assert pane.is_valid(), pane.errors
    assert pane.instance.token is None
    connections.update(connection, by=by, version=1, secrets=pane.secrets, **pane.values)
    assert Connection.objects.get(pk=connection.pk).token is None


@pytest.mark.parametrize(("field", "auth_type"), [("cookie_url", "cookie"), ("token_refresh_url", "token")])
def test_another_host_for_the_login_needs_the_custom_fields_again(by: Actor, field: str, auth_type: str) -> None:
    connection = stored(by, "encrypted_fields", auth_type=auth_type, **{field: "https://api.example.com/login"})
    moved = {field: "https://evil.example.com/login", "encrypted_fields": [["api_key", ""]], "token_refresh_path": "t"}

    assert "encrypted_fields" in form(by, post(auth_type, **moved), instance=connection).errors


def test_a_client_key_stays_wherever_the_base_uri_leads(by: Actor) -> None:
    """It proves who asks without being sent."""
    pane = form(
        by, blank("tls_passphrase", base_uri="https://other.example.com"), instance=stored(by, "tls_passphrase")
    )

    assert pane.is_valid(), pane.errors
    assert pane.instance.tls_passphrase is not None


def test_typed_secrets_can_be_tested_before_they_are_saved(by: Actor) -> None:
    typed = post("basic", password="typed", encrypted_fields=[["a", "1"]])

    pane = form(by, typed)

    assert pane.is_valid(), pane.errors
    assert opened(pane.instance, "password") == "typed"
    assert connections.encrypted_fields(pane.instance) == {"a": "1"}
    assert not Connection.objects.exists()


def test_encrypted_fields_are_kept_replaced_added_and_dropped_by_name(by: Actor) -> None:
    connection = stored(by, "encrypted_fields")
    connection.encrypted_fields = json.dumps({"keep": "1", "replace": "2", "drop": "3"})
    connection.encrypted_field_names = ["keep", "replace", "drop"]
    connection.save()
    rows = [["keep", ""], ["replace", "new"], ["add", "4"]]

    pane = form(by, post("none", encrypted_fields=rows), instance=Connection.objects.get(pk=connection.pk))
    assert pane.is_valid(), pane.errors
    connections.update(connection, by=by, version=1, secrets=pane.secrets, **pane.values)

    expected = {"keep": "1", "replace": "new", "add": "4"}
    assert connections.encrypted_fields(pane.instance) == expected
    assert connections.encrypted_fields(Connection.objects.get(pk=connection.pk)) == expected


def test_a_new_encrypted_field_needs_its_value(by: Actor) -> None:
    assert form(by, post("none", encrypted_fields=[["a", ""]])).errors == {"encrypted_fields": ["Enter a value for a."]}


@pytest.mark.parametrize("name", SECRET)
def test_no_secret_comes_from_an_address(by: Actor, name: str) -> None:
    first = ConnectionForm.first_values(HTTP, {"auth_type": "basic", name: SENTINEL})

    assert name not in first


def test_secrets_are_not_carried_along_in_hidden_fields(by: Actor) -> None:
    typed = post("none", password=SENTINEL, token=SENTINEL, username="ann")

    pane = ConnectionForm.shape(typed, by=by, application=HTTP, instance=Connection(team=by.team, application="http"))

    assert ("username", "ann") in pane.carried
    assert SENTINEL not in str(pane.carried)
