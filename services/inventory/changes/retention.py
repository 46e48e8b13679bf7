"""Forgetting the oldest changes."""

from __future__ import annotations

import time

from sqlalchemy import bindparam, delete, select

from services.inventory.schema.changes import change_blocks, change_positions
from services.inventory.schema.storages import storages
from services.store.connection import Connection
from services.store.engine import Store
from services.store.statement import statement

PERIOD = 7 * 86_400_000_000
"""Microseconds for which changes are kept."""
MAX_CHANGES = 1_000_000

_block = change_blocks.c
_SIZES = statement(select(_block.no, _block.at, _block.last - _block.first + 1).order_by(_block.no.desc()))
_OLDEST = statement(select(_block.no).where(_block.no <= bindparam("cut")).order_by(_block.no).limit(200))
_DELETE = statement(delete(change_blocks).where(_block.no.in_(bindparam("numbers", expanding=True))))
_FORGOTTEN = statement(
    delete(change_positions).where(
        change_positions.c.storage_no.not_in(select(storages.c.no)),
        change_positions.c.storage_no.not_in(select(_block.storage_no)),
    )
)


async def forget_changes(store: Store, *, now: int | None = None, limit: int = MAX_CHANGES) -> int:
    """Deletes blocks of changes that are too old or too many; how many blocks. To be called now and then."""
    before = (now or time.time_ns() // 1000) - PERIOD

    def find_cut(connection: Connection) -> int:
        kept = 0
        for rows in connection.rows(_SIZES, size=1000):
            for number, at, count in rows:
                kept += count
                if at < before or kept > limit:
                    return int(number)
        return 0

    cut = await store.scan(find_cut)

    def delete_some(connection: Connection) -> int:
        numbers = [row[0] for row in connection.all(_OLDEST, (cut,))]
        connection.run(_DELETE, (numbers,))
        return len(numbers)

    count = 0
    while cut and (deleted := await store.write(delete_some)):
        count += deleted
    if count:
        await store.write(lambda connection: connection.run(_FORGOTTEN))
    return count
