"""Reading a kind's stream in the event loop: digests of what comes, against those that are stored.

Most answers are the ones before, which one digest of all their items shows: then neither they nor the rows are looked
at one by one.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import xxhash
from google.protobuf.message import DecodeError

from delphis.driver.v1 import storage_driver_pb2
from services.calls.errors import CallError
from services.inventory.sync.result import MAX_WARNINGS
from services.inventory.sync.spool import Spool
from services.inventory.sync.wire import Batch

SLICE = 500
"""Items looked at before other tasks have their turn; about 0.3 ms."""
MAX_WARNING_TEXT = 500


Load = Callable[[], Awaitable[dict[bytes, int]]]
"""Gives the stored digests with their rows' numbers."""


@dataclass(slots=True)
class Answer:
    """What an array answered about a kind."""

    spool: Spool
    """Items that are not stored as they came, each with the number of known ones that came before it."""
    unmatched: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Stored digests that no item had, with their rows' numbers."""
    matched: array[int] = field(default_factory=lambda: array("Q"))
    """Numbers of rows that are stored as they came, in the order in which they came."""
    items: int = 0
    complete: bool = False
    warnings: list[str] = field(default_factory=list[str])
    digest: str = ""
    """Of all items together."""
    same: bool = False
    """It is the answer that is stored: its items were not looked at one by one."""


async def read_stream(
    stream: AsyncIterator[bytes], seed: int, stored: dict[bytes, int] | Load, spool: Spool, *, before: str = ""
) -> Answer:
    """Reads all batches.

    Args:
        stream: The batches.
        seed: What digests begin with.
        stored: The stored digests, which are used up; or what gives them, where the answer is not the one `before`.
        spool: Takes what is not stored.
        before: Digest of the answer that is stored.

    Raises:
        CallError: what the stream raises, or DRIVER_BROKE_CONTRACT.
    """
    answer = Answer(spool)
    digest = xxhash.xxh3_128(seed=seed)
    kept: list[Any] = []
    if isinstance(stored, dict):
        answer.unmatched = stored
    async for data in stream:
        if answer.complete:
            raise CallError("DRIVER_BROKE_CONTRACT", "The driver sent more after the message that says `complete`.")
        try:
            batch = Batch.FromString(data)
        except DecodeError:
            raise CallError("DRIVER_BROKE_CONTRACT", "The driver sent a batch that is no protobuf message.") from None
        answer.items += len(batch.items)
        answer.complete = batch.complete
        for warning in batch.warnings:
            if len(answer.warnings) < MAX_WARNINGS:
                answer.warnings.append(_warning(warning))
        digest.update(_items(batch, data))
        if isinstance(stored, dict):
            await _look(answer, batch.items, seed)
            continue
        kept.append(batch)
        if not spool.reserve(len(data)):
            stored = await _load(answer, stored, kept, seed)
    answer.digest = digest.hexdigest()
    if not isinstance(stored, dict):
        answer.same = answer.complete and answer.digest == before
        if not answer.same:
            await _load(answer, stored, kept, seed)
    return answer


def _items(batch: Any, data: bytes) -> bytes:
    """The batch without what is said about the answer."""
    if not batch.complete and not batch.warnings:
        return data
    items: bytes = Batch(items=batch.items).SerializeToString()
    return items


async def _load(answer: Answer, load: Load, kept: list[Any], seed: int) -> dict[bytes, int]:
    """Looks at the batches that were kept, since the answer is another one than that before."""
    answer.unmatched = stored = await load()
    for batch in kept:
        await _look(answer, batch.items, seed)
    kept.clear()
    answer.spool.release()
    return stored


async def _look(answer: Answer, items: Sequence[bytes], seed: int) -> None:
    """Looks for each item among those that are stored."""
    digest = xxhash.xxh3_128_digest
    take = answer.unmatched.pop
    known = answer.matched.append
    for begin in range(0, len(items), SLICE):
        if begin:
            await asyncio.sleep(0)
        fresh: list[bytes] = []
        numbers = array("Q")
        for item in items[begin : begin + SLICE]:
            seq = take(digest(item, seed), None)
            if seq is None:
                fresh.append(item)
                numbers.append(len(answer.matched))
            else:
                known(seq)
        if fresh:
            answer.spool.extend(fresh, numbers)


def _warning(data: bytes) -> str:
    try:
        warning = storage_driver_pb2.Warning.FromString(data)
    except DecodeError:
        return "The driver sent a warning that can't be read."
    about = f" ({warning.native_id})" if warning.native_id else ""
    return f"{warning.message}{about}"[:MAX_WARNING_TEXT]
