"""The vault: secrets encrypted with a key that lives in a file of its own, never in the store."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Collection
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.vault import key_file
from services.vault.errors import Undecryptable, VaultError

KEY_ID_BYTES = 8
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_PREFIX_BYTES = len(_FORMAT) + KEY_ID_BYTES + _NONCE_BYTES

ACCESS_INFO = "access info of storage"
"""What the inventory encrypts."""


class Vault:
    """Encrypts and decrypts with AES-256-GCM. A ciphertext names its key; it opens for its purpose and owner alone."""

    def __init__(self, key: bytes, *, purpose: str = ACCESS_INFO) -> None:
        """`key` has 32 bytes; `purpose` says what is encrypted, such as `access info of storage`."""
        self._key = key
        self._bound_to = f"delphis {purpose} ".encode()
        self._cipher = AESGCM(key)
        self._fingerprint_key = hmac.digest(key, b"delphis fingerprint", "sha256")
        self.key_id = key_id(key)

    @classmethod
    def open(cls, path: Path, *, key_ids: Collection[bytes], purpose: str = ACCESS_INFO) -> Vault:
        """The vault with the key in `path`; `key_ids` are those that the store's ciphertexts name.

        The file is made only if it is absent and nothing is encrypted yet. VaultError where it can't be used.
        """
        key = key_file.read(path)
        if key is None:
            if key_ids:
                raise VaultError(
                    f"The key file {path} is absent, but the store holds secrets that are encrypted with the key "
                    f"{_named(key_ids)}. Bring that file back, or name it with --key-file or DELPHIS_KEY_FILE. "
                    "Nothing was changed."
                )
            key = key_file.make(path)
        vault = cls(key, purpose=purpose)
        others = {other for other in key_ids if other != vault.key_id}
        if others:
            raise VaultError(
                f"The key file {path} has the key {vault.key_id.hex()}, but the store holds secrets that are "
                f"encrypted with the key {_named(others)}. Name the right file with --key-file or DELPHIS_KEY_FILE. "
                "Nothing was changed."
            )
        return vault

    def meant_for(self, purpose: str) -> Vault:
        """The same key for something else that is kept. Neither opens the other's ciphertexts."""
        return Vault(self._key, purpose=purpose)

    def encrypt(self, owner: bytes, plain: bytes) -> bytes:
        """The ciphertext, which can't be used for another owner: the id of a storage, in most cases."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, plain, self._bound_to + owner)
        return b"".join((_FORMAT, self.key_id, nonce, sealed))

    def decrypt(self, owner: bytes, ciphertext: bytes) -> bytes:
        """What was encrypted for the owner. Undecryptable where this key, purpose or owner is not the right one."""
        if key_id_of(ciphertext) != self.key_id:
            raise Undecryptable(f"encrypted with the key {key_id_of(ciphertext).hex()}, not {self.key_id.hex()}")
        nonce = ciphertext[_PREFIX_BYTES - _NONCE_BYTES : _PREFIX_BYTES]
        try:
            return self._cipher.decrypt(nonce, ciphertext[_PREFIX_BYTES:], self._bound_to + owner)
        except InvalidTag:
            raise Undecryptable("altered, or of another owner") from None

    def fingerprint(self, *parts: bytes) -> bytes:
        """32 bytes that are equal for equal parts, and tell nothing about them to who has the store alone."""
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._fingerprint_key, framed, "sha256")


class LateVault:
    """The vault of a service that may never need one: it opens, and so perhaps makes, the key at the first use.

    A service whose store holds no ciphertext would else make a key while the one of another service's ciphertexts is
    absent, and that service could not tell any more what is amiss.
    """

    def __init__(self, path: Path, *, key_ids: Collection[bytes], purpose: str) -> None:
        """VaultError where there are ciphertexts, by their `key_ids`, and the key is absent or another one."""
        self._path = path
        self._purpose = purpose
        self._vault = Vault.open(path, key_ids=key_ids, purpose=purpose) if key_ids else None

    async def get(self) -> Vault:
        """The vault. VaultError where the key can't be read or made."""
        if self._vault is None:
            self._vault = await asyncio.to_thread(Vault.open, self._path, key_ids=(), purpose=self._purpose)
        return self._vault


def key_id(key: bytes) -> bytes:
    """What a ciphertext says of its key: enough to tell keys apart, nothing to guess one from."""
    return hashlib.sha256(b"delphis key id\0" + key).digest()[:KEY_ID_BYTES]


def key_id_of(ciphertext: bytes) -> bytes:
    """The id of the key that a ciphertext was made with."""
    if len(ciphertext) < _PREFIX_BYTES or ciphertext[:1] != _FORMAT:
        raise Undecryptable("not a ciphertext of this version")
    return ciphertext[1 : 1 + KEY_ID_BYTES]


def _named(key_ids: Collection[bytes]) -> str:
    return ", ".join(sorted(key_id.hex() for key_id in key_ids))
