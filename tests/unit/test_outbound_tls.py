"""TLS: what is trusted, what is not, and how it is said."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connections import outbound
from connections.outbound import Identity, OutboundError, identity, policy
from tests.unit.oauth.certificates import Authority
from tests.unit.oauth.loopback import Server


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """An authority that this machine trusts."""
    own = Authority.new(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(own.file))
    identity._shared.cache_clear()
    monkeypatch.setattr(policy, "_policy", policy._policy)  # so that the app's own comes back afterwards
    outbound.configure(private_hosts_allowed=["127.0.0.1", "localhost"])
    yield own
    identity._shared.cache_clear()


@pytest.fixture
def serve() -> Iterator[Callable[[ssl.SSLContext], Server]]:
    with ExitStack() as stack:
        yield lambda context: stack.enter_context(Server(tls=context))


Serve = Callable[[ssl.SSLContext], Server]


def refusal(ask: Callable[..., object], url: str) -> OutboundError:
    with pytest.raises(OutboundError) as caught:
        ask(url)
    return caught.value


def get(url: str) -> outbound.Answer:
    return outbound.request("GET", url, deadline=3)


def test_a_trusted_certificate_is_described(authority: Authority, serve: Serve) -> None:
    server = serve(authority.server("127.0.0.1"))

    shown = outbound.tls(server.url)

    assert (shown.subject, shown.issuer) == ("127.0.0.1", "Loopback authority")
    assert shown.protocol in {"TLSv1.2", "TLSv1.3"}
    assert shown.expires_at > datetime.now(UTC)


def test_a_trusted_server_is_called_at_the_pinned_address_under_its_name(authority: Authority, serve: Serve) -> None:
    server = serve(authority.server("localhost"))

    answer = get(f"https://localhost:{server.port}/x")

    assert answer.status == 200
    assert server.asked[0].headers["Host"] == f"localhost:{server.port}"


@pytest.mark.parametrize("ask", [get, outbound.tls])
@pytest.mark.parametrize(
    ("names", "options", "word"),
    [
        (["127.0.0.1"], {"days": -1}, "expired"),
        (["127.0.0.1"], {"self_signed": True}, "self-signed"),
        (["127.0.0.2"], {}, "another address"),
        (["other.example"], {}, "another address"),
    ],
)
def test_an_untrustworthy_certificate_is_refused_in_plain_words(
    authority: Authority, serve: Serve, ask: Any, names: list[str], options: dict[str, Any], word: str
) -> None:
    server = serve(authority.server(*names, **options))

    error = refusal(ask, server.url)

    assert error.code == "tls"
    assert word in error.detail
    assert server.asked == []


@pytest.mark.parametrize("ask", [get, outbound.tls])
def test_a_certificate_for_another_name_is_refused(authority: Authority, serve: Serve, ask: Any) -> None:
    server = serve(authority.server("other.example", "127.0.0.1"))

    error = refusal(ask, f"https://localhost:{server.port}")

    assert (error.code, error.detail) == ("tls", "Its certificate is for another host name.")


@pytest.mark.parametrize("ask", [get, outbound.tls])
def test_an_unknown_authority_is_refused(authority: Authority, serve: Serve, tmp_path: Path, ask: Any) -> None:
    (tmp_path / "other").mkdir()
    server = serve(Authority.new(tmp_path / "other").server("127.0.0.1"))

    error = refusal(ask, server.url)

    assert error.code == "tls"
    assert error.__context__ is None


def test_calls_do_not_weaken_each_other(authority: Authority, serve: Serve) -> None:
    """urllib3 may switch off the host name check of a context it was given; the next call must still check."""
    good, wrong = serve(authority.server("127.0.0.1")), serve(authority.server("127.0.0.2"))
    get(good.url)

    assert refusal(get, wrong.url).code == "tls"
    assert refusal(outbound.tls, wrong.url).code == "tls"
    assert identity.context().check_hostname
    assert identity.context().verify_mode is ssl.CERT_REQUIRED


def test_a_session_cannot_switch_verification_off(authority: Authority, serve: Serve) -> None:
    server = serve(authority.server("127.0.0.1", self_signed=True))

    with outbound.session() as session, pytest.raises(OutboundError) as caught:
        session.get(server.url, verify=False)

    assert caught.value.code == "tls"


@pytest.mark.parametrize("ask", [get, outbound.tls])
def test_a_server_without_tls_is_a_tls_error(authority: Authority, ask: Any) -> None:
    with Server() as plain:
        error = refusal(ask, f"https://127.0.0.1:{plain.port}")

    assert error.code == "tls"


def test_tls_of_an_http_address_is_refused(authority: Authority) -> None:
    assert refusal(outbound.tls, "http://127.0.0.1/").code == "insecure"


def test_a_handshake_that_never_ends_is_cut_off(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        accepted: list[socket.socket] = []
        thread = threading.Thread(target=lambda: accepted.append(silent.accept()[0]))
        thread.start()

        with pytest.raises(OutboundError) as caught:
            outbound.tls(f"https://127.0.0.1:{port}", deadline=0.2)

        thread.join()
        accepted[0].close()
    assert caught.value.code == "timeout"


def test_a_client_certificate_is_shown_to_a_server_that_asks(authority: Authority, serve: Serve) -> None:
    context = authority.server("127.0.0.1")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(authority.file)
    server = serve(context)
    certificate, key = authority.issue("gatehouse")

    answer = outbound.request("GET", server.url, client=Identity(certificate, key))

    assert answer.status == 200
    assert refusal(get, server.url).code in {"tls", "broken"}


def test_a_client_certificate_that_does_not_fit_its_key_is_refused(authority: Authority) -> None:
    (certificate, key), (_, other_key) = authority.issue("a"), authority.issue("b")

    with pytest.raises(OutboundError) as caught:
        outbound.request("GET", "https://127.0.0.1/", client=Identity(certificate, other_key))

    assert caught.value.code == "tls"
    assert key not in repr(Identity(certificate, key))
    assert caught.value.__context__ is None
