"""The certificate that a host under lease shows: looked at in a handshake before the host is called."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from typing import Any, NamedTuple

from services.registry.errors import StartFailed
from services.registry.manifest import TlsFiles


class ShownCertificate(NamedTuple):
    """A certificate that was checked."""

    pem: bytes
    name: str
    """A name that it is for."""


async def shown(target: str, tls: TlsFiles, sha256: str, timeout: float) -> ShownCertificate:
    """The certificate of who listens at `host:port`. StartFailed where it isn't the one with the digest.

    Which name it is for doesn't matter: the lease says which certificate belongs to which host.
    """
    try:
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH, cafile=str(tls.ca))
        context.load_cert_chain(tls.cert, tls.key)
    except (OSError, ssl.SSLError) as error:
        raise StartFailed(f"the core's own certificate for hosts can't be used: {error}") from error
    context.check_hostname = False
    context.set_alpn_protocols(["h2"])
    host, _, port = target.rpartition(":")
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port), ssl=context)
            connection: ssl.SSLObject = writer.get_extra_info("ssl_object")
            der, fields = connection.getpeercert(binary_form=True), connection.getpeercert()
    except TimeoutError:
        raise StartFailed(f"it doesn't answer within {timeout:g} s") from None
    except ssl.SSLCertVerificationError as error:
        raise StartFailed(
            f"its certificate is refused: {error.verify_message}; the operator's authority must have issued it, "
            "and it must not have expired"
        ) from error
    except ssl.SSLError as error:
        raise StartFailed(f"there is no TLS connection with it: {error.reason or error}") from error
    except OSError as error:
        raise StartFailed(f"there is no connection to it: {error.strerror or error}") from error
    finally:
        if writer is not None:
            writer.transport.abort()
    assert der is not None
    digest = hashlib.sha256(der).hexdigest()
    if digest != sha256:
        raise StartFailed(f"it shows the certificate with SHA-256 {digest}, its lease is for {sha256}")
    return ShownCertificate(ssl.DER_cert_to_PEM_cert(der).encode(), _name(dict(fields or {})))


def _name(fields: dict[str, Any]) -> str:
    names = sorted(fields.get("subjectAltName", ()), key=lambda name: bool(name[0] != "DNS"))
    return str(names[0][1]).replace("*", "host") if names else "host"
