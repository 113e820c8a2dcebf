"""OAuth 1.0 against oauthlib's provider, over HTTP, with each signature method; and the examples of RFC 5849 and OAuth Core."""

import base64
import hmac
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from oauthlib.oauth1 import RequestValidator, ResourceEndpoint

from connections import outbound
from connections.actions import calls
from connections.actions.calls import Request
from connections.models import Actor, Connection, Team
from connections.oauth import schemes
from tests import factories
from tests.unit.oauth.loopback import Server

METHODS = ("HMAC-SHA1", "HMAC-SHA256", "HMAC-SHA512", "RSA-SHA1", "RSA-SHA256", "RSA-SHA512", "PLAINTEXT")
RSA = rsa.generate_private_key(65537, 2048)

pytestmark = [pytest.mark.contract, pytest.mark.django_db]


def private(form: serialization.PrivateFormat = serialization.PrivateFormat.PKCS8) -> str:
    return RSA.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


class Provider(RequestValidator):
    """One consumer, one account; a nonce is good once."""

    enforce_ssl = False
    allowed_signature_methods = METHODS
    client_key_length = access_token_length = nonce_length = (1, 100)
    safe_characters = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")
    dummy_client = dummy_access_token = "nobody"

    def __init__(self) -> None:
        super().__init__()
        self.nonces: set[str] = set()

    def get_client_secret(self, client_key: str, request: Any) -> str:
        return "consumer secret&"

    def get_access_token_secret(self, client_key: str, token: str, request: Any) -> str:
        return "token secret"

    def get_rsa_key(self, client_key: str, request: Any) -> str:
        form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return RSA.public_key().public_bytes(*form).decode()

    def validate_client_key(self, client_key: str, request: Any) -> bool:
        return client_key == "bolt-and-nut"

    def validate_access_token(self, client_key: str, token: str, request: Any) -> bool:
        return token == "account-7"

    def validate_timestamp_and_nonce(self, client_key: str, timestamp: Any, nonce: str, *args: Any, **kw: Any) -> bool:
        is_new = nonce not in self.nonces
        self.nonces.add(nonce)
        return is_new

    def validate_realms(self, *args: Any, **kwargs: Any) -> bool:
        return True


@pytest.fixture
def provider() -> Iterator[Server]:
    """Answers 200 where the signature of a request is right, else 401."""
    judge = ResourceEndpoint(Provider())
    with Server() as server:
        outbound.configure(private_hosts_allowed=[f"127.0.0.1:{server.port}"])

        def respond(handler: Any) -> None:
            asked = server.asked[-1]
            is_form = "urlencoded" in asked.headers.get("Content-Type", "")
            body = asked.body.decode() if is_form else None
            good, _ = judge.validate_protected_resource_request(
                f"{server.url}{asked.path}", asked.method, body, dict(asked.headers), ["stock"]
            )
            handler.send_response(200 if good else 401)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        server.respond = respond
        yield server


def connection(team: Team, provider: Server, method: str, **fields: Any) -> Connection:
    usual: dict[str, Any] = {
        "application": "http", "base_uri": provider.url, "oauth_client": None, "auth_type": "oauth1",
        "oauth1_signature_method": method, "oauth1_consumer_key": "bolt-and-nut", "oauth1_token": "account-7",
        "oauth1_consumer_secret": "consumer secret&", "oauth1_token_secret": "token secret",
        "oauth1_private_key": private(), "oauth1_realm": "stock",
    }  # fmt: skip
    return factories.connection(team, **usual | fields)


@pytest.mark.parametrize("method", METHODS)
def test_a_signed_call_is_let_in(team: Team, by: Actor, provider: Server, method: str) -> None:
    path = "/orders?b=2&a=1&a=x%20y&empty="

    reply = calls.perform(connection(team, provider, method), Request("GET", path), by=by)

    assert reply.status == 200
    assert 'realm="stock"' in provider.asked[-1].headers["Authorization"]


@pytest.mark.parametrize("method", METHODS)
def test_a_form_is_signed_too(team: Team, by: Actor, provider: Server, method: str) -> None:
    signer = connection(team, provider, method, media_type="urlencoded")

    reply = calls.perform(signer, Request("POST", "/orders", "name=b%C3%B6lt&n=1"), by=by)

    assert reply.status == 200
    assert provider.asked[-1].form == {"name": "bölt", "n": "1"}


