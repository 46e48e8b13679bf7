"""Writing what an answer changed: one transaction a kind, in chunks that let other threads have their turn.

A large kind that has no rows yet is written in parts, a transaction each, between which other writers have theirs.
Until the last part it is what a kind is whose answer was not complete: not loaded. So whatever happens between two
parts, the next sync adds what is missing, and tells of the load once.

A `KindWriter` is made for one run of a transaction and thrown away, so that the run may be repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, NamedTuple

import xxhash
from google.protobuf.message import DecodeError

from services.inventory.changes import recording
from services.inventory.changes.recording import ChangeLog
from services.inventory.kinds import Kind
from services.inventory.sync import states
from services.inventory.sync.absent import Absent
from services.inventory.sync.body import BodyMaker, core_id
from services.inventory.sync.members import Members
from services.inventory.sync.reading import Answer
from services.inventory.sync.removal import Answer as Loss
from services.inventory.sync.removal import Suspicion, Verdict, judge
from services.inventory.sync.result import (
    MAX_WARNINGS,
    OK,
    PARTIAL,
    SUSPICIOUS,
    Guard,
    KindMoved,
    KindResult,
    StorageGone,
)
from services.inventory.sync.rows import MAX_NATIVE_ID, rows_of
from services.inventory.sync.tombstones import Tombstone, Tombstones
from services.inventory.sync.wire import canonical, driver_parts
from services.store.columns import clean
from services.store.connection import Connection, Row
from services.store.minting import mint
from services.store.wire import id_text

WHOLE_ROWS = 10_000
"""A first load of so many rows is one transaction all the same."""
PART_ROWS = 5000
"""Rows of a part of a larger one: 0.1 to 0.4 s of work, for which a small write waits at most. Smaller parts would
write the pages of scattered indexes again and again."""
COPY_ROWS = 4000
"""Rows that PostgreSQL gets at once; SQLite gets them as they come, a chunk at a time."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whose kind is written, and on what grounds."""

    kind: Kind
    storage_id: bytes
    before: states.StoredKind
    stored: int
    """Rows that the kind had when its digests were read."""
    flagged: frozenset[int]
    """Numbers of rows that are marked missing."""
    troubled: bool
    """The array says of itself that it is offline or abnormal."""
    started_at: int
    now: int
    guard: Guard | None


@dataclass(frozen=True, slots=True)
class Carried:
    """What the parts of a first load that are committed have come to."""

    items: int = 0
    seen: set[str] = field(default_factory=set[str])
    """Their native ids."""
    added: int = 0
    written: int = 0
    duplicates: int = 0
    unreadable: int = 0
    warnings: tuple[str, ...] = ()


class _Item(NamedTuple):
    """A resource as it came, parsed."""

    part: Any
    content: bytes
    digest: bytes
    native_id: str
    number: int


class _Known(NamedTuple):
    """A row that is stored."""

    native_id: str
    seq: int
    id: bytes
    missing: int
    updated_at: int
    identity: str
    body: bytes


def write_kind(connection: Connection, target: Target, answer: Answer, carried: Carried | None = None) -> KindResult:
    """Writes the difference, or the rest of it, and says how the kind's sync ended.

    Raises:
        StorageGone: the storage is being removed.
        KindMoved: the kind was written since its digests were read.
    """
    _check(connection, target)
    return KindWriter(connection, target, answer, carried).write()


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


def _is_native_id(text: str) -> bool:
    return 0 < len(text) <= MAX_NATIVE_ID and "\0" not in text


def _are_native_ids(texts: list[str]) -> bool:
    return all(texts) and max(map(len, texts)) <= MAX_NATIVE_ID and "\0" not in "".join(texts)


