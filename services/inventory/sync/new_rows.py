"""Rows for what is new: with a minted id, or with the one it had before it was removed."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import repeat

from services.inventory.changes import recording
from services.inventory.changes.recording import ChangeLog
from services.inventory.sync.body import BodyMaker
from services.inventory.sync.items import Items
from services.inventory.sync.members import Members
from services.inventory.sync.rows import KindRows
from services.inventory.sync.target import Tally, Target
from services.inventory.sync.tombstones import Tombstone, Tombstones
from services.store.connection import Connection, Row
from services.store.minting import mint
from services.store.wire import id_text


class NewRows:
    """What is inserted in one transaction."""

    def __init__(
        self,
        connection: Connection,
        target: Target,
        rows: KindRows,
        bodies: BodyMaker,
        tombstones: Tombstones,
        members: Members,
        log: ChangeLog | None,
        tally: Tally,
    ) -> None:
        """Without a `log` nothing is reported: the kind was not read completely yet."""
        self._connection = connection
        self._kind = target.kind.name
        self._no = target.before.storage_no
        self._now = target.now
        self._rows = rows
        self._bodies = bodies
        self._tombstones = tombstones
        self._members = members
        self._log = log
        self._tally = tally
        self._waiting: list[Row] = []

    def insert(self, items: Items, replaced: Mapping[str, str] | None = None) -> None:
        """Makes rows; `replaced` are ids of rows that had the same native id and are another thing."""
        if not len(items):
            return
        graves: dict[str, Tombstone] = {}
        if self._tombstones.any:
            identities = map(self._rows.identity, items.parts)
            graves = self._tombstones.find(list(zip(items.native_ids, identities, strict=True)))
        numbers = list(self._connection.sequence.take(self._connection, len(items)))
        texts, ids = map(list, zip(*mint(self._bodies.prefix, numbers), strict=True))
        bodies = self._bodies.bodies(items.contents, texts, numbers)
        updated = [0] * len(items)
        for place, native_id in enumerate(items.native_ids) if graves else ():
            grave = graves.get(native_id)
            if grave is not None:
                self._tombstones.open(grave)
                numbers[place], ids[place], updated[place] = grave.seq, grave.id, self._now
                texts[place] = id_text(grave.id)
                bodies[place] = self._bodies.body(items.contents[place], texts[place], grave.seq, self._now)
        self._waiting += zip(
            numbers,
            repeat(self._no, len(items)),
            items.digests,
            ids,
            items.native_ids,
            *self._rows.values(items.parts),
            updated,
            repeat(0, len(items)),
            bodies,
            strict=True,
        )
        if self._members.any:
            for native_id, part in zip(items.native_ids, items.parts, strict=True):
                self._members.add(native_id, part)
        if self._log is not None:
            self._report(self._log, items, texts, graves, replaced or {})
        self._tally.added += len(items)

    def _report(
        self,
        log: ChangeLog,
        items: Items,
        ids: list[str],
        graves: Mapping[str, Tombstone],
        replaced: Mapping[str, str],
    ) -> None:
        for native_id, part, id_ in zip(items.native_ids, items.parts, ids, strict=True):
            previous = replaced.get(native_id)
            change = recording.RESTORED if native_id in graves else recording.ADDED
            if previous is not None:
                change = recording.REPLACED
            log.add(change, self._kind, id_=id_, native_id=native_id, name=part.name, previous_id=previous or "")

    def flush(self, above: int) -> None:
        """Writes rows that wait, where there are more than `above`."""
        if len(self._waiting) > above:
            self._rows.insert(self._connection, self._waiting)
            self._tally.written += len(self._waiting)
            self._waiting = []
