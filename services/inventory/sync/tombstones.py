"""Ids of what was removed, kept for a while: for alerts and history, and for the resource if it comes back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, delete, select

from services.inventory.schema.resources import tombstones
from services.inventory.sync.removal import TOMBSTONE_PERIOD
from services.inventory.sync.rows import Bulk
from services.store.connection import Connection
from services.store.statement import statement

_OF_KIND = (tombstones.c.storage_no == bindparam("storage_no")) & (tombstones.c.kind == bindparam("kind"))
_ANY = statement(select(tombstones.c.seq).where(_OF_KIND).limit(1))
_FIND = statement(
    select(tombstones.c.seq, tombstones.c.native_id, tombstones.c.identity, tombstones.c.id, tombstones.c.name)
    .where(
        _OF_KIND,
        tombstones.c.native_id.in_(bindparam("native_ids", expanding=True)),
        tombstones.c.removed_at > bindparam("after"),
    )
    .order_by(tombstones.c.removed_at)
)
_OPEN = statement(delete(tombstones).where(tombstones.c.seq == bindparam("row")))
_BULK = Bulk(tombstones, ("seq", "storage_no", "kind", "native_id", "identity", "id", "name", "removed_at"))


class Tombstone(NamedTuple):
    """A removed resource."""

    seq: int
    native_id: str
    identity: str
    id: bytes
    name: str


class Tombstones:
    """The tombstones of one kind of one array, in one transaction."""

    def __init__(self, connection: Connection, storage_no: int, kind: str, now: int) -> None:
        self._connection = connection
        self._storage_no = storage_no
        self._kind = kind
        self._now = now
        self._any: bool | None = None

    @property
    def any(self) -> bool:
        """Whether there are any."""
        if self._any is None:
            self._any = self._connection.one(_ANY, (self._storage_no, self._kind)) is not None
        return self._any

    def find(self, wanted: Sequence[tuple[str, str]]) -> dict[str, Tombstone]:
        """By native id, those that lie under a native id with this identity; of several the youngest."""
        if not self.any:
            return {}
        native_ids = [native_id for native_id, _ in wanted]
        after = self._now - TOMBSTONE_PERIOD
        rows = self._connection.all(_FIND, (self._storage_no, self._kind, native_ids, after))
        found = {(grave.native_id, grave.identity): grave for grave in (Tombstone(*row) for row in rows)}
        return {
            native_id: found[native_id, identity] for native_id, identity in wanted if (native_id, identity) in found
        }

    def open(self, grave: Tombstone) -> None:
        """Takes a tombstone away: its resource is back."""
        self._connection.run(_OPEN, (grave.seq,))

    def bury(self, graves: Sequence[Tombstone]) -> None:
        """Remembers removed resources."""
        rows = [
            (grave.seq, self._storage_no, self._kind, grave.native_id, grave.identity, grave.id, grave.name, self._now)
            for grave in graves
        ]
        _BULK.insert(self._connection, rows)
        self._any = True if rows else self._any
