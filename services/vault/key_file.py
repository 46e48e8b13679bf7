"""The file with the key: read it, or make it, once, whoever comes first."""

from __future__ import annotations

import base64
import binascii
import contextlib
import logging
import os
import secrets
from pathlib import Path

from services.vault.errors import VaultError

log = logging.getLogger(__name__)

KEY_BYTES = 32
_HEADER = "delphis-key-1"


def default_key_file() -> Path:
    """`$DELPHIS_KEY_FILE`, or `${XDG_CONFIG_HOME:-~/.config}/delphis/key`: the same whatever the data folder."""
    named = os.environ.get("DELPHIS_KEY_FILE")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "delphis" / "key"


def read(path: Path) -> bytes | None:
    """The key in `path`; None where there is no file. VaultError where it holds none."""
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


def make(path: Path) -> bytes:
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
            existing = read(path)
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
