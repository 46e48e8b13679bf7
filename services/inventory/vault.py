"""The vault: credentials encrypted with a key that lives in a file of its own, never in the store."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import logging
import os
import secrets
from collections.abc import Collection
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

log = logging.getLogger(__name__)

KEY_BYTES = 32
KEY_ID_BYTES = 8
_HEADER = "delphis-key-1"
_FORMAT = b"\x01"
_NONCE_BYTES = 12
_PREFIX_BYTES = len(_FORMAT) + KEY_ID_BYTES + _NONCE_BYTES
_BOUND_TO = b"delphis access info of storage "


class VaultError(Exception):
    """The key can't be used. The message says which file, and what to do; nothing was changed."""


class Undecryptable(Exception):
    """A ciphertext that this key doesn't open, or that belongs to another storage."""


def default_key_file() -> Path:
    """`$DELPHIS_KEY_FILE`, or `${XDG_CONFIG_HOME:-~/.config}/delphis/key`: the same whatever the data folder."""
    named = os.environ.get("DELPHIS_KEY_FILE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "delphis" / "key"


class Vault:
    """Encrypts and decrypts with AES-256-GCM. A ciphertext names its key and opens only for its own storage."""

    def __init__(self, key: bytes) -> None:
        """`key` has 32 bytes."""
        self._cipher = AESGCM(key)
        self._fingerprint_key = hmac.digest(key, b"delphis fingerprint", "sha256")
        self.key_id = key_id(key)

    @classmethod
    def open(cls, path: Path, *, key_ids: Collection[bytes]) -> Vault:
        """The vault with the key in `path`; `key_ids` are those that the store's ciphertexts name.

        The file is made only if it is absent and nothing is encrypted yet. VaultError where it can't be used.
        """
        key = _read(path)
        if key is None:
            if key_ids:
                raise VaultError(
                    f"The key file {path} is absent, but the store holds credentials that are encrypted with the key "
                    f"{_named(key_ids)}. Bring that file back, or name it with --key-file or DELPHIS_KEY_FILE. "
                    "Nothing was changed."
                )
            key = _make(path)
        vault = cls(key)
        others = {other for other in key_ids if other != vault.key_id}
        if others:
            raise VaultError(
                f"The key file {path} has the key {vault.key_id.hex()}, but the store holds credentials that are "
                f"encrypted with the key {_named(others)}. Name the right file with --key-file or DELPHIS_KEY_FILE. "
                "Nothing was changed."
            )
        return vault

    def encrypt(self, storage_id: bytes, plain: bytes) -> bytes:
        """The ciphertext, which can't be used for another storage."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, plain, _BOUND_TO + storage_id)
        return b"".join((_FORMAT, self.key_id, nonce, sealed))

    def decrypt(self, storage_id: bytes, ciphertext: bytes) -> bytes:
        """What was encrypted for the storage. Undecryptable where this key, or this storage, is not the right one."""
        if key_id_of(ciphertext) != self.key_id:
            raise Undecryptable(f"encrypted with the key {key_id_of(ciphertext).hex()}, not {self.key_id.hex()}")
        nonce = ciphertext[_PREFIX_BYTES - _NONCE_BYTES : _PREFIX_BYTES]
        try:
            return self._cipher.decrypt(nonce, ciphertext[_PREFIX_BYTES:], _BOUND_TO + storage_id)
        except InvalidTag:
            raise Undecryptable("altered, or of another storage") from None

    def fingerprint(self, *parts: bytes) -> bytes:
        """32 bytes that are equal for equal parts, and tell nothing about them to who has the store alone."""
        framed = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
        return hmac.digest(self._fingerprint_key, framed, "sha256")


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


def _read(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            text = file.read(4096).decode("ascii", "replace")
            mode = os.fstat(file.fileno()).st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        raise VaultError(f"The key file {path} can't be read: {error.strerror}. Nothing was changed.") from None
    header, _, encoded = text.strip().partition(" ")
    key = b""
    with contextlib.suppress(binascii.Error, ValueError):
        key = base64.b64decode(encoded, validate=True)
    if header != _HEADER or len(key) != KEY_BYTES:
        raise VaultError(
            f"The file {path} holds no key of Delphis (one line: `{_HEADER}` and {KEY_BYTES} bytes as base64). "
            "Name the right file with --key-file or DELPHIS_KEY_FILE. Nothing was changed."
        )
    if mode & 0o077:
        log.warning("the key file %s can be read by others than its owner; chmod 600 it", path)
    return key


def _make(path: Path) -> bytes:
    """A new key in `path`, or the one that another process put there at the same moment. Never half a file."""
    key = secrets.token_bytes(KEY_BYTES)
    line = f"{_HEADER} {base64.b64encode(key).decode()}\n".encode()
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(line)
                file.flush()
                os.fsync(descriptor)
            os.link(draft, path)  # fails, and replaces nothing, where the file exists by now
        except FileExistsError:
            existing = _read(path)
            if existing is None:
                raise VaultError(f"The key file {path} comes and goes; start again.") from None
            return existing
        finally:
            draft.unlink()
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise VaultError(
            f"The key file {path} can't be made: {error.strerror}. Name another with --key-file."
        ) from None
    log.info("made the key file %s; keep a copy of it: without it the stored credentials can't be used", path)
    return key
