"""A certificate for a simulator, made when it starts. It needs `cryptography`."""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import ssl
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from delphis.sdk.simulation.errors import SimulationError


@dataclass(frozen=True)
class Certificate:
    """A certificate signed by itself, and its key, as PEM.

    Attributes:
        certificate: To be trusted as an authority.
        key: Its key.
        sha256: Its fingerprint, for a pin.
    """

    certificate: str
    key: str
    sha256: str

    def context(self) -> ssl.SSLContext:
        """For a server."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        with tempfile.TemporaryDirectory(prefix="delphis-simulate-") as folder:
            certificate, key = Path(folder) / "cert.pem", Path(folder) / "key.pem"
            certificate.write_text(self.certificate)
            key.touch(0o600)
            key.write_text(self.key)
            context.load_cert_chain(certificate, key)
        return context


@cache
def certificate_for(host: str) -> Certificate:
    """A certificate for a name or an address. SimulationError where `cryptography` is missing."""
    try:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.x509.oid import NameOID
    except ModuleNotFoundError:
        raise SimulationError("TLS needs the package cryptography: pip install 'delphis-driver-sdk[certs]'.") from None
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "simulated array")])
    try:
        alternative: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        alternative = x509.DNSName(host)
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([alternative, x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(True, False, False, False, False, True, True, False, False),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        made.public_bytes(serialization.Encoding.PEM).decode(),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode(),
        hashlib.sha256(made.public_bytes(serialization.Encoding.DER)).hexdigest(),
    )
