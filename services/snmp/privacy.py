"""USM's privacy: DES (RFC 3414), AES-128 (RFC 3826), AES-192 and -256 (draft-blumenthal-aes-usm-04, or with the key
extension of draft-reeder-snmpv3-usm-3desede-00, as Cisco and its followers have it), and that draft's triple DES.

Every mode is made of single-block encryption: a cipher object per message costs OpenSSL 20 µs, a kept one 1 µs. What is
received is decrypted in one go, since CFB and CBC need nothing of the plain text to do so; answers go block by block.
"""

from __future__ import annotations

import abc
import enum
import os
from typing import Final

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from delphis.type.v1 import alert_pb2
from services.snmp import usm


class PrivProtocol(enum.IntEnum):
    """How messages are encrypted; values are the contract's."""

    DES = alert_pb2.SNMP_PRIV_PROTOCOL_DES
    TRIPLE_DES = alert_pb2.SNMP_PRIV_PROTOCOL_TRIPLE_DES
    AES = alert_pb2.SNMP_PRIV_PROTOCOL_AES
    AES192 = alert_pb2.SNMP_PRIV_PROTOCOL_AES192
    AES256 = alert_pb2.SNMP_PRIV_PROTOCOL_AES256


class KeyExtension(enum.Enum):
    """How a hash that is shorter than the cipher's key is made longer."""

    BLUMENTHAL = "blumenthal"
    REEDER = "reeder"


KEY_OCTETS: Final = {
    PrivProtocol.DES: 16,
    PrivProtocol.TRIPLE_DES: 32,
    PrivProtocol.AES: 16,
    PrivProtocol.AES192: 24,
    PrivProtocol.AES256: 32,
}


def extended(name: str, password_key: bytes, engine_id: bytes, octets: int, extension: KeyExtension) -> bytes:
    """A localised key of `octets`, made with hash `name`."""
    last = key = usm.localised(name, password_key, engine_id)
    while len(key) < octets:
        if extension is KeyExtension.BLUMENTHAL:
            last = usm._hash(name, key)
        else:
            last = usm.localised(name, usm.expanded(name, last), engine_id)
        key += last
    return key[:octets]


def extensions(auth: usm.AuthProtocol, privacy: PrivProtocol) -> tuple[KeyExtension, ...]:
    """The extensions that make a difference: one where the hash is long enough, or the cipher has a rule of its own."""
    if privacy is PrivProtocol.TRIPLE_DES:
        return (KeyExtension.REEDER,)
    if usm.HASHES[auth] in ("sha512", "sha384", "sha256") or KEY_OCTETS[privacy] == 16:
        return (KeyExtension.BLUMENTHAL,)
    if privacy is PrivProtocol.AES192 and auth is usm.AuthProtocol.SHA224:
        return (KeyExtension.BLUMENTHAL,)
    return (KeyExtension.BLUMENTHAL, KeyExtension.REEDER)


class PrivKey(abc.ABC):
    """Encrypts and decrypts for one user at one engine."""

    @abc.abstractmethod
    def decrypt(self, data: bytes, boots: int, time: int, salt: bytes) -> bytes | None:
        """The plain text, padding included; None where the lengths can't be right."""

    @abc.abstractmethod
    def encrypt(self, data: bytes, boots: int, time: int) -> tuple[bytes, bytes]:
        """Cipher text and salt."""


def _xor(left: bytes, right: bytes) -> bytes:
    size = len(left)
    return (int.from_bytes(left, "big") ^ int.from_bytes(right, "big")).to_bytes(size, "big")


class AesKey(PrivKey):
    """AES in CFB with 128 bits of feedback."""

    def __init__(self, key: bytes) -> None:
        self._block: CipherContext = Cipher(algorithms.AES(key), modes.ECB()).encryptor()

    def decrypt(self, data: bytes, boots: int, time: int, salt: bytes) -> bytes | None:
        if len(salt) != 8 or not data:
            return None
        size = len(data)
        fed = (boots << 32 | time).to_bytes(8, "big") + salt + data[: (size - 1) & ~15]
        return _xor(data, self._block.update(fed)[:size])

    def encrypt(self, data: bytes, boots: int, time: int) -> tuple[bytes, bytes]:
        salt = os.urandom(8)
        last = (boots << 32 | time).to_bytes(8, "big") + salt
        found = bytearray()
        for at in range(0, len(data), 16):
            part = data[at : at + 16]
            last = _xor(part, self._block.update(last)[: len(part)])
            found += last
        return bytes(found), salt


class DesKey(PrivKey):
    """DES or triple DES in CBC; the last eight octets of the key make the initial vector."""

    def __init__(self, key: bytes) -> None:
        cipher = Cipher(TripleDES(key[:8] * 3 if len(key) == 16 else key[:24]), modes.ECB())
        self._encrypt: CipherContext = cipher.encryptor()
        self._decrypt: CipherContext = cipher.decryptor()
        self._vector = key[-8:]

    def decrypt(self, data: bytes, boots: int, time: int, salt: bytes) -> bytes | None:
        if len(salt) != 8 or not data or len(data) % 8:
            return None
        return _xor(self._decrypt.update(data), _xor(self._vector, salt) + data[:-8])

    def encrypt(self, data: bytes, boots: int, time: int) -> tuple[bytes, bytes]:
        salt = boots.to_bytes(4, "big") + os.urandom(4)
        last = _xor(self._vector, salt)
        data += bytes(-len(data) % 8)
        found = bytearray()
        for at in range(0, len(data), 8):
            last = self._encrypt.update(_xor(data[at : at + 8], last))
            found += last
        return bytes(found), salt


def priv_key(protocol: PrivProtocol, key: bytes) -> PrivKey:
    """The cipher of a localised, extended key."""
    if protocol in (PrivProtocol.DES, PrivProtocol.TRIPLE_DES):
        return DesKey(key)
    return AesKey(key)
