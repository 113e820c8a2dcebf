"""To the provider's consent page and back."""

from datetime import timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import time_machine
from django.utils import timezone

from connections import sealing
from connections.actions import authorizations, connections, grants
from connections.actions.authorizations import CallbackError
from connections.actions.errors import ActionError, GrantError
from connections.models import AuthorizationAttempt, Connection, Event, Grant, OAuthClient
from connections.oauth import authorize
from tests.factories import APPLICATION_ID, CLIENT_ID
from tests.unit.actions.moves import TOKEN_PATH, Thread, everything_told, expire, stored, until

SESSION = "a secret of the browser session"


def params(url):
    return dict(parse_qsl(urlsplit(url).query))


@pytest.fixture
def begun(unauthorized, by):
    return authorizations.begin(unauthorized, by=by, session_secret=SESSION)


@pytest.fixture
def come_back(by):
    """Take in the callback as alice's browser would."""

    def complete(location, **as_else):
        query = location if isinstance(location, dict) else params(location)
        return authorizations.complete(query, **{"user": by.user, "session_secret": SESSION, "by": by} | as_else)

    return complete


def refused(come_back, location, **as_else):
    with pytest.raises(CallbackError) as error:
        come_back(location, **as_else)
    return error.value.code


def test_amazon_s_consent_page_is_asked_in_amazon_s_way(begun, simulator, settings):
    attempt, url = begun
    assert url.startswith(f"{simulator.url}/apps/authorize/consent?")
    sent = params(url)
    state = sent.pop("state")
    assert sent == {"application_id": APPLICATION_ID, "redirect_uri": f"{settings.PUBLIC_URL}/oauth/callback/"}
    assert len(state) == 43
    assert attempt.state_hash == authorizations.digest(state)


def test_a_draft_application_is_asked_for_with_version_beta(unauthorized, by):
    Connection.objects.update(draft_application=True)
    _, url = authorizations.begin(Connection.objects.get(), by=by, session_secret=SESSION)
    assert params(url)["version"] == "beta"


def test_consent_brings_it_online(begun, simulator, come_back, by):
    attempt = come_back(simulator.consent(begun[1], account="VGSIMULATOR02"))
    assert attempt.state == "done"
    grant = stored(attempt.connection)
    assert grant.refresh_token.reveal().startswith("Atzr|")
    assert (grant.upstream_identity, grant.authorized_by) == ("VGSIMULATOR02", by.user)
    assert Connection.objects.get().status == "online"
    assert list(Event.objects.order_by("number").values_list("action", flat=True)) == [
        "authorization.begin", "connection.online", "grant.authorize",
    ]  # fmt: skip


@pytest.fixture
def generic(unauthorized, simulator):
    Connection.objects.update(
        application="http", pkce="S256", authorization_url=f"{simulator.url}/ap/oa", scope="profile postal_code"
    )
    return Connection.objects.get()


def test_any_other_provider_is_asked_as_the_standard_says_with_pkce(generic, by, simulator, settings):
    attempt, url = authorizations.begin(generic, by=by, session_secret=SESSION)
    assert params(url) == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": f"{settings.PUBLIC_URL}/oauth/callback/",
        "scope": "profile postal_code",
        "state": params(url)["state"],
        "code_challenge": authorize.code_challenge(attempt.verifier.reveal(), "S256"),
        "code_challenge_method": "S256",
    }


def test_the_verifier_is_sealed_and_wiped(generic, by, simulator, come_back):
    _, url = authorizations.begin(generic, by=by, session_secret=SESSION)
    verifier = AuthorizationAttempt.objects.get().verifier
    assert str(verifier) == "••••••"
    assert verifier.reveal() not in url
    assert verifier.reveal() not in verifier.token
    assert come_back(simulator.consent(url)).state == "done"
    assert AuthorizationAttempt.objects.get().verifier is None


def test_a_wrong_verifier_is_refused_by_the_provider(generic, by, simulator, come_back):
    attempt, url = authorizations.begin(generic, by=by, session_secret=SESSION)
    attempt.verifier = authorize.new_verifier()
    attempt.save()
    done = come_back(simulator.consent(url))
    assert (done.state, done.failure["error"]) == ("failed", "invalid_grant")


def test_the_state_is_stored_hashed_only(begun):
    state = params(begun[1])["state"]
    row = AuthorizationAttempt.objects.values().get()
    assert state not in str(row)
    assert state not in everything_told()
    assert SESSION not in str(row)


def test_two_states_are_never_the_same(unauthorized, by):
    urls = [authorizations.begin(unauthorized, by=by, session_secret=SESSION)[1] for _ in range(3)]
    assert len({params(url)["state"] for url in urls}) == 3


@pytest.mark.parametrize("query", [{}, {"state": ""}, {"spapi_oauth_code": "x"}])
def test_a_missing_state_is_refused(begun, come_back, query):
    assert refused(come_back, query) == "missing_state"


