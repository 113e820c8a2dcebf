"""What a URL must look like, and what the operator's list says."""

import pytest

from connections import outbound
from connections.outbound import OutboundError, policy


@pytest.fixture(autouse=True)
def nothing_private_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(policy, "_policy", policy._policy)  # so that the app's own comes back afterwards
    outbound.configure(private_hosts_allowed=[])


# URLs


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://API.Example.com/x?y=1", "api.example.com"),
        ("https://api.example.com:443", "api.example.com"),
        ("https://api.example.com.:8443/", "api.example.com:8443"),
        ("http://example.com:80/", "example.com"),
        ("http://example.com:443/", "example.com:443"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://[2001:DB8:0::1]:8443/", "[2001:db8::1]:8443"),
        ("https://my_host.internal", "my_host.internal"),
    ],
)
def test_host_port_names_the_host_in_one_way(url: str, expected: str) -> None:
    assert outbound.host_port(url) == expected


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("", "Enter"),
        ("api.example.com/x", "https://"),
        ("ftp://example.com", "https://"),
        ("javascript:alert(1)", "https://"),
        ("file:///etc/passwd", "https://"),
        ("https://", "host name"),
        ("https:///path", "host name"),
        ("https://user:pass@example.com/", "user name"),
        ("https://example.com@evil.example/", "user name"),
        ("https://example.com/#part", "#"),
        ("https://example.com/#", "#"),
        (" https://example.com", "blanks"),
        ("https://example.com/a b", "blanks"),
        ("https://example.com\r\nHost: x", "blanks"),
        ("https://example.com\\@evil.example", "blanks"),
        ("https://example.com/\u00a0x", "blanks"),
        ("https://example.com/\u200bx", "blanks"),
        ("https://example.com:0/", "port"),
        ("https://example.com:99999/", "port"),
        ("https://example.com:80a/", "port"),
        ("https://example.com:/", "port"),
        ("https://ex%61mple.com/", "host name"),
        ("https://exa$mple.com/", "host name"),
        ("https://a..example.com/", "host name"),
        ("https://[::1/", "host name"),
        ("https://[fe80::1%25eth0]/", "host name"),
        ("https://" + "a" * 64 + ".example/", "host name"),
    ],
)
def test_an_unusable_url_is_refused_with_a_sentence_for_the_field(url: str, word: str) -> None:
    with pytest.raises(OutboundError) as caught:
        outbound.check_url(url)

    assert caught.value.code == "invalid_url"
    assert word in caught.value.detail
    assert caught.value.detail.endswith(".")


def test_a_usable_url_passes() -> None:
    outbound.check_url("https://api.example.com:8443/v1/token?tenant=a%20b&x=|")


# The operator's list


@pytest.mark.parametrize(
    "entry",
    ["", "http://localhost", "10.0.0.1/8", "a b", "host:port", "host:0", "*.internal", "user@host", "10.0.0.0/8:80"],
)
def test_a_wrong_entry_in_the_list_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a") as caught:
        outbound.configure(private_hosts_allowed=[entry])

    assert repr(entry) in str(caught.value)


def test_a_wrong_list_leaves_the_policy_as_it_was() -> None:
    outbound.configure(private_hosts_allowed=["localhost"])

    with pytest.raises(ValueError, match="is not a"):
        outbound.configure(private_hosts_allowed=["other", "*"])

    assert outbound.insecure_allowed("http://localhost/")


@pytest.mark.parametrize(
    ("entry", "url", "allowed"),
    [
        ("localhost", "http://localhost:8000/", True),
        ("LOCALHOST", "http://localhost./", True),
        ("localhost:8000", "http://localhost:8000/", True),
        ("localhost:8000", "http://localhost:8001/", False),
        ("localhost:80", "http://localhost/", True),
        ("localhost", "http://127.0.0.1/", False),
        ("127.0.0.1", "http://localhost/", False),
        ("127.0.0.1", "http://127.0.0.1:9/", True),
        ("127.0.0.1", "http://2130706433/", False),
        ("127.0.0.0/8", "http://127.5.5.5/", True),
        ("::1", "http://[0:0::1]/", True),
        ("[::1]:8080", "http://[::1]:8080/", True),
        ("[::1]:8080", "http://[::1]:8081/", False),
        ("fd00::/8", "http://[fd12::1]/", True),
        ("erp.internal", "http://erp.internal.example.com/", False),
        ("erp.internal", "http://sub.erp.internal/", False),
    ],
)
def test_plain_http_is_for_listed_hosts_only(entry: str, url: str, allowed: bool) -> None:
    outbound.configure(private_hosts_allowed=[entry])

    assert outbound.insecure_allowed(url) is allowed
