"""What the processes open before their parts start. Whatever is in the way is a StartFailure."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Protocol

import grpc

from services.app.failure import StartFailure
from services.auth import service_token
from services.calls.peer import Peer, PeerError
from services.store.engine import Store
from services.store.errors import SchemaError, StoreFault
from services.store.schema import Schema
from services.vault.errors import VaultError
from services.vault.key_file import default_key_file
from services.vault.vault import LateVault


class TokenSettings(Protocol):
    """Where a process finds the token of Delphis' own processes."""

    @property
    def service_token_file(self) -> str | None: ...

    @property
    def service_token_fd(self) -> int | None: ...


def open_store(database: str, schema: Schema) -> Store:
    """The store, with its tables as this version has them."""
    try:
        return Store.open(database, schema)
    except (ValueError, StoreFault, SchemaError) as error:
        raise StartFailure(str(error)) from error


def key_path(key_file: str | None) -> Path:
    """The file of the key that encrypts secrets."""
    return Path(key_file) if key_file else default_key_file()


def open_vault(key_file: str | None, key_ids: Collection[bytes], *, purpose: str) -> LateVault:
    """The vault; its key must be among `key_ids`, those that what is stored was encrypted with."""
    try:
        return LateVault(key_path(key_file), key_ids=key_ids, purpose=purpose)
    except VaultError as error:
        raise StartFailure(str(error)) from error


def open_core_channel(address: str, ca: str | None) -> grpc.aio.Channel:
    """A channel to the core."""
    try:
        return Peer("--inventory", address, ca).channel()
    except PeerError as error:
        raise StartFailure(str(error)) from error


def read_token(settings: TokenSettings) -> str | None:
    """The token of Delphis' own processes, where the process was told of one."""
    try:
        if settings.service_token_file is not None:
            return service_token.from_file(Path(settings.service_token_file))
        if settings.service_token_fd is not None:
            return service_token.from_descriptor(settings.service_token_fd)
    except service_token.ServiceTokenError as error:
        raise StartFailure(str(error)) from error
    return None


def need_token(settings: TokenSettings) -> str:
    """The token, for a process that is nothing without it."""
    token = read_token(settings)
    if token is None:
        raise StartFailure("Give --token-file: the file with the token of Delphis' own processes, as the core has it.")
    return token
