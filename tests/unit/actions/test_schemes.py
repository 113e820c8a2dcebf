"""What each authentication type puts on a request, and which failure it names where it cannot."""

import base64
import hashlib
import hmac
import json
import re
from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
import time_machine
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from connections import sealing
from connections.actions import schemes
from connections.actions.outgoing import Outgoing
from connections.actions.schemes import SchemeError
from connections.models import Connection, Team
from connections.oauth import schemes as protocol
from connections.sealing import Sealed
from tests import factories
from tests.factories import SENTINEL

pytestmark = pytest.mark.django_db

RSA = rsa.generate_private_key(65537, 2048)
EC = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return str(key.private_bytes(*form).decode())


def connection(team: Team, auth_type: str, **fields: Any) -> Connection:
    usual: dict[str, Any] = {"application": "http", "base_uri": "https://api.example.com", "oauth_client": None}
    return factories.connection(team, **usual | {"auth_type": auth_type} | fields)


def going(**fields: Any) -> Outgoing:
    usual = {"method": "GET", "url": "https://api.example.com/", "headers": {}, "params": [], "body": b""}
    return Outgoing(**usual | fields)


def signed(connection: Connection, **fields: Any) -> Outgoing:
    outgoing = going(**fields)
    schemes.sign(Connection.objects.get(pk=connection.pk), outgoing)
    return outgoing


def refusal(connection: Connection, **fields: Any) -> SchemeError:
    with pytest.raises(SchemeError) as caught:
        schemes.sign(connection, going(**fields))
    return caught.value


def test_none_sends_nothing(team: Team) -> None:
    assert signed(connection(team, "none")) == going()


def test_basic_sends_name_and_password_in_utf_8(team: Team) -> None:
    outgoing = signed(connection(team, "basic", username="Zoë", password="pässword"))

    assert outgoing.headers == {"Authorization": "Basic " + base64.b64encode("Zoë:pässword".encode()).decode()}


def test_a_header_of_the_same_name_is_replaced_whatever_its_letters(team: Team) -> None:
    outgoing = signed(connection(team, "basic", username="ann", password="pw"), headers={"AUTHORIZATION": "theirs"})

    assert list(outgoing.headers) == ["Authorization"]


def test_digest_leaves_the_header_to_the_challenge(team: Team) -> None:
    outgoing = signed(connection(team, "digest", username="ann", password="pw"))

    assert isinstance(outgoing.auth, protocol.Digest)
    assert outgoing.headers == {}


@time_machine.travel(datetime(2003, 12, 15, 14, 43, 7, tzinfo=UTC), tick=False)
def test_wsse_sends_a_digest_and_never_the_password(team: Team) -> None:
    outgoing = signed(connection(team, "wsse", username="bob", password="taadtaadpstcsm"))

    said = dict(re.findall(r'(\w+)="([^"]*)"', outgoing.headers["X-WSSE"]))
    digest = hashlib.sha1((said["Nonce"] + "2003-12-15T14:43:07Z" + "taadtaadpstcsm").encode()).digest()  # noqa: S324
    assert said["Created"] == "2003-12-15T14:43:07Z"
    assert said["PasswordDigest"] == base64.b64encode(digest).decode()
    assert outgoing.headers["Authorization"] == 'WSSE profile="UsernameToken"'
    assert "taadtaadpstcsm" not in str(outgoing.headers)


def test_each_wsse_request_has_a_nonce_of_its_own(team: Team) -> None:
    wsse = connection(team, "wsse", username="bob", password="pw")

    assert signed(wsse).headers["X-WSSE"] != signed(wsse).headers["X-WSSE"]


def test_the_wsse_header_may_have_another_name(team: Team) -> None:
    outgoing = signed(connection(team, "wsse", username="bob", password="pw", wsse_header="Authorization"))

    assert outgoing.headers["Authorization"].startswith("UsernameToken ")


def test_a_token_goes_into_its_header_with_its_scheme(team: Team) -> None:
    token = connection(team, "token", token="t0ken-value", token_header="X-Token", token_scheme="MAC")

    assert signed(token).headers == {"X-Token": "MAC t0ken-value"}


def test_a_token_without_scheme_goes_bare(team: Team) -> None:
    token = connection(team, "token", token="t0ken-value", token_header="X-Token", token_scheme="")

    assert signed(token).headers == {"X-Token": "t0ken-value"}


def test_a_token_goes_into_the_url(team: Team) -> None:
    token = connection(team, "token", token="t0ken-value", token_location="query", token_param="api_key")

    outgoing = signed(token, params=[("page", "1")])

    assert outgoing.params == [("page", "1"), ("api_key", "t0ken-value")]
    assert outgoing.headers == {}


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b'{"a": 1}', {"a": 1, "api_key": "t0ken-value"}),
        ("application/json", b"", {"api_key": "t0ken-value"}),
        ("application/vnd.api+json", b"{}", {"api_key": "t0ken-value"}),
    ],
)
def test_a_token_goes_into_a_json_body(team: Team, content_type: str, body: bytes, expected: Any) -> None:
    token = connection(team, "token", token="t0ken-value", token_location="body", token_param="api_key")

    outgoing = signed(token, method="POST", body=body, headers={"Content-Type": content_type})

    assert json.loads(outgoing.body) == expected


