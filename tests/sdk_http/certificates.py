"""Certificates for the servers of tests: authorities, and server certificates that they or nobody signed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True)
class Certificate:
    """A certificate with its key, both PEM, as files too."""

    certificate: x509.Certificate
    key: Key
    folder: Path
    name: str

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        return self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()

    @property
    def sha256(self) -> str:
        """What an operator pins."""
        return hashlib.sha256(self.certificate.public_bytes(serialization.Encoding.DER)).hexdigest()

    @property
    def certificate_file(self) -> Path:
        return self._written(self.folder / f"{self.name}.crt.pem", self.pem)

    @property
    def key_file(self) -> Path:
        return self._written(self.folder / f"{self.name}.key.pem", self.key_pem)

    @staticmethod
    def _written(path: Path, text: str) -> Path:
        path.touch(mode=0o600)
        path.write_text(text)
        return path


def authority(folder: Path, name: str = "authority") -> Certificate:
    """A certificate that may sign others."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _made(folder, name, key, signer=None, names=(), is_authority=True, expires_in=timedelta(days=2))


def server_certificate(
    folder: Path,
    name: str = "server",
    *,
    signer: Certificate | None = None,
    names: tuple[str, ...] = ("127.0.0.1", "localhost"),
    expires_in: timedelta = timedelta(days=2),
    key: Key | None = None,
) -> Certificate:
    """A server's certificate for these names and addresses; signed by itself where there is no signer.

    The key is of an elliptic curve, quick to make, unless one is given.
    """
    key = key or ec.generate_private_key(ec.SECP256R1())
    return _made(folder, name, key, signer=signer, names=names, is_authority=False, expires_in=expires_in)


def _made(
    folder: Path,
    name: str,
    key: Key,
    *,
    signer: Certificate | None,
    names: tuple[str, ...],
    is_authority: bool,
    expires_in: timedelta,
) -> Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    expires = datetime.now(UTC) + expires_in
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(signer.certificate.subject if signer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(expires - timedelta(days=30))
        .not_valid_after(expires)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    signing_key = (signer.key if signer else key).public_key()
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key), critical=False)
    if names:
        alternatives = [_general_name(text) for text in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    if not is_authority:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    signed = builder.sign(signer.key if signer else key, hashes.SHA256())
    return Certificate(signed, key, folder, name)


def _general_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(text))
    except ValueError:
        return x509.DNSName(text)
