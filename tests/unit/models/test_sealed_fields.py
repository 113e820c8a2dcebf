"""Secrets in the database: what is stored, what opens, and what is refused."""

import base64
import os
import pickle
from pathlib import Path

import pytest
from django.core import serializers
from django.core.exceptions import FieldError
from django.core.management import call_command
from django.db import connection as database
from django.db import transaction

from connections import sealing
from connections.models import Connection, Grant, OAuthClient, pane
from connections.models.sealed import reseal, sealed_columns
from connections.sealing import DOTS, Keyring, Sealed, SealError
from tests import factories
from tests.factories import SENTINEL

OTHER_KEY = base64.b64encode(os.urandom(32)).decode()


@pytest.fixture(autouse=True)
def same_keys_afterwards():
    before = sealing.keyring()
    yield
    sealing._keyring = before


@pytest.fixture
def client(team):
    return factories.oauth_client(team, client_secret=SENTINEL)


@pytest.fixture
def grant(team):
    return factories.grant(factories.connection(team), refresh_token=SENTINEL, access_token="A-" + SENTINEL)


@pytest.fixture
def opened(monkeypatch):
    """The contexts of everything that is opened; the opening itself is the real one."""
    seen = []
    really_open = Keyring.open

    def spy(self, sealed, context):
        seen.append(context)
        return really_open(self, sealed, context)

    monkeypatch.setattr(Keyring, "open", spy)
    return seen


def raw(instance, column):
    """The column as the database holds it."""
    table = instance._meta.db_table
    key = instance._meta.pk.get_db_prep_value(instance.pk, database)
    with database.cursor() as cursor:
        cursor.execute(f"SELECT {column} FROM {table} WHERE id = %s", [key])  # noqa: S608  names of ours
        return cursor.fetchone()[0]


def put_raw(instance, column, value):
    table = instance._meta.db_table
    key = instance._meta.pk.get_db_prep_value(instance.pk, database)
    with database.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET {column} = %s WHERE id = %s", [value, key])  # noqa: S608  names of ours


def test_a_stored_secret_comes_back(client):
    assert OAuthClient.objects.get().client_secret.reveal() == SENTINEL


def test_the_database_never_sees_the_text(client, grant):
    assert raw(client, "client_secret").startswith("1.")
    for instance, column in ((client, "client_secret"), (grant, "refresh_token"), (grant, "access_token")):
        assert SENTINEL not in raw(instance, column)


@pytest.mark.django_db(transaction=True)
def test_the_text_is_in_no_byte_of_the_database_file(client, grant):
    if database.vendor != "sqlite":
        pytest.skip("PostgreSQL's files are not ours to read")
    path = Path(database.settings_dict["NAME"])
    files = [path, *path.parent.glob(path.name + "-*")]
    everything = b"".join(file.read_bytes() for file in files)
    assert client.client_id.encode() in everything, "this is the file that is written to"
    for writing in (SENTINEL.encode(), base64.b64encode(SENTINEL.encode())[:40], SENTINEL.encode("utf-16-le")):
        assert writing not in everything


def test_saving_seals_the_value_in_memory_too(client):
    assert client.client_secret.token == raw(client, "client_secret")
    assert client.client_secret.reveal() == SENTINEL


def test_a_token_of_8_kilobytes_is_kept(team):
    token = "eyJ" + "x" * 8189
    factories.grant(factories.connection(team), refresh_token=token)
    assert Grant.objects.get().refresh_token.reveal() == token


def test_a_secret_moved_to_another_row_does_not_open(team, client):
    other = factories.oauth_client(team)
    put_raw(other, "client_secret", raw(client, "client_secret"))
    assert not OAuthClient.objects.get(pk=other.pk).client_secret.readable


def test_a_secret_moved_to_another_column_does_not_open(grant):
    put_raw(grant, "access_token", raw(grant, "refresh_token"))
    stored = Grant.objects.get()
    assert stored.refresh_token.readable
    assert not stored.access_token.readable