def test_a_token_goes_into_a_form_body(team: Team) -> None:
    token = connection(team, "token", token="t0k&en", token_location="body", token_param="k", media_type="urlencoded")

    outgoing = signed(token, method="POST", body=b"a=1")

    assert outgoing.body == b"a=1&k=t0k%26en"
    assert outgoing.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_a_token_goes_into_a_multipart_body(team: Team) -> None:
    token = connection(team, "token", token="t0ken", token_location="body", token_param="k", media_type="form-data")
    theirs = b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--xyz--\r\n'

    outgoing = signed(token, method="POST", body=theirs, headers={"Content-Type": "multipart/form-data; boundary=xyz"})

    assert outgoing.body == b'--xyz\r\nContent-Disposition: form-data; name="k"\r\n\r\nt0ken\r\n' + theirs


def test_an_empty_multipart_body_is_begun(team: Team) -> None:
    token = connection(team, "token", token="t0ken", token_location="body", token_param="k", media_type="form-data")

    outgoing = signed(token, method="POST")

    boundary = outgoing.headers["Content-Type"].partition("boundary=")[2]
    assert outgoing.body.endswith(f"\r\n\r\nt0ken\r\n--{boundary}--\r\n".encode())


@pytest.mark.parametrize(
    ("method", "content_type", "body"),
    [
        ("POST", "application/xml", b"<a/>"),
        ("POST", "application/json", b"[1]"),
        ("POST", "application/json", b"{"),
        ("POST", "multipart/form-data", b"no boundary"),
        ("GET", "application/json", b""),
    ],
)
def test_a_body_without_fields_takes_no_token(team: Team, method: str, content_type: str, body: bytes) -> None:
    token = connection(team, "token", token=SENTINEL, token_location="body", token_param="k")

    error = refusal(token, method=method, body=body, headers={"Content-Type": content_type})

    assert error.failure.error == "body_takes_no_fields"
    assert SENTINEL not in str(error)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_jwt_is_signed_with_a_secret_of_any_length(team: Team, algorithm: str) -> None:
    bearer = connection(team, "jwt", jwt_algorithm=algorithm, jwt_secret="short", jwt_payload='{"iss": "me"}')

    token = signed(bearer).headers["Authorization"].removeprefix("Bearer ")

    head, body, signature = token.split(".")
    digest = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}[algorithm]
    expected = hmac.new(b"short", f"{head}.{body}".encode(), digest).digest()
    assert base64.urlsafe_b64encode(expected).rstrip(b"=").decode() == signature


@time_machine.travel(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), tick=False)
def test_iat_and_exp_are_added_where_they_are_missing(team: Team) -> None:
    now = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
    bearer = connection(team, "jwt", jwt_algorithm="ES256", jwt_private_key=pem(EC), jwt_payload='{"iss": "me"}')

    token = signed(bearer).headers["Authorization"].removeprefix("Bearer ")

    assert jwt.decode(token, EC.public_key(), ["ES256"]) == {"iss": "me", "iat": now, "exp": now + 3600}


def test_iat_and_exp_of_the_payload_stay(team: Team) -> None:
    payload = '{"iat": 1, "exp": 4102444800, "aud": ["a"]}'
    bearer = connection(team, "jwt", jwt_algorithm="RS256", jwt_private_key=pem(RSA), jwt_payload=payload)

    token = signed(bearer).headers["Authorization"].removeprefix("Bearer ")

    assert jwt.decode(token, RSA.public_key(), ["RS256"], audience="a") == json.loads(payload)


def test_jwt_headers_and_placeholders_are_put_in(team: Team) -> None:
    bearer = connection(
        team, "jwt", jwt_algorithm="HS256", jwt_secret="s" * 32, jwt_headers='{"kid": "7"}',
        jwt_payload='{"sub": "{{ field.user }}", "list": [{"k": "{{ encrypted.key }}"}], "n": 1}',
        fields=[["user", 'a", "admin": "b']], encrypted_fields='{"key": "deep"}', encrypted_field_names=["key"],
    )  # fmt: skip

    token = signed(bearer).headers["Authorization"].removeprefix("Bearer ")

    claims = jwt.decode(token, "s" * 32, ["HS256"])
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": "7"}
    assert (claims["sub"], claims["list"], claims["n"]) == ('a", "admin": "b', [{"k": "deep"}], 1)
    assert "admin" not in claims


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [("RS256", pem(EC)), ("ES256", pem(RSA)), ("ES384", pem(EC)), ("EdDSA", pem(EC)), ("RS256", "x")],
)
def test_a_key_of_another_kind_does_not_sign(team: Team, algorithm: str, key: str) -> None:
    bearer = connection(team, "jwt", jwt_algorithm=algorithm, jwt_private_key=key, jwt_payload="{}")

    assert refusal(bearer).failure.error == "signing_key_unusable"


