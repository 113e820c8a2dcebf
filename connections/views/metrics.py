"""Numbers for Prometheus. All come from the database, so that any web process tells the truth about all of them.

Private by default: without METRICS_TOKEN only whoever reaches the process directly from a private address may look.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from ipaddress import ip_address, ip_network

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError
from django.db.models import Count, Min, Q, Value
from django.db.models.functions import Coalesce, NullIf
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_tasks_db.models import DBTaskResult, get_date_max
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from connections.actions import schedules, tallies
from connections.models import Circuit, Connection
from connections.models.choices import Status

PREFIX = "gatehouse_"
PLAIN = "text/plain; charset=utf-8"
READY, RUNNING = "READY", "RUNNING"
# Loopback, private (RFC 1918, RFC 4193) and link-local. Python's `is_private` has more in it, such as addresses for examples.
NEARBY = [
    ip_network(network)
    for network in (
        "127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "169.254.0.0/16", "fe80::/10",
    )
]  # fmt: skip
# What a proxy adds. Its own address is a private one, so it must not pass for a caller on the spot.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Via")


@never_cache
@login_not_required
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    if settings.METRICS_TOKEN:
        if not _has_token(request):
            text = "Metrics need the header Authorization: Bearer, followed by what METRICS_TOKEN is set to here.\n"
            refusal = HttpResponse(text, status=401, content_type=PLAIN)
            refusal["WWW-Authenticate"] = 'Bearer realm="metrics"'
            return refusal
    elif not _is_near(request):
        text = (
            "Metrics are shown only to callers that reach this process directly, from its own machine or a private network. "
            "To read them from elsewhere or through a proxy, set METRICS_TOKEN and send it as Authorization: Bearer.\n"
        )
        return HttpResponse(text, status=404, content_type=PLAIN)
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    try:
        return HttpResponse(encode(Numbers(timezone.now())), content_type=content_type)
    except DatabaseError:
        text = "The database does not answer, and the numbers are in it. /readyz tells when it is back.\n"
        return HttpResponse(text, status=503, content_type=PLAIN)


def _has_token(request: HttpRequest) -> bool:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return constant_time_compare(token.strip(), settings.METRICS_TOKEN) and scheme.lower() == "bearer"


def _is_near(request: HttpRequest) -> bool:
    if any(name in request.headers for name in FORWARDED):
        return False
    try:
        caller = ip_address(request.META.get("REMOTE_ADDR", ""))
    except ValueError:  # a socket file has no address; whoever is behind it is unknown
        return False
    caller = getattr(caller, "ipv4_mapped", None) or caller
    return any(caller in network for network in NEARBY)


class Numbers(Collector):
    """Everything as it is at `now`, in five queries."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def collect(self) -> Iterator[Metric]:
        yield from self._tallies()
        yield self._connections()
        yield from self._grants()
        yield from self._tasks()
        yield _gauge("circuits_open", "OAuth 2.0 clients whose provider is not asked for now, because many requests failed.",
                     Circuit.objects.exclude(opened_at=None).count())  # fmt: skip

    def _tallies(self) -> Iterator[Metric]:
        known = tallies.read()
        for counter in tallies.COUNTERS:
            family = CounterMetricFamily(
                PREFIX + counter.name, counter.about, labels=[counter.label] if counter.label else []
            )
            for value in counter.values:
                family.add_metric([value] if counter.label else [], known.get((counter.name, value), 0))
            yield family
        cumulated, buckets = 0.0, []
        for bound in (*map(str, tallies.REFRESH_SECONDS), tallies.BEYOND):
            cumulated += known.get((tallies.BUCKET, bound), 0)
            buckets.append((bound, cumulated))
        yield HistogramMetricFamily(
            PREFIX + "refresh_seconds", "How long a request for a new access token took, the provider's answer included.",
            buckets=buckets, sum_value=known.get((tallies.SUM, ""), 0),
        )  # fmt: skip

    def _connections(self) -> Metric:
        counted = dict(Connection.objects.order_by().values_list("status").annotate(Count("pk")))
        family = GaugeMetricFamily(PREFIX + "connections", "Connections, by status.", labels=["status"])
        for status in Status.values:
            family.add_metric([status], counted.get(status, 0))
        return family

    def _grants(self) -> Iterator[Metric]:
        # After a failure it is due again from when the provider may be asked again, not from when it was due at first.
        since = Coalesce("retry_at", "refresh_at", "failed_at")
        found = schedules.due(self.now).aggregate(count=Count("pk"), oldest=Min(since))
        yield _gauge(
            "grants_due", "Access tokens that are to be renewed now and that no worker has taken on.", found["count"]
        )
        yield _gauge("grant_due_age_seconds", "How long the one of them that waits longest has waited; it grows where no worker runs.",
                     self._age(found["oldest"]))  # fmt: skip

    def _tasks(self) -> Iterator[Metric]:
        at_once = get_date_max()  # how the queue writes down that a task need not wait
        may_run = Q(status=READY) & (Q(run_after=at_once) | Q(run_after__lte=self.now))
        found = DBTaskResult.objects.filter(status__in=(READY, RUNNING)).aggregate(
            ready=Count("pk", filter=may_run),
            running=Count("pk", filter=Q(status=RUNNING)),
            oldest=Min(Coalesce(NullIf("run_after", Value(at_once)), "enqueued_at"), filter=may_run),
        )
        family = GaugeMetricFamily(PREFIX + "tasks", "Tasks in the worker's queue, by state.", labels=["state"])
        for state in ("ready", "running"):
            family.add_metric([state], found[state])
        yield family
        yield _gauge("task_ready_age_seconds", "How long the oldest task that may run has waited for a worker.",
                     self._age(found["oldest"]))  # fmt: skip

    def _age(self, since: datetime | None) -> float:
        return max(0.0, (self.now - since).total_seconds()) if since else 0.0


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(PREFIX + name, about, value=value)
