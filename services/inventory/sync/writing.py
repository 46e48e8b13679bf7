"""Writing what an answer changed: one transaction a kind, in chunks that let other threads have their turn.

A large kind that has no rows yet is written in parts, a transaction each, between which other writers have theirs.
Until the last part it is what a kind is whose answer was not complete: not loaded. So whatever happens between two
parts, the next sync adds what is missing, and tells of the load once.

A `KindWriter` is made for one run of a transaction and thrown away, so that the run may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.inventory.changes import recording
from services.inventory.changes.recording import ChangeLog
from services.inventory.sync import states
from services.inventory.sync.absent import Absent
from services.inventory.sync.body import BodyMaker
from services.inventory.sync.changed_rows import ChangedRows, Known
from services.inventory.sync.items import Item, Items, Reader, together
from services.inventory.sync.members import Members
from services.inventory.sync.new_rows import NewRows
from services.inventory.sync.reading import Answer
from services.inventory.sync.removal import Answer as Loss
from services.inventory.sync.removal import Suspicion, Verdict, judge
from services.inventory.sync.result import OK, PARTIAL, SUSPICIOUS, KindMoved, KindResult, StorageGone
from services.inventory.sync.rows import rows_of
from services.inventory.sync.target import Carried, Tally, Target
from services.inventory.sync.tombstones import Tombstones
from services.store.connection import Connection
from services.store.wire import id_text

WHOLE_ROWS = 10_000
"""A first load of so many rows is one transaction all the same."""
PART_ROWS = 5000
"""Rows of a part of a larger one: 0.1 to 0.4 s of work, for which a small write waits at most. Smaller parts would
write the pages of scattered indexes again and again."""
COPY_ROWS = 4000
"""Rows that PostgreSQL gets at once; SQLite gets them as they come, a chunk at a time."""


def write_kind(connection: Connection, target: Target, answer: Answer, carried: Carried | None = None) -> KindResult:
    """Writes the difference, or the rest of it, and says how the kind's sync ended.

    Raises:
        StorageGone: the storage is being removed.
        KindMoved: the kind was written since its digests were read.
    """
    _check(connection, target)
    return KindWriter(connection, target, answer, carried).write()


def write_same(connection: Connection, target: Target, answer: Answer) -> KindResult:
    """Writes that the answer is the one that the rows are. Raises as `write_kind`."""
    _check(connection, target)
    before = target.before
    result = KindResult(
        kind=target.kind.name,
        outcome=OK,
        total=before.total,
        warnings=tuple(answer.warnings),
        started_at=target.started_at,
        ended_at=target.now,
        last_success_at=target.now,
    )
    states.write(connection, before.storage_no, result, generation=before.generation, loaded=True, answer=before.answer)
    return result


def write_part(connection: Connection, target: Target, answer: Answer, carried: Carried) -> Carried:
    """Writes the next part of a first load. Raises as `write_kind`.

    Returns:
        What is added to `carried` by it: `seen` are the part's own.
    """
    _check(connection, target)
    return KindWriter(connection, target, answer, carried).write_part()


def _check(connection: Connection, target: Target) -> None:
    if target.guard is not None:
        target.guard(connection)
    if not states.lock_storage(connection, target.before.storage_no):
        raise StorageGone
    now = states.read(connection, target.storage_id, target.kind.name)
    if now is None or now.generation != target.before.generation:
        raise KindMoved


class KindWriter:
    """One run of the transaction that writes a kind, or a part of it."""

    def __init__(self, connection: Connection, target: Target, answer: Answer, carried: Carried | None = None) -> None:
        kind = target.kind
        carried = carried or Carried()
        self._connection = connection
        self._target = target
        self._answer = answer
        self._kind = kind
        self._no = target.before.storage_no
        self._tally = Tally(
            added=carried.added,
            written=carried.written,
            duplicates=carried.duplicates,
            unreadable=carried.unreadable,
            warnings=list(carried.warnings or answer.warnings),
        )
        self._log = ChangeLog(connection, self._no, target.storage_id, target.now)
        log = self._log if target.before.loaded else None
        rows, bodies = rows_of(kind.name), BodyMaker(target.storage_id)
        self._members = Members(connection, self._no, kind)
        tombstones = Tombstones(connection, self._no, kind.name, target.now)
        self._absent = Absent(connection, kind, log, tombstones, self._members)
        self._new = NewRows(connection, target, rows, bodies, tombstones, self._members, log, self._tally)
        self._rows = ChangedRows(connection, target, rows, bodies, self._members, log, self._tally)
        self._reader = Reader(kind, self._tally, self._is_stored)
        self._batch = 0 if connection.dialect == "sqlite" else COPY_ROWS
        # What no item had, by number of the row; by digest only as long as items may have it after all.
        self._by_digest = dict(answer.unmatched)
        self._unmatched = set(answer.unmatched.values())
        self._position: dict[int, int] | None = None
        self._begin = carried.items
        self._seen: set[str] = set()
        self._seen_before = carried.seen
        self._renamed: list[Item] = []

    def write(self) -> KindResult:
        """Writes all of it, or all that is left."""
        self._write_items(None)
        self._rename()
        self._flush(0)
        verdict, suspicion = self._settle_missing()
        return self._finish(verdict, suspicion)

    def write_part(self) -> Carried:
        """Writes the next `PART_ROWS` items of a first load, and that the kind is not loaded yet."""
        end = self._begin + PART_ROWS
        self._write_items(end)
        self._flush(0)
        target, tally = self._target, self._tally
        unfinished = KindResult(
            kind=self._kind.name,
            outcome=PARTIAL,
            total=tally.added,
            added=tally.added,
            error_msg="Its first load was not brought to an end; the next sync does that.",
            warnings=tuple(tally.warnings),
            started_at=target.started_at,
            ended_at=target.now,
        )
        states.write(self._connection, self._no, unfinished, generation=target.before.generation + 1, loaded=False)
        return Carried(
            items=end,
            seen=self._seen,
            added=tally.added,
            written=tally.written,
            duplicates=tally.duplicates,
            unreadable=tally.unreadable,
            warnings=tuple(tally.warnings),
        )

    def _write_items(self, end: int | None) -> None:
        for items, numbers in self._answer.spool.chunks(self._begin, end):
            self._write_chunk(self._reader.read(items, numbers))
            self._flush(self._batch)

    def _flush(self, above: int) -> None:
        self._new.flush(above)
        self._rows.flush(above)
        self._members.flush(above)

    def _is_stored(self, digest: bytes) -> bool:
        """Whether a row that no item had is the one with this digest; then it is one no more."""
        seq = self._by_digest.pop(digest, None)
        if seq is None or seq not in self._unmatched:
            return False
        self._unmatched.discard(seq)
        if seq in self._target.flagged:
            self._tally.changed += self._absent.found_again([seq])
        return True

    # -- what came ------------------------------------------------------------------------------------------------

    def _write_chunk(self, items: Items) -> None:
        if not self._target.stored and self._are_first(items.native_ids):
            self._new.insert(items)
            return
        known = self._rows.known(items.native_ids) if self._target.stored else {}
        fresh: list[Item] = []
        changed: list[tuple[Item, Known]] = []
        for item in items.each():
            if item.native_id in self._seen or item.native_id in self._seen_before:
                self._duplicate(item)
                continue
            row = known.get(item.native_id)
            if row is None:
                self._seen.add(item.native_id)
                # A row may be its own under another native id: that is known once all have come.
                (self._renamed if self._target.stored and item.part.previous_native_ids else fresh).append(item)
            elif row.seq in self._unmatched or self._came_first(item, row):
                self._seen.add(item.native_id)
                self._unmatched.discard(row.seq)
                changed.append((item, row))
            else:
                self._duplicate(item)
        self._update(changed)
        self._new.insert(together(fresh))

    def _are_first(self, native_ids: Sequence[str]) -> bool:
        """Notes native ids, unless one of them came before."""
        found = set(native_ids)
        if len(found) != len(native_ids) or not found.isdisjoint(self._seen) or not found.isdisjoint(self._seen_before):
            return False
        self._seen |= found
        return True

    def _came_first(self, item: Item, row: Known) -> bool:
        """Of two items with the same native id, one of them stored as it came, whether this one came before that."""
        if self._position is None:
            self._position = {seq: place for place, seq in enumerate(self._answer.matched)}
        place = self._position.get(row.seq)
        if place is None or place < item.number:
            return False
        self._duplicate(item)
        return True

    def _duplicate(self, item: Item) -> None:
        self._tally.duplicates += 1
        self._tally.warn(f"The driver sent {item.native_id!r} more than once; the first is kept.")

    def _update(self, pairs: Iterable[tuple[Item, Known]]) -> None:
        same: list[tuple[Item, Known]] = []
        for item, row in pairs:
            if self._rows.is_another(item, row):
                self._replace(item, row)
            else:
                same.append((item, row))
        self._rows.update(same)

    def _replace(self, item: Item, row: Known) -> None:
        self._flush(0)
        self._absent.delete([row.seq], log=False)
        self._tally.removed += 1
        self._new.insert(together([item]), {item.native_id: id_text(row.id)})

    def _rename(self) -> None:
        """Items with a new native id that name the one they had: they keep the row, unless it came too."""
        for begin in range(0, len(self._renamed), 100):
            chunk = [(item, list(item.part.previous_native_ids[:10])) for item in self._renamed[begin : begin + 100]]
            self._flush(0)
            known = self._rows.known(previous for _, names in chunk for previous in names)
            fresh: list[Item] = []
            renamed: list[tuple[Item, Known]] = []
            for item, names in chunk:
                rows = (known.get(name) for name in names)
                row = next((row for row in rows if row is not None and row.seq in self._unmatched), None)
                if row is None or self._rows.is_another(item, row):
                    fresh.append(item)
                else:
                    self._unmatched.discard(row.seq)
                    renamed.append((item, row))
            self._update(renamed)
            self._new.insert(together(fresh))

    # -- what is missing ------------------------------------------------------------------------------------------

    def _settle_missing(self) -> tuple[Verdict, Suspicion]:
        before = self._target.before
        flagged = self._target.flagged
        if flagged:
            self._tally.changed += self._absent.found_again([seq for seq in self._answer.matched if seq in flagged])
        loss = Loss(
            complete=self._answer.complete and not self._tally.unreadable,
            items=self._answer.items,
            stored=self._target.stored,
            missing=len(self._unmatched),
            array_troubled=self._target.troubled,
        )
        verdict, suspicion = judge(loss, Suspicion(before.missing_answers, before.missing_since), self._target.now)
        if verdict is Verdict.REMOVE:
            self._absent.delete(sorted(self._unmatched))
            self._tally.removed += len(self._unmatched)
            self._unmatched = set()
        elif verdict is Verdict.KEEP:
            self._absent.flag(sorted(self._unmatched - flagged))
        return verdict, suspicion

    # -- the end --------------------------------------------------------------------------------------------------

    def _finish(self, verdict: Verdict, suspicion: Suspicion) -> KindResult:
        target, before = self._target, self._target.before
        complete = self._answer.complete and not self._tally.unreadable
        outcome = OK if complete and not self._tally.duplicates else PARTIAL
        if verdict is Verdict.KEEP:
            outcome = SUSPICIOUS
        if verdict is Verdict.NOTHING and not complete:
            missing = len(self._unmatched & target.flagged)
        else:
            missing = len(self._unmatched)
        total = target.stored + self._tally.added - self._tally.removed
        if complete and not before.loaded:
            self._log.add(recording.LOADED, self._kind.name, count=total)
        self._log.flush()
        written = self._tally.written + self._absent.written
        result = KindResult(
            kind=self._kind.name,
            outcome=outcome,
            total=total,
            added=self._tally.added,
            changed=self._tally.changed,
            removed=self._tally.removed,
            missing=missing,
            missing_answers=suspicion.answers,
            missing_since=suspicion.since,
            error_msg=self._what_is_wrong(verdict, missing),
            warnings=tuple(self._tally.warnings),
            started_at=target.started_at,
            ended_at=target.now,
            last_success_at=target.now if outcome == OK else before.last_success_at,
            written=written,
        )
        generation = before.generation + (1 if written else 0)
        # Nothing is missing, nothing came twice: the rows are this answer, and nothing else.
        same = self._answer.digest if outcome == OK and not missing else ""
        states.write(
            self._connection,
            self._no,
            result,
            generation=generation,
            loaded=before.loaded or complete,
            answer=same,
        )
        return result

    def _what_is_wrong(self, verdict: Verdict, missing: int) -> str:
        if verdict is Verdict.KEEP:
            return (
                f"The array's answer lacks {missing} of {self._target.stored}; they are kept until three answers over "
                "an hour lack them, or until an operator accepts their removal."
            )
        if self._tally.unreadable:
            return f"{self._tally.unreadable} of the driver's items can't be read; nothing was removed."
        if not self._answer.complete:
            return "The driver's answer is not complete; nothing was removed."
        if self._tally.duplicates:
            return f"{self._tally.duplicates} of the driver's items have a native id that came before."
        return ""
