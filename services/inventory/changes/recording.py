"""Writing changes, in the transaction that makes them.

Each array counts its own changes. The count is a row; adding to it locks it, so that positions are committed in order,
which sequence numbers are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import bindparam, insert

from delphis.inventory.v1 import change_pb2
from services.inventory.schema.changes import change_blocks
from services.store.connection import Connection
from services.store.statement import sql, statement
from services.store.wire import id_text, timestamp_field, varint

TOPIC = "changes"
"""What a store's `signals` call a commit with changes."""

ADDED = change_pb2.CHANGE_TYPE_ADDED
CHANGED = change_pb2.CHANGE_TYPE_CHANGED
REMOVED = change_pb2.CHANGE_TYPE_REMOVED
REPLACED = change_pb2.CHANGE_TYPE_REPLACED
RESTORED = change_pb2.CHANGE_TYPE_RESTORED
LOADED = change_pb2.CHANGE_TYPE_LOADED
MISSING = change_pb2.CHANGE_TYPE_MISSING

_ADVANCE_TEXT = (
    "INSERT INTO change_positions (storage_no, storage_id, position) VALUES (:storage_no, :storage_id, :count)"
    " ON CONFLICT (storage_no) DO UPDATE SET position = change_positions.position + excluded.position"
    " RETURNING position"
)
_ADVANCE = sql(sqlite=_ADVANCE_TEXT, postgresql=_ADVANCE_TEXT)
_COLUMNS = ("storage_no", "first", "last", "kind", "at", "body")
_INSERT = statement(insert(change_blocks).values({name: bindparam(name) for name in _COLUMNS}))
BLOCK = 500
"""Changes in a block, at most: about 70 KB."""


@lru_cache(maxsize=1024)
def _names(fields: tuple[str, ...]) -> bytes:
    return b"".join(b"\x3a" + varint(len(name)) + name.encode() for name in fields)


class ChangeLog:
    """Collects the changes of one array in one transaction and writes them in blocks of one kind.

    A Change is put together by hand: as a message object it would cost three times as much, and an array that changed
    entirely has one for each row.
    """

    def __init__(self, connection: Connection, storage_no: int, storage_id: bytes, at: int) -> None:
        self._connection = connection
        self._storage_no = storage_no
        self._storage_id = storage_id
        self._at = at
        self._storage = b"\x12\x24" + id_text(storage_id).encode()
        self._stamp = timestamp_field(b"\x4a", at) + b"\x50"
        self._heads: dict[tuple[int, str], bytes] = {}
        self._kind = ""
        self._waiting: list[tuple[bytes, bytes]] = []

    def add(
        self,
        change: change_pb2.ChangeType.ValueType,
        kind: str,
        *,
        id_: str = "",
        native_id: str = "",
        name: str = "",
        fields: Sequence[str] = (),
        count: int = 0,
        previous_id: str = "",
    ) -> None:
        """Adds a change; ids are UUID text."""
        if kind != self._kind or len(self._waiting) >= BLOCK:
            self.flush()
            self._kind = kind
        native = native_id.encode()
        called = name.encode()
        head = b"".join(
            (
                self._heads.get((change, kind)) or self._head(change, kind),
                b"\x22\x24" + id_.encode() if id_ else b"",
                b"\x2a" + varint(len(native)) + native if native else b"",
                b"\x32" + varint(len(called)) + called if called else b"",
                _names(tuple(fields)) if fields else b"",
                b"\x40" + varint(count) if count else b"",
                self._stamp,
            )
        )
        self._waiting.append((head, b"\x5a\x24" + previous_id.encode() if previous_id else b""))

    def _head(self, change: change_pb2.ChangeType.ValueType, kind: str) -> bytes:
        name = kind.encode()
        found = b"".join((b"\x08", varint(change), self._storage, b"\x1a", varint(len(name)), name))
        self._heads[change, kind] = found
        return found

    def flush(self) -> None:
        """Writes what was added. To be called before the transaction ends."""
        if not self._waiting:
            return
        last: int = self._connection.value(
            _ADVANCE,
            {"storage_no": self._storage_no, "storage_id": self._storage_id, "count": len(self._waiting)},
        )
        first = last - len(self._waiting) + 1
        parts: list[bytes] = []
        for position, (head, tail) in enumerate(self._waiting, first):
            place = varint(position)
            parts += (b"\x0a", varint(len(head) + len(place) + len(tail)), head, place, tail)
        self._connection.run(_INSERT, (self._storage_no, first, last, self._kind, self._at, b"".join(parts)))
        self._waiting = []
        self._connection.signal(TOPIC)
