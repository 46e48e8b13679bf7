"""All SNMP configurations in memory, with their secrets: each trap is judged by them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from services.alerts.snmp_configs import records
from services.alerts.snmp_configs.merging import Given
from services.alerts.snmp_configs.records import StoredConfig
from services.store.connection import Connection
from services.store.engine import Store
from services.vault.errors import Undecryptable
from services.vault.vault import Vault

log = logging.getLogger(__name__)


class Vaults(Protocol):
    """Opens the vault when it is needed."""

    async def get(self) -> Vault:
        """The vault. VaultError."""
        ...


class Configs:
    """The configurations, by storage."""

    def __init__(self, store: Store, vaults: Vaults) -> None:
        self._store = store
        self._vaults = vaults
        self._stored: dict[str, StoredConfig] = {}
        self._given: dict[str, Given] = {}
        self._writing = asyncio.Lock()
        self.on_change: list[Callable[[], object]] = []
        """Called after each change of what operators set."""

    async def load(self) -> None:
        """Reads all of them."""
        found = await self._store.scan(records.read_all)
        if not found:
            return
        vault = await self._vaults.get()
        for stored in found:
            try:
                self._given[stored.storage_id] = stored.opened(vault)
            except Undecryptable as error:
                log.error("the secrets of the SNMP configuration of %s can't be read: %s", stored.storage_id, error)
                continue
            self._stored[stored.storage_id] = stored

    def get(self, storage_id: str) -> StoredConfig | None:
        """The configuration of a storage."""
        return self._stored.get(storage_id)

    def given(self, storage_id: str) -> Given | None:
        """The same with its secrets."""
        return self._given.get(storage_id)

    def all(self) -> dict[str, Given]:
        """All with their secrets, by storage."""
        return dict(self._given)

    def stored(self) -> list[StoredConfig]:
        """All without their secrets, by storage."""
        return [self._stored[storage_id] for storage_id in sorted(self._stored)]

    def turn(self) -> asyncio.Lock:
        """One change at a time: each begins from what the one before left."""
        return self._writing

    async def put(self, stored: StoredConfig, given: Given) -> StoredConfig:
        """Keeps a configuration. To be called within `turn`."""
        vault = await self._vaults.get()
        sealed = replace(stored, config=given.config, ciphertext=records.sealed(given, stored.storage_id, vault))
        await self._store.write(partial(records.put, stored=sealed))
        self._stored[stored.storage_id], self._given[stored.storage_id] = sealed, given
        self._tell()
        return sealed

    async def remove(self, storage_id: str) -> StoredConfig | None:
        """Forgets a configuration; what it was. To be called within `turn`."""
        await self._store.write(partial(records.remove, storage_id=storage_id))
        self._given.pop(storage_id, None)
        removed = self._stored.pop(storage_id, None)
        self._tell()
        return removed

    async def note(self, stored: StoredConfig, write: Callable[[Connection, StoredConfig], bool]) -> bool:
        """Keeps what came of a configuration; False where it is another one by now."""
        if not await self._store.write(lambda connection: write(connection, stored)):
            return False
        current = self._stored.get(stored.storage_id)
        if current is None or current.updated_at != stored.updated_at:
            return False
        learned = current.config.engine_id != stored.config.engine_id
        self._stored[stored.storage_id] = stored
        if learned:
            self._given[stored.storage_id] = replace(self._given[stored.storage_id], config=stored.config)
            self._tell()
        return True

    def _tell(self) -> None:
        for told in self.on_change:
            told()
