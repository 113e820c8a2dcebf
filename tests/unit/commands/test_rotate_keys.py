import base64
import os

import pytest
from django.core.management import CommandError, call_command

from connections import sealing
from connections.models import Grant, OAuthClient
from connections.models.sealed import key_ids
from tests import factories
from tests.factories import SENTINEL

OLD, NEW = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))


@pytest.fixture(autouse=True)
def keys():
    before = sealing.keyring()
    sealing.configure([OLD])
    yield
    sealing._keyring = before


@pytest.fixture
def secrets(team):
    client = factories.oauth_client(team, client_secret=SENTINEL)
    grant = factories.grant(factories.connection(team, oauth_client=client), refresh_token="r-" + SENTINEL)
    return client, grant


def readable():
    return (OAuthClient.objects.get().client_secret.reveal(), Grant.objects.get().refresh_token.reveal())


def test_afterwards_the_old_key_is_needed_no_more(secrets, capsys):
    sealing.configure([NEW, OLD])
    call_command("rotate_keys")
    assert "2 sealed anew" in capsys.readouterr().out
    sealing.configure([NEW])
    assert readable() == (SENTINEL, "r-" + SENTINEL)
    assert key_ids() == {sealing.keyring().keys[0].id}


def test_a_second_run_has_nothing_to_do(secrets, capsys):
    sealing.configure([NEW, OLD])
    call_command("rotate_keys")
    call_command("rotate_keys")
    assert "0 sealed anew, 2 already" in capsys.readouterr().out


def test_a_dry_run_changes_nothing(secrets, capsys):
    sealing.configure([NEW, OLD])
    call_command("rotate_keys", dry_run=True)
    assert "2 would be sealed anew" in capsys.readouterr().out
    sealing.configure([OLD])
    assert readable() == (SENTINEL, "r-" + SENTINEL)


def test_what_cannot_be_opened_is_named_and_left_as_it_is(secrets, capsys):
    token = OAuthClient.objects.get().client_secret.token
    sealing.configure([NEW])
    with pytest.raises(CommandError) as error:
        call_command("rotate_keys")
    assert str(secrets[0].pk) in str(error.value)
    assert SENTINEL not in str(error.value)
    assert token not in str(error.value)
    sealing.configure([OLD])
    assert readable() == (SENTINEL, "r-" + SENTINEL)


def test_one_unreadable_secret_does_not_stop_the_others(secrets, team):
    sealing.configure([base64.b64encode(os.urandom(32)).decode()])
    lost = factories.oauth_client(team)
    sealing.configure([NEW, OLD])
    with pytest.raises(CommandError, match=r"1 cannot be opened"):
        call_command("rotate_keys")
    sealing.configure([NEW])
    assert OAuthClient.objects.get(pk=secrets[0].pk).client_secret.reveal() == SENTINEL
    assert not OAuthClient.objects.get(pk=lost.pk).client_secret.readable
