"""A refresh that fails: what is kept, what is told, and when the provider is asked again."""

import base64
import gzip
import os
import socket
from datetime import timedelta

import pytest
from django.utils import timezone

from connections import sealing
from connections.actions import clients, grants
from connections.actions.errors import GrantError
from connections.models import Connection, Event, Grant, OAuthClient
from tests.factories import CLIENT_SECRET, SENTINEL
from tests.unit.actions.moves import TOKEN_PATH, everything_told, expire, stored


@pytest.fixture(autouse=True)
def same_keys_afterwards():
    before = sealing.keyring()
    yield
    sealing._keyring = before


def failed(connection, by, **how):
    with pytest.raises(GrantError) as error:
        grants.current(connection, by=by) if not how else grants.refresh(connection, by=by, **how)
    return error.value


def refreshes(simulator):
    return len(simulator.calls(TOKEN_PATH, "refresh_token"))


def test_a_revoked_grant_is_refused_once_and_never_asked_for_again(authorized, simulator, by):
    simulator.post("/_control/revoke")
    expire(authorized)
    before = refreshes(simulator)
    codes = [failed(authorized, by).code for _ in range(3)]
    assert codes == ["reauthorization_required"] * 3
    assert refreshes(simulator) == before + 1
    assert stored(authorized).is_refused
    connection = Connection.objects.get()
    assert (connection.status, connection.failure["error"], connection.failure["status"]) == (
        "offline", "invalid_grant", 400,
    )  # fmt: skip
    assert connection.failure["request_id"]
    assert Event.objects.filter(action="connection.offline").count() == 1


def test_a_refused_grant_keeps_its_refresh_token(authorized, simulator, by):
    """Amazon has been seen to say invalid_grant and take it back; a person may insist."""
    before = stored(authorized).refresh_token.reveal()
    refused = {"error": "invalid_grant", "error_description": "not now"}
    simulator.fault(path=TOKEN_PATH, status=400, body=refused)
    expire(authorized)
    failed(authorized, by)
    assert stored(authorized).refresh_token.reveal() == before
    grants.refresh(authorized, by=by, insist=True)
    assert Connection.objects.get().status == "online"
    assert not stored(authorized).is_refused


def test_wrong_credentials_take_it_offline_and_keep_the_grant(authorized, simulator, by):
    before = stored(authorized).refresh_token.reveal()
    simulator.config(client_secret="rotated-" + CLIENT_SECRET)
    expire(authorized)
    count = refreshes(simulator)
    assert [failed(authorized, by).code for _ in range(3)] == ["client_rejected"] * 3
    assert refreshes(simulator) == count + 1
    assert stored(authorized).refresh_token.reveal() == before
    assert not stored(authorized).is_refused
    assert Connection.objects.get().failure["error"] == "invalid_client"
    assert Connection.objects.get().status == "offline"


def test_the_right_credentials_bring_it_back_at_once(authorized, simulator, by):
    simulator.config(client_secret="rotated-" + CLIENT_SECRET)
    expire(authorized)
    failed(authorized, by)
    clients.update(authorized.oauth_client, by=by, version=1, client_secret="rotated-" + CLIENT_SECRET)
    assert grants.current(Connection.objects.get(), by=by).access_token.readable
    assert Connection.objects.get().status == "online"
    assert Connection.objects.get().failure is None


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_provider_in_trouble_is_left_alone_for_a_while(authorized, simulator, by, status):
    simulator.fault(path=TOKEN_PATH, status=status, times=9)
    expire(authorized)
    before = refreshes(simulator)
    assert [failed(authorized, by).code for _ in range(3)] == ["provider_unavailable"] * 3
    assert refreshes(simulator) == before + 1
    assert Connection.objects.get().status == "offline"
    assert Connection.objects.get().failure["status"] == status
    assert not stored(authorized).is_refused


