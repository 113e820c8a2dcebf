"""The one exception that leaves `connections.outbound`, and how foreign exceptions become it."""

import ssl
from collections.abc import Iterator
from typing import Literal

import requests
import urllib3.exceptions

Code = Literal[
    "address_refused",
    "not_found",
    "connect",
    "tls",
    "timeout",
    "too_large",
    "redirect",
    "insecure",
    "invalid_url",
    "broken",
]

# OpenSSL's X509_V_ERR_* numbers that have a plain sentence; the others share one.
CERTIFICATE_FAULTS = {
    9: "Its certificate is not valid yet.",
    10: "Its certificate has expired.",
    18: "Its certificate is self-signed.",
    19: "Its certificate was issued by an authority that is not trusted here.",
    20: "Its certificate was issued by an authority that is not trusted here.",
    21: "Its certificate was issued by an authority that is not trusted here.",
    62: "Its certificate is for another host name.",
    64: "Its certificate is for another address.",
}

# What a server says of our TLS client certificate, by OpenSSL's names of its alerts (RFC 8446 §6).
CERTIFICATE_ALERTS = {
    "CERTIFICATE_REQUIRED": "The server wants a TLS client certificate.",
    "ALERT_HANDSHAKE_FAILURE": "The server broke off the handshake. It may want a TLS client certificate.",
    "ALERT_UNKNOWN_CA": "The server does not know the authority that issued the TLS client certificate.",
    "ALERT_CERTIFICATE_EXPIRED": "The server says that the TLS client certificate has expired.",
    "ALERT_CERTIFICATE_REVOKED": "The server says that the TLS client certificate was revoked.",
    "ALERT_BAD_CERTIFICATE": "The server does not accept the TLS client certificate.",
    "ALERT_DECRYPT_ERROR": "The server does not accept the TLS client certificate.",
    "ALERT_CERTIFICATE_UNKNOWN": "The server does not accept the TLS client certificate.",
    "ALERT_UNSUPPORTED_CERTIFICATE": "The server does not accept this kind of TLS client certificate.",
    "ALERT_ACCESS_DENIED": "The server lets nobody in with this TLS client certificate.",
}


class OutboundError(Exception):
    """A call that did not yield an answer.

    `code` is for programs, `host` is "host" or "host:port" ("" when there is none), `detail` is one plain sentence.
    None of them ever holds a path, query, header or body.
    """

    def __init__(self, code: Code, host: str = "", detail: str = "") -> None:
        super().__init__(code, host, detail)
        self.code: Code = code
        self.host = host
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.code}: {self.host}: {self.detail}" if self.host else f"{self.code}: {self.detail}"


def translate(exc: BaseException, host: str) -> OutboundError:
    """The OutboundError for an exception of requests, urllib3, http.client, ssl or socket.

    Only the types are looked at, never the texts: those quote URLs and headers. The caller raises the result after
    its `except` block has ended, so that the original is not kept as `__context__` either.
    """
    chain = list(_chain(exc))

    def holds(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    for link in chain:
        if isinstance(link, OutboundError):
            return link
        if isinstance(link, ssl.SSLCertVerificationError):
            fault = CERTIFICATE_FAULTS.get(link.verify_code, "Its certificate could not be verified.")
            return OutboundError("tls", host, fault)
        if isinstance(link, ssl.SSLError) and link.reason:  # a name, not a text
            for alert, sentence in CERTIFICATE_ALERTS.items():
                if link.reason.endswith(alert):
                    return OutboundError("tls", host, sentence)
        if isinstance(link, ssl.SSLEOFError):
            cut = "The server broke off the secure connection. It may want a TLS client certificate, or another one."
            return OutboundError("tls", host, cut)
    if holds(ssl.SSLError, urllib3.exceptions.SSLError, requests.exceptions.SSLError) and not holds(TimeoutError):
        return OutboundError("tls", host, "The server does not set up a secure connection.")
    if holds(urllib3.exceptions.NewConnectionError, ConnectionRefusedError):
        return OutboundError("connect", host, "No connection: the server refuses it or cannot be reached.")
    if holds(TimeoutError, requests.Timeout, urllib3.exceptions.TimeoutError):
        return OutboundError("timeout", host, "The server did not answer in time.")
    if holds(requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
        return OutboundError("invalid_url", host, "The address is not valid.")
    if holds(requests.exceptions.InvalidHeader, UnicodeError):
        return OutboundError("broken", host, "A header holds a character that may not be sent.")
    if holds(urllib3.exceptions.DecodeError):
        return OutboundError("broken", host, "The answer is compressed in a way that cannot be read.")
    return OutboundError("broken", host, "The server broke off or did not answer in HTTP.")


def _chain(exc: BaseException) -> Iterator[BaseException]:
    """The exception and all it was made from: requests wraps urllib3, which wraps ssl and socket, each differently."""
    waiting: list[object] = [exc]
    seen: set[int] = set()
    while waiting:
        link = waiting.pop(0)
        if not isinstance(link, BaseException) or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
