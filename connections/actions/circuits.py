"""Circuits: when many connections of one client fail together, one of them asks for all, now and then, and the others wait.

Counted for each client and token endpoint: connections of one client can have several. What counts is that the provider is away
or refuses the client; a grant that it refuses is that connection's own matter.
"""

from __future__ import annotations

import random
from datetime import timedelta
from urllib.parse import urlsplit

from django.db import IntegrityError
from django.utils import timezone

from connections.actions.errors import CODES, GrantError, as_json, from_json
from connections.applications import Failure
from connections.models import Circuit, Connection, Grant
from connections.oauth.errors import OAuthError

OPENS_AT = 3  # connections
TOGETHER = timedelta(minutes=10)  # failures further apart have nothing to do with each other
PAUSES = {"transient": (15, 300), "client": (600, 6 * 3600)}  # seconds between two attempts: first, longest
PROBE = timedelta(seconds=60)  # how long the one that asks may take, before another one is let through


def check(connection: Connection) -> Circuit | None:
    """The circuit, if there is one and the caller may ask the provider. Raises GrantError while it is open.

    When its pause is over, the first who comes is let through and the others wait for the outcome.
    """
    circuit = find(connection)
    if circuit is None or circuit.opened_at is None or circuit.retry_at is None or circuit.failure is None:
        return circuit
    now = timezone.now()
    client = connection.oauth_client
    if client is not None and client.version != circuit.client_version and circuit.kind == "client":
        return circuit  # somebody has corrected it: its first success closes the circuit
    wait = circuit.retry_at - now
    # A pause longer than any was written while the clock was ahead.
    if wait <= timedelta(0) or wait > timedelta(seconds=2 * PAUSES[circuit.kind][1]):
        probing = Circuit.objects.filter(pk=circuit.pk, retry_at=circuit.retry_at).update(retry_at=now + PROBE)
        if probing:
            return circuit
        wait = PROBE
    raise GrantError(CODES[circuit.kind], from_json(circuit.failure), retry_after=wait.total_seconds())


def fail(connection: Connection, error: OAuthError, failure: Failure) -> None:
    """One more failure. Opens the circuit where others of the same client failed a moment ago, too."""
    client = connection.oauth_client
    if client is None or error.kind not in PAUSES:
        return
    now, me = timezone.now(), str(connection.pk)
    circuit = find(connection)
    if circuit is None:
        try:
            circuit = Circuit.objects.create(client=client, host=_host(connection), kind=error.kind, first_at=now)
        except IntegrityError:  # another process has just made it
            circuit = find(connection)
        if circuit is None:
            return
    if circuit.kind != error.kind or (circuit.opened_at is None and now - circuit.first_at > TOGETHER):
        circuit.failed, circuit.opened_at, circuit.attempts, circuit.first_at = [], None, 0, now
    failed = [*(other for other in circuit.failed if other != me), me][-OPENS_AT:]
    is_open = len(failed) >= OPENS_AT or circuit.opened_at is not None
    attempts = circuit.attempts + 1 if is_open else 0
    first, longest = PAUSES[error.kind]
    pause = min(first * 2 ** min(attempts - 1, 20), longest) * random.uniform(0.75, 1.25) if is_open else 0  # noqa: S311
    pause = max(pause, min(error.retry_after or 0, 86400)) if is_open else 0
    Circuit.objects.filter(pk=circuit.pk).update(
        failed=failed,
        first_at=circuit.first_at,
        kind=error.kind,
        failure=as_json(failure),
        client_version=client.version,
        attempts=attempts,
        opened_at=(circuit.opened_at or now) if is_open else None,
        retry_at=now + timedelta(seconds=pause) if is_open else None,
    )


def close(circuit: Circuit) -> None:
    """The provider has answered well: whoever waited because of the circuit may ask at once."""
    Circuit.objects.filter(pk=circuit.pk).delete()
    if circuit.opened_at is not None:
        now = timezone.now()
        waiting = Grant.objects.filter(connection__oauth_client_id=circuit.client_id, is_refused=False)
        waiting.filter(retry_at__gt=now).update(retry_at=now)


def find(connection: Connection) -> Circuit | None:
    if connection.oauth_client_id is None:
        return None
    return Circuit.objects.filter(client_id=connection.oauth_client_id, host=_host(connection)).first()


def _host(connection: Connection) -> str:
    return urlsplit(connection.token_url).netloc.lower()[:260]
