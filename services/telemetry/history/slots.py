"""Places of resources among all of their kind of one array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import bindparam, delete, func, insert, select

from services.store.connection import Connection
from services.store.statement import statement
from services.telemetry.schema.history import slots

_OF_KIND = statement(
    select(slots.c.native_id, slots.c.slot).where(
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
_GONE = statement(
    delete(slots).where(
        slots.c.storage_id == bindparam("storage_id"),
        slots.c.kind == bindparam("kind"),
        slots.c.native_id == bindparam("native_id"),
    )
)
_STORAGE_GONE = statement(delete(slots).where(slots.c.storage_id == bindparam("storage_id")))
_COUNT = statement(select(func.count()).where(slots.c.kind == bindparam("kind")))


@dataclass(slots=True)
class KindSlots:
    """The places of one kind of one array. Never changed: a copy takes its place."""

    of: dict[str, int] = field(default_factory=dict)
    """By native id."""
    last: tuple[str, ...] = ()
    """The resources of the last window, and"""
    last_places: NDArray[np.intp] = field(default_factory=lambda: np.zeros(0, np.intp))
    """their slots: most windows have the same ones."""

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
    return KindSlots(dict(connection.all(_OF_KIND, {"storage_id": storage_id, "kind": kind})))


def of_some(connection: Connection, storage_id: bytes, kind: str, native_ids: Sequence[str]) -> dict[str, int]:
    """The places of those of the resources that have one."""
    found: dict[str, int] = {}
    for begin in range(0, len(native_ids), 500):
        some = list(native_ids[begin : begin + 500])
        found.update(connection.all(_OF_SOME, {"storage_id": storage_id, "kind": kind, "native_ids": some}))
    return found


def placed(
    connection: Connection, known: KindSlots, storage_id: bytes, kind: str, native_ids: Sequence[str], room: int
) -> KindSlots:
    """The places of a window's resources, of which at most `room` get one that had none."""
    if known.last == native_ids:
        return known
    new = [native_id for native_id in native_ids if native_id not in known.of][:room]
    of = known.of
    if new:
        given = known.free(len(new))
        rows = [
            {"storage_id": storage_id, "kind": kind, "slot": slot, "native_id": native_id}
            for slot, native_id in zip(given, new, strict=True)
        ]
        connection.many(_NEW, rows)
        of = {**of, **dict(zip(new, given, strict=True))}
    places = np.array([of.get(native_id, -1) for native_id in native_ids], dtype=np.intp)
    return KindSlots(of, tuple(native_ids), places)


def forget(connection: Connection, storage_id: bytes, kind: str, gone: Sequence[str]) -> None:
    """Frees the places of resources."""
    connection.many(_GONE, [{"storage_id": storage_id, "kind": kind, "native_id": one} for one in gone])


def forget_storage(connection: Connection, storage_id: bytes) -> None:
    """Frees all places of an array."""
    connection.run(_STORAGE_GONE, {"storage_id": storage_id})


def count(connection: Connection, kind: str) -> int:
    """How many resources of a kind have a place, over all arrays."""
    return int(connection.value(_COUNT, {"kind": kind}))
