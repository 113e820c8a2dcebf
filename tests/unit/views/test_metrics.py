"""/metrics: what it says, to whom, and whom it never names."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tasks_db.models import DBTaskResult, get_date_max
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics

from connections.actions import tallies, usage
from connections.models import Circuit, Membership, Tally, Team
from tests import factories

TOKEN = "a-long-random-metrics-token"


@pytest.fixture(autouse=True)
def owner(alice: Membership, settings: Any) -> Membership:
    """Gatehouse is set up, and nothing has been counted."""
    settings.METRICS_TOKEN = ""
    usage.forget()
    return alice


def scrape(**more: Any) -> Any:
    return Client().get("/metrics", **more)


def samples(text: str) -> dict[str, float]:
    """{'name{label=value}': number}, as Prometheus reads it."""
    found = {}
    for family in parser.text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def numbers() -> dict[str, float]:
    answer = scrape()
    assert answer.status_code == 200
    return samples(answer.content.decode())


def test_every_number_is_there_from_the_start() -> None:
    found = numbers()
    assert set(found.values()) == {0.0}
    assert {name for name in found if "_bucket" not in name} == {
        *(f"gatehouse_refreshes_total{{outcome={outcome}}}"
          for outcome in ("refreshed", "transient", "client", "reauthorize", "misconfigured", "lost")),
        *(f"gatehouse_token_reads_total{{outcome={outcome}}}" for outcome in ("stored", "refreshed", "refused")),
        *(f"gatehouse_connections{{status={status}}}" for status in ("draft", "online", "offline")),
        *(f"gatehouse_tasks{{state={state}}}" for state in ("ready", "running")),
        "gatehouse_proxy_calls_total", "gatehouse_lease_waits_total", "gatehouse_lease_wait_seconds_total",
        "gatehouse_refresh_seconds_count", "gatehouse_refresh_seconds_sum", "gatehouse_grants_due",
        "gatehouse_grant_due_age_seconds", "gatehouse_task_ready_age_seconds", "gatehouse_circuits_open",
    }  # fmt: skip


def test_tallies_of_all_processes_are_told() -> None:
    Tally.objects.create(name="refreshes_total", label="transient", value=3)
    Tally.objects.create(name="token_reads_total", label="stored", value=1204)
    Tally.objects.create(name="proxy_calls_total", value=7)
    found = numbers()
    assert found["gatehouse_refreshes_total{outcome=transient}"] == 3
    assert found["gatehouse_token_reads_total{outcome=stored}"] == 1204
    assert found["gatehouse_proxy_calls_total"] == 7


def test_the_buckets_of_the_histogram_are_cumulated() -> None:
    for seconds in (0.04, 0.05, 0.3, 99):
        tallies.refresh("refreshed", seconds)
    usage.flush()
    found = numbers()
    bounds = ("0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "25", "+Inf")
    buckets = [found[f"gatehouse_refresh_seconds_bucket{{le={bound}}}"] for bound in bounds]
    assert buckets == [2, 2, 2, 3, 3, 3, 3, 3, 3, 4]
    assert found["gatehouse_refresh_seconds_count"] == 4 == found["gatehouse_refreshes_total{outcome=refreshed}"]
    assert found["gatehouse_refresh_seconds_sum"] == pytest.approx(99.39)


def test_what_happens_is_counted_under_the_names_that_are_shown() -> None:
    for _ in range(2):
        tallies.refresh("lost", 1)
        tallies.lease_wait(0.25)
        tallies.token_read("refused")
        tallies.proxy_call()
    usage.flush()
    changed = {name: value for name, value in numbers().items() if value and "refresh_seconds" not in name}
    assert changed == {
        "gatehouse_refreshes_total{outcome=lost}": 2,
        "gatehouse_lease_waits_total": 2,
        "gatehouse_lease_wait_seconds_total": 0.5,
        "gatehouse_token_reads_total{outcome=refused}": 2,
        "gatehouse_proxy_calls_total": 2,
    }


def test_connections_are_counted_by_status(team: Team) -> None:
    for status in ("online", "online", "offline"):
        factories.connection(team, status=status)
    found = numbers()
    assert [found[f"gatehouse_connections{{status={status}}}"] for status in ("draft", "online", "offline")] == [
        0,
        2,
        1,
    ]


def test_only_what_the_worker_has_to_renew_now_is_due(team: Team) -> None:
    now = timezone.now()
    ago, later = now - timedelta(hours=1), now + timedelta(hours=1)
    for fields in (
        {"refresh_at": now - timedelta(minutes=1)},
        {"refresh_at": ago, "retry_at": now - timedelta(minutes=2)},
        {"refresh_at": later},
        {"refresh_at": ago, "retry_at": later},
        {"refresh_at": ago, "is_refused": True},
        {"refresh_at": None},
        {"refresh_at": ago, "queued_until": now + timedelta(minutes=1)},
    ):
        factories.grant(factories.connection(team), refresh_token="r", **fields)
    found = numbers()
    assert found["gatehouse_grants_due"] == 2
    assert 120 <= found["gatehouse_grant_due_age_seconds"] < 600  # not the hour of the one that had to wait in between


def queued(status: str, **fields: Any) -> None:
    defaults = {"run_after": get_date_max(), "args_kwargs": {"args": [], "kwargs": {}}, "backend_name": "default"}
    row = DBTaskResult.objects.create(status=status, task_path="connections.tasks.x", **defaults | fields)
    if "enqueued_at" in fields:
        DBTaskResult.objects.filter(pk=row.pk).update(enqueued_at=fields["enqueued_at"])


def test_the_queue_is_counted_by_what_may_run() -> None:
    now = timezone.now()
    queued("READY", enqueued_at=now - timedelta(minutes=3))
    queued("READY", enqueued_at=now - timedelta(hours=3), run_after=now - timedelta(minutes=1))
    queued("READY", run_after=now + timedelta(hours=1))
    queued("RUNNING")
    queued("SUCCESSFUL", enqueued_at=now - timedelta(days=1))
    queued("FAILED")
    found = numbers()
    assert (found["gatehouse_tasks{state=ready}"], found["gatehouse_tasks{state=running}"]) == (2, 1)
    assert 180 <= found["gatehouse_task_ready_age_seconds"] < 900


def test_a_closed_circuit_is_not_counted(team: Team) -> None:
    Circuit.objects.create(client=factories.oauth_client(team), failed=[])
    Circuit.objects.create(client=factories.oauth_client(team), failed=[], opened_at=timezone.now())
    assert numbers()["gatehouse_circuits_open"] == 1


def test_nobody_is_named(team: Team) -> None:
    team.name = "Zebra works"
    team.save()
    client = factories.oauth_client(team, name="Zebra client")
    connection = factories.connection(team, name="Zebra orders", oauth_client=client, status="online")
    factories.grant(connection, refresh_token="zebra", access_token="zebra", refresh_at=timezone.now())
    Circuit.objects.create(client=client, opened_at=timezone.now())
    Tally.objects.create(name="refreshes_total", label="zebra@example.com", value=1)  # no outcome that there is
    Tally.objects.create(name="zebra", value=1)
    text = scrape().content.decode()
    assert "zebra" not in text.lower()
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-|[0-9a-f]{32}|@", text)
    labels = {
        name
        for family in parser.text_string_to_metric_families(text)
        for each in family.samples
        for name in each.labels
    }
    assert labels == {"outcome", "status", "state", "le"}


def test_it_takes_as_many_queries_with_many_rows_as_with_none(team: Team) -> None:
    def queries() -> int:
        with CaptureQueriesContext(database) as captured:
            scrape()
        return len(captured)

    scrape()
    few = queries()
    client = factories.oauth_client(team)
    for number in range(20):
        factories.grant(factories.connection(team, oauth_client=client), refresh_token="r", refresh_at=timezone.now())
        Tally.objects.create(name="refreshes_total", label=str(number))
        queued("READY")
    assert queries() == few <= 6


def test_names_follow_the_habits_of_prometheus() -> None:
    """Help and type before the samples, `_total` for what only grows, base units."""
    text = scrape().content.decode()
    families = list(parser.text_string_to_metric_families(text))
    assert len(families) > 10
    for family in families:
        assert family.documentation.endswith("."), family.name
        assert family.type in ("counter", "gauge", "histogram"), family.name
        assert re.fullmatch(r"gatehouse_[a-z_]+", family.name)
        assert not re.search(r"_(ms|milliseconds|minutes|hours)\b", family.name)
        assert (f"# TYPE {family.name}_total counter" in text) == (family.type == "counter"), family.name
        assert not (family.type == "gauge" and family.name.endswith(("_total", "_count", "_sum"))), family.name
    seen = [(sample.name, tuple(sorted(sample.labels.items()))) for family in families for sample in family.samples]
    assert len(seen) == len(set(seen))


def test_openmetrics_is_spoken_to_who_asks_for_it() -> None:
    answer = scrape(headers={"Accept": "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"})
    assert answer["Content-Type"].startswith("application/openmetrics-text")
    families = list(openmetrics.text_string_to_metric_families(answer.content.decode()))
    assert "gatehouse_refresh_seconds" in {family.name for family in families}


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.1.2.3", "172.18.0.4", "192.168.0.9", "fd00::7", "::ffff:10.0.0.1"]
)
def test_a_direct_caller_from_nearby_needs_no_token(address: str) -> None:
    assert scrape(REMOTE_ADDR=address).status_code == 200


@pytest.mark.parametrize(
    "address",
    ["203.0.113.200", "8.8.8.8", "2a00:1450::1", "100.64.0.1", "172.32.0.1", "::", "::ffff:8.8.8.8", "", "nowhere"],
)
def test_without_a_token_nobody_from_outside_is_answered(address: str) -> None:
    answer = scrape(REMOTE_ADDR=address)
    assert (answer.status_code, "set METRICS_TOKEN" in answer.content.decode()) == (404, True)
    assert "gatehouse_" not in answer.content.decode()


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "Forwarded", "X-Real-IP", "Via", "X-Forwarded-Host", "X-Forwarded-Proto"]
)
def test_a_proxy_s_own_address_does_not_count_as_nearby(header: str) -> None:
    assert scrape(headers={header: "10.0.0.1"}).status_code == 404
    assert scrape(headers={header: ""}).status_code == 404


@pytest.mark.parametrize(
    "said", ["", "Bearer", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x", "Bearer é"]
)
def test_with_a_token_set_everybody_needs_it(said: str, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    answer = scrape(headers={"Authorization": said} if said else {})
    assert (answer.status_code, answer["WWW-Authenticate"].partition(" ")[0]) == (401, "Bearer")
    assert "Authorization: Bearer" in answer.content.decode() and TOKEN not in answer.content.decode()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_token_lets_in_from_anywhere(scheme: str, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    headers = {"Authorization": f"{scheme} {TOKEN}", "X-Forwarded-For": "203.0.113.200"}
    answer = scrape(REMOTE_ADDR="203.0.113.200", headers=headers)
    assert (answer.status_code, "no-store" in answer["Cache-Control"]) == (200, True)


def test_being_signed_in_opens_nothing(as_alice: Client, settings: Any) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert as_alice.get("/metrics").status_code == 401


def test_it_is_only_read() -> None:
    assert [getattr(Client(), method)("/metrics").status_code for method in ("post", "put", "delete")] == [405] * 3
    assert Client().head("/metrics").status_code == 200
