"""Keys and certificates: in which forms they may come, and that they fit what they are for."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from connections.models import Actor, Connection
from tests import factories
from tests.unit.forms.pane import form, post
from tests.unit.oauth.certificates import Authority

pytestmark = pytest.mark.django_db

KEYS: dict[str, Any] = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "EC P-256": ec.generate_private_key(ec.SECP256R1()),
    "EC P-384": ec.generate_private_key(ec.SECP384R1()),
    "Ed25519": ed25519.Ed25519PrivateKey.generate(),
}
NEEDED = {
    "RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "ES256": "EC P-256", "ES384": "EC P-384",
    "EdDSA": "Ed25519",
}  # fmt: skip


def pem(kind: str, form: PrivateFormat = PrivateFormat.PKCS8, passphrase: str = "") -> str:
    lock = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return str(KEYS[kind].private_bytes(Encoding.PEM, form, lock).decode())


def jwt(by: Actor, algorithm: str, key: str, **values: Any) -> dict[str, Any]:
    data = post("jwt", jwt_algorithm=algorithm, jwt_secret=None, jwt_private_key=key, **values)
    return dict(form(by, data).errors)


@pytest.fixture(scope="module")
def identity(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder: Path = tmp_path_factory.mktemp("authority")
    return Authority.new(folder).issue("client")


@pytest.mark.parametrize("algorithm", NEEDED)
def test_a_key_that_fits_is_taken(by: Actor, algorithm: str) -> None:
    assert jwt(by, algorithm, pem(NEEDED[algorithm])) == {}


@pytest.mark.parametrize(
    ("algorithm", "kind"), [(a, kind) for a in NEEDED for kind in KEYS if NEEDED[a] != kind]
)  # fmt: skip
def test_a_key_of_another_kind_is_told_at_the_key(by: Actor, algorithm: str, kind: str) -> None:
    text = f"{algorithm} needs a key of kind {NEEDED[algorithm]}; this one is {kind}."

    assert jwt(by, algorithm, pem(kind)) == {"jwt_private_key": [text]}


@pytest.mark.parametrize(("algorithm", "first_line"), [("RS256", "RSA PRIVATE KEY"), ("ES256", "EC PRIVATE KEY")])
def test_older_forms_of_a_key_are_taken(by: Actor, algorithm: str, first_line: str) -> None:
    key = pem(NEEDED[algorithm], PrivateFormat.TraditionalOpenSSL)
    assert key.startswith(f"-----BEGIN {first_line}-----")

    assert jwt(by, algorithm, key) == {}


def test_blanks_and_line_ends_around_a_key_do_no_harm(by: Actor) -> None:
    assert jwt(by, "RS256", "\r\n  " + pem("RSA").replace("\n", "\r\n") + "\r\n ") == {}


def refused_keys() -> list[tuple[str, str]]:
    public = KEYS["RSA"].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    whole = pem("RSA")
    return [
        ("not a key", "This is not PEM"),
        (public, "This is not PEM"),
        (whole.replace("-----END PRIVATE KEY-----", ""), "This is not PEM"),
        (whole[:200] + "\n-----END PRIVATE KEY-----", "cannot be read"),
        (pem("RSA", PrivateFormat.OpenSSH), "ssh-keygen"),
        ("PuTTY-User-Key-File-3: ssh-rsa", "ssh-keygen"),
        (pem("RSA", passphrase="open sesame"), "passphrase"),
        (pem("RSA", PrivateFormat.TraditionalOpenSSL, "open sesame"), "passphrase"),
    ]


@pytest.mark.parametrize(("text", "expected"), refused_keys())
def test_what_is_no_usable_key_is_told(by: Actor, text: str, expected: str) -> None:
    assert expected in jwt(by, "RS256", text)["jwt_private_key"][0]


def test_oauth1_signs_with_rsa_only(by: Actor) -> None:
    def judged(kind: str) -> list[str]:
        data = post(
            "oauth1", oauth1_signature_method="RSA-SHA256", oauth1_consumer_secret=None, oauth1_private_key=pem(kind)
        )
        return list(form(by, data).errors)

    assert judged("RSA") == []
    assert judged("EC P-256") == ["oauth1_private_key"]


def test_a_key_is_no_secret(by: Actor) -> None:
    assert list(form(by, post("jwt", jwt_secret=pem("RSA").replace("\n", ""))).errors) == ["jwt_secret"]


def test_a_stored_key_that_does_not_fit_the_new_algorithm_is_told_there(by: Actor) -> None:
    stored = factories.connection(
        by.team, application="http", base_uri="https://api.example.com", auth_type="jwt", oauth_client=None,
        jwt_algorithm="RS256", jwt_private_key=pem("RSA"), jwt_payload="{}",
    )  # fmt: skip
    stored = Connection.objects.get(pk=stored.pk)

    assert form(by, post("jwt", jwt_algorithm="RS512", jwt_private_key=""), instance=stored).is_valid()
    assert list(form(by, post("jwt", jwt_algorithm="ES256", jwt_private_key=""), instance=stored).errors) == [
        "jwt_algorithm"
    ]


def tls(by: Actor, instance: Connection | None = None, **values: str) -> dict[str, Any]:
    return dict(
        form(by, post("none", **{f"tls_{name}": text for name, text in values.items()}), instance=instance).errors
    )


def test_a_certificate_and_its_key_fit(by: Actor, identity: tuple[str, str]) -> None:
    certificate, key = identity

    assert tls(by, certificate=certificate, key=key) == {}


def test_a_certificate_needs_its_key_and_the_key_its_certificate(by: Actor, identity: tuple[str, str]) -> None:
    certificate, key = identity

    assert list(tls(by, certificate=certificate)) == ["tls_key"]
    assert list(tls(by, key=key)) == ["tls_certificate"]


def test_another_key_is_told(by: Actor, identity: tuple[str, str]) -> None:
    assert tls(by, certificate=identity[0], key=pem("EC P-256")) == {"tls_key": ["The certificate is not of this key."]}


def test_what_is_no_certificate_is_told(by: Actor, identity: tuple[str, str]) -> None:
    _, key = identity
    damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"

    assert "not PEM" in tls(by, certificate=key, key=key)["tls_certificate"][0]
    assert "cannot be read" in tls(by, certificate=damaged, key=key)["tls_certificate"][0]


def test_a_passphrase_opens_its_key(by: Actor, tmp_path: Path) -> None:
    certificate, text = Authority.new(tmp_path).issue("client")
    key = load_pem_private_key(text.encode(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"open sesame")).decode()

    assert tls(by, certificate=certificate, key=locked, passphrase="open sesame") == {}
    assert "does not open" in tls(by, certificate=certificate, key=locked, passphrase="guess")["tls_passphrase"][0]
    assert "Enter it below" in tls(by, certificate=certificate, key=locked)["tls_passphrase"][0]


def test_a_stored_key_is_compared_with_a_new_certificate(by: Actor, identity: tuple[str, str], tmp_path: Path) -> None:
    certificate, key = identity
    stored = factories.connection(
        by.team, application="http", base_uri="https://api.example.com", auth_type="none", oauth_client=None,
        tls_certificate=certificate, tls_key=key,
    )  # fmt: skip
    stored = Connection.objects.get(pk=stored.pk)
    other, _ = Authority.new(tmp_path).issue("client")

    assert tls(by, stored, certificate=certificate) == {}
    assert list(tls(by, stored, certificate=other)) == ["tls_certificate"]
