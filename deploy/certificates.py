"""Make the certificates with which a core and its driver hosts prove themselves to each other.

python deploy/certificates.py --core DIR --driver NAME=DIR [--driver NAME=DIR ...]

Writes ca.pem, tls.pem and tls.key into each folder: the core gets a client certificate, each driver a server
certificate for the host name NAME. The authority's own key is used once and kept nowhere, so nobody can issue more:
for a new driver all are made anew. Nothing is done while all are there, belong together and last 30 more days.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=397)
RENEW_BEFORE = timedelta(days=30)
CLOCK_SKEW = timedelta(hours=1)
CORE = "delphis-core"


@dataclass(frozen=True)
class Party:
    """Somebody who gets a certificate."""

    name: str
    folder: Path
    is_server: bool


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """A certificate authority that lives as long as this process."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = named("Delphis drivers")
        self.certificate = (
            self._builder(name, self.key.public_key(), name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage(signs_certificates=True), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, issuer: x509.Name
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now - CLOCK_SKEW)
            .not_valid_after(self.now + LIFETIME)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def issue(self, party: Party) -> tuple[bytes, bytes]:
        """The party's certificate and private key, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if party.is_server else ExtendedKeyUsageOID.CLIENT_AUTH
        certificate = (
            self._builder(named(party.name), key.public_key(), self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(party.name)]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return certificate.public_bytes(serialization.Encoding.PEM), private


def usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def good(parties: list[Party], now: datetime) -> bool:
    """Whether every party has a certificate of its name, of one authority, that lasts."""
    authorities: set[bytes] = set()
    for party in parties:
        try:
            authority = (party.folder / "ca.pem").read_bytes()
            certificate = x509.load_pem_x509_certificate((party.folder / "tls.pem").read_bytes())
            key = serialization.load_pem_private_key((party.folder / "tls.key").read_bytes(), password=None)
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
        except (FileNotFoundError, ValueError, TypeError, InvalidSignature):
            return False
        if certificate.subject != named(party.name) or key.public_key() != certificate.public_key():
            return False
        if certificate.not_valid_after_utc < now + RENEW_BEFORE:
            return False
        authorities.add(authority)
    return len(authorities) == 1


def write(path: Path, content: bytes, mode: int) -> None:
    """Replace the file in one step; it never exists with looser permissions."""
    staged = path.with_name(f".{path.name}.new")
    staged.unlink(missing_ok=True)
    with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
    staged.replace(path)


def make(parties: list[Party], now: datetime) -> None:
    authority = Authority(now)
    ca = authority.certificate.public_bytes(serialization.Encoding.PEM)
    for party in parties:
        certificate, key = authority.issue(party)
        party.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        write(party.folder / "tls.key", key, 0o600)
        write(party.folder / "tls.pem", certificate, 0o644)
        write(party.folder / "ca.pem", ca, 0o644)


def driver(text: str) -> Party:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=DIR")
    return Party(name, Path(folder), is_server=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--core", type=Path, required=True, metavar="DIR")
    parser.add_argument("--driver", type=driver, action="append", required=True, metavar="NAME=DIR", dest="drivers")
    parser.add_argument("--renew", action="store_true", help="make them anew in any case")
    arguments = parser.parse_args()
    parties = [Party(CORE, arguments.core, is_server=False), *arguments.drivers]
    now = datetime.now(UTC)
    if not arguments.renew and good(parties, now):
        print("certificates: all there, nothing to do")
        return 0
    make(parties, now)
    print(f"certificates: made for {', '.join(party.name for party in parties)}, until {now + LIFETIME:%Y-%m-%d}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
