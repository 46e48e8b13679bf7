"""Rows that are stored and whose items came otherwise: what differs, and how the row is written anew."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from services.inventory.changes import recording
from services.inventory.changes.recording import ChangeLog
from services.inventory.sync.body import BodyMaker, core_id
from services.inventory.sync.items import Item, together
from services.inventory.sync.members import Members
from services.inventory.sync.rows import KindRows
from services.inventory.sync.target import Tally, Target
from services.inventory.sync.wire import driver_parts
from services.store.columns import clean
from services.store.connection import Connection, Row


class Known(NamedTuple):
    """A row that is stored."""

    native_id: str
    seq: int
    id: bytes
    missing: int
    updated_at: int
    identity: str
    body: bytes


class ChangedRows:
    """What is updated in one transaction."""

    def __init__(
        self,
        connection: Connection,
        target: Target,
        rows: KindRows,
        bodies: BodyMaker,
        members: Members,
        log: ChangeLog | None,
        tally: Tally,
    ) -> None:
        """Without a `log` nothing is reported: the kind was not read completely yet."""
        self._connection = connection
        self._target = target
        self._kind = target.kind
        self._rows = rows
        self._bodies = bodies
        self._members = members
        self._log = log
        self._tally = tally
        # By whether values that are in an index may differ.
        self._waiting: dict[bool, list[Row]] = {False: [], True: []}

    def known(self, native_ids: Iterable[str]) -> dict[str, Known]:
        """The rows that are stored under some native ids."""
        wanted = {"storage_no": self._target.before.storage_no, "native_ids": list(dict.fromkeys(native_ids))}
        return {row[0]: Known(*row) for row in self._connection.all(self._rows.by_native, wanted)}

    def is_another(self, item: Item, row: Known) -> bool:
        """Whether the identities say that item and row are two things."""
        if self._kind.identity_field is None or not row.identity:
            return False
        identity = getattr(item.part, self._kind.identity_field)
        return bool(identity) and identity != row.identity and clean(identity) != row.identity

    def update(self, pairs: list[tuple[Item, Known]]) -> None:
        """Notes what differs between items and rows, and writes the rows anew."""
        if not pairs:
            return
        stored = [self._bodies.parts(row.body) for _, row in pairs]
        before = driver_parts(self._kind.name, [part for part, _ in stored]).items
        waiting: dict[bool, list[Any]] = {False: [], True: []}
        for (item, row), old, (_, core) in zip(pairs, before, stored, strict=True):
            fields = self._changed_fields(item, row, old, core)
            # Without a difference the row is written for its bytes alone: another runtime, another schema.
            updated_at = self._target.now if fields else row.updated_at
            # A new schema may have columns that the old row lacks.
            indexed = not fields or not self._kind.indexed_fields.isdisjoint(fields)
            body = self._bodies.renewed(item.content, core, updated_at)
            waiting[indexed].append((item, row.seq, row.id, updated_at, body))
        for indexed, found in waiting.items():
            if found:
                self._waiting[indexed] += self._rows_of(*zip(*found, strict=True))

    def _rows_of(
        self,
        items: tuple[Item, ...],
        seqs: Iterable[int],
        ids: Iterable[bytes],
        updated: Iterable[int],
        bodies: Iterable[bytes],
    ) -> Iterable[Row]:
        columns = together(items)
        numbers, missing = [self._target.before.storage_no] * len(items), [0] * len(items)
        values = self._rows.values(columns.parts)
        return zip(
            seqs, numbers, columns.digests, ids, columns.native_ids, *values, updated, missing, bodies, strict=True
        )

    def _changed_fields(self, item: Item, row: Known, old: Any, core: bytes) -> list[str]:
        """What differs between item and row, which is noted."""
        fields = self._rows.difference.fields(old, item.part)
        if row.missing:
            fields.append("missing")
        if self._members.any and (not fields or self._members.touched_by(fields) or row.native_id != item.native_id):
            self._members.replace(row.native_id, item.native_id, item.part)
        if fields:
            self._tally.changed += 1
        if fields and self._log is not None:
            self._log.add(
                recording.CHANGED,
                self._kind.name,
                id_=core_id(core),
                native_id=item.native_id,
                name=item.part.name,
                fields=fields,
            )
        return fields

    def flush(self, above: int) -> None:
        """Writes rows that wait, where there are more than `above`."""
        for indexed, rows in self._waiting.items():
            if len(rows) > above:
                self._rows.update(self._connection, rows, indexed=indexed)
                self._tally.written += len(rows)
                self._waiting[indexed] = []
