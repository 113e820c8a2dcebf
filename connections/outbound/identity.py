"""How we prove who is asked (certificates we trust) and, where a server wants it, who asks (a client certificate)."""

import functools
import ssl
import tempfile
from dataclasses import dataclass, field

import certifi

from connections.outbound.errors import OutboundError


@dataclass(frozen=True)
class Identity:
    """A TLS client certificate: PEM texts, and the passphrase of the key if it has one."""

    certificate: str = field(repr=False)
    key: str = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)


def context(identity: Identity | None = None) -> ssl.SSLContext:
    """The TLS settings of every call: verified, host name checked, TLS 1.2 or newer.

    Raises OutboundError("tls") when the client certificate, its key and the passphrase do not fit together.
    """
    if identity is None:
        return _shared()
    # A context of its own: a shared one would show this certificate to every other server.
    own = _trusting()
    fault: OutboundError | None = None
    # ssl reads client certificates from files only. The file is private to this user and gone after loading.
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(f"{identity.key}\n{identity.certificate}\n")
        file.flush()
        try:
            # A callable, because with None OpenSSL would ask for the passphrase on the terminal.
            own.load_cert_chain(file.name, password=lambda: identity.passphrase or "")
        except (ssl.SSLError, ValueError):
            fault = OutboundError("tls", "", "The client certificate, its key and the passphrase do not fit together.")
    if fault:
        raise fault
    return own


@functools.lru_cache(maxsize=1)
def _shared() -> ssl.SSLContext:
    return _trusting()  # reading the authorities takes some 10 ms, so once


def _trusting() -> ssl.SSLContext:
    trusting = ssl.create_default_context(cafile=certifi.where())
    # The machine's own authorities too, so that an operator can add a company's (SSL_CERT_FILE, SSL_CERT_DIR).
    trusting.load_default_certs()
    trusting.minimum_version = ssl.TLSVersion.TLSv1_2
    return trusting
