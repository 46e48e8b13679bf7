"""Finding the changes after a position.

Blocks are read in the order in which they were numbered, which is the order of positions within a storage but, between
storages, not the order of commits. So what was seen is remembered for each storage, and reading begins at the first
block that has something unseen: nothing is lost and nothing comes twice, however transactions overlap.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import orjson
from sqlalchemy import bindparam, select

from services.calls.errors import CallError
from services.inventory.changes.token import Vector
from services.inventory.schema.changes import change_blocks, change_positions
from services.store.connection import Connection, Row
from services.store.statement import sql, statement

_HEADS = statement(select(change_positions.c.storage_no, change_positions.c.position))
_HEAD = statement(select(change_positions.c.position).where(change_positions.c.storage_no == bindparam("storage_no")))
_OLDEST_TEXT = (
    "SELECT p.storage_no, coalesce((SELECT b.first FROM change_blocks b WHERE b.storage_no = p.storage_no"
    " ORDER BY b.last LIMIT 1) - 1, p.position) FROM change_positions p"
)
_OLDEST = sql(sqlite=_OLDEST_TEXT, postgresql=_OLDEST_TEXT)
_FIRST_UNSEEN = sql(
    sqlite="""SELECT min(found) FROM (
        SELECT (SELECT b.no FROM change_blocks b
                WHERE b.storage_no = json_extract(v.value, '$[0]') AND b.last > json_extract(v.value, '$[1]')
                ORDER BY b.last LIMIT 1) AS found
        FROM json_each(:vector) v)""",
    postgresql="""SELECT min(found) FROM (
        SELECT (SELECT b.no FROM change_blocks b
                WHERE b.storage_no = v.storage_no AND b.last > v.seen ORDER BY b.last LIMIT 1) AS found
        FROM unnest(:storages::int[], :seen::bigint[]) v(storage_no, seen)) x""",
)
_block = change_blocks.c
_BLOCKS = statement(
    select(_block.no, _block.storage_no, _block.first, _block.last, _block.kind, _block.body)
    .where(_block.no >= bindparam("begin"))
    .order_by(_block.no)
    .limit(bindparam("count"))
)
_BLOCKS_OF = statement(
    select(_block.no, _block.storage_no, _block.first, _block.last, _block.kind, _block.body)
    .where(_block.storage_no == bindparam("storage_no"), _block.last > bindparam("seen"))
    .order_by(_block.last)
    .limit(bindparam("count"))
)
_BLOCKS_AT_ONCE = 16


@dataclass(slots=True)
class Found:
    """Some changes, as a piece of an answer, and what has been seen with them."""

    vector: Vector
    parts: list[bytes] = field(default_factory=list[bytes])
    """Changes, serialised, each with tag and length of field 1 in front."""
    count: int = 0
    more: bool = False
    """There are further changes now."""


def heads(connection: Connection, storage_no: int | None = None) -> Vector:
    """The positions of the last changes: of all storages, or of one."""
    if storage_no is None:
        return dict(connection.all(_HEADS))
    return {storage_no: connection.value(_HEAD, (storage_no,)) or 0}


def oldest(connection: Connection) -> Vector:
    """The positions before the oldest changes that are kept, of all storages."""
    return dict(connection.all(_OLDEST))


def changes_after(
    connection: Connection, seen: Vector, limit: int, *, storage_no: int | None = None, kinds: Collection[str] = ()
) -> Found:
    """At most `limit` changes that `seen` lacks; a storage that it does not name is one of which nothing was seen.

    Raises:
        CallError: CHANGE_POSITION_EXPIRED where some of them are no longer kept.
    """
    now = heads(connection, storage_no)
    for number, position in now.items():
        if seen.get(number, 0) > position:
            raise _expired()
    found = Found(dict(seen))
    for _, number, first, last, kind, body in _unseen(connection, seen, now, storage_no):
        before = found.vector.get(number, 0)
        if last <= before:
            continue
        if first > before + 1:
            raise _expired()
        if found.count >= limit:
            found.more = True
            break
        _take(found, number, first, last, body if not kinds or kind in kinds else None, limit)
        if found.vector[number] < last:
            found.more = True
            break
    else:
        _check_complete(found.vector, now)
    return found


def _take(found: Found, number: int, first: int, last: int, body: bytes | None, limit: int) -> None:
    """Takes what is unseen of a block, as far as the limit allows; of kinds not wanted (None) nothing."""
    if body is None:
        found.vector[number] = last
        return
    begin = max(found.vector.get(number, 0) + 1, first)
    count = min(last - begin + 1, limit - found.count)
    if begin > first or count < last - first + 1:
        body = _cut(body, begin - first, count)
    found.parts.append(body)
    found.count += count
    found.vector[number] = begin + count - 1


def _cut(body: bytes, skip: int, count: int) -> bytes:
    """`count` of the framed messages after the first `skip`."""
    at = begin = 0
    for place in range(skip + count):
        if place == skip:
            begin = at
        at += 1
        length = shift = 0
        while True:
            byte = body[at]
            at += 1
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        at += length
    return body[begin:at]


def _unseen(connection: Connection, seen: Vector, now: Vector, storage_no: int | None) -> Iterator[Row]:
    """Blocks in order, beginning with the first that has something unseen."""
    pending = {number: seen.get(number, 0) for number, position in now.items() if position > seen.get(number, 0)}
    if not pending:
        return
    if storage_no is not None:
        position = pending[storage_no]
        while rows := connection.all(_BLOCKS_OF, (storage_no, position, _BLOCKS_AT_ONCE)):
            yield from rows
            position = rows[-1][3]
        return
    begin = connection.value(
        _FIRST_UNSEEN,
        {
            "vector": orjson.dumps(list(pending.items())).decode(),
            "storages": list(pending),
            "seen": list(pending.values()),
        },
    )
    while begin is not None:
        rows = connection.all(_BLOCKS, (begin, _BLOCKS_AT_ONCE))
        yield from rows
        begin = rows[-1][0] + 1 if len(rows) == _BLOCKS_AT_ONCE else None


def _check_complete(vector: Vector, now: Vector) -> None:
    """All blocks were read: where a storage still has unseen changes, they are gone."""
    for number, position in now.items():
        if vector.get(number, 0) < position:
            raise _expired()


def _expired() -> CallError:
    return CallError(
        "CHANGE_POSITION_EXPIRED",
        "Changes after this position are no longer kept; list the resources, then watch from now.",
    )
