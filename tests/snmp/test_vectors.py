"""Keys and digests that the standards print, and ciphers against another implementation."""

from __future__ import annotations

import pytest
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from services.snmp import AuthProtocol, KeyExtension, PrivProtocol
from services.snmp.privacy import AesKey, DesKey, extended, extensions
from services.snmp.usm import HASHES, AuthKey, localised, password_key

SIZES = (12, 12, 16, 24, 32, 48)
ENGINE = bytes.fromhex("000000000000000000000002")


@pytest.mark.parametrize(
    ("protocol", "key", "local"),
    [
        # RFC 3414, A.3.1 and A.3.2
        (AuthProtocol.MD5, "9faf3283884e92834ebc9847d8edd963", "526f5eed9fcce26f8964c2930787d82b"),
        (
            AuthProtocol.SHA,
            "9fb5cc0381497b3793528939ff788d5d79145211",
            "6695febc9288e36282235fc7151f128497b38f3f",
        ),
    ],
    ids=["MD5", "SHA"],
)
def test_passwords_to_keys(protocol: AuthProtocol, key: str, local: str) -> None:
    found = password_key(protocol, b"maplesyrup")
    assert found.hex() == key
    assert localised(HASHES[protocol], found, ENGINE).hex() == local


def test_reeders_extension() -> None:
    """The draft's own example: MD5, 32 octets."""
    key = extended("md5", password_key(AuthProtocol.MD5, b"maplesyrup"), ENGINE, 32, KeyExtension.REEDER)
    assert key.hex() == "526f5eed9fcce26f8964c2930787d82b79eff44a90650ee0a3a40abfac5acc12"


def test_blumenthals_extension() -> None:
    key = extended("md5", password_key(AuthProtocol.MD5, b"maplesyrup"), ENGINE, 32, KeyExtension.BLUMENTHAL)
    assert key.hex().startswith("526f5eed9fcce26f8964c2930787d82b")
    assert len(key) == 32


def test_which_extensions_matter() -> None:
    both = (KeyExtension.BLUMENTHAL, KeyExtension.REEDER)
    assert extensions(AuthProtocol.SHA, PrivProtocol.AES256) == both
    assert extensions(AuthProtocol.SHA224, PrivProtocol.AES256) == both
    assert extensions(AuthProtocol.SHA224, PrivProtocol.AES192) == both[:1]
    assert extensions(AuthProtocol.SHA512, PrivProtocol.AES256) == both[:1]
    assert extensions(AuthProtocol.MD5, PrivProtocol.AES) == both[:1]
    assert extensions(AuthProtocol.MD5, PrivProtocol.TRIPLE_DES) == both[1:]


@pytest.mark.parametrize(
    ("protocol", "octets"),
    list(zip(AuthProtocol, (12, 12, 16, 24, 32, 48), strict=True)),
    ids=[p.name for p in AuthProtocol],
)
def test_digests(protocol: AuthProtocol, octets: int) -> None:
    """RFC 7860, section 4: how many octets of the digest are sent."""
    key = AuthKey(protocol, b"k" * 20)
    blanked = b"head" + bytes(octets) + b"tail"
    digest = key.digest(blanked)
    assert len(digest) == octets
    message = b"head" + digest + b"tail"
    assert key.made(message, 4, digest)
    assert not key.made(message + b"!", 4, digest)
    assert not key.made(message, 4, digest[:-1])
    assert not AuthKey(protocol, b"j" * 20).made(message, 4, digest)


@pytest.mark.parametrize("size", [1, 15, 16, 17, 48, 333])
@pytest.mark.parametrize("octets", [16, 24, 32])
def test_aes(size: int, octets: int) -> None:
    key, data = bytes(range(octets)), bytes(size * [7])
    ours = AesKey(key)
    encrypted, salt = ours.encrypt(data, 5, 6)
    vector = (5).to_bytes(4, "big") + (6).to_bytes(4, "big") + salt
    context = Cipher(algorithms.AES(key), CFB(vector)).encryptor()
    assert encrypted == context.update(data) + context.finalize()
    assert ours.decrypt(encrypted, 5, 6, salt) == data
    assert ours.decrypt(encrypted, 5, 6, salt[:-1]) is None
    assert ours.decrypt(b"", 5, 6, salt) is None


@pytest.mark.parametrize("octets", [16, 32], ids=["DES", "3DES"])
def test_des(octets: int) -> None:
    key, data = bytes(range(octets)), b"x" * 41
    ours = DesKey(key)
    encrypted, salt = ours.encrypt(data, 5, 6)
    vector = bytes(a ^ b for a, b in zip(key[-8:], salt, strict=True))
    context = Cipher(TripleDES(key[:24] if octets == 32 else key[:8] * 3), modes.CBC(vector)).encryptor()
    assert encrypted == context.update(data + bytes(7)) + context.finalize()
    assert ours.decrypt(encrypted, 5, 6, salt) == data + bytes(7)
    assert ours.decrypt(encrypted[:-1], 5, 6, salt) is None
    assert ours.decrypt(encrypted, 5, 6, b"") is None
