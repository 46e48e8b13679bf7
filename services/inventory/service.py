"""The inventory as one part of a core process.

A core is put together so, and taken apart in the opposite order:

    store = Store.open(url, SCHEMA)
    vault = await open_vault(store, key_file)
    access = AccessInfos(store, vault)
    registry = Registry(host_settings, folders, DriverPreferences(store))
    router = Router(registry, access)
    inventory = Inventory(store, router, access, forget=registry.forget)
    await registry.start()
    await inventory.start()
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from services.auth.audit import AuditLog
from services.auth.authenticator import TokenAuthenticator
from services.auth.handlers import AuthService
from services.calls.method import Method
from services.inventory.access import infos
from services.inventory.access.infos import AccessInfos
from services.inventory.access.updating import AccessUpdate
from services.inventory.changes import service as changes
from services.inventory.changes.retention import forget_changes
from services.inventory.jobs import records
from services.inventory.jobs.handlers import JobService
from services.inventory.observed import observe_inventory
from services.inventory.relations import service as relations
from services.inventory.resources import service as resources
from services.inventory.storages.array import Arrays
from services.inventory.storages.handlers import InventoryService
from services.inventory.storages.importing import Imports
from services.inventory.storages.registration import Registration, prune_requests
from services.inventory.storages.removal import Removals
from services.inventory.storages.syncing import Syncs
from services.inventory.sync.cleanup import forget_tombstones
from services.observing.observer import Observer
from services.router.router import Router
from services.store.engine import Store
from services.store.errors import StoreFault
from services.values import times
from services.vault.vault import Vault

log = logging.getLogger(__name__)

JOBS_KEPT = 7 * times.DAY
HOUSEKEEPING_SECONDS = 3600.0
ADOPTION_SECONDS = 15.0
"""So often a core looks for jobs of others that have ended, where several share a database."""


async def open_vault(store: Store, key_file: Path) -> Vault:
    """The vault for the store's credentials. VaultError where the key is not theirs."""
    key_ids = await store.read(infos.key_ids)
    return await asyncio.to_thread(Vault.open, key_file, key_ids=key_ids)


class Inventory:
    """Storages, their resources, jobs, changes, tokens and the audit log."""

    def __init__(
        self,
        store: Store,
        router: Router,
        access: AccessInfos,
        *,
        forget: Callable[[str], None],
        authenticator: TokenAuthenticator | None = None,
        release: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        """`forget` tells the registry that a storage is gone; `authenticator` is None where no tokens are asked for.

        `release` is called before a storage is removed, and does not fail.
        """
        self.audit = AuditLog(store)
        self._store = store
        self._authenticator = authenticator
        self._arrays = Arrays(router, forget)
        self._syncs = Syncs(store, router)
        self._removals = Removals(store, self._arrays, access, self._syncs, forget, release)
        self._jobs = JobService(store, self._syncs)
        self._auth = AuthService(store, authenticator)
        self._inventory = InventoryService(
            store,
            router,
            registration=Registration(store, self._arrays, access, self._syncs),
            imports=Imports(store, self._arrays, access, self._syncs),
            access_update=AccessUpdate(store, self._arrays, access),
            syncs=self._syncs,
            removals=self._removals,
        )
        self._tasks: list[asyncio.Task[None]] = []

    def observe(self, observer: Observer) -> None:
        """Adds what there is to tell of storages and syncs."""
        observe_inventory(observer, self._store, self._syncs)

    def methods(self) -> Iterator[Method]:
        """The services for a method table."""
        yield from self._inventory.methods()
        yield from self._jobs.methods()
        yield from self._auth.methods()
        yield from resources.methods(self._store)
        yield from relations.methods(self._store)
        yield from changes.methods(self._store)

    async def start(self) -> None:
        """Goes on with what the last core left: syncs, removals; and begins to watch the clock."""
        self.audit.start()
        if self._authenticator is not None:
            await self._authenticator.start()
        await self._syncs.start()
        await self._removals.start()
        self._tasks.append(asyncio.create_task(self._keep_house(), name="housekeeping"))
        if self._store.dialect == "postgresql":
            self._tasks.append(asyncio.create_task(self._adopt(), name="adoption of jobs"))

    async def stop(self) -> None:
        """Stops all, and writes what waits to be written. The store is closed after it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._syncs.stop()
        await self._removals.stop()
        await self._arrays.stop()
        if self._authenticator is not None:
            await self._authenticator.stop()
        await self.audit.stop()

    async def prune(self) -> None:
        """Forgets what is kept for a time only: ended jobs, request ids, tombstones, changes, audit entries."""
        before = times.now() - JOBS_KEPT
        while await self._store.write(lambda connection: records.prune(connection, before)):
            pass
        await self._store.write(prune_requests)
        await forget_tombstones(self._store)
        await forget_changes(self._store)
        await self.audit.prune()

    async def _keep_house(self) -> None:
        while True:
            await asyncio.sleep(HOUSEKEEPING_SECONDS)
            try:
                await self.prune()
            except StoreFault as fault:
                log.warning("old rows stay until the store can be written: %s", fault)
            except Exception:
                log.exception("pruning failed by a fault of Delphis")

    async def _adopt(self) -> None:
        mark = self._store.signals.mark(records.HANDED_OVER)
        while True:
            await self._store.signals.wait(records.HANDED_OVER, mark, ADOPTION_SECONDS)
            mark = self._store.signals.mark(records.HANDED_OVER)
            try:
                await self._syncs.adopt()
                await self._removals.adopt()
            except StoreFault as fault:
                log.warning("nobody looks after jobs of other cores until the store can be written: %s", fault)
            except Exception:
                log.exception("looking after jobs of other cores failed by a fault of Delphis")
