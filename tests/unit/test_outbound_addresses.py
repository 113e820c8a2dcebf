"""Where a call may go: plain http, private and metadata addresses, changing name servers."""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from connections import outbound
from connections.outbound import OutboundError, adapter, policy
from connections.outbound.urls import target
from tests.unit.oauth.loopback import Server


@pytest.fixture(autouse=True)
def nothing_private_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_policy", policy._policy)  # so that the app's own comes back afterwards
    outbound.configure(private_hosts_allowed=[])


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


class Names:
    """A name server: each name has a list of answers, the last of which is repeated; literals pass through."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        self._real = socket.getaddrinfo
        monkeypatch.setattr(socket, "getaddrinfo", self._resolve)

    def _resolve(self, host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        try:
            ipaddress.ip_address(host)
        except ValueError:
            pass
        else:
            return self._real(host, port, *args, **kwargs)
        self.asked.append(host)
        if host not in self.answers:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        answers = self.answers[host]
        now = answers.pop(0) if len(answers) > 1 else answers[0]
        family = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [(family[ipaddress.ip_address(ip).version], socket.SOCK_STREAM, 6, "", (ip, port)) for ip in now]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    return Names(monkeypatch)


def refused(url: str) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        outbound.request("GET", url, deadline=2)
    return caught.value


def test_plain_http_to_the_internet_is_refused_before_anything_is_resolved(names: Names) -> None:
    error = refused("http://api.example.com/token")

    assert (error.code, error.host) == ("insecure", "api.example.com")
    assert names.asked == []


# Private addresses


@pytest.mark.parametrize(
    "ip",
    [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",  # noqa: S104
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.1.1",
        "192.0.0.1",
        "192.0.2.1",
        "192.88.99.1",
        "198.18.0.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b:1::7f00:1",
        "2002:7f00:1::",
        "2001:0:7f00:1::",
        "2001:db8::1",
        "3fff::1",
        "5f00::1",
        "100::1",
        "fc00::1",
        "fd00::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_a_name_that_leads_to_a_private_address_is_refused(names: Names, ip: str) -> None:
    names.answers["evil.example"] = [[ip]]

    error = refused("https://evil.example/")

    assert (error.code, error.host) == ("address_refused", "evil.example")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "[::1]", "[::ffff:127.0.0.1]", "localhost"],
)
def test_every_writing_of_loopback_is_refused(host: str) -> None:
    assert refused(f"https://{host}/").code == "address_refused"


@pytest.mark.parametrize("ip", ["1.1.1.1", "52.94.236.248", "2600:1f18::1", "2a00:1450::1"])
def test_public_addresses_are_permitted(ip: str) -> None:
    address = ipaddress.ip_address(ip)

    assert policy.permitted(target("https://api.example.com"), [address]) == [address]


METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "fd00:ec2::254",
    "fd20:ce::254",
    "fe80::a9fe:a9fe",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
]


@pytest.mark.parametrize("ip", METADATA)
def test_cloud_metadata_is_refused_even_inside_an_allowed_range(names: Names, ip: str) -> None:
    outbound.configure(private_hosts_allowed=["0.0.0.0/0", "::/0", "meta.internal"])
    names.answers["meta.internal"] = [[ip]]

    error = refused("https://meta.internal/latest")

    assert error.code == "address_refused"
    assert "metadata" in error.detail


@pytest.mark.parametrize(
    "host", ["metadata.google.internal", "METADATA.google.internal.", "169.254.169.254", "2852039166"]
)
def test_cloud_metadata_is_refused_even_when_the_host_is_listed(names: Names, host: str) -> None:
    outbound.configure(private_hosts_allowed=[host])
    names.answers[host.lower().rstrip(".")] = [["169.254.169.254"]]

    assert refused(f"http://{host}/computeMetadata/v1/").code == "address_refused"


def test_an_allowed_host_is_reached_whatever_it_resolves_to(names: Names, server: Server) -> None:
    outbound.configure(private_hosts_allowed=["erp.internal"])
    names.answers["erp.internal"] = [["127.0.0.1"]]

    answer = outbound.request("GET", f"http://erp.internal:{server.port}/x")

    assert answer.status == 200
    assert server.asked[0].headers["Host"] == f"erp.internal:{server.port}"


def test_an_allowed_port_allows_no_other(names: Names, server: Server) -> None:
    outbound.configure(private_hosts_allowed=[f"erp.internal:{server.port + 1}"])
    names.answers["erp.internal"] = [["127.0.0.1"]]

    assert refused(f"https://erp.internal:{server.port}/").code == "address_refused"


def test_an_allowed_range_is_compared_with_the_resolved_address(names: Names) -> None:
    outbound.configure(private_hosts_allowed=["127.0.0.0/8"])
    names.answers["erp.internal"] = [["127.0.0.1"]]

    # Permitted, and so refused by nobody but the closed port.
    assert refused("https://erp.internal:1/").code == "connect"


def test_an_unknown_host_is_not_found(names: Names) -> None:
    assert refused("https://nowhere.example/").code == "not_found"


def test_a_slow_name_server_ends_in_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **k: never.wait(5) and [])

    with pytest.raises(OutboundError) as caught:
        outbound.request("GET", "https://api.example.com/", deadline=0.1)
    never.set()

    assert caught.value.code == "timeout"


# Rebinding


def test_the_connection_goes_to_the_address_that_was_checked(names: Names, server: Server) -> None:
    """The second answer of the name server is never asked for."""
    outbound.configure(private_hosts_allowed=[f"rebind.example:{server.port}"])
    names.answers["rebind.example"] = [["127.0.0.1"], ["127.0.0.2"]]

    outbound.request("GET", f"http://rebind.example:{server.port}/")

    assert names.asked == ["rebind.example"]
    assert len(server.asked) == 1


def test_a_name_that_turns_private_is_refused_on_the_next_call(names: Names, server: Server) -> None:
    names.answers["rebind.example"] = [["1.1.1.1"], ["127.0.0.1"]]
    place = target(f"https://rebind.example:{server.port}/")
    assert [str(ip) for ip in adapter.resolve(place, 1)] == ["1.1.1.1"]

    assert refused(f"https://rebind.example:{server.port}/").code == "address_refused"
    assert server.asked == []


def test_of_mixed_addresses_only_permitted_ones_are_tried(names: Names) -> None:
    names.answers["mixed.example"] = [["127.0.0.1", "1.1.1.1", "169.254.169.254", "::1", "1.1.1.1"]]

    found = adapter.resolve(target("https://mixed.example"), 1)

    assert [str(ip) for ip in found] == ["1.1.1.1"]


@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.9", "::1"])
def test_the_next_address_is_tried_when_the_first_does_not_connect(names: Names, server: Server) -> None:
    outbound.configure(private_hosts_allowed=["two.internal"])
    names.answers["two.internal"] = [["::1", "127.0.0.9", "127.0.0.1"]]

    answer = outbound.request("GET", f"http://two.internal:{server.port}/")
    found = outbound.address(f"http://two.internal:{server.port}/")

    assert answer.status == 200
    assert found.ip == "127.0.0.1"


def test_a_guarded_session_cannot_be_led_around_the_policy(server: Server) -> None:
    session = outbound.guard(requests.Session())

    with session, pytest.raises(OutboundError) as caught:
        session.get(server.url, verify=False, proxies={"http": server.url, "https": server.url})

    assert caught.value.code == "insecure"
    assert server.asked == []


# Step one of a connection test


def test_address_tells_where_the_connection_went(server: Server) -> None:
    outbound.configure(private_hosts_allowed=["127.0.0.1"])

    found = outbound.address(server.url + "/path")

    assert (found.host, found.port, found.ip) == ("127.0.0.1", server.port, "127.0.0.1")
    assert found.ms >= 0


@pytest.mark.parametrize(
    ("url", "code"), [("https://127.0.0.1/", "address_refused"), ("http://a.example/", "insecure")]
)
def test_address_keeps_to_the_policy(url: str, code: str) -> None:
    with pytest.raises(OutboundError) as caught:
        outbound.address(url)

    assert caught.value.code == code


def test_address_says_when_nobody_listens() -> None:
    outbound.configure(private_hosts_allowed=["127.0.0.1"])

    with pytest.raises(OutboundError) as caught:
        outbound.address("http://127.0.0.1:1/")

    assert (caught.value.code, caught.value.host) == ("connect", "127.0.0.1:1")
