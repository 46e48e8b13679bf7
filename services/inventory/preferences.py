"""Which driver an operator prefers for a vendor and model that several serve: the registry's PreferenceStore."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import bindparam, delete, insert, select

from services.inventory.schema.registry import driver_preferences as table
from services.registry.manifest import Pair
from services.store.connection import Connection
from services.store.engine import Store
from services.store.statement import statement
from services.values import times

_ALL = statement(select(table.c.vendor, table.c.model, table.c.driver))
_DELETE = statement(delete(table).where(table.c.vendor == bindparam("vendor"), table.c.model == bindparam("model")))
_INSERT = statement(insert(table))


class DriverPreferences:
    """Preferences in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def load(self) -> Mapping[Pair, str]:
        """All preferences: names of drivers by pair."""
        found = await self._store.read(lambda connection: connection.all(_ALL))
        return {Pair(vendor, model): driver for vendor, model, driver in found}

    async def save(self, pair: Pair, driver: str) -> None:
        """Keeps one, in the place of an earlier one."""

        def write(connection: Connection) -> None:
            connection.run(_DELETE, {"vendor": pair.vendor, "model": pair.model})
            connection.run(_INSERT, (pair.vendor, pair.model, driver, times.now()))

        await self._store.write(write)
