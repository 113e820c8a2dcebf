"""What an address must look like before anything is sent to it."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, urlsplit

import idna

from connections.outbound.errors import OutboundError

DEFAULT_PORTS = {"http": 80, "https": 443}

# C0 and C1 controls, every kind of blank, and the backslash, which browsers read as a slash and libraries do not.
UNWANTED = re.compile(r"[\x00-\x20\x7f-\xa0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff\\]")
VISIBLE = "".join(map(chr, range(0x21, 0x7F)))
HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Target:
    """Where a URL leads: `host` is lower case, IDNA-encoded, without brackets or trailing dot."""

    scheme: Literal["http", "https"]
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def literal(self) -> IPAddress | None:
        """The address, when the host is one in its usual writing (not 2130706433 or 0x7f.1: those get resolved)."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


def check_url(url: str) -> None:
    """Raise OutboundError("invalid_url") unless `url` is an absolute http or https URL that can be used as it is.

    `detail` is a sentence for the form field. Nothing is resolved or sent.
    """
    target(url)


def host_port(url: str) -> str:
    """The host a URL leads to: lower case, IDNA-encoded, with ":port" unless it is the scheme's own.

    "https://API.Example.com:443/x" → "api.example.com". Raises OutboundError("invalid_url").
    """
    return str(target(url))


def path_and_query(url: str) -> str:
    """What stands behind the host, as it is written: "/" where there is nothing. Only what may not stand in HTTP is encoded."""
    behind = url.partition("://")[2]
    start = next((place for place, character in enumerate(behind) if character in "/?"), len(behind))
    rest = behind[start:].partition("#")[0]
    return quote(rest if rest.startswith("/") else f"/{rest}", safe=VISIBLE)


def target(url: str) -> Target:
    """Parse and check `url`. Raises OutboundError("invalid_url")."""
    if not url:
        raise _invalid("Enter an address, such as https://api.example.com.")
    if UNWANTED.search(url):
        raise _invalid("Leave out blanks, line breaks and backslashes.")
    problem = "The host name is not valid."
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        problem = "The port must be a number from 1 to 65535."
        port = parts.port
    except ValueError:
        raise _invalid(problem) from None
    scheme: Literal["http", "https"]
    if parts.scheme == "https":
        scheme = "https"
    elif parts.scheme == "http":
        scheme = "http"
    else:
        raise _invalid("Start the address with https://.")
    if "@" in parts.netloc:
        raise _invalid("Leave out the user name and password: they have fields of their own.")
    if not host:
        raise _invalid("The address has no host name.")
    if "#" in url:
        raise _invalid("Leave out the part from # on.")
    if port == 0 or parts.netloc.endswith(":"):
        raise _invalid("The port must be a number from 1 to 65535.")
    return Target(scheme, _host(host), port or DEFAULT_PORTS[scheme])


def _host(host: str) -> str:
    if ":" in host:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError:
            raise _invalid("The host name is not valid.") from None
        if address.scope_id is not None:
            raise _invalid("The host name is not valid.")
        return str(address)
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise _invalid("The host name is not valid.") from None
    host = host.lower().removesuffix(".")
    if not HOST.fullmatch(host) or ".." in host or len(host) > 253 or any(len(part) > 63 for part in host.split(".")):
        raise _invalid("The host name is not valid.")
    return host


def _invalid(detail: str) -> OutboundError:
    return OutboundError("invalid_url", "", detail)
