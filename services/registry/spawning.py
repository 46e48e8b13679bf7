"""Which core starts a driver's hosts, where several cores share a database: one of them, as long as it lives."""

from __future__ import annotations

import time
from functools import partial

from sqlalchemy import bindparam, insert, select, update

from services.calls.errors import CallError
from services.inventory.schema.registry import driver_spawners as table
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import DuplicateKey
from services.store.presence import is_gone
from services.store.statement import statement

_TRUST_SECONDS = 2.0

_OF = statement(select(table.c.process).where(table.c.driver == bindparam("driver")))
_INSERT = statement(insert(table).values({name: bindparam(name) for name in ("driver", "process")}))
_TAKE = statement(
    update(table)
    .where(table.c.driver == bindparam("of"), table.c.process == bindparam("before"))
    .values(process=bindparam("process"))
)


class Spawning:
    """The right to start hosts. On SQLite there is one core, which has it."""

    def __init__(self, store: Store | None, *, allowed: bool = True) -> None:
        self._store = store if store is not None and store.dialect != "sqlite" else None
        self._allowed = allowed
        self._mine: dict[str, float] = {}

    async def check(self, driver: str) -> None:
        """CallError DRIVER_HOST_UNAVAILABLE where this core must not start the driver's hosts."""
        if self._allowed and self._store is None:
            return
        if not self._allowed:
            raise _refused(driver, "This core starts no driver hosts (--no-spawn)")
        if self._mine.get(driver, 0.0) > time.monotonic():
            return
        assert self._store is not None
        # Counted from before: another core may take it as soon as ours is seen to be gone.
        until = time.monotonic() + _TRUST_SECONDS
        if not await self._store.write(partial(claim, driver=driver)):
            self._mine.pop(driver, None)
            raise _refused(driver, "Another core on the same database runs the hosts of this driver")
        self._mine[driver] = until

    async def elsewhere(self, driver: str) -> int:
        """The process that starts the driver's hosts where this one must not; 0 where it is this one, or nobody."""
        try:
            await self.check(driver)
        except CallError:
            return await self._store.write(partial(owner_of, driver=driver)) if self._store is not None else 0
        return 0


def claim(connection: Connection, driver: str) -> bool:
    """Takes the right for this process, if nobody who lives has it. Runs inside a transaction of the caller's."""
    owner = connection.value(_OF, {"driver": driver})
    if owner == connection.process:
        return True
    if owner is None:
        try:
            with connection.savepoint():
                connection.run(_INSERT, {"driver": driver, "process": connection.process})
        except DuplicateKey:
            return False
        return True
    if not is_gone(connection, owner):
        return False
    return bool(connection.run(_TAKE, {"of": driver, "before": owner, "process": connection.process}))


def owner_of(connection: Connection, driver: str) -> int:
    """The process that has the right, if it lives and is another one; else 0. Inside a transaction of the caller's."""
    owner = connection.value(_OF, {"driver": driver})
    return int(owner) if owner not in (None, connection.process) and not is_gone(connection, owner) else 0


def _refused(driver: str, why: str) -> CallError:
    return CallError(
        "DRIVER_HOST_UNAVAILABLE",
        f"{why}. Ask that one, or run driver {driver} in a container that announces itself: every core reaches it.",
        metadata={"driver": driver},
    )
