"""The first two steps of testing a connection: can the host be reached, and is it who it says it is."""

import socket
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connections.outbound import identity, policy
from connections.outbound.adapter import resolve
from connections.outbound.errors import OutboundError, translate
from connections.outbound.urls import IPAddress, Target, target
from connections.outbound.wire import CONNECT_SECONDS


@dataclass(frozen=True)
class Address:
    """Where a connection was opened. `host` without port; `ms` for resolving and connecting."""

    host: str
    port: int
    ip: str
    ms: int


@dataclass(frozen=True)
class Certificate:
    """What the server showed. `subject` and `issuer` are common names (or organisations), `protocol` as "TLSv1.3"."""

    subject: str
    issuer: str
    expires_at: datetime
    protocol: str
    ms: int


def address(url: str, *, deadline: float = 2 * CONNECT_SECONDS) -> Address:
    """Resolve the host of `url`, check the policy, open a TCP connection and close it. `deadline` in seconds.

    Raises OutboundError: invalid_url, insecure, address_refused, not_found, connect, timeout.
    """
    place = target(url)
    policy.check(place)
    started = time.monotonic()
    ip, opened = _connect(place, started + deadline)
    opened.close()
    return Address(host=place.host, port=place.port, ip=str(ip), ms=_ms_since(started))


def tls(url: str, *, deadline: float = 2 * CONNECT_SECONDS, client: identity.Identity | None = None) -> Certificate:
    """Set up a verified TLS connection to the host of `url` and close it. `deadline` in seconds.

    Raises OutboundError: as `address`, and tls; insecure for an http URL.
    """
    place = target(url)
    if place.scheme != "https":
        raise OutboundError("insecure", str(place), "The address starts with http://, so nothing is encrypted.")
    policy.check(place)
    started = time.monotonic()
    _, opened = _connect(place, started + deadline)
    try:
        with opened:
            # The handshake as a whole is bounded by the timeout of the socket, not each packet of it.
            opened.settimeout(max(started + deadline - time.monotonic(), 0.01))
            with identity.context(client).wrap_socket(opened, server_hostname=place.host) as secured:
                shown: dict[str, Any] = dict(secured.getpeercert() or {})
                protocol = secured.version() or ""
    except (OSError, ValueError) as exc:
        error = translate(exc, str(place))
    else:
        return Certificate(
            subject=_name(shown.get("subject", ())) or place.host,
            issuer=_name(shown.get("issuer", ())),
            expires_at=datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC),
            protocol=protocol,
            ms=_ms_since(started),
        )
    raise error


def _connect(place: Target, ends_at: float) -> tuple[IPAddress, socket.socket]:
    error: OutboundError | None = None
    for ip in resolve(place, _left(ends_at)):
        try:
            return ip, socket.create_connection((str(ip), place.port), timeout=_left(ends_at))
        except TimeoutError:
            error = OutboundError("timeout", str(place), "The server did not answer in time.")
        except OSError:
            error = OutboundError("connect", str(place), "No connection: the server refuses it or cannot be reached.")
    assert error, "resolve() gives at least one address"
    raise error


def _left(ends_at: float) -> float:
    return min(max(ends_at - time.monotonic(), 0.01), CONNECT_SECONDS)


def _ms_since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)


def _name(parts: tuple[tuple[tuple[str, str], ...], ...]) -> str:
    names = {key: value for part in parts for key, value in part}
    return names.get("commonName") or names.get("organizationName") or ""
