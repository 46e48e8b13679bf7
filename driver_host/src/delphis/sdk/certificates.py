"""Certificates with which a core and its driver hosts prove themselves to each other: mutual TLS, one authority.

The core's certificate is for both sides: as a client it calls hosts, as a server it takes their leases. A host's is a
server's alone, so no host can pose as the core.
"""

from __future__ import annotations

import argparse
import ipaddress
import os
import re
import sys
from collections.abc import Sequence
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
HOST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,252}")


@dataclass(frozen=True)
class Party:
    """Somebody who gets a certificate."""

    name: str
    folder: Path
    is_core: bool = False

    @property
    def purposes(self) -> list[x509.ObjectIdentifier]:
        """What the certificate is for."""
        return [ExtendedKeyUsageOID.SERVER_AUTH, *([ExtendedKeyUsageOID.CLIENT_AUTH] if self.is_core else [])]


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def general_name(name: str) -> x509.GeneralName:
    """A host name, or an address."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """A certificate authority. A new one lives as long as this process, unless it is kept in a folder."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.ends = now + LIFETIME
        """When what it issues ends: with itself at the latest."""
        self.key = ec.generate_private_key(ec.SECP256R1())
        name = named("Delphis drivers")
        self.certificate: x509.Certificate = (
            self._builder(name, self.key.public_key(), name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage(signs_certificates=True), critical=True)
            .sign(self.key, hashes.SHA256())
        )

    @classmethod
    def kept_in(cls, folder: Path, now: datetime) -> Authority:
        """The authority in the folder's ca.pem and ca.key; a new one where there is none, or it ends soon."""
        authority = cls(now)
        key_file, file = folder / "ca.key", folder / "ca.pem"
        try:
            key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
            certificate = x509.load_pem_x509_certificate(file.read_bytes())
        except FileNotFoundError:
            pass
        else:
            lasts = certificate.not_valid_after_utc > now + RENEW_BEFORE
            if isinstance(key, ec.EllipticCurvePrivateKey) and key.public_key() == certificate.public_key() and lasts:
                authority.key, authority.certificate = key, certificate
                authority.ends = min(authority.ends, certificate.not_valid_after_utc)
                return authority
        folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        write(key_file, private_pem(authority.key), 0o600)
        write(file, authority.pem, 0o644)
        return authority

    @property
    def pem(self) -> bytes:
        """Its certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

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
            .not_valid_after(self.ends)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )

    def issue(self, party: Party) -> tuple[bytes, bytes]:
        """The party's certificate and private key, PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            self._builder(named(party.name), key.public_key(), self.certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(party.purposes), critical=False)
            .add_extension(x509.SubjectAlternativeName([general_name(party.name)]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM), private_pem(key)


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


def good(parties: Sequence[Party], now: datetime, authority_pem: bytes = b"") -> bool:
    """Whether every party has a certificate of its name, of one authority (or of that one), that lasts."""
    authorities: set[bytes] = {authority_pem} if authority_pem else set()
    for party in parties:
        try:
            authority = (party.folder / "ca.pem").read_bytes()
            certificate = x509.load_pem_x509_certificate((party.folder / "tls.pem").read_bytes())
            key = serialization.load_pem_private_key((party.folder / "tls.key").read_bytes(), password=None)
            certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
            usages = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        except (FileNotFoundError, ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
            return False
        if list(usages) != party.purposes:  # an older version made them
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


def make(parties: Sequence[Party], authority: Authority) -> None:
    for party in parties:
        certificate, key = authority.issue(party)
        party.folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        write(party.folder / "tls.key", key, 0o600)
        write(party.folder / "tls.pem", certificate, 0o644)
        write(party.folder / "ca.pem", authority.pem, 0o644)


def development(arguments: Sequence[str]) -> int:
    """Make certificates for development: one authority, kept in the folder, a core, and each named host.

    DIR/core is for `delphis serve core --lease-tls`, DIR/NAME for the host NAME: ca.pem, tls.pem and tls.key. What is
    there already and lasts stays. Whoever can read DIR/ca.key can pose as any of them: keep it out of images.
    """
    parser = argparse.ArgumentParser(prog="delphis-driver certs", description=development.__doc__)
    parser.add_argument("--dir", type=Path, required=True, metavar="DIR", help="folder for all of it")
    parser.add_argument(
        "--host", action="append", default=[], metavar="NAME", help="name or address of a host; may be repeated"
    )
    given = parser.parse_args(arguments)
    for name in given.host:
        if name in ("core", CORE, "ca.pem", "ca.key"):
            parser.error(f"--host {name!r} is what the core's own certificate is called, or a file in DIR")
        if not HOST_NAME.fullmatch(name):
            parser.error(f"--host {name!r} is no name or address of a host")
    now = datetime.now(UTC)
    authority = Authority.kept_in(given.dir, now)
    parties = [Party(CORE, given.dir / "core", is_core=True), *(Party(name, given.dir / name) for name in given.host)]
    for party in parties:
        if good([party], now, authority.pem):
            print(f"{party.folder}: there already")
        else:
            make([party], authority)
            print(f"{party.folder}: made for {party.name}, until {authority.ends:%Y-%m-%d}")
    return 0


def driver(text: str) -> Party:
    name, equals, folder = text.partition("=")
    if not (name and equals and folder):
        raise argparse.ArgumentTypeError(f"{text!r} is no NAME=DIR")
    return Party(name, Path(folder))


def deployment(arguments: Sequence[str]) -> int:
    """Make all certificates of a deployment anew, where one is missing or about to end.

    The core gets its files in the folder of --core, each driver in its own. The authority's own key is used once and
    kept nowhere, so nobody can issue more: for a new driver all are made anew.
    """
    parser = argparse.ArgumentParser(description=deployment.__doc__)
    parser.add_argument("--core", type=Path, required=True, metavar="DIR")
    parser.add_argument("--driver", type=driver, action="append", required=True, metavar="NAME=DIR", dest="drivers")
    parser.add_argument("--renew", action="store_true", help="make them anew in any case")
    given = parser.parse_args(arguments)
    parties = [Party(CORE, given.core, is_core=True), *given.drivers]
    now = datetime.now(UTC)
    if not given.renew and good(parties, now):
        print("certificates: all there, nothing to do")
        return 0
    make(parties, Authority(now))
    print(f"certificates: made for {', '.join(party.name for party in parties)}, until {now + LIFETIME:%Y-%m-%d}")
    return 0


if __name__ == "__main__":
    sys.exit(development(sys.argv[1:]))
