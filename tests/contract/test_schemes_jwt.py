"""JSON web tokens, verified with nothing but the primitives of `cryptography`, as RFC 7515 and 7518 say."""

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, hmac, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from connections.models.choices import JwtAlgorithm
from connections.oauth import schemes

HASHES: dict[str, hashes.HashAlgorithm] = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
SECRET = "a secret of the usual length, 64 characters or more, for HS512...."

pytestmark = pytest.mark.contract


def new_key(algorithm: str) -> Any:
    if algorithm.startswith("ES"):
        return ec.generate_private_key(ec.SECP256R1() if algorithm == "ES256" else ec.SECP384R1())
    return ed25519.Ed25519PrivateKey.generate() if algorithm == "EdDSA" else rsa.generate_private_key(65537, 2048)


def verify(algorithm: str, key: Any, signature: bytes, signed: bytes) -> None:
    """Raises InvalidSignature."""
    if algorithm == "EdDSA":
        key.public_key().verify(signature, signed)
        return
    digest = HASHES[algorithm[2:]]
    if algorithm.startswith("HS"):
        mac = hmac.HMAC(SECRET.encode(), digest)
        mac.update(signed)
        mac.verify(signature)
    elif algorithm.startswith("ES"):  # RFC 7518 §3.4: the two numbers, one after the other
        half = len(signature) // 2
        r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
        key.public_key().verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
    elif algorithm.startswith("PS"):
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        key.public_key().verify(signature, signed, pss, digest)
    else:
        key.public_key().verify(signature, signed, padding.PKCS1v15(), digest)


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.mark.parametrize("algorithm", JwtAlgorithm.values)
def test_each_algorithm_of_the_pane_signs(algorithm: str) -> None:
    key = None if algorithm.startswith("HS") else new_key(algorithm)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    text = key.private_bytes(*form).decode() if key else SECRET

    token = schemes.json_web_token(
        {"iss": "bölt"}, algorithm=algorithm, key=text, headers={"kid": "k1"}, now=1_700_000_000
    )

    head, payload, signature = token.split(".")
    verify(algorithm, key, decoded(signature), f"{head}.{payload}".encode())
    assert json.loads(decoded(head)) == {"alg": algorithm, "typ": "JWT", "kid": "k1"}
    assert json.loads(decoded(payload)) == {"iss": "bölt", "iat": 1_700_000_000, "exp": 1_700_003_600}


@pytest.mark.parametrize("form", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_keys_of_either_form_sign(algorithm: str, form: serialization.PrivateFormat) -> None:
    key = new_key(algorithm)
    text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    token = schemes.json_web_token({}, algorithm=algorithm, key=text, headers={})

    head, payload, signature = token.split(".")
    verify(algorithm, key, decoded(signature), f"{head}.{payload}".encode())
