"""USM's authentication: passwords to keys, keys to an engine's keys, digests (RFC 3414, RFC 7860)."""

from __future__ import annotations

import enum
import functools
import hashlib
import hmac
from typing import Final

from delphis.type.v1 import alert_pb2

LEAST_PASSWORD: Final = 8
_EXPANDED = 2**20


class AuthProtocol(enum.IntEnum):
    """How messages are authenticated; values are the contract's."""

    MD5 = alert_pb2.SNMP_AUTH_PROTOCOL_HMACMD5
    SHA = alert_pb2.SNMP_AUTH_PROTOCOL_HMACSHA
    SHA224 = alert_pb2.SNMP_AUTH_PROTOCOL_HMCSHA2224
    SHA256 = alert_pb2.SNMP_AUTH_PROTOCOL_HMCSHA2256
    SHA384 = alert_pb2.SNMP_AUTH_PROTOCOL_HMCSHA2384
    SHA512 = alert_pb2.SNMP_AUTH_PROTOCOL_HMCSHA2512


HASHES: Final = {
    AuthProtocol.MD5: "md5",
    AuthProtocol.SHA: "sha1",
    AuthProtocol.SHA224: "sha224",
    AuthProtocol.SHA256: "sha256",
    AuthProtocol.SHA384: "sha384",
    AuthProtocol.SHA512: "sha512",
}
DIGEST_OCTETS: Final = {
    AuthProtocol.MD5: 12,
    AuthProtocol.SHA: 12,
    AuthProtocol.SHA224: 16,
    AuthProtocol.SHA256: 24,
    AuthProtocol.SHA384: 32,
    AuthProtocol.SHA512: 48,
}


def _hash(name: str, data: bytes) -> bytes:
    return hashlib.new(name, data, usedforsecurity=False).digest()


@functools.lru_cache(maxsize=65_536)
def password_key(protocol: AuthProtocol, password: bytes) -> bytes:
    """The key of a password, for any engine (RFC 3414, 2.6). Takes a millisecond, so it is remembered."""
    return expanded(HASHES[protocol], password)


def expanded(name: str, passphrase: bytes) -> bytes:
    """The hash of a passphrase repeated to a mebibyte."""
    if not passphrase:
        raise ValueError("an empty passphrase makes no key")
    return _hash(name, (passphrase * (_EXPANDED // len(passphrase) + 1))[:_EXPANDED])


def localised(name: str, key: bytes, engine_id: bytes) -> bytes:
    """The key for one engine."""
    return _hash(name, key + engine_id + key)


class AuthKey:
    """Makes and checks the digests of one user at one engine."""

    __slots__ = ("_inner", "_outer", "octets")

    def __init__(self, protocol: AuthProtocol, key: bytes) -> None:
        """`key` is localised."""
        # HMAC (RFC 2104) with its two hashes begun: to begin them for each message takes longer than all the rest.
        self._inner, self._outer = (hashlib.new(HASHES[protocol], usedforsecurity=False) for _ in range(2))
        padded = key.ljust(self._inner.block_size, b"\0")
        self._inner.update(bytes(octet ^ 0x36 for octet in padded))
        self._outer.update(bytes(octet ^ 0x5C for octet in padded))
        self.octets = DIGEST_OCTETS[protocol]

    def digest(self, blanked: bytes) -> bytes:
        """The digest of a message whose digest is zeros."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(blanked)
        outer.update(inner.digest())
        return outer.digest()[: self.octets]

    def made(self, message: bytes, at: int, digest: bytes) -> bool:
        """Whether `digest`, which the message has at `at`, is made with this key."""
        size = self.octets
        if len(digest) != size:
            return False
        blanked = message[:at] + bytes(size) + message[at + size :]
        return hmac.compare_digest(self.digest(blanked), digest)
