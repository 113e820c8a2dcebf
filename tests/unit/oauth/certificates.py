"""Certificates for TLS servers on loopback, made for the moment."""

import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Authority:
    """Issues certificates into `folder`; `file` holds its own."""

    folder: Path
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def new(cls, folder: Path) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _build("Loopback authority", "Loopback authority", key, key, days=30, names=[], is_authority=True)
        authority = cls(folder, key, certificate)
        authority.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return authority

    @property
    def file(self) -> Path:
        return self.folder / "authority.pem"

    def issue(self, *names: str, days: int = 30, self_signed: bool = False) -> tuple[str, str]:
        """Certificate and key, as PEM texts."""
        key = ec.generate_private_key(ec.SECP256R1())
        issuer, signer = (names[0], key) if self_signed else ("Loopback authority", self.key)
        certificate = _build(names[0], issuer, key, signer, days=days, names=list(names))
        pem = serialization.PrivateFormat.PKCS8
        key_text = key.private_bytes(serialization.Encoding.PEM, pem, serialization.NoEncryption())
        return certificate.public_bytes(serialization.Encoding.PEM).decode(), key_text.decode()

    def server(self, *names: str, days: int = 30, self_signed: bool = False) -> ssl.SSLContext:
        """The settings of a TLS server with a certificate for `names`."""
        certificate, key = self.issue(*names, days=days, self_signed=self_signed)
        file = self.folder / "server.pem"
        file.write_text(key + certificate)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def _build(
    subject: str,
    issuer: str,
    key: ec.EllipticCurvePrivateKey,
    signer: ec.EllipticCurvePrivateKey,
    *,
    days: int,
    names: list[str],
    is_authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), False)
    return builder.sign(signer, hashes.SHA256())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
