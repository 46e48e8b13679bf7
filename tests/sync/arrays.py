"""Arrays that say what a test wants, and what the store then has of them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from sqlalchemy import bindparam, insert, select, update

from delphis.driver.v1 import storage_driver_pb2
from delphis.inventory.v1 import change_pb2
from services.calls.errors import CallError
from services.inventory.changes.reading import changes_after, oldest
from services.inventory.kinds import KINDS
from services.inventory.schema.storages import storages
from services.inventory.sync.body import message
from services.inventory.sync.kind_sync import sync_kind
from services.inventory.sync.result import KindResult
from services.store.connection import Connection
from services.store.engine import Store
from services.store.statement import statement

HOUR = 3_600_000_000
START = 1_800_000_000_000_000

_ADD = statement(insert(storages).values(id=bindparam("id"), driver_part=b"", labels=b"").inline())
_NUMBER = statement(select(storages.c.no).where(storages.c.id == bindparam("id")))
_DELETE = statement(update(storages).where(storages.c.id == bindparam("which")).values(deleted_at=1))


async def new_storage(store: Store) -> bytes:
    """The id of a new storage."""
    storage_id = os.urandom(16)
    await store.write(lambda connection: connection.run(_ADD, (storage_id,)))
    return storage_id


async def number_of(store: Store, storage_id: bytes) -> int:
    """The storage's number."""
    number: int = await store.read(lambda connection: connection.value(_NUMBER, (storage_id,)))
    return number


async def mark_deleted(store: Store, storage_id: bytes) -> None:
    """The storage is being removed from now on."""
    await store.write(lambda connection: connection.run(_DELETE, (storage_id,)))


def batches(items: Sequence[Message], *, complete: bool = True, size: int = 3) -> list[bytes]:
    """The items as a driver sends them, a few a message."""
    found: list[bytes] = []
    for begin in range(0, max(len(items), 1), size):
        chunk = items[begin : begin + size]
        response = storage_driver_pb2.ListVolumesResponse()
        data = b"".join(
            b"\x0a" + _varint(len(content)) + content
            for content in (item.SerializeToString(deterministic=True) for item in chunk)
        )
        response.complete = complete and begin + size >= len(items)
        found.append(data + response.SerializeToString())
    return found


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


async def streamed(parts: Iterable[bytes], error: CallError | None = None) -> AsyncIterator[bytes]:
    """The parts as a stream, which may end in an error."""
    for part in parts:
        yield part
    if error is not None:
        raise error


@dataclass
class Array:
    """A storage in a store, synced with what a test gives."""

    store: Store
    id: bytes
    kind: str = "volume"
    now: int = START
    seen: dict[int, int] = field(default_factory=dict[int, int])

    @classmethod
    async def new(cls, store: Store, kind: str = "volume") -> Array:
        """An array of a new storage."""
        return cls(store, await new_storage(store), kind)

    async def sync(
        self,
        items: Sequence[Message] = (),
        *,
        complete: bool = True,
        error: CallError | None = None,
        raw: list[bytes] | None = None,
        later: int = 1_000_000,
        **options: Any,
    ) -> KindResult:
        """Syncs the kind; time goes on by `later` microseconds."""
        self.now += later
        parts = raw if raw is not None else batches(items, complete=complete)
        return await sync_kind(self.store, self.id, self.kind, streamed(parts, error), now=self.now, **options)

    async def rows(self) -> dict[str, Any]:
        """The stored messages by native id."""
        kind = KINDS[self.kind]
        number = await number_of(self.store, self.id)
        query = statement(
            select(kind.table.c.native_id, kind.table.c.body, kind.table.c.id, kind.table.c.missing, kind.table.c.name)
            .where(kind.table.c.storage_no == bindparam("number"))
            .order_by(kind.table.c.seq)
        )
        found: dict[str, Any] = {}
        for native_id, body, id_, missing, name in await self.store.scan(lambda c: c.all(query, (number,))):
            stored: Any = kind.message.FromString(message(body))
            # What columns say and what the message says is the same.
            assert getattr(stored, kind.native_field) == native_id
            assert stored.name == name
            assert stored.id.replace("-", "") == id_.hex()
            assert stored.missing == bool(missing)
            found[native_id] = stored
        return found

    async def changes(self) -> list[change_pb2.Change]:
        """The changes since the last call."""
        number = await number_of(self.store, self.id)

        def read(connection: Connection) -> Any:
            return changes_after(connection, self.seen or oldest(connection), 1_000_000, storage_no=number)

        found = await self.store.scan(read)
        self.seen = found.vector
        return list(change_pb2.ListChangesResponse.FromString(b"".join(found.parts)).changes)

    async def change_names(self) -> list[str]:
        """The changes since the last call, as `TYPE native_id`."""
        return [
            f"{change_pb2.ChangeType.Name(change.type).removeprefix('CHANGE_TYPE_')} {change.native_id}".strip()
            for change in await self.changes()
        ]
