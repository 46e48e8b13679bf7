"""Access info as such drivers get it: a dict of blocks, passwords encoded, and what TLS is verified against."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

from delphis.delfin import words
from delphis.sdk import AccessInfo, RestAccess, SshAccess, SshHostKeyPolicy, Tls, TlsMode, TrapConfig, errors

BLOCKS = ("rest", "ssh", "cli", "smis")
_CONNECT_TIMEOUT = 10.0


def encode(secret: str) -> str:
    """A secret as the drivers of this process decode it."""
    import delfin.cryptor  # type: ignore[import-not-found]

    return str(delfin.cryptor.encode(secret))


def arguments(access_info: AccessInfo, folder: Path, timeout: float) -> dict[str, Any]:
    """The keyword arguments of a driver's constructor.

    Args:
        access_info: What Delphis knows of the array.
        folder: Where a file of certificates may be written.
        timeout: Seconds to look at a pinned certificate.
    """
    found: dict[str, Any] = {
        "storage_id": access_info.storage_id,
        "storage_name": access_info.storage_name or None,
        "vendor": access_info.vendor,
        "model": access_info.model,
        "extra_attributes": dict(access_info.extra_attributes),
        "verify": verify(access_info, folder, timeout),
    }
    for name in BLOCKS:
        found[name] = _block(getattr(access_info, name)) if access_info.HasField(name) else None  # type: ignore[arg-type]
    if access_info.HasField("ssh"):
        _check_host_key(access_info.ssh)
        found["ssh"] |= {
            "pub_key": access_info.ssh.pub_key or None,
            "pub_key_type": access_info.ssh.pub_key_type or _type_of(access_info.ssh.pub_key),
        }
    return found


def _block(block: Any) -> dict[str, Any]:
    return {
        "host": block.host,
        "port": block.port if block.HasField("port") else None,
        "username": block.username if block.HasField("username") else None,
        "password": encode(block.password) if block.HasField("password") else None,
    }


def _check_host_key(block: SshAccess) -> None:
    """Such drivers take any host key where they are given none; Delphis does so only where it is told to."""
    policy = block.host_key_policy
    any_key = (SshHostKeyPolicy.SSH_HOST_KEY_POLICY_OFF, SshHostKeyPolicy.SSH_HOST_KEY_POLICY_TRUST_FIRST)
    if block.pub_key.startswith("SHA256:"):
        raise errors.SSHNotFoundKnownHosts(
            f"ssh.pub_key of {block.host} is a fingerprint; this driver, written for Delfin, needs the key itself, as "
            "ssh-keyscan prints it.",
            host=block.host,
        )
    if not block.pub_key and policy not in any_key:
        raise errors.SSHNotFoundKnownHosts(
            f"No SSH host key of {block.host} is pinned: give ssh.pub_key and ssh.pub_key_type, or set "
            "ssh.host_key_policy to `off` to take any key.",
            host=block.host,
        )


def _type_of(key: str) -> str | None:
    """The type of a host key, which stands at its beginning."""
    try:
        found = base64.b64decode(key)
        return found[4 : 4 + int.from_bytes(found[:4], "big")].decode("ascii") or None
    except ValueError:
        return None


def verify(access_info: AccessInfo, folder: Path, timeout: float) -> bool | str:
    """A file of certificates that the array's must come from, or False for any."""
    block: Any = access_info.rest if access_info.HasField("rest") else access_info.smis
    if not (access_info.HasField("rest") or access_info.HasField("smis")):
        return False
    tls: Tls = block.tls
    if tls.mode == TlsMode.TLS_MODE_OFF or tls.plaintext:
        return False
    if tls.mode == TlsMode.TLS_MODE_PINNED or (not tls.mode and tls.pinned_certificate_sha256):
        return _written(_pinned(block, min(timeout, _CONNECT_TIMEOUT)), folder)
    if tls.ca_certificates:
        return _written(tls.ca_certificates, folder)
    return _system_authorities()


def _system_authorities() -> str:
    file = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    if file and Path(file).is_file():
        return file
    from requests.utils import DEFAULT_CA_BUNDLE_PATH

    return str(DEFAULT_CA_BUNDLE_PATH)


def _pinned(block: RestAccess, timeout: float) -> str:
    """The array's certificate as PEM, if it is the pinned one. Such drivers verify chains only: it becomes its own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((block.host, block.port), timeout) as connection,
        context.wrap_socket(connection, server_hostname=block.host) as wrapped,
    ):
        certificate = wrapped.getpeercert(binary_form=True) or b""
    wanted = block.tls.pinned_certificate_sha256.replace(":", "").replace(" ", "").lower()
    found = hashlib.sha256(certificate).hexdigest()
    if found != wanted:
        raise errors.SSLCertificateFailed(
            f"The certificate of {block.host} has the SHA-256 {found}, which is not the pinned one.", sha256=found
        )
    return ssl.DER_cert_to_PEM_cert(certificate)


def _written(pem: str, folder: Path) -> str:
    data = pem.encode()
    file = folder / f"ca-{hashlib.sha256(data).hexdigest()}.pem"
    if not file.exists():
        new = file.with_suffix(f".{threading.get_ident()}")
        new.write_bytes(data)
        new.replace(file)
    return str(file)


def trap_config(config: TrapConfig) -> dict[str, Any]:
    """A trap receiver as such drivers read it."""
    found: dict[str, Any] = {
        field.name: getattr(config, field.name) or None for field in config.DESCRIPTOR.fields if field.enum_type is None
    }
    for name in ("version", "security_level", "auth_protocol", "privacy_protocol"):
        number = getattr(config, name)
        found[name] = words.text(config.DESCRIPTOR.fields_by_name[name].enum_type, number) if number else None
    for name in ("community_string", "auth_key", "privacy_key"):
        found[name] = encode(found[name]) if found[name] else None
    return found