def test_a_pem_text_is_no_secret_to_sign_with(team: Team) -> None:
    bearer = connection(team, "jwt", jwt_algorithm="HS256", jwt_secret=pem(RSA), jwt_payload="{}")

    assert refusal(bearer).failure.error == "signing_key_unusable"


def test_a_payload_that_is_no_object_is_not_signed(team: Team) -> None:
    bearer = connection(team, "jwt", jwt_algorithm="HS256", jwt_secret="s" * 32, jwt_payload="[1]")

    assert refusal(bearer).failure.error == "payload_unreadable"


def test_custom_fields_go_where_they_are_placed(team: Team) -> None:
    custom = connection(
        team, "custom",
        custom_headers=[["X-Key", "k {{ encrypted.api_key }}"]], custom_query=[["u", "{{ field.user }}"]],
        custom_body=[["k", "{{ encrypted.api_key }}"]],
        encrypted_fields=json.dumps({"api_key": SENTINEL}), encrypted_field_names=["api_key"], fields=[["user", "ann"]],
    )  # fmt: skip

    outgoing = signed(custom, method="POST", body=b'{"a": 1}', headers={"content-type": "application/json"})

    assert outgoing.headers == {"X-Key": f"k {SENTINEL}", "Content-Type": "application/json"}
    assert outgoing.params == [("u", "ann")]
    assert json.loads(outgoing.body) == {"a": 1, "k": SENTINEL}


def test_encrypted_fields_stay_closed_where_none_is_used(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    custom = connection(
        team, "custom", custom_headers=[["X-User", "{{ field.user }}"]], fields=[["user", "ann"]],
        encrypted_fields='{"a": "b"}', encrypted_field_names=["a"],
    )  # fmt: skip
    stored = Connection.objects.get(pk=custom.pk)
    monkeypatch.setattr(Sealed, "reveal", lambda self: pytest.fail("opened"))

    outgoing = going()
    schemes.sign(stored, outgoing)

    assert outgoing.headers == {"X-User": "ann"}


def test_a_custom_field_that_is_not_there_is_named(team: Team) -> None:
    error = refusal(connection(team, "custom", custom_headers=[["X-Key", "{{ field.gone }}"]]))

    assert (error.failure.error, error.failure.description) == (
        "placeholder_missing", "{{ field.gone }} has no value.",
    )  # fmt: skip


@pytest.mark.parametrize("value", ["two\r\nlines", "snow☃"])
def test_a_value_that_no_header_can_hold_is_not_sent(team: Team, value: str) -> None:
    custom = connection(team, "custom", custom_headers=[["X-Key", "{{ field.v }}"]], fields=[["v", value]])

    assert refusal(custom).failure.error == "placeholder_unusable"


SECRETS = [
    ("basic", "password", {"username": "ann"}),
    ("digest", "password", {"username": "ann"}),
    ("wsse", "password", {"username": "ann"}),
    ("token", "token", {}),
    ("oauth1", "oauth1_consumer_secret", {"oauth1_signature_method": "HMAC-SHA1", "oauth1_consumer_key": "k"}),
    ("oauth1", "oauth1_private_key", {"oauth1_signature_method": "RSA-SHA1", "oauth1_consumer_key": "k"}),
    ("jwt", "jwt_secret", {"jwt_algorithm": "HS256", "jwt_payload": "{}"}),
    ("jwt", "jwt_private_key", {"jwt_algorithm": "RS256", "jwt_payload": "{}"}),
]


@pytest.mark.parametrize(("auth_type", "name", "fields"), SECRETS)
def test_a_missing_secret_is_told(team: Team, auth_type: str, name: str, fields: Any) -> None:
    error = refusal(connection(team, auth_type, **fields))

    assert (error.failure.error, error.code) == ("secret_missing", "misconfigured")


@pytest.mark.parametrize(("auth_type", "name", "fields"), SECRETS)
def test_an_unreadable_secret_is_told(team: Team, auth_type: str, name: str, fields: Any) -> None:
    stored = Connection.objects.get(pk=connection(team, auth_type, **fields, **{name: SENTINEL}).pk)
    keys = sealing.keyring()
    sealing.configure([base64.b64encode(bytes(32)).decode()])
    try:
        error = refusal(stored)
    finally:
        sealing._keyring = keys

    assert (error.failure.error, error.code) == ("secret_unreadable", "secret_unreadable")


def test_every_refusal_is_explained(team: Team) -> None:
    codes = (
        "secret_missing", "secret_unreadable", "custom_fields_unreadable", "signing_key_unusable", "payload_unreadable",
        "placeholder_missing", "placeholder_unusable", "body_takes_no_fields", "no_cookie", "no_renewed_token",
    )  # fmt: skip
    provider = connection(team, "none").provider
    unknown = provider.explain(SchemeError("never_heard_of").failure)

    for code in codes:
        assert provider.explain(SchemeError(code).failure) != unknown


def test_oauth2_is_not_signed_here(team: Team) -> None:
    with pytest.raises(ValueError, match="oauth2"):
        schemes.sign(connection(team, "oauth2"), going())