def test_a_failing_server_s_word_about_the_grant_is_not_final(authorized, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, body={"error": "invalid_grant"})
    expire(authorized)
    assert failed(authorized, by).code == "provider_unavailable"
    assert not stored(authorized).is_refused


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured_and_told(authorized, simulator, by, status):
    simulator.fault(path=TOKEN_PATH, status=status, headers={"Retry-After": "1800"})
    expire(authorized)
    now = timezone.now()
    error = failed(authorized, by)
    assert error.retry_after >= 1800
    assert stored(authorized).retry_at >= now + timedelta(seconds=1800)
    again = failed(authorized, by)
    assert 1700 < again.retry_after <= error.retry_after
    assert again.failure.status == status


def test_retry_after_of_a_year_is_not_believed(authorized, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, headers={"Retry-After": "31536000"})
    expire(authorized)
    failed(authorized, by)
    assert stored(authorized).retry_at < timezone.now() + timedelta(days=2)


def test_each_failure_waits_longer_up_to_half_an_hour_or_so(authorized, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, times=99)
    waits = []
    for _ in range(14):
        expire(authorized, retry_at=None)
        waits.append(failed(authorized, by).retry_after)
    assert 3 < waits[0] < 7
    assert waits[4] > 4 * waits[0]
    assert 1300 < waits[-1] < 2300
    assert stored(authorized).failures == 14


def test_the_first_failure_says_since_when_and_a_success_forgets_it(authorized, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, times=2)
    expire(authorized)
    failed(authorized, by)
    since = stored(authorized).failed_at
    expire(authorized, retry_at=None)
    failed(authorized, by)
    assert stored(authorized).failed_at == since
    expire(authorized, retry_at=None)
    grants.current(authorized, by=by)
    grant = stored(authorized)
    assert (grant.failures, grant.failed_at, grant.retry_at) == (0, None, None)
    assert Connection.objects.get().status == "online"


def test_a_failed_early_refresh_still_hands_out_the_token_that_is_good(authorized, simulator, by):
    good_until = timezone.now() + timedelta(seconds=40)
    Grant.objects.update(expires_at=good_until)
    simulator.fault(path=TOKEN_PATH, status=503, times=9)
    for _ in range(2):
        assert grants.current(authorized, by=by).expires_at == good_until
    assert Connection.objects.get().status == "online"


def test_a_refused_early_refresh_still_hands_out_the_token_that_is_good(authorized, simulator, by):
    hour_ago = timezone.now() - timedelta(hours=1)
    Grant.objects.update(expires_at=timezone.now() + timedelta(seconds=40), refreshed_at=hour_ago)
    simulator.post("/_control/revoke")
    assert grants.current(authorized, by=by).access_token.readable
    assert Connection.objects.get().status == "offline"


def test_a_person_who_insists_is_not_put_off(authorized, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, headers={"Retry-After": "1800"})
    expire(authorized)
    failed(authorized, by)
    assert grants.refresh(authorized, by=by, insist=True).access_token.readable


