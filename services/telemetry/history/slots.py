"""Places of resources among all of their kind of one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import bindparam, delete, func, insert, select, update

from services.store.connection import Connection
from services.store.statement import statement
from services.telemetry.schema.history import slots

Places = NDArray[np.intp]

KEPT_MILLISECONDS = 24 * 3600 * 1000
"""How long there are numbers."""
_AGAIN_MILLISECONDS = 15 * 60 * 1000
"""Those that got no place are counted again this often."""

_OF_KIND = statement(
    select(slots.c.native_id, slots.c.slot, slots.c.gone_at).where(
        slots.c.storage_id == bindparam("storage_id"), slots.c.kind == bindparam("kind")
    )
)
_OF_SOME = statement(
    select(slots.c.native_id, slots.c.slot).where(
        slots.c.storage_id == bindparam("storage_id"),
        slots.c.kind == bindparam("kind"),
        slots.c.native_id.in_(bindparam("native_ids", expanding=True)),
    )
)
_NEW = statement(insert(slots))
_FREE = statement(
    delete(slots).where(
        slots.c.storage_id == bindparam("storage_id"),
        slots.c.kind == bindparam("kind"),
        slots.c.native_id == bindparam("native_id"),
    )
)
_MARK = statement(
    update(slots)
    .where(
        slots.c.storage_id == bindparam("of_storage"),
        slots.c.kind == bindparam("of_kind"),
        slots.c.native_id == bindparam("of_resource"),
    )
    .values(gone_at=bindparam("gone_at"))
)
_STORAGE_GONE = statement(delete(slots).where(slots.c.storage_id == bindparam("storage_id")))
_COUNT = statement(select(func.count()).where(slots.c.kind == bindparam("kind")))


@dataclass(slots=True)
class KindSlots:
    """The places of one kind of one array. Never changed: a copy takes its place."""

    of: dict[str, int] = field(default_factory=dict)
    """By native id."""
    gone: dict[str, int] = field(default_factory=dict)
    """Resources that the windows lack, and since when: they keep their places as long as there are numbers of them."""
    last: tuple[str, ...] = ()
    """The resources of the last windows, and"""
    last_places: Places = field(default_factory=lambda: np.zeros(0, np.intp))
    """their slots: most windows have the same ones."""
    full_at: int = 0
    """When some of them got no place, in milliseconds."""

    def places(self, native_ids: tuple[str, ...]) -> Places:
        """The slots of resources; -1 for one that has none."""
        if native_ids == self.last:
            return self.last_places
        return np.array([self.of.get(native_id, -1) for native_id in native_ids], dtype=np.intp)

    def free(self, count: int) -> list[int]:
        """The lowest slots that nobody has."""
        taken = set(self.of.values())
        free: list[int] = []
        slot = 0
        while len(free) < count:
            if slot not in taken:
                free.append(slot)
            slot += 1
        return free


def load(connection: Connection, storage_id: bytes, kind: str) -> KindSlots:
    """The places as they are stored."""
    rows = connection.all(_OF_KIND, {"storage_id": storage_id, "kind": kind})
    gone = {native_id: gone_at for native_id, _, gone_at in rows if gone_at}
    return KindSlots({native_id: slot for native_id, slot, _ in rows}, gone)


def of_some(connection: Connection, storage_id: bytes, kind: str, native_ids: Sequence[str]) -> dict[str, int]:
    """The places of those of the resources that have one."""
    found: dict[str, int] = {}
    for begin in range(0, len(native_ids), 500):
        some = list(native_ids[begin : begin + 500])
        found.update(connection.all(_OF_SOME, {"storage_id": storage_id, "kind": kind, "native_ids": some}))
    return found


def placed(
    connection: Connection,
    known: KindSlots,
    storage_id: bytes,
    kind: str,
    native_ids: tuple[str, ...],
    most: int | None,
    at: int,
) -> KindSlots:
    """The places of the resources of some windows. Where `most` of the kind have one, over all arrays, no other gets
    one.

    `at` is the windows' time, by which places become free of which there are no numbers any more.
    """
    overdue = [native_id for native_id, since in known.gone.items() if since < at - KEPT_MILLISECONDS]
    tried = 0 <= at - known.full_at < _AGAIN_MILLISECONDS
    if known.last == native_ids and not overdue and (tried or (known.last_places >= 0).all()):
        return known
    present = set(native_ids)
    key = {"storage_id": storage_id, "kind": kind}
    freed = [native_id for native_id in overdue if native_id not in present]
    connection.many(_FREE, [{**key, "native_id": native_id} for native_id in freed])
    of, gone = dict(known.of), dict(known.gone)
    for native_id in freed:
        del of[native_id], gone[native_id]
    marks = dict.fromkeys(gone.keys() & present, 0)
    marks.update((native_id, at) for native_id in of.keys() - present - gone.keys())
    connection.many(
        _MARK,
        [
            {"of_storage": storage_id, "of_kind": kind, "of_resource": native_id, "gone_at": gone_at}
            for native_id, gone_at in marks.items()
        ],
    )
    gone = {native_id: gone_at for native_id, gone_at in {**gone, **marks}.items() if gone_at}
    new = [native_id for native_id in native_ids if native_id not in of]
    if new and most is not None:
        new = new[: max(0, most - count(connection, kind))]
    given = KindSlots(of).free(len(new))
    connection.many(
        _NEW,
        [
            {**key, "native_id": native_id, "slot": slot, "gone_at": 0}
            for slot, native_id in zip(given, new, strict=True)
        ],
    )
    of.update(zip(new, given, strict=True))
    placed_now = KindSlots(of, gone)
    return KindSlots(of, gone, native_ids, placed_now.places(native_ids), at)


def forget_storage(connection: Connection, storage_id: bytes) -> None:
    """Frees all places of an array."""
    connection.run(_STORAGE_GONE, {"storage_id": storage_id})


def count(connection: Connection, kind: str) -> int:
    """How many resources of a kind have a place, over all arrays."""
    return int(connection.value(_COUNT, {"kind": kind}))