def test_a_wrong_state_is_refused_and_asks_nobody(begun, come_back, simulator):
    assert refused(come_back, {"state": "x" * 43, "spapi_oauth_code": "ANcode"}) == "unknown_state"
    assert simulator.calls(TOKEN_PATH) == []
    assert AuthorizationAttempt.objects.get().state == "pending"


def test_a_state_works_once(begun, simulator, come_back):
    location = simulator.consent(begun[1])
    come_back(location)
    generation = Grant.objects.get().generation
    assert refused(come_back, location) == "used"
    assert Grant.objects.get().generation == generation
    assert len(simulator.calls(TOKEN_PATH)) == 1


def test_a_state_works_for_ten_minutes(unauthorized, by, simulator, come_back):
    for minutes, state in ((9.9, "done"), (10.1, "failed")):
        _, url = authorizations.begin(unauthorized, by=by, session_secret=SESSION)
        location = simulator.consent(url)
        with time_machine.travel(timezone.now() + timedelta(minutes=minutes), tick=False):
            attempt = come_back(location)
        assert attempt.state == state
    assert attempt.failure["error"] == "expired_attempt"
    assert len(simulator.calls(TOKEN_PATH)) == 1


def test_an_attempt_nobody_came_back_from_has_failed(begun):
    AuthorizationAttempt.objects.update(expires_at=timezone.now())
    assert authorizations.newest(begun[0].connection).failure["error"] == "expired_attempt"


def test_another_person_is_refused(begun, simulator, come_back, bob, charlie):
    location = simulator.consent(begun[1])
    for other in (bob, charlie):
        actor = authorizations.Actor.member(other)
        assert refused(come_back, location, user=other.user, by=actor) == "other_browser"
    assert not Grant.objects.exists()
    assert come_back(location).state == "done"


def test_another_browser_session_is_refused(begun, simulator, come_back):
    location = simulator.consent(begun[1])
    assert refused(come_back, location, session_secret="another") == "other_browser"
    assert refused(come_back, location, session_secret="") == "other_browser"
    assert not Grant.objects.exists()


def test_a_no_at_the_provider_is_told_and_can_be_repeated(begun, simulator, come_back, by):
    simulator.config(cancel_redirects=True)
    attempt = come_back(simulator.consent(begun[1], decision="cancel"))
    assert (attempt.state, attempt.failure["error"], attempt.failure["where"]) == ("failed", "access_denied", "consent")
    _, url = authorizations.begin(attempt.connection, by=by, session_secret=SESSION)
    assert come_back(simulator.consent(url)).state == "done"


def test_an_error_counts_more_than_a_code_beside_it(begun, simulator, come_back):
    query = params(simulator.consent(begun[1])) | {"error": "access_denied"}
    assert come_back(query).failure["error"] == "access_denied"
    assert simulator.calls(TOKEN_PATH) == []


def test_an_answer_without_a_code_is_refused(begun, come_back):
    assert come_back({"state": params(begun[1])["state"]}).failure["error"] == "missing_code"


def test_a_code_that_is_none_is_refused(begun, come_back):
    attempt = come_back({"state": params(begun[1])["state"], "spapi_oauth_code": "ANmade-up"})
    assert (attempt.state, attempt.failure["error"]) == ("failed", "invalid_grant")
    assert "ANmade-up" not in everything_told() + str(AuthorizationAttempt.objects.values().get())


def test_a_code_that_was_used_is_refused(unauthorized, by, simulator, come_back):
    used = params(simulator.consent(authorizations.begin(unauthorized, by=by, session_secret=SESSION)[1]))
    come_back(used)
    _, url = authorizations.begin(unauthorized, by=by, session_secret=SESSION)
    attempt = come_back(used | {"state": params(url)["state"]})
    assert attempt.failure["error"] == "invalid_grant"


def test_a_code_of_another_client_is_refused(begun, simulator, come_back):
    location = simulator.consent(begun[1])
    OAuthClient.objects.update(client_id="amzn1.application-oa2-client.simulator-2")
    client = OAuthClient.objects.get()
    client.client_secret = "amzn1.oa2-cs.v1.simulator-2"
    client.save()
    assert come_back(location).failure["error"] == "invalid_grant"


def test_controls_in_what_comes_back_break_nothing(begun, simulator, come_back):
    query = params(simulator.consent(begun[1])) | {"selling_partner_id": "VG\x00\r\nX", "mws_auth_token": "m"}
    assert come_back(query).state == "done"
    assert Grant.objects.get().upstream_identity == "VG X"


@pytest.mark.parametrize(
    "changed", [{"base_uri": "https://elsewhere.example.com"}, {"oauth_client": None}], ids=["address", "client"]
)
def test_a_connection_edited_meanwhile_gets_no_tokens(begun, simulator, come_back, by, changed):
    location = simulator.consent(begun[1])
    connections.update(begun[0].connection, by=by, version=1, **changed)
    assert come_back(location).failure["error"] == "edited_meanwhile"
    assert simulator.calls(TOKEN_PATH) == []
    assert not Grant.objects.exists()


