"""Reading a kind's stream in the event loop: digests of what comes, against those that are stored."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

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


@dataclass(slots=True)
class Answer:
    """What an array answered about a kind."""

    spool: Spool
    """Items that are not stored as they came, each with the number of known ones that came before it."""
    unmatched: dict[bytes, int]
    """Stored digests that no item had, with their rows' numbers."""
    matched: array[int] = field(default_factory=lambda: array("Q"))
    """Numbers of rows that are stored as they came, in the order in which they came."""
    items: int = 0
    complete: bool = False
    warnings: list[str] = field(default_factory=list[str])


async def read_stream(stream: AsyncIterator[bytes], seed: int, stored: dict[bytes, int], spool: Spool) -> Answer:
    """Reads all batches. `stored` is used up.

    Raises:
        CallError: what the stream raises, or DRIVER_BROKE_CONTRACT.
    """
    answer = Answer(spool, stored)
    digest = xxhash.xxh3_128_digest
    take = stored.pop
    known = answer.matched.append
    numbers = array("Q")
    async for data in stream:
        if answer.complete:
            raise CallError("DRIVER_BROKE_CONTRACT", "The driver sent more after the message that says `complete`.")
        try:
            batch = Batch.FromString(data)
        except DecodeError:
            raise CallError("DRIVER_BROKE_CONTRACT", "The driver sent a batch that is no protobuf message.") from None
        items = batch.items
        for begin in range(0, len(items), SLICE):
            if begin:
                await asyncio.sleep(0)
            fresh: list[bytes] = []
            for item in items[begin : begin + SLICE]:
                seq = take(digest(item, seed), None)
                if seq is None:
                    fresh.append(item)
                    numbers.append(len(answer.matched))
                else:
                    known(seq)
            if fresh:
                spool.extend(fresh, numbers)
                numbers = array("Q")
        answer.items += len(items)
        answer.complete = batch.complete
        for warning in batch.warnings:
            if len(answer.warnings) < MAX_WARNINGS:
                answer.warnings.append(_warning(warning))
    return answer


def _warning(data: bytes) -> str:
    try:
        warning = storage_driver_pb2.Warning.FromString(data)
    except DecodeError:
        return "The driver sent a warning that can't be read."
    about = f" ({warning.native_id})" if warning.native_id else ""
    return f"{warning.message}{about}"[:MAX_WARNING_TEXT]
