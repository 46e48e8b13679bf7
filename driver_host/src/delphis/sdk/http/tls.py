"""What the access info says about TLS, as the standard library understands it."""

from __future__ import annotations

import re
import ssl
from dataclasses import dataclass

from delphis.sdk import errors
from delphis.type.v1.access_pb2 import Tls, TlsMode

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """How the array proves who it is.

    Attributes:
        context: For the connections.
        pinned_sha256: The only certificate that is taken, as 64 hexadecimal digits; None where the chain decides.
        server_name: The name to ask for and to find in the certificate, where it is not the host.
    """

    context: ssl.SSLContext
    pinned_sha256: str | None = None
    server_name: str | None = None


def tls_settings(tls: Tls) -> TlsSettings:
    """Reads the settings.

    Raises:
        errors.AccessInfoIncomplete: They can't be used. Nothing is taken for "off" by mistake.
    """
    server_name = tls.server_name or None
    match tls.mode:
        case TlsMode.TLS_MODE_UNSPECIFIED | TlsMode.TLS_MODE_VERIFY:
            if tls.pinned_certificate_sha256 and not tls.mode:
                return TlsSettings(_unverified(), _pin(tls), server_name)
            return TlsSettings(_verified(tls), None, server_name)
        case TlsMode.TLS_MODE_PINNED:
            return TlsSettings(_unverified(), _pin(tls), server_name)
        case TlsMode.TLS_MODE_OFF:
            return TlsSettings(_unverified(), None, server_name)
        case _:
            raise errors.AccessInfoIncomplete(
                f"This driver host doesn't know the TLS mode {tls.mode}; use verify, pinned or off.",
                field="rest.tls.mode",
            )


def _verified(tls: Tls) -> ssl.SSLContext:
    try:
        # Without authorities of its own it loads the system's.
        return ssl.create_default_context(cadata=tls.ca_certificates or None)
    except (ssl.SSLError, ValueError) as error:
        raise errors.AccessInfoIncomplete(
            f"The authorities in `ca_certificates` can't be used: {getattr(error, 'reason', None) or 'no PEM'}.",
            field="rest.tls.ca_certificates",
        ) from None


def _unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _pin(tls: Tls) -> str:
    pin = tls.pinned_certificate_sha256.replace(":", "").replace(" ", "").lower()
    if not _SHA256.fullmatch(pin):
        raise errors.AccessInfoIncomplete(
            "TLS is to be pinned, but `pinned_certificate_sha256` is not the SHA-256 of a certificate: 64 hexadecimal"
            " digits, colons allowed.",
            field="rest.tls.pinned_certificate_sha256",
        )
    return pin