def test_json_is_sent_as_it_is(team: Team, by: Actor, provider: Server) -> None:
    reply = calls.perform(connection(team, provider, "HMAC-SHA256"), Request("POST", "/orders", '{"n": 1}'), by=by)

    assert (reply.status, provider.asked[-1].body) == (200, b'{"n": 1}')


@pytest.mark.parametrize("method", METHODS)
def test_a_wrong_secret_is_turned_away(team: Team, by: Actor, provider: Server, method: str) -> None:
    other = rsa.generate_private_key(65537, 2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    signer = connection(
        team, provider, method, oauth1_consumer_secret="guess", oauth1_private_key=other.private_bytes(*form).decode()
    )

    assert calls.perform(signer, Request("GET", "/orders"), by=by).status == 401


def test_a_key_of_the_older_form_signs(team: Team, by: Actor, provider: Server) -> None:
    older = private(serialization.PrivateFormat.TraditionalOpenSSL)
    assert "BEGIN RSA PRIVATE KEY" in older

    reply = calls.perform(
        connection(team, provider, "RSA-SHA256", oauth1_private_key=older), Request("GET", "/orders"), by=by
    )

    assert reply.status == 200


def test_each_call_has_a_nonce_of_its_own(team: Team, by: Actor, provider: Server) -> None:
    signer = connection(team, provider, "HMAC-SHA1")

    assert [calls.perform(signer, Request("GET", "/orders"), by=by).status for _ in range(2)] == [200, 200]


def by_hand(method: str, url: str, oauth: dict[str, str], secrets: str, digest: str) -> str:
    """HMAC over the signature base string of RFC 5849 §3.4.1, for a URL with a query and no body."""
    parts = urlsplit(url)
    pairs = [*parse_qsl(parts.query, keep_blank_values=True), *oauth.items()]
    encoded = sorted((quote(name, safe="~"), quote(value, safe="~")) for name, value in pairs)
    text = "&".join(f"{name}={value}" for name, value in encoded)
    base = "&".join(quote(part, safe="~") for part in (method, f"{parts.scheme}://{parts.netloc}{parts.path}", text))
    return base64.b64encode(hmac.new(secrets.encode(), base.encode(), digest).digest()).decode()


URL = "http://photos.example.net/photos?file=vacation.jpg&size=original"
SECRETS = {"consumer_secret": "kd94hf93k423kf44", "token_secret": "pfkkdhi9sl3r4s00"}


def test_the_example_of_rfc_5849() -> None:
    """§1.2. It leaves the optional oauth_version out, so it is the reckoning by hand that it proves."""
    oauth = {
        "oauth_consumer_key": "dpf43f3p2l4k3l03", "oauth_token": "nnch734d00sl2jdk", "oauth_nonce": "chapoH",
        "oauth_signature_method": "HMAC-SHA1", "oauth_timestamp": "137131202",
    }  # fmt: skip

    assert by_hand("GET", URL, oauth, "&".join(SECRETS.values()), "sha1") == "MdpQcU8iPSUjWoN/UDMsK2sui9I="


@pytest.mark.parametrize("digest", ["sha1", "sha256", "sha512"])
def test_each_hmac_is_what_the_rfc_reckons(digest: str) -> None:
    auth = schemes.oauth1(
        signature_method=f"HMAC-{digest.upper()}", consumer_key="dpf43f3p2l4k3l03", token="nnch734d00sl2jdk", realm="P", **SECRETS
    )  # fmt: skip

    header = requests.Request("GET", URL, auth=auth).prepare().headers["Authorization"]

    said = header if isinstance(header, str) else header.decode()
    oauth = {name: unquote(value) for name, value in re.findall(r'(oauth_\w+)="([^"]*)"', said)}
    signature = oauth.pop("oauth_signature")
    assert signature == by_hand("GET", URL, oauth, "&".join(SECRETS.values()), digest)


def test_the_example_of_oauth_core() -> None:
    """OAuth Core 1.0, appendix A.5."""
    auth = schemes.oauth1(
        signature_method="HMAC-SHA1", consumer_key="dpf43f3p2l4k3l03", token="nnch734d00sl2jdk", **SECRETS
    )
    auth.client.timestamp, auth.client.nonce = "1191242096", "kllo9940pd9333jh"

    header = requests.Request("GET", URL, auth=auth).prepare().headers["Authorization"]

    assert "tR3%2BTy81lMeYAr%2FFid0kMTYa%2FWM%3D" in (header if isinstance(header, str) else header.decode())
