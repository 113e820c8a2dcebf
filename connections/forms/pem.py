"""PEM texts: certificates and private keys, whether they can be read, and whether they fit."""

from __future__ import annotations

import re
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from django import forms
from django.core.exceptions import ValidationError

from connections.oauth.schemes import key_kind, needed_kind

ALL_OF_IT = "Copy all of it, its first and last line too."


class PemField(forms.CharField):
    """A certificate (`kind` CERTIFICATE, with its chain) or a key (PRIVATE KEY: PKCS#8, PKCS#1 or EC), as PEM text.

    With `passphrase=True` the key may be encrypted, and only its frame is looked at here: `load_key` does the rest.
    """

    def __init__(self, *, kind: str, passphrase: bool = False, **kwargs: Any) -> None:
        super().__init__(max_length=40_000, **kwargs)
        self.kind = kind
        self.passphrase = passphrase

    def to_python(self, value: Any) -> str:
        text = str(super().to_python(value) or "").replace("\r\n", "\n").strip()
        if not text:
            return ""
        if "PuTTY-User-Key-File" in text or "-----BEGIN OPENSSH" in text:
            text = "This is a key in the format of an SSH program. Turn a copy of it into PEM: ssh-keygen -p -m PEM -f COPY."
            raise ValidationError(text, code="pem")
        frame = rf"-----BEGIN [A-Z0-9 ]*{self.kind}-----.+-----END [A-Z0-9 ]*{self.kind}-----"
        if not re.search(frame, text, re.S):
            raise ValidationError(f"This is not PEM: it begins with -----BEGIN {self.kind}-----.", code="pem")
        if self.kind == "CERTIFICATE":
            load_certificate(text)
        elif not self.passphrase:
            load_key(text)
        return text


def load_certificate(text: str) -> x509.Certificate:
    """The first certificate. Raises ValidationError."""
    try:
        return x509.load_pem_x509_certificates(text.encode())[0]
    except ValueError:
        raise ValidationError(f"This certificate cannot be read. {ALL_OF_IT}", code="pem") from None


def load_key(text: str, passphrase: str | None = None) -> PrivateKeyTypes:
    """`passphrase` is "" where one could be given and was not, None where there is no field for one. Raises ValidationError."""
    is_encrypted = "ENCRYPTED" in text
    if is_encrypted and not passphrase:
        needed = "Enter it below." if passphrase == "" else "Give it without one; it is encrypted here anyway."
        raise ValidationError(f"This key is protected by a passphrase. {needed}", code="passphrase")
    try:
        return load_pem_private_key(text.encode(), passphrase.encode() if passphrase and is_encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        pass  # its text may quote the key
    if is_encrypted:
        raise ValidationError("The passphrase does not open this key.", code="passphrase")
    raise ValidationError(f"This key cannot be read. {ALL_OF_IT}", code="pem")


def fits(certificate: str, key: PrivateKeyTypes) -> bool:
    """Whether the certificate is of this key."""
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    public = key.public_key()
    return load_certificate(certificate).public_key().public_bytes(*form) == public.public_bytes(*form)


def misfit(key: PrivateKeyTypes, algorithm: str) -> str:
    """Why the key cannot sign with a JWT algorithm or OAuth 1.0 signature method; "" when it can."""
    wanted, given = needed_kind(algorithm), key_kind(key)
    return "" if wanted == given else f"{algorithm} needs a key of kind {wanted}; this one is {given}."
