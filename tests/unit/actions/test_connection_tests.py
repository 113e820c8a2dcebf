"""Test connection, saved: five steps, each with its outcome and its own hint."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from connections import outbound
from connections.actions import connection_tests, grants
from connections.actions.connection_tests import Candidate, passed
from connections.models import Connection, Event, Grant, OAuthClient
from tests import factories
from tests.factories import CLIENT_SECRET
from tests.unit.actions.conftest import at
from tests.unit.actions.moves import TOKEN_PATH, everything_told, expire, stored

NAMES = ["address", "tls", "client", "token", "call"]
ORDERS = "/vendor/orders/v1/purchaseOrders"


def run(connection, by, **candidate):
    saved = candidate or {"stored": connection}
    return list(connection_tests.run(Candidate(connection, **saved), by=by))


def failed_at(steps, name):
    """The step that failed, which must be this one; nothing after it was tried."""
    assert [step.name for step in steps] == NAMES
    place = NAMES.index(name)
    assert all(step.ok is not False for step in steps[:place]), steps
    assert steps[place].ok is False, steps
    assert all(step.ok is None and step.detail == "Not tried." for step in steps[place + 1 :])
    assert steps[place].hint or steps[place].action != "none"
    assert not passed(steps)
    return steps[place]


def edited(**values):
    Connection.objects.update(**values)
    return Connection.objects.select_related("oauth_client").get()


def test_all_steps_pass_for_an_authorized_connection(authorized, simulator, by):
    steps = run(authorized, by)
    assert {step.name: step.ok for step in steps} == {
        "address": True, "tls": None, "client": True, "token": True, "call": True,
    }  # fmt: skip
    assert passed(steps)
    assert all(step.ms is not None for step in steps if step.ok)
    assert simulator.calls(ORDERS)[-1]["status"] == 200


def test_the_result_is_kept_with_the_connection_and_in_the_trail(authorized, by):
    run(authorized, by)
    connection = Connection.objects.get()
    assert [step["state"] for step in connection.last_test] == ["ok", "skipped", "ok", "ok", "ok"]
    assert connection.last_test_at
    event = Event.objects.get(action="connection.test")
    assert (event.detail["ok"], event.detail["cancelled"], event.detail["saved"]) == (True, False, True)


def test_no_step_tells_a_secret(authorized, by):
    steps = run(authorized, by)
    told = json.dumps([step.as_json() for step in steps]) + everything_told()
    for secret in (CLIENT_SECRET, stored(authorized).access_token.reveal(), stored(authorized).refresh_token.reveal()):
        assert secret not in told


def test_an_unknown_host_fails_at_the_address(authorized, by):
    step = failed_at(run(edited(base_uri="https://nowhere.invalid"), by), "address")
    assert "nowhere.invalid" in step.detail


def test_a_refused_port_fails_at_the_address(authorized, simulator, by):
    outbound.configure(private_hosts_allowed=[simulator.host, "127.0.0.1:9"])
    assert "127.0.0.1:9" in failed_at(run(edited(base_uri="http://127.0.0.1:9"), by), "address").detail


@pytest.mark.parametrize("uri", ["https://127.0.0.1", "https://10.0.0.1", "https://[::1]:8443", "https://localhost"])
def test_a_private_address_fails_at_the_address(authorized, by, uri):
    step = failed_at(run(edited(base_uri=uri), by), "address")
    assert "PRIVATE_HOSTS_ALLOWED" in step.detail + step.hint


@pytest.mark.parametrize(
    "uri", ["http://169.254.169.254", "https://metadata.google.internal", "https://[fd00:ec2::254]"]
)
def test_cloud_metadata_fails_at_the_address_whatever_is_allowed(authorized, by, uri):
    outbound.configure(
        private_hosts_allowed=["169.254.0.0/16", "fd00::/8", "metadata.google.internal", "169.254.169.254"]
    )
    assert "metadata" in failed_at(run(edited(base_uri=uri), by), "address").detail


def test_plain_http_elsewhere_fails_before_anything_is_sent(authorized, by):
    failed_at(run(edited(base_uri="http://example.com"), by), "address")


def test_a_server_without_tls_fails_at_the_encryption(authorized, by, server):
    secure = server.url.replace("http:", "https:")
    failed_at(run(edited(base_uri=secure), by), "tls")
    assert server.asked == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_wrong_secret_fails_at_the_client_before_and_after_authorization(unauthorized, simulator, by, when):
    if when == "after":
        grants.paste(unauthorized, simulator.refresh_token(), by=by)
    simulator.config(client_secret="another")
    step = failed_at(run(unauthorized, by), "client")
    assert step.action == "edit_client"
    assert "invalid_client" in step.detail


def test_before_authorization_the_client_is_tried_and_the_token_step_says_what_to_press(unauthorized, simulator, by):
    step = failed_at(run(unauthorized, by), "token")
    assert step.action == "authorize"
    assert [call["grant_type"] for call in simulator.calls(TOKEN_PATH)] == ["authorization_code"]


def test_a_revoked_grant_fails_at_the_token_not_at_the_client(authorized, simulator, by):
    simulator.post("/_control/revoke")
    step = failed_at(run(authorized, by), "token")
    assert step.action == "authorize"
    assert Connection.objects.get().status == "offline"


def test_a_revoked_grant_is_not_called_good_because_its_access_token_lasts_a_while_yet(team, by, server):
    connection = at(server, team)
    usual = server.respond
    server.json({"error": "invalid_grant"}, status=400)
    refuse = server.respond
    server.respond = lambda handler: (refuse if handler.path == "/token" else usual)(handler)
    Grant.objects.update(expires_at=timezone.now() + timedelta(minutes=30))
    assert failed_at(run(connection, by), "token").action == "authorize"


def test_a_missing_role_is_explained_and_not_tried_again(authorized, simulator, by):
    simulator.config(missing_roles=["/vendor/orders"])
    before = len(simulator.calls(TOKEN_PATH))
    step = failed_at(run(authorized, by), "call")
    assert "403" in step.detail
    assert "role" in (step.detail + step.hint).lower()
    assert len(simulator.calls(ORDERS)) == 1
    assert len(simulator.calls(TOKEN_PATH)) == before + 1  # the one that shows the client is right
    assert Connection.objects.get().status == "online"


EXPIRED = {"errors": [{"code": "Unauthorized", "message": "Access to requested resource is denied.",
                       "details": "The access token you provided has expired."}]}  # fmt: skip


def test_an_expired_access_token_is_refreshed_and_the_call_repeated_once(authorized, simulator, by):
    simulator.fault(path=ORDERS, status=403, body=EXPIRED)
    assert passed(run(authorized, by))
    assert [call["status"] for call in simulator.calls(ORDERS)] == [403, 200]


def test_an_access_token_that_stays_expired_does_not_loop(authorized, simulator, by):
    simulator.fault(path=ORDERS, status=403, body=EXPIRED, times=9)
    failed_at(run(authorized, by), "call")
    assert len(simulator.calls(ORDERS)) == 2


def test_a_stored_token_that_has_ended_is_renewed_before_the_call(authorized, simulator, by):
    expire(authorized)
    assert passed(run(authorized, by))
    assert len(simulator.calls(ORDERS)) == 1


def test_too_many_calls_are_told_apart(authorized, simulator, by):
    simulator.fault(path=ORDERS, status=429, headers={"Retry-After": "60"})
    step = failed_at(run(authorized, by), "call")
    assert (step.action, "429" in step.detail) == ("wait", True)


def test_a_wrong_path_is_told_with_the_path_and_without_its_query(authorized, simulator, by):
    Connection.objects.update(ping_path="/no/such/path?key=s3cret-in-a-query")
    step = failed_at(run(Connection.objects.get(), by), "call")
    assert "/no/such/path" in step.detail
    assert "s3cret" not in step.detail + everything_told()


@pytest.mark.parametrize(
    "path", ["//evil.example.com/x", "@evil.example.com", "https://evil.example.com/", "\\evil", "..//x"]
)
def test_a_path_never_leads_to_another_host(authorized, simulator, by, path):
    Connection.objects.update(ping_path=path)
    run(Connection.objects.get(), by)
    assert all("evil" not in call["path"] or call["path"].startswith("/") for call in simulator.calls())
    from connections.actions import calls

    with pytest.raises(calls.CallError):
        calls.target(Connection(base_uri="https://a.example.com"), "//evil.example.com")


def test_a_token_endpoint_in_trouble_fails_at_the_client(authorized, simulator, by):
    simulator.fault(path=TOKEN_PATH, status=503, times=9)
    assert failed_at(run(authorized, by), "client").action == "wait"


def test_a_client_whose_secret_is_gone_needs_it_again(authorized, by):
    OAuthClient.objects.update(client_secret=None)
    failed_at(run(edited(), by), "client")


def test_a_connection_without_authentication_has_nothing_to_prove_but_the_call(team, by, server):
    connection = factories.connection(
        team, application="http", base_uri=server.url, auth_type="none", oauth_client=None
    )
    steps = run(connection, by)
    assert [step.ok for step in steps] == [True, None, None, None, True]
    assert passed(steps)


def test_client_credentials_are_tried_for_real(unauthorized, simulator, by):
    connection = edited(grant_type="client_credentials", scope="sellingpartnerapi::notifications")
    assert passed(run(connection, by))
    assert {call["grant_type"] for call in simulator.calls(TOKEN_PATH)} == {"client_credentials"}


def test_a_redirect_is_an_answer_and_takes_the_token_nowhere(team, by, server):
    connection = at(server, team)
    ok = server.respond
    server.respond = lambda handler: (
        ok(handler) if handler.path == "/token" else redirect(handler)
    )  # fmt: skip

    def redirect(handler):
        handler.send_response(302)
        handler.send_header("Location", f"{server.url}/elsewhere")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    failed_at(run(connection, by), "call")
    assert "/elsewhere" not in [asked.path for asked in server.asked]


def test_stopping_early_leaves_an_event_that_says_so(authorized, by):
    running = connection_tests.run(Candidate(authorized, stored=authorized), by=by)
    next(running)
    next(running)
    running.close()
    event = Event.objects.get(action="connection.test")
    assert (event.detail["cancelled"], event.detail["ok"]) == (True, False)
    assert event.detail["steps"] == {"address": "ok", "tls": "skipped"}
    assert Connection.objects.get().last_test is None
