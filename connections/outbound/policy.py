"""Which addresses may be reached: the public internet, and what the operator allowed.

The policy is one value for the whole process, set once when the app starts.
"""

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from requests_hardened.ip_filter import EXTRA_BLOCKED_NET_RANGES

from connections.outbound.errors import OutboundError
from connections.outbound.urls import IPAddress, Target, target

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# Where clouds hand credentials to whoever asks. Never reached, whatever the operator allows: a range such as
# 10.0.0.0/8 or fd00::/8 is typed without thinking of them.
METADATA_NETWORKS: tuple[IPNetwork, ...] = tuple(
    ipaddress.ip_network(network)
    for network in (
        "169.254.0.0/16",  # link-local: .169.254 (AWS, Azure, Google, …), .170.2 (ECS), .0.23 (Tencent)
        "fe80::/10",  # link-local: fe80::a9fe:a9fe (OpenStack)
        "fd00:ec2::/32",  # AWS: metadata ::254, pod identity ::23
        "fd20:ce::/32",  # Google
        "fd00:42::42/128",  # Scaleway
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure's platform address, public by number
        "192.0.0.192/32",  # Oracle
    )
)
METADATA_HOSTS = frozenset(
    {"metadata", "metadata.google.internal", "metadata.goog", "metadata.tencentyun.com", "instance-data"}
    | {"instance-data.ec2.internal"}
)

# Besides what `ipaddress` and requests-hardened know: IPv6 that carries an IPv4 address inside, and old site-local.
EMBEDDING_NETWORKS: tuple[IPNetwork, ...] = tuple(
    ipaddress.ip_network(network) for network in ("::/96", "2001::/32", "fec0::/10", "::ffff:0:0:0/96")
)


@dataclass(frozen=True)
class Policy:
    """Hosts as typed (with the port they are limited to, or None) and address ranges."""

    hosts: frozenset[tuple[str, int | None]] = frozenset()
    networks: tuple[IPNetwork, ...] = ()

    def lists(self, place: Target) -> bool:
        """Whether the host, as typed in the URL, is on the list."""
        if (place.host, None) in self.hosts or (place.host, place.port) in self.hosts:
            return True
        return place.literal is not None and self.covers(place.literal)

    def covers(self, address: IPAddress) -> bool:
        """Whether the address lies in a listed range."""
        return any(address in network for network in self.networks)


_policy = Policy()


def configure(*, private_hosts_allowed: Iterable[str]) -> None:
    """Set what may be reached although it is private. Called once when the app starts; nothing is allowed before.

    Entries: "host", "host:port", an address, "[v6]:port", or a range in CIDR writing. A host or address is compared
    with what stands in the URL ("localhost" does not allow 127.0.0.1, nor the reverse) and allows whatever it resolves
    to; a range is compared with the resolved address. Cloud metadata stays refused. A host listed here may be called
    over plain http. Raises ValueError with a sentence that names the entry.
    """
    global _policy
    hosts: set[tuple[str, int | None]] = set()
    networks: list[IPNetwork] = []
    for entry in private_hosts_allowed:
        if "/" in entry:
            networks.append(_network(entry))
        else:
            hosts.add(_host(entry))
    _policy = Policy(frozenset(hosts), tuple(networks))


def insecure_allowed(url: str) -> bool:
    """Whether `url` may be called over plain http: only a host, or an address in a range, that the operator listed.

    Nothing is resolved: a name counts only if the name itself is listed. Raises OutboundError("invalid_url").
    """
    return _policy.lists(target(url))


def check(place: Target) -> None:
    """Raise OutboundError for a host that is refused before anything is resolved."""
    if place.host in METADATA_HOSTS:
        raise OutboundError("address_refused", str(place), "Cloud metadata is never reached from here.")
    if place.scheme == "http" and not _policy.lists(place):
        raise OutboundError("insecure", str(place), "Use https: secrets are not sent in clear.")


def permitted(place: Target, found: Iterable[IPAddress]) -> list[IPAddress]:
    """Those of the resolved addresses that may be connected to, in their order.

    Raises OutboundError("address_refused") when none is left.
    """
    known_host = _policy.lists(place)
    kept: list[IPAddress] = []
    detail = "The host leads to a private address. The operator can allow it in PRIVATE_HOSTS_ALLOWED."
    for resolved in found:
        address = _plain(resolved)
        if _is_metadata(address):
            detail = "Cloud metadata is never reached from here."
        elif (known_host or _policy.covers(address) or _is_public(address)) and address not in kept:
            kept.append(address)
    if not kept:
        raise OutboundError("address_refused", str(place), detail)
    return kept


def _plain(address: IPAddress) -> IPAddress:
    """::ffff:127.0.0.1 connects to 127.0.0.1, so it is judged, and used, as that."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def _is_metadata(address: IPAddress) -> bool:
    if any(address in network for network in METADATA_NETWORKS):
        return True
    # NAT64 (64:ff9b::/96 and the like) and 6to4 hide an IPv4 address in the last or middle four bytes.
    if isinstance(address, ipaddress.IPv6Address) and not _is_public(address):
        hidden = [ipaddress.IPv4Address(address.packed[12:])]
        if address.sixtofour:
            hidden.append(address.sixtofour)
        return any(inner in network for inner in hidden for network in METADATA_NETWORKS)
    return False


def _is_public(address: IPAddress) -> bool:
    blocked = (*EXTRA_BLOCKED_NET_RANGES, *EMBEDDING_NETWORKS)
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not any(address in network for network in blocked)
    )


def _network(entry: str) -> IPNetwork:
    try:
        return ipaddress.ip_network(entry)
    except ValueError:
        raise ValueError(
            f"{entry!r} is not a range of addresses. Write it like 10.0.0.0/8, with no bit set behind the prefix, "
            "or a host without http:// and path."
        ) from None


def _host(entry: str) -> tuple[str, int | None]:
    try:
        return str(_plain(ipaddress.ip_address(entry))), None
    except ValueError:
        pass  # a name, or something with a port
    try:
        if set(entry) & set("?%@#"):
            raise OutboundError("invalid_url")
        place = target(f"http://{entry}")
    except OutboundError:
        raise ValueError(
            f"{entry!r} is not a host. Write it like erp.internal, erp.internal:8080, 10.0.0.5 or [::1]:8080."
        ) from None
    has_port = ":" in entry.rpartition("]")[2]
    return place.host, place.port if has_port else None


def before_waiting() -> None:
    """Called before each request is sent: whoever holds what others need may let it go while an answer is awaited."""
    _let_go()


def on_waiting(let_go: Callable[[], None]) -> None:
    """Set what is called before each request is sent."""
    global _let_go
    _let_go = let_go


def _nothing() -> None:
    pass


_let_go: Callable[[], None] = _nothing
