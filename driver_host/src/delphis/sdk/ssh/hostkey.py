"""Whether the server is the array: its host key, and what the access info says about it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
import threading

from delphis.sdk import errors
from delphis.sdk.ssh.endpoint import SshEndpoint
from delphis.type.v1.access_pb2 import SshAccess, SshHostKeyPolicy

LOGGER = logging.getLogger("delphis.sdk.ssh")
_FIRST_SEEN: dict[tuple[str, int], bytes] = {}
_LOCK = threading.Lock()
# What a server signs with, by the type of its key.
_ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")}
_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


def fingerprint(key: bytes) -> str:
    """The SHA-256 of a key, as OpenSSH prints it: `SHA256:` and base64 without padding."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(key).digest()).decode().rstrip("=")


class HostKeyCheck:
    """What the access info says about the host key."""

    def __init__(self, access: SshAccess, endpoint: SshEndpoint) -> None:
        """
        Args:
            access: Its `pub_key` is a key as in known_hosts (base64, with or without its type before it), or the
                fingerprint of one (`SHA256:…`).
            endpoint: The array's address.

        Raises:
            errors.AccessInfoIncomplete: The policy or the key can't be used.
        """
        self._endpoint = endpoint
        self._policy = access.host_key_policy or SshHostKeyPolicy.SSH_HOST_KEY_POLICY_PINNED
        if self._policy not in (
            SshHostKeyPolicy.SSH_HOST_KEY_POLICY_PINNED,
            SshHostKeyPolicy.SSH_HOST_KEY_POLICY_TRUST_FIRST,
            SshHostKeyPolicy.SSH_HOST_KEY_POLICY_OFF,
        ):
            raise errors.AccessInfoIncomplete(
                f"This driver host doesn't know the SSH host key policy {self._policy}; use pinned, trust_first or"
                " off.",
                field="ssh.host_key_policy",
            )
        self._pin = ""
        self._type = access.pub_key_type
        if access.pub_key and self._policy != SshHostKeyPolicy.SSH_HOST_KEY_POLICY_OFF:
            self._pin = self._read(access.pub_key)

    @property
    def algorithms(self) -> tuple[str, ...]:
        """What the server may sign with, so that it shows the pinned key and no other; empty: anything."""
        return _ALGORITHMS.get(self._type, (self._type,)) if self._pin and self._type else ()

    def check(self, key: bytes, kind: str) -> None:
        """Takes a server's key, or refuses it.

        Args:
            key: As it is sent (RFC 4253).
            kind: Its type.

        Raises:
            errors.SSHNotFoundKnownHosts: It is not the pinned one, or none is pinned. Says its fingerprint.
        """
        if self._policy == SshHostKeyPolicy.SSH_HOST_KEY_POLICY_OFF:
            return
        shown, at = fingerprint(key), self._endpoint.label
        pin = self._pin
        if not pin and self._policy == SshHostKeyPolicy.SSH_HOST_KEY_POLICY_TRUST_FIRST:
            with _LOCK:
                known = _FIRST_SEEN.setdefault((self._endpoint.host, self._endpoint.port), key)
            pin = fingerprint(known)
            if known is key:
                LOGGER.warning(
                    "[%s] the SSH host key %s (%s) is the first seen, and taken from now on", at, shown, kind
                )
        if not pin:
            raise errors.SSHNotFoundKnownHosts(
                f"No SSH host key is pinned for {at}, which shows {shown} ({kind}). If that is the array's, give it in"
                " `ssh.pub_key`.",
                found=shown,
                key_type=kind,
            )
        if not hmac.compare_digest(pin, shown):
            raise errors.SSHNotFoundKnownHosts(
                f"{at} shows the SSH host key {shown} ({kind}); {pin} was expected. Either the array's key was changed,"
                " or this is another machine.",
                found=shown,
                expected=pin,
                key_type=kind,
            )

    def _read(self, text: str) -> str:
        words = text.split()
        if len(words) == 1 and words[0].startswith("SHA256:"):
            pin = words[0].rstrip("=")
            if len(pin) != len("SHA256:") + 43:
                raise self._useless("is no SHA-256 in base64")
            return pin
        if len(words) > 1 and words[0] in _TYPES:
            words = words[1:]
        try:
            key = base64.b64decode(words[0] if words else "", validate=True)
        except (binascii.Error, ValueError):
            raise self._useless("is no base64") from None
        length = int.from_bytes(key[:4], "big")
        kind = key[4 : 4 + length].decode("ascii", "replace")
        if kind not in _TYPES:
            raise self._useless(f"is no key of a type that is supported ({', '.join(_TYPES)})")
        if self._type and self._type != kind:
            raise self._useless(f"is of type {kind}, and not of `ssh.pub_key_type`")
        self._type = kind
        return fingerprint(key)

    def _useless(self, why: str) -> errors.AccessInfoIncomplete:
        return errors.AccessInfoIncomplete(f"The SSH host key in `ssh.pub_key` {why}.", field="ssh.pub_key")
