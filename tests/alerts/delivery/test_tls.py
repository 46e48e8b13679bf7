"""TLS to receivers."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.alerts.delivery.scene import Scene, soon
from tests.alerts.delivery.web import web


def _authority(name: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    return _certificate(name, key, None, key), key


def _certificate(
    name: str, key: ec.EllipticCurvePrivateKey, issuer: x509.Certificate | None, signer: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(signer, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def server(tmp_path: Path) -> tuple[ssl.SSLContext, str]:
    """A server's context, and the PEM of the authority that it can be verified with."""
    authority, signer = _authority("ours")
    key = ec.generate_private_key(ec.SECP256R1())
    (tmp_path / "cert.pem").write_text(_pem(_certificate("server", key, authority, signer)))
    plain = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (tmp_path / "key.pem").write_bytes(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    return context, _pem(authority)


async def test_a_certificate_of_the_named_authority_is_taken(scene: Scene, server: tuple[ssl.SSLContext, str]) -> None:
    context, authority = server
    async with web(tls=context) as site:
        await scene.webhook(site.url, webhook={"tls": {"ca_certificates": authority}})
        await scene.report("a")
        await soon("event", lambda: site.taken)


@pytest.mark.parametrize("trusted", ["system", "another"])
async def test_no_other_certificate_is(scene: Scene, server: tuple[ssl.SSLContext, str], trusted: str) -> None:
    context, _ = server
    authority = _pem(_authority("another")[0]) if trusted == "another" else ""
    async with web(tls=context) as site:
        receiver = await scene.webhook(site.url, webhook={"tls": {"ca_certificates": authority}})
        await scene.report("a")
        status = await scene.until(receiver, "failure", lambda status: status.failures >= 1)
        assert "certificate" in status.problem
        assert not site.seen


async def test_but_where_nobody_wants_to_know(scene: Scene, server: tuple[ssl.SSLContext, str]) -> None:
    context, _ = server
    async with web(tls=context) as site:
        await scene.webhook(site.url, webhook={"tls": {"insecure_skip_verify": True}})
        await scene.report("a")
        await soon("event", lambda: site.taken)
