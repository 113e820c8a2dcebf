"""Authorizing again as somebody else asks first."""

from datetime import timedelta
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.utils import timezone

from connections.actions import authorizations, connections
from connections.actions.authorizations import CallbackError
from connections.models import AuthorizationAttempt, Connection, Event
from tests.unit.actions.moves import everything_told, stored

SESSION = "a secret of the browser session"
FIRST, SECOND = "VGSIMULATOR01", "VGSIMULATOR02"


@pytest.fixture
def authorize_as(by, simulator):
    def consent(connection, account):
        _, url = authorizations.begin(connection, by=by, session_secret=SESSION)
        query = dict(parse_qsl(urlsplit(simulator.consent(url, account=account)).query))
        return authorizations.complete(query, user=by.user, session_secret=SESSION, by=by)

    return consent


@pytest.fixture
def held(unauthorized, authorize_as):
    """A connection authorized as FIRST."""
    authorize_as(unauthorized, FIRST)
    return Connection.objects.get()


@pytest.fixture
def asked(held, authorize_as):
    """The attempt that waits for a yes to SECOND."""
    return authorize_as(held, SECOND)


def kept(connection):
    grant = stored(connection)
    return grant.upstream_identity, grant.refresh_token.reveal(), grant.generation


def test_the_same_account_takes_over_without_a_question(held, authorize_as):
    before = kept(held)
    assert authorize_as(held, FIRST).state == "done"
    assert kept(held)[0] == FIRST
    assert kept(held)[1] != before[1]


def test_another_account_is_asked_about_and_nothing_is_touched(held, authorize_as):
    before = kept(held)
    attempt = authorize_as(held, SECOND)
    assert (attempt.state, attempt.identity) == ("confirming", SECOND)
    assert kept(held) == before
    assert Connection.objects.get().status == "online"


def test_the_tokens_that_wait_are_sealed(asked):
    waiting = AuthorizationAttempt.objects.get(pk=asked.pk)
    assert waiting.refresh_token.reveal().startswith("Atzr|")
    assert waiting.refresh_token.reveal() not in waiting.refresh_token.token
    assert waiting.refresh_token.reveal() not in everything_told() + str(waiting.received)


def test_yes_puts_the_other_account_in_place(held, asked, by):
    token = asked.refresh_token.reveal()
    assert authorizations.confirm(asked, by=by).state == "done"
    assert kept(held)[:2] == (SECOND, token)
    assert Event.objects.filter(action="grant.authorize").latest("number").detail["identity"] == SECOND


def test_no_keeps_the_first_account(held, asked, by):
    before = kept(held)
    authorizations.cancel(asked, by=by)
    assert kept(held) == before
    assert AuthorizationAttempt.objects.get(pk=asked.pk).state == "cancelled"


@pytest.mark.parametrize("answer", [authorizations.confirm, authorizations.cancel])
def test_either_answer_wipes_the_tokens_from_the_attempt(asked, by, answer):
    answer(asked, by=by)
    row = AuthorizationAttempt.objects.get(pk=asked.pk)
    assert (row.access_token, row.refresh_token, row.received, row.verifier) == (None, None, None, None)


def test_yes_works_once(asked, by):
    authorizations.confirm(asked, by=by)
    with pytest.raises(CallbackError) as error:
        authorizations.confirm(asked, by=by)
    assert error.value.code == "used"


def test_yes_after_no_changes_nothing(held, asked, by):
    authorizations.cancel(asked, by=by)
    with pytest.raises(CallbackError):
        authorizations.confirm(asked, by=by)
    assert kept(held)[0] == FIRST


def test_yes_comes_too_late_after_ten_minutes_of_thinking(held, asked, by):
    assert asked.expires_at > timezone.now() + timedelta(minutes=9)
    AuthorizationAttempt.objects.update(expires_at=timezone.now())
    late = authorizations.confirm(asked, by=by)
    assert (late.state, late.failure["error"]) == ("failed", "expired_attempt")
    assert AuthorizationAttempt.objects.get(pk=asked.pk).refresh_token is None
    assert kept(held)[0] == FIRST


def test_yes_for_a_connection_that_was_pointed_elsewhere_changes_nothing(held, asked, by):
    connections.update(held, by=by, version=1, base_uri="https://elsewhere.example.com")
    attempt = authorizations.confirm(asked, by=by)
    assert (attempt.state, attempt.failure["error"]) == ("failed", "edited_meanwhile")
    assert Connection.objects.get().status == "draft"
    assert AuthorizationAttempt.objects.get(pk=asked.pk).refresh_token is None


def test_the_same_account_without_a_new_refresh_token_keeps_the_old_one(held, authorize_as, simulator):
    before = kept(held)
    simulator.config(omit_refresh_token=True)
    assert authorize_as(held, FIRST).state == "done"
    assert kept(held)[1] == before[1]
    assert kept(held)[2] > before[2]


def test_another_account_without_a_refresh_token_does_not_inherit_one(held, authorize_as, simulator, by):
    simulator.config(omit_refresh_token=True)
    authorizations.confirm(authorize_as(held, SECOND), by=by)
    grant = stored(held)
    assert (grant.upstream_identity, grant.refresh_token) == (SECOND, None)
    assert grant.access_token.readable