def test_one_unreadable_row_leaves_the_others_readable(team, client):
    damaged = factories.oauth_client(team)
    put_raw(damaged, "client_secret", raw(damaged, "client_secret")[:-8] + "AAAAAAA=")
    readable = {found.pk: found.client_secret.readable for found in OAuthClient.objects.all()}
    assert readable == {client.pk: True, damaged.pk: False}


@pytest.mark.parametrize("garbage", ["", "x", "1.", "••••••", "1.deadbeef.AAAA", SENTINEL])
def test_garbage_in_the_column_is_unreadable_and_breaks_nothing(client, garbage):
    put_raw(client, "client_secret", garbage)
    stored = OAuthClient.objects.get()
    assert stored.client_secret is None or not stored.client_secret.readable
    assert SENTINEL not in str(stored.client_secret)


def test_under_another_key_each_secret_says_which_key_is_missing(client):
    sealing.configure([OTHER_KEY])
    with pytest.raises(SealError) as error:
        OAuthClient.objects.get().client_secret.reveal()
    assert error.value.reason == "unknown_key"


def test_without_keys_a_row_is_read_and_saved_with_its_secret_untouched(client):
    before = raw(client, "client_secret")
    sealing.configure([])
    stored = OAuthClient.objects.get()
    stored.name = "Renamed"
    stored.save()
    assert raw(client, "client_secret") == before


def test_a_new_secret_without_keys_is_refused_and_nothing_is_stored(team):
    sealing.configure([])
    with pytest.raises(SealError), transaction.atomic():
        factories.oauth_client(team)
    assert not OAuthClient.objects.exists()


def test_secret_key_has_no_part_in_it(client, settings):
    settings.SECRET_KEY = "another one"
    settings.CRYPTOGRAPHY_KEY = b"x" * 32
    assert OAuthClient.objects.get().client_secret.reveal() == SENTINEL


def test_saving_another_field_does_not_seal_anew(client):
    before = raw(client, "client_secret")
    stored = OAuthClient.objects.get()
    stored.name = "Renamed"
    stored.save()
    assert raw(client, "client_secret") == before


@pytest.mark.parametrize("mask", [DOTS, "******"])
def test_a_mask_is_never_stored(client, mask):
    with pytest.raises(ValueError, match="not a secret"):
        client.client_secret = mask
    client.save()
    assert OAuthClient.objects.get().client_secret.reveal() == SENTINEL


def test_an_empty_text_is_null(team):
    client = factories.oauth_client(team, client_secret="")
    assert raw(client, "client_secret") is None
    assert OAuthClient.objects.get().client_secret is None


@pytest.mark.parametrize("value", [b"bytes", 5, ["list"]])
def test_what_is_no_text_is_refused(client, value):
    with pytest.raises(TypeError):
        client.client_secret = value


def test_update_with_a_text_is_refused(client):
    with pytest.raises(FieldError):
        OAuthClient.objects.update(client_secret=SENTINEL)
    with pytest.raises(FieldError):
        OAuthClient.objects.update(client_secret=Sealed.of(SENTINEL))
    with pytest.raises(FieldError):
        OAuthClient.objects.update(client_secret=DOTS)


def test_update_takes_what_seal_made_for_the_row(client):
    sealed = OAuthClient._meta.get_field("client_secret").seal(client, "new-" + SENTINEL)
    OAuthClient.objects.filter(pk=client.pk).update(client_secret=sealed)
    assert OAuthClient.objects.get().client_secret.reveal() == "new-" + SENTINEL


def test_update_to_nothing_clears_it(client):
    OAuthClient.objects.update(client_secret=None)
    assert OAuthClient.objects.get().client_secret is None


def test_bulk_create_seals(team):
    OAuthClient.objects.bulk_create([OAuthClient(team=team, name="A", client_id="a", client_secret=SENTINEL)])
    stored = OAuthClient.objects.get()
    assert raw(stored, "client_secret").startswith("1.")
    assert stored.client_secret.reveal() == SENTINEL