def test_a_name_edited_meanwhile_does_no_harm(begun, simulator, come_back, by):
    location = simulator.consent(begun[1])
    connections.update(begun[0].connection, by=by, version=1, name="Renamed", ping_path="/ping")
    assert come_back(location).state == "done"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("meanwhile", ["edited", "deleted"])
def test_what_changes_while_the_code_is_exchanged_gets_no_tokens(begun, simulator, come_back, by, meanwhile):
    location = simulator.consent(begun[1])
    simulator.fault(path=TOKEN_PATH, status=None, delay_ms=500)
    thread = Thread(lambda: come_back(location))
    until(lambda: bool(simulator.calls(TOKEN_PATH)), "the exchange")
    connection = Connection.objects.get()
    if meanwhile == "edited":
        connections.update(connection, by=by, version=1, base_uri="https://elsewhere.example.com")
    else:
        connections.delete(connection, by=by)
    attempt = thread.result()
    assert (attempt.state, attempt.failure["error"]) == ("failed", "edited_meanwhile")
    assert not Grant.objects.exists()
    assert AuthorizationAttempt.objects.count() == (meanwhile == "edited")


def test_an_unreadable_client_secret_stops_it_before_anybody_is_sent_away(unauthorized, by):
    before = sealing.keyring()
    sealing.configure([])
    try:
        with pytest.raises(GrantError) as error:
            authorizations.begin(unauthorized, by=by, session_secret=SESSION)
    finally:
        sealing._keyring = before
    assert error.value.code == "secret_unreadable"
    assert not AuthorizationAttempt.objects.exists()


def test_without_an_authorization_url_there_is_nowhere_to_go(unauthorized, by):
    Connection.objects.update(authorization_url="")
    with pytest.raises(ActionError):
        authorizations.begin(Connection.objects.get(), by=by, session_secret=SESSION)
    assert not AuthorizationAttempt.objects.exists()


def test_a_login_from_amazon_s_side_goes_back_there(unauthorized, by, simulator, come_back, settings):
    login = {"amazon_callback_uri": "https://amazon.com/apps/authorize/confirm/x", "amazon_state": "their state"}
    _, url = authorizations.begin(unauthorized, by=by, session_secret=SESSION, login=login | {"version": "beta"})
    assert url.startswith("https://amazon.com/apps/authorize/confirm/x?")
    sent = params(url)
    assert sent == {
        "amazon_state": "their state",
        "state": sent["state"],
        "redirect_uri": f"{settings.PUBLIC_URL}/oauth/callback/",
        "version": "beta",
    }
    _, url = authorizations.begin(unauthorized, by=by, session_secret=SESSION, login=login)
    assert "version" not in parse_qs(urlsplit(url).query)


def test_two_attempts_at_once_are_independent(unauthorized, by, simulator, come_back):
    first, second = (authorizations.begin(unauthorized, by=by, session_secret=SESSION) for _ in range(2))
    there = [simulator.consent(url) for _, url in (first, second)]
    assert come_back(there[1]).pk == second[0].pk
    assert AuthorizationAttempt.objects.get(pk=first[0].pk).state == "pending"
    assert come_back(there[0]).state == "done"


def test_cancel_ends_an_attempt_that_waits(begun, by, come_back, simulator):
    location = simulator.consent(begun[1])
    authorizations.cancel(begun[0], by=by)
    assert AuthorizationAttempt.objects.get().state == "cancelled"
    assert refused(come_back, location) == "used"
    assert Event.objects.filter(action="authorization.cancel").count() == 1


def test_cancel_leaves_an_attempt_that_is_done(begun, by, come_back, simulator):
    come_back(simulator.consent(begun[1]))
    authorizations.cancel(begun[0], by=by)
    assert AuthorizationAttempt.objects.get().state == "done"
    assert not Event.objects.filter(action="authorization.cancel").exists()


@pytest.mark.parametrize("status", [400, 401, 500, 503])
def test_nothing_is_overwritten_before_the_new_grant_is_in_hand(authorized, by, simulator, come_back, status):
    before = stored(authorized)
    _, url = authorizations.begin(authorized, by=by, session_secret=SESSION)
    location = simulator.consent(url)
    simulator.fault(path=TOKEN_PATH, status=status)
    assert come_back(location).state == "failed"
    assert stored(authorized).refresh_token.reveal() == before.refresh_token.reveal()
    expire(authorized)
    assert grants.current(authorized, by=by).access_token.readable
    assert Connection.objects.get().status == "online"


def test_attempts_are_cleared_away_a_day_after_they_ended(begun, unauthorized, by):
    authorizations.begin(unauthorized, by=by, session_secret=SESSION)
    AuthorizationAttempt.objects.filter(pk=begun[0].pk).update(expires_at=timezone.now() - timedelta(days=2))
    assert authorizations.prune() == 1
    assert AuthorizationAttempt.objects.count() == 1