ANSWERS = {
    "a web page": (200, b"<html>" + SENTINEL.encode() + b"</html>", {"content_type": "text/html"}),
    "a redirect": (302, SENTINEL.encode(), {"Location": "https://evil.example.com/?" + SENTINEL}),
    "a redirect that keeps the body": (307, b"", {"Location": "https://evil.example.com/"}),
    "nothing": (200, b"", {}),
    "another kind of JSON": (200, b'["' + SENTINEL.encode() + b'"]', {}),
    "JSON cut off": (200, b'{"access_token": "' + SENTINEL.encode(), {}),
    "no access token": (200, b'{"token": "' + SENTINEL.encode() + b'"}', {}),
    "an empty access token": (200, b'{"access_token": ""}', {}),
    "a page of 404": (404, b"<h1>" + SENTINEL.encode(), {"content_type": "text/html"}),
    "a page of 500": (500, b"<h1>" + SENTINEL.encode(), {"content_type": "text/html"}),
    "a status of its own": (418, SENTINEL.encode(), {}),
    "a gzip bomb": (200, gzip.compress(bytes(60_000_000)), {"Content_Encoding": "gzip"}),
    "broken gzip": (200, b"no gzip", {"Content_Encoding": "gzip"}),
    "an endless number": (200, b'{"access_token": "a", "expires_in": ' + b"9" * 5000 + b"}", {}),
    "deep JSON": (200, b"[" * 100_000, {}),
    "half a character": (200, b'{"access_token": "Atza|\\ud800"}', {}),
    "half a character in its description": (400, b'{"error": "bad", "error_description": "\\ud800"}', {}),
    "the secret in its error": (400, b'{"error": "bad ' + SENTINEL.encode() + b'"}', {}),
    "the secret in its description": (
        400, b'{"error": "bad", "error_description": "client ' + SENTINEL.encode() + b' is wrong"}', {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_answer_that_is_none_costs_nothing_and_its_body_is_never_told(served, server, by, answer):
    status, body, headers = ANSWERS[answer]
    server.answer(status, body, **headers)
    error = failed(served, by)
    grant = stored(served)
    assert grant.refresh_token.reveal() == "Atzr|stored"
    assert grant.access_token.reveal() == "Atza|old"
    assert not grant.is_refused
    assert grant.lease_owner == ""
    assert grant.retry_at > timezone.now()
    assert Connection.objects.get().status == "offline"
    asked = len(server.asked)
    failed(served, by)
    assert len(server.asked) == asked, "the failure is remembered"
    assert SENTINEL not in everything_told() + str(error) + repr(error.failure)


def test_a_connection_that_is_cut_costs_nothing(served, server, by):
    server.respond = lambda handler: handler.connection.shutdown(socket.SHUT_RDWR)
    assert failed(served, by).code == "provider_unavailable"
    assert stored(served).refresh_token.reveal() == "Atzr|stored"


def test_a_provider_that_is_not_there_costs_nothing(served, server, by):
    Connection.objects.update(token_url="http://127.0.0.1:9/token")
    OAuthClient.objects.update(secret_hosts=["127.0.0.1:9"])
    from connections import outbound

    outbound.configure(private_hosts_allowed=["127.0.0.1:9"])
    assert failed(Connection.objects.get(), by).code == "provider_unavailable"


def test_a_private_token_url_is_refused_and_nothing_is_sent(served, server, by):
    from connections import outbound

    outbound.configure(private_hosts_allowed=[])
    assert failed(served, by).code == "misconfigured"
    assert server.asked == []


def test_a_sign_in_page_as_token_url_never_gets_the_secret(served, server, by):
    Connection.objects.update(token_url=f"{server.url}/ap/oa")
    assert failed(Connection.objects.get(), by).failure.error == "sign_in_page"
    assert server.asked == []


def test_an_unreadable_refresh_token_says_so_and_asks_nobody(authorized, simulator, by):
    expire(authorized)
    before = refreshes(simulator)
    sealing.configure([base64.b64encode(os.urandom(32)).decode()])
    OAuthClient.objects.get().save()
    client = OAuthClient.objects.get()
    client.client_secret = CLIENT_SECRET
    client.save()
    error = failed(Connection.objects.get(), by)
    assert (error.code, error.failure.error) == ("secret_unreadable", "refresh_token_unreadable")
    assert (Connection.objects.get().status, refreshes(simulator)) == ("offline", before)


def test_unreadable_secrets_say_so_each_time(authorized, simulator, by):
    expire(authorized)
    before = refreshes(simulator)
    sealing.configure([])
    errors = [failed(authorized, by) for _ in range(3)]
    assert {(error.code, error.failure.error) for error in errors} == {
        ("secret_unreadable", "refresh_token_unreadable")
    }
    assert (Connection.objects.get().status, refreshes(simulator)) == ("offline", before)


def test_the_key_put_back_brings_it_back(authorized, by):
    expire(authorized)
    keys = sealing.keyring()
    sealing.configure([])
    failed(authorized, by)
    sealing._keyring = keys
    assert grants.refresh(authorized, by=by, insist=True).access_token.readable
    assert Connection.objects.get().status == "online"


def test_without_a_refresh_token_it_must_be_authorized_again(served, server, by):
    Grant.objects.update(refresh_token=None)
    error = failed(served, by)
    assert error.failure.error == "no_refresh_token"
    assert server.asked == []


def test_without_a_client_it_says_so(authorized, by):
    expire(authorized)
    Connection.objects.update(oauth_client=None)
    assert failed(Connection.objects.get(), by).failure.error == "no_client"