@pytest.mark.parametrize("lookup", ["", "__exact", "__in", "__contains", "__startswith", "__gt", "__regex"])
def test_nothing_can_be_searched_by_a_secret(client, lookup):
    with pytest.raises(FieldError):
        list(OAuthClient.objects.filter(**{f"client_secret{lookup}": SENTINEL}))


def test_whether_there_is_one_can_be_asked(client):
    assert OAuthClient.objects.filter(client_secret__isnull=False).count() == 1


@pytest.mark.parametrize("kind", ["json", "xml", "jsonl", "python"])
def test_dumpdata_shows_dots(client, grant, kind):
    sealed = raw(client, "client_secret")
    written = str(serializers.serialize(kind, [client, grant]))
    assert SENTINEL not in written
    assert sealed not in written
    assert DOTS in written or "\\u2022" in written


def test_dumpdata_command_shows_dots(client, grant, tmp_path):
    call_command("dumpdata", "connections", output=str(tmp_path / "dump.json"), verbosity=0)
    written = (tmp_path / "dump.json").read_text()
    assert str(client.pk) in written
    assert SENTINEL not in written
    assert raw(client, "client_secret") not in written


def test_a_pickled_row_brings_no_secret_and_cannot_overwrite_it(client):
    stored = OAuthClient.objects.get()
    pickled = pickle.dumps(stored)
    assert SENTINEL.encode() not in pickled
    assert raw(client, "client_secret").encode() not in pickled
    revived = pickle.loads(pickled)  # noqa: S301  our own
    with pytest.raises((AttributeError, FieldError)), transaction.atomic():
        revived.save()
    assert OAuthClient.objects.get().client_secret.reveal() == SENTINEL


def test_a_row_shows_nothing_of_its_secret(client, grant):
    for instance in (client, grant):
        assert SENTINEL not in f"{instance} {instance!r} {instance.__dict__}"


def test_a_deferred_secret_is_loaded_when_it_is_asked_for(client, django_assert_num_queries):
    with django_assert_num_queries(1):
        stored = OAuthClient.objects.only("name").get()
    with django_assert_num_queries(1):
        assert stored.client_secret.reveal() == SENTINEL


def test_refresh_from_db_brings_the_stored_secret_back(client):
    client.client_secret = "typed and given up"
    client.refresh_from_db()
    assert client.client_secret.reveal() == SENTINEL


def test_a_list_opens_no_secret(team, grant, client, opened):
    rows = Connection.objects.select_related("oauth_client", "grant").all()
    shown = [f"{row} {row.oauth_client} {row.grant} {row.grant.is_authorized}" for row in rows]
    shown += [str(found.client_secret) for found in OAuthClient.objects.all()]
    assert len(shown) == 3
    assert opened == []


def test_the_list_page_opens_no_secret(as_alice, grant, opened):
    response = as_alice.get("/connections/")
    assert response.status_code == 200
    assert opened == []


def test_the_list_page_shows_without_any_key(as_alice, grant):
    sealing.configure([])
    assert as_alice.get("/connections/").status_code == 200


def test_the_columns_that_hold_secrets_are_known():
    assert {(model._meta.model_name, field.name) for model, field in sealed_columns()} == {
        ("oauthclient", "client_secret"),
        ("oauthclient", "previous_secret"),
        ("webhook", "secret"),
        ("grant", "access_token"),
        ("grant", "refresh_token"),
        ("authorizationattempt", "verifier"),
        ("authorizationattempt", "access_token"),
        ("authorizationattempt", "refresh_token"),
        *(("connection", name) for name in pane.SECRET),
    }


def test_resealing_leaves_a_secret_alone_that_was_replaced_meanwhile(client):
    read_before = OAuthClient.objects.get()
    client.client_secret = "newer-" + SENTINEL
    client.save()
    old_key = sealing.keyring().keys[0].secret
    sealing.configure([OTHER_KEY, base64.b64encode(old_key).decode()])
    assert not reseal(read_before, OAuthClient._meta.get_field("client_secret"))
    assert OAuthClient.objects.get().client_secret.reveal() == "newer-" + SENTINEL
