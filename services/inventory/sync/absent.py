"""Rows that an answer lacked: deleted with a tombstone, or marked as missing until more is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from services.inventory.changes import recording
from services.inventory.changes.recording import ChangeLog
from services.inventory.kinds import Kind
from services.inventory.sync.body import with_missing
from services.inventory.sync.members import Members
from services.inventory.sync.rows import rows_of
from services.inventory.sync.tombstones import Tombstone, Tombstones
from services.store.connection import Connection, Row
from services.store.wire import id_text

_CHUNK = 200


class Absent:
    """What happens to rows of one kind that an answer lacked, in one transaction."""

    def __init__(
        self, connection: Connection, kind: Kind, log: ChangeLog | None, tombstones: Tombstones, members: Members
    ) -> None:
        """Without a `log` nothing is reported: the kind was not read completely yet."""
        self.written = 0
        """Rows deleted or written."""
        self._connection = connection
        self._kind = kind
        self._rows = rows_of(kind.name)
        self._log = log
        self._tombstones = tombstones
        self._members = members

    def delete(self, seqs: Sequence[int], *, log: bool = True) -> None:
        """Deletes rows, leaving tombstones."""
        for begin in range(0, len(seqs), _CHUNK):
            chunk = seqs[begin : begin + _CHUNK]
            graves: list[Tombstone] = []
            for seq, id_, native_id, name, identity in self._connection.all(self._rows.for_removal, (chunk,)):
                graves.append(Tombstone(seq, native_id, identity if self._kind.identity_field else "", id_, name))
                self._members.remove(native_id)
                if log and self._log is not None:
                    self._log.add(recording.REMOVED, self._kind.name, id_=id_text(id_), native_id=native_id, name=name)
            self._tombstones.bury(graves)
            self._connection.run(self._rows.delete, (chunk,))
            self._members.flush(0)
            self.written += len(graves)

    def flag(self, seqs: Sequence[int]) -> None:
        """Marks rows as missing."""
        for _, id_, native_id, name, *_ in self._set_flag(seqs, missing=True):
            if self._log is not None:
                self._log.add(recording.MISSING, self._kind.name, id_=id_text(id_), native_id=native_id, name=name)

    def found_again(self, seqs: Sequence[int]) -> int:
        """Takes the mark from rows that have it; how many those were."""
        count = 0
        for _, id_, native_id, name, *_ in self._set_flag(seqs, missing=False):
            count += 1
            if self._log is not None:
                self._log.add(
                    recording.CHANGED,
                    self._kind.name,
                    id_=id_text(id_),
                    native_id=native_id,
                    name=name,
                    fields=("missing",),
                )
        return count

    def _set_flag(self, seqs: Sequence[int], *, missing: bool) -> Iterator[Row]:
        for begin in range(0, len(seqs), _CHUNK):
            rows = self._connection.all(self._rows.for_flag, (seqs[begin : begin + _CHUNK],))
            rows = [row for row in rows if row[5] != missing]
            self._connection.many(
                self._rows.set_flag, [(int(missing), with_missing(row[4], missing), row[0]) for row in rows]
            )
            self.written += len(rows)
            yield from rows