class KindWriter:
    """One run of the transaction that writes a kind, or a part of it."""

    def __init__(self, connection: Connection, target: Target, answer: Answer, carried: Carried | None = None) -> None:
        kind = target.kind
        carried = carried or Carried()
        self._connection = connection
        self._target = target
        self._answer = answer
        self._kind = kind
        self._rows = rows_of(kind.name)
        self._difference = self._rows.difference
        self._identity = kind.identity_field
        self._native_id = attrgetter(kind.native_field)
        self._bodies = BodyMaker(target.storage_id)
        self._no = target.before.storage_no
        self._events = target.before.loaded
        self._log = ChangeLog(connection, self._no, target.storage_id, target.now)
        self._tombstones = Tombstones(connection, self._no, kind.name, target.now)
        self._members = Members(connection, self._no, kind)
        self._absent = Absent(connection, kind, self._log if self._events else None, self._tombstones, self._members)
        self._batch = 0 if connection.dialect == "sqlite" else COPY_ROWS
        # What no item had, by number of the row; by digest only as long as items may have it after all.
        self._by_digest = dict(answer.unmatched)
        self._unmatched = set(answer.unmatched.values())
        self._position: dict[int, int] | None = None
        self._begin = carried.items
        self._seen: set[str] = set()
        self._seen_before = carried.seen
        self._renamed: list[tuple[_Item, list[str]]] = []
        self._inserts: list[Row] = []
        self._updates: dict[bool, list[Row]] = {False: [], True: []}
        self._added, self._written = carried.added, carried.written
        self._changed = self._removed = 0
        self._warnings = list(carried.warnings or answer.warnings)
        self._duplicates, self._unreadable = carried.duplicates, carried.unreadable

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
        target = self._target
        unfinished = KindResult(
            kind=self._kind.name,
            outcome=PARTIAL,
            total=self._added,
            added=self._added,
            error_msg="Its first load was not brought to an end; the next sync does that.",
            warnings=tuple(self._warnings),
            started_at=target.started_at,
            ended_at=target.now,
        )
        states.write(self._connection, self._no, unfinished, generation=target.before.generation + 1, loaded=False)
        return Carried(
            items=end,
            seen=self._seen,
            added=self._added,
            written=self._written,
            duplicates=self._duplicates,
            unreadable=self._unreadable,
            warnings=tuple(self._warnings),
        )

    def _write_items(self, end: int | None) -> None:
        for items, numbers in self._answer.spool.chunks(self._begin, end):
            self._write_chunk(self._parsed(items, numbers))
            self._flush(self._batch)

    # -- what came ------------------------------------------------------------------------------------------------

    def _parsed(self, items: list[bytes], numbers: Sequence[int]) -> list[_Item]:
        """The items that are neither garbage nor stored after all."""
        try:
            whole = driver_parts(self._kind.name, items)
        except DecodeError:
            if len(items) > 1:  # which of them is it?
                pairs = zip(items, numbers, strict=True)
                return [item for data, number in pairs for item in self._parsed([data], [number])]
            self._unreadable += 1
            self._warn("The driver sent an item that is no message of its kind.")
            return []
        parts, contents = list(whole.items), canonical(whole)
        seed = self._kind.seed
        digests = [xxhash.xxh3_128_digest(content, seed) for content in contents]
        native_ids: list[str] = list(map(self._native_id, parts))
        found = list(map(_Item._make, zip(parts, contents, digests, native_ids, numbers, strict=True)))
        if contents == items and _are_native_ids(native_ids):
            return found
        return [item for item, data in zip(found, items, strict=True) if self._is_wanted(item, data)]

    def _is_wanted(self, item: _Item, data: bytes) -> bool:
        if not _is_native_id(item.native_id):
            self._unreadable += 1
            self._warn(f"The driver sent an item whose native id is empty or too long: {item.native_id[:40]!r}.")
            return False
        if item.content != data:
            # Other bytes may mean the same: a map in another order, fields that are the core's.
            seq = self._by_digest.pop(item.digest, None)
            if seq is not None and seq in self._unmatched:
                self._unmatched.discard(seq)
                if seq in self._target.flagged:
                    self._changed += self._absent.found_again([seq])
                return False
        return True

    def _write_chunk(self, items: list[_Item]) -> None:
        known = self._known(item.native_id for item in items) if self._target.stored else {}
        fresh: list[_Item] = []
        changed: list[tuple[_Item, _Known]] = []
        for item in items:
            if item.native_id in self._seen or item.native_id in self._seen_before:
                self._duplicate(item)
                continue
            row = known.get(item.native_id)
            if row is None:
                self._seen.add(item.native_id)
                fresh.append(item)
            elif row.seq in self._unmatched or self._came_first(item, row):
                self._seen.add(item.native_id)
                self._unmatched.discard(row.seq)
                changed.append((item, row))
            else:
                self._duplicate(item)
        self._update(changed)
        if self._target.stored:
            for item in fresh:
                if item.part.previous_native_ids:
                    self._renamed.append((item, list(item.part.previous_native_ids)))
            fresh = [item for item in fresh if not item.part.previous_native_ids]
        self._insert(fresh)

    def _known(self, native_ids: Iterable[str]) -> dict[str, _Known]:
        rows = self._connection.all(
            self._rows.by_native, {"storage_no": self._no, "native_ids": list(dict.fromkeys(native_ids))}
        )
        return {row[0]: _Known(*row) for row in rows}

    def _came_first(self, item: _Item, row: _Known) -> bool:
        """Of two items with the same native id, one of them stored as it came, whether this one came before that."""
        if self._position is None:
            self._position = {seq: place for place, seq in enumerate(self._answer.matched)}
        place = self._position.get(row.seq)
        if place is None or place < item.number:
            return False
        self._duplicate(item)
        return True

    def _duplicate(self, item: _Item) -> None:
        self._duplicates += 1
        self._warn(f"The driver sent {item.native_id!r} more than once; the first is kept.")

    def _warn(self, text: str) -> None:
        if len(self._warnings) < MAX_WARNINGS:
            self._warnings.append(text)

    # -- new and changed rows -------------------------------------------------------------------------------------

    def _insert(self, items: list[_Item], replaced: dict[str, str] | None = None) -> None:
        """Inserts rows; `replaced` are ids of rows that had the same native id and are another thing."""
        if not items:
            return
        graves: dict[str, Tombstone] = {}
        if self._tombstones.any:
            graves = self._tombstones.find([(item.native_id, self._rows.identity(item.part)) for item in items])
        numbers = list(self._connection.sequence.take(self._connection, len(items)))
        texts, ids = map(list, zip(*mint(self._bodies.prefix, numbers), strict=True))
        bodies = self._bodies.bodies([item.content for item in items], texts, numbers)
        updated = [0] * len(items)
        for place, item in enumerate(items) if graves else ():
            grave = graves.get(item.native_id)
            if grave is not None:
                self._tombstones.open(grave)
                numbers[place], ids[place], updated[place] = grave.seq, grave.id, self._target.now
                texts[place] = id_text(grave.id)
                bodies[place] = self._bodies.body(item.content, texts[place], grave.seq, updated[place])
        self._inserts += self._rows_of(items, numbers, ids, updated, bodies)
        if self._members.any:
            for item in items:
                self._members.add(item.native_id, item.part)
        for item, text in zip(items, texts, strict=True) if self._events else ():
            restored = item.native_id in graves
            self._log_insert(item, text, restored=restored, previous=(replaced or {}).get(item.native_id))
        self._added += len(items)

    def _log_insert(self, item: _Item, id_: str, *, restored: bool, previous: str | None) -> None:
        change = recording.RESTORED if restored else recording.ADDED
        if previous is not None:
            change = recording.REPLACED
        self._log.add(
            change,
            self._kind.name,
            id_=id_,
            native_id=item.native_id,
            name=item.part.name,
            previous_id=previous or "",
        )

    def _update(self, pairs: Iterable[tuple[_Item, _Known]]) -> None:
        same: list[tuple[_Item, _Known]] = []
        for item, row in pairs:
            if self._is_another(item, row):
                self._replace(item, row)
            else:
                same.append((item, row))
        stored = [self._bodies.parts(row.body) for _, row in same]
        before = driver_parts(self._kind.name, [part for part, _ in stored]).items
        waiting: dict[bool, list[Any]] = {False: [], True: []}
        for (item, row), old, (_, core) in zip(same, before, stored, strict=True):
            fields = self._changed_fields(item, row, old, core)
            # Without a difference the row is written for its bytes alone: another runtime, another schema.
            updated_at = self._target.now if fields else row.updated_at
            # A new schema may have columns that the old row lacks.
            indexed = not fields or not self._kind.indexed_fields.isdisjoint(fields)
            body = self._bodies.renewed(item.content, core, updated_at)
            waiting[indexed].append((item, row.seq, row.id, updated_at, body))
        for indexed, found in waiting.items():
            if found:
                self._updates[indexed] += self._rows_of(*zip(*found, strict=True))

    def _replace(self, item: _Item, row: _Known) -> None:
        self._flush(0)
        self._absent.delete([row.seq], log=False)
        self._removed += 1
        self._insert([item], {item.native_id: id_text(row.id)})

    def _changed_fields(self, item: _Item, row: _Known, old: Any, core: bytes) -> list[str]:
        """What differs between item and row, which is noted."""
        fields = self._difference.fields(old, item.part)
        if row.missing:
            fields.append("missing")
        if self._members.any and (not fields or self._members.touched_by(fields) or row.native_id != item.native_id):
            self._members.replace(row.native_id, item.native_id, item.part)
        if fields:
            self._changed += 1
        if fields and self._events:
            self._log.add(
                recording.CHANGED,
                self._kind.name,
                id_=core_id(core),
                native_id=item.native_id,
                name=item.part.name,
                fields=fields,
            )
        return fields

    def _is_another(self, item: _Item, row: _Known) -> bool:
        """Whether the identities say that item and row are two things."""
        if self._identity is None or not row.identity:
            return False
        identity = getattr(item.part, self._identity)
        return bool(identity) and identity != row.identity and clean(identity) != row.identity

    def _rows_of(
        self,
        items: Sequence[_Item],
        numbers: Iterable[int],
        ids: Iterable[bytes],
        updated: Iterable[int],
        bodies: Iterable[bytes],
    ) -> list[Row]:
        no = self._no
        values = self._rows.values([item.part for item in items])
        return [
            (seq, no, item.digest, id_, item.native_id, *columns, updated_at, 0, body)
            for item, seq, id_, columns, updated_at, body in zip(
                items, numbers, ids, values, updated, bodies, strict=True
            )
        ]

    def _rename(self) -> None:
        """Items with a new native id that name the one they had: they keep the row, unless it came too."""
        for begin in range(0, len(self._renamed), 100):
            chunk = self._renamed[begin : begin + 100]
            self._flush(0)
            known = self._known(previous for _, names in chunk for previous in names[:10])
            fresh: list[_Item] = []
            renamed: list[tuple[_Item, _Known]] = []
            for item, names in chunk:
                rows = (known.get(name) for name in names[:10])
                row = next((row for row in rows if row is not None and row.seq in self._unmatched), None)
                if row is None or self._is_another(item, row):
                    fresh.append(item)
                else:
                    self._unmatched.discard(row.seq)
                    renamed.append((item, row))
            self._update(renamed)
            self._insert(fresh)

    def _flush(self, above: int) -> None:
        """Writes rows that wait, where there are more than `above`."""
        if len(self._inserts) > above:
            self._rows.insert(self._connection, self._inserts)
            self._written += len(self._inserts)
            self._inserts = []
        for indexed, rows in self._updates.items():
            if len(rows) > above:
                self._rows.update(self._connection, rows, indexed=indexed)
                self._written += len(rows)
                self._updates[indexed] = []
        self._members.flush(above)

    # -- what is missing ------------------------------------------------------------------------------------------

    def _settle_missing(self) -> tuple[Verdict, Suspicion]:
        before = self._target.before
        flagged = self._target.flagged
        if flagged:
            self._changed += self._absent.found_again([seq for seq in self._answer.matched if seq in flagged])
        loss = Loss(
            complete=self._answer.complete and not self._unreadable,
            items=self._answer.items,
            stored=self._target.stored,
            missing=len(self._unmatched),
            array_troubled=self._target.troubled,
        )
        verdict, suspicion = judge(loss, Suspicion(before.missing_answers, before.missing_since), self._target.now)
        if verdict is Verdict.REMOVE:
            self._absent.delete(sorted(self._unmatched))
            self._removed += len(self._unmatched)
            self._unmatched = set()
        elif verdict is Verdict.KEEP:
            self._absent.flag(sorted(self._unmatched - flagged))
        return verdict, suspicion

    # -- the end --------------------------------------------------------------------------------------------------

    def _finish(self, verdict: Verdict, suspicion: Suspicion) -> KindResult:
        target, before = self._target, self._target.before
        complete = self._answer.complete and not self._unreadable
        outcome = OK if complete and not self._duplicates else PARTIAL
        if verdict is Verdict.KEEP:
            outcome = SUSPICIOUS
        if verdict is Verdict.NOTHING and not complete:
            missing = len(self._unmatched & target.flagged)
        else:
            missing = len(self._unmatched)
        total = target.stored + self._added - self._removed
        if complete and not before.loaded:
            self._log.add(recording.LOADED, self._kind.name, count=total)
        self._log.flush()
        written = self._written + self._absent.written
        result = KindResult(
            kind=self._kind.name,
            outcome=outcome,
            total=total,
            added=self._added,
            changed=self._changed,
            removed=self._removed,
            missing=missing,
            missing_answers=suspicion.answers,
            missing_since=suspicion.since,
            error_msg=self._what_is_wrong(verdict, missing),
            warnings=tuple(self._warnings),
            started_at=target.started_at,
            ended_at=target.now,
            last_success_at=target.now if outcome == OK else before.last_success_at,
            written=written,
        )
        generation = before.generation + (1 if written else 0)
        states.write(self._connection, self._no, result, generation=generation, loaded=before.loaded or complete)
        return result

    def _what_is_wrong(self, verdict: Verdict, missing: int) -> str:
        if verdict is Verdict.KEEP:
            return (
                f"The array's answer lacks {missing} of {self._target.stored}; they are kept until three answers over "
                "an hour lack them, or until an operator accepts their removal."
            )
        if self._unreadable:
            return f"{self._unreadable} of the driver's items can't be read; nothing was removed."
        if not self._answer.complete:
            return "The driver's answer is not complete; nothing was removed."
        if self._duplicates:
            return f"{self._duplicates} of the driver's items have a native id that came before."
        return ""
