"""The journal: what was collected and waits to be sent, for all sinks that don't lie in the store.

It is written in the transaction that moves the watermarks, so what is collected is in it once, and read by each sink
from that sink's own position on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import bindparam, func, insert, select

from delphis.type.v1 import metric_pb2
from services.store.connection import Connection
from services.store.statement import sql, statement
from services.telemetry.schema.collection import journal
from services.telemetry.schema.sinks import sinks
from services.telemetry.window import Values, Window

GREW = "journal"
"""What a store's `signals` call a commit that adds entries."""
_PART_VALUES = 100_000
"""Values of an entry at most: what a sink has in its hands at once."""
_LENGTH_DELIMITED = 2
_NUMBERS = bytes([metric_pb2.MetricBatch.DESCRIPTOR.fields_by_name["values"].number << 3 | _LENGTH_DELIMITED])

_NEW = statement(
    insert(journal).values(
        storage_id=bindparam("storage_id"),
        kind=bindparam("kind"),
        collected_at=bindparam("collected_at"),
        first=bindparam("first"),
        last=bindparam("last"),
        points=bindparam("points"),
        size=bindparam("size"),
        ending=bindparam("ending"),
        body=bindparam("body"),
    )
)
_ENTRY = (
    journal.c.position,
    journal.c.storage_id,
    journal.c.kind,
    journal.c.collected_at,
    journal.c.points,
    journal.c.body,
)
_SIZES = statement(
    select(journal.c.position, journal.c.size)
    .where(journal.c.position > bindparam("after"))
    .order_by(journal.c.position)
    .limit(bindparam("count"))
)
_BETWEEN = statement(
    select(*_ENTRY)
    .where(journal.c.position > bindparam("after"), journal.c.position <= bindparam("upto"))
    .order_by(journal.c.position)
)
_END = statement(select(func.coalesce(func.max(journal.c.position), 0)))
_SENT = sql(
    sqlite="DELETE FROM journal WHERE position IN "
    "(SELECT position FROM journal WHERE position <= :upto ORDER BY position LIMIT :count)",
    postgresql="DELETE FROM journal WHERE position IN "
    "(SELECT position FROM journal WHERE position <= :upto ORDER BY position LIMIT :count)",
)
_ENDING = statement(select(journal.c.ending).order_by(journal.c.position.desc()).limit(1))
_OUTLINE = (
    journal.c.position,
    journal.c.kind,
    journal.c.collected_at,
    journal.c.first,
    journal.c.last,
    journal.c.points,
    (journal.c.ending - journal.c.size).label("beginning"),
)
_OUTLINES = statement(
    select(*_OUTLINE)
    .where(journal.c.position > bindparam("after"))
    .order_by(journal.c.position)
    .limit(bindparam("count"))
)
_ANY_SINK = statement(select(sinks.c.id).limit(1))


@dataclass(frozen=True, slots=True)
class Entry:
    """Points of one kind of one array."""

    position: int
    storage_id: bytes
    kind: str
    collected_at: int
    points: int
    body: bytes

    def batch(self) -> metric_pb2.MetricBatch:
        """The points."""
        return metric_pb2.MetricBatch.FromString(self.body)


@dataclass(frozen=True, slots=True)
class Outline:
    """What an entry is about, without its points."""

    position: int
    kind: str
    collected_at: int
    first: int
    last: int
    points: int
    beginning: int
    """Bytes of the entries before it, as the journal counts."""


def append(connection: Connection, storage_id: bytes, windows: Sequence[Window], at: int) -> None:
    """Adds windows, large ones in parts of some resources each; nothing where there is no sink."""
    if not windows or connection.one(_ANY_SINK) is None:
        return
    ending = total(connection)
    rows: list[dict[str, object]] = []
    for window in windows:
        width = max(1, _PART_VALUES // (window.steps * len(window.metrics)))
        for low in range(0, len(window.native_ids), width):
            values = window.values[:, :, low : low + width]
            ids = window.native_ids[low : low + width]
            body = _body(window, ids, values)
            ending += len(body)
            rows.append(
                {
                    "storage_id": storage_id,
                    "kind": window.kind,
                    "collected_at": at,
                    "first": window.begin,
                    "last": window.last,
                    "points": int(values.size - np.count_nonzero(np.isnan(values))),
                    "size": len(body),
                    "ending": ending,
                    "body": body,
                }
            )
    connection.many(_NEW, rows)
    connection.signal(GREW)


def _body(window: Window, ids: tuple[str, ...], values: Values) -> bytes:
    """A MetricBatch. The numbers are put behind it as they are: on the wire packed doubles are nothing else."""
    batch = metric_pb2.MetricBatch(kind=window.kind, native_ids=ids, metrics=window.metrics, steps=window.steps)
    batch.start.FromMilliseconds(window.begin)
    batch.step.FromMilliseconds(window.step)
    numbers = values.astype("<f8").tobytes()
    return batch.SerializeToString() + _NUMBERS + _varint(len(numbers)) + numbers


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    parts.append(number)
    return bytes(parts)


def after(connection: Connection, position: int, *, count: int, size: int) -> list[Entry]:
    """The entries behind a position, in order: at most `count`, and beyond the first not more than `size` bytes."""
    upto, read = 0, 0
    for found, length in connection.all(_SIZES, {"after": position, "count": count}):
        read += length
        if upto and read > size:
            break
        upto = found
    rows = connection.all(_BETWEEN, {"after": position, "upto": upto}) if upto else []
    return [Entry(row[0], bytes(row[1]), row[2], row[3], row[4], bytes(row[5])) for row in rows]


def end(connection: Connection) -> int:
    """The position of the newest entry; 0: there is none."""
    return int(connection.value(_END))


def total(connection: Connection) -> int:
    """Bytes up to the newest entry, as the journal counts; 0: there is none."""
    return int(connection.value(_ENDING) or 0)


def outlines(connection: Connection, position: int, *, count: int = 500) -> list[Outline]:
    """What the entries behind a position are about, in order."""
    return [Outline(*row) for row in connection.all(_OUTLINES, {"after": position, "count": count})]


def backlog(connection: Connection, position: int) -> tuple[int, int]:
    """Bytes of the entries behind a position, and when the oldest of them was collected, in microseconds."""
    found = outlines(connection, position, count=1)
    return (total(connection) - found[0].beginning, found[0].collected_at) if found else (0, 0)


def drop(connection: Connection, upto: int, *, count: int = 500) -> bool:
    """Removes entries that every sink has, the oldest first; whether there may be more."""
    return connection.run(_SENT, {"upto": upto, "count": count}) == count
