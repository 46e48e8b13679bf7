"""The spool: what was received and isn't done yet, on disk, bounded by size and age.

Appending is one write() a batch, into the page cache: it survives the end of the process, not of the machine. Readers
come back with a position, which they keep where they keep the effect of what they read.

Who loses when it is full: a source that holds more than is free loses its own newest, as long as others are there. So a
flood takes half at most, two floods a third each, and the rest stays for the others. Beyond the bound the oldest go.
"""

from __future__ import annotations

import asyncio
import bisect
import contextlib
import errno
import fcntl
import logging
import os
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from services.alerts.receiving.counters import Counters
from services.alerts.receiving.errors import SpoolUnusable
from services.alerts.receiving.record import Damaged, Datagram, Position, SpooledDatagram, largest, packed, unpacked
from services.alerts.receiving.segment import BEGIN, MARK, Segment, Usage, found_in, name_of

log = logging.getLogger(__name__)

START: Final = Position(0, 0)
_CHUNK = 256 * 1024
_SECOND = 1_000_000_000
_SAY_EVERY = 60.0
_GONE = (errno.ENOENT, errno.EIO)
"""What no later try mends."""


class Spool:
    """Appends, reads and releases. One process a folder, one thread."""

    def __init__(
        self,
        folder: Path,
        *,
        counters: Counters,
        resume: Position = START,
        most_bytes: int = 512 * 2**20,
        most_age: float = 24 * 3600.0,
        segment_bytes: int = 8 * 2**20,
    ) -> None:
        """Opens the folder, or makes it. `resume` is the reader's stored position: what lies before it is removed,
        and new segments get higher numbers even where files were lost. `most_age` is in seconds. SpoolUnusable.
        """
        self._folder = folder
        self._counters = counters
        self._most_bytes = most_bytes
        self._most_age_ns = int(most_age * _SECOND)
        self._segment_bytes = max(1, min(segment_bytes, most_bytes // 16))
        self._held: dict[str, Usage] = {}
        self._released = resume
        self._waiting: list[asyncio.Future[None]] = []
        self._writing: int | None = None
        self._reading: tuple[int, int] | None = None
        self.trouble: str | None = None
        """Why the last append failed, until one succeeds."""
        self.last_trouble = ""
        """Why an append failed last; empty: none did."""
        self._said_at = float("-inf")
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                self._segments = found_in(folder)
            except BaseException:
                os.close(self._lock)
                raise
        except BlockingIOError:
            raise SpoolUnusable(f"The trap spool {folder} is in use by another process; end that one first.") from None
        except OSError as problem:
            raise SpoolUnusable(f"The trap spool {folder} can't be opened: {problem}.") from problem
        self._next = max([resume.segment, *(segment.number for segment in self._segments)]) + 1
        self._bytes = sum(segment.size for segment in self._segments)
        self.release(resume)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes its files, and wakes who waits. What is spooled stays."""
        for descriptor in (self._writing, self._reading and self._reading[1], self._lock):
            if descriptor is not None:
                os.close(descriptor)
        self._writing = self._reading = None
        self._wake()

    @property
    def held_bytes(self) -> int:
        """Octets on disk, released ones of the oldest segment included."""
        return self._bytes

    @property
    def most_bytes(self) -> int:
        """The bound."""
        return self._most_bytes

    @property
    def end(self) -> Position:
        """Where the next record will begin, or before it."""
        if not self._segments:
            return self._released
        last = self._segments[-1]
        return Position(last.number, last.size)

    def oldest_at_ns(self) -> int | None:
        """When the newest record of the oldest segment was received; None for an empty spool."""
        return self._segments[0].newest_at_ns if self._segments else None

    # Writing

    def append(self, batch: Sequence[Datagram]) -> list[bool]:
        """Keeps datagrams; says of each whether it is safe now."""
        records = [packed(datagram) for datagram in batch]
        safe = [True] * len(batch)
        # Below this no source can hold more than is free, whoever has what.
        if self._bytes * 2 + sum(map(len, records)) > self._most_bytes:
            safe = self._shared(batch, records)
        chosen = records if all(safe) else [record for record, kept in zip(records, safe, strict=True) if kept]
        if not chosen:
            return safe
        if not self._write(b"".join(chosen)):
            self._counters.disk_refused += len(chosen)
            return [False] * len(batch)
        self._counters.accepted += len(chosen)
        segment = self._segments[-1]
        segment.newest_at_ns = max(datagram.received_at_ns for datagram in batch)
        for datagram, record, kept in zip(batch, records, safe, strict=True):
            if kept:
                self._account(segment, datagram.source, len(record))
        while self._bytes > self._most_bytes and len(self._segments) > 1:
            self._drop_oldest()
        self._wake()
        return safe

    def expire(self, now_ns: int) -> None:
        """Drops what is too old. To be called now and then."""
        while self._segments and self._segments[0].newest_at_ns < now_ns - self._most_age_ns:
            if len(self._segments) == 1:
                self._finish()
            self._drop_oldest()

    def _shared(self, batch: Sequence[Datagram], records: Sequence[bytes]) -> list[bool]:
        free = self._most_bytes - self._bytes
        planned: dict[str, int] = {}
        safe: list[bool] = []
        sources = len(self._held.keys() | {datagram.source for datagram in batch})
        alone = sources == 1
        own = self._most_bytes // (2 * sources)  # everybody's, even if others took all while they were alone
        for datagram, record in zip(batch, records, strict=True):
            source, size = datagram.source, len(record)
            usage = self._held.get(source)
            held = planned.get(source, 0 if usage is None else usage.octets) + size
            fits = alone or held <= max(free, own)
            if fits:
                planned[source] = held
                free -= size
            else:
                self._counters.share_refused += 1
                self._counters.lose(source)
            safe.append(fits)
        return safe

    def _account(self, segment: Segment, source: str, size: int) -> None:
        assert segment.usage is not None
        for usages in (segment.usage, self._held):
            usage = usages.get(source)
            if usage is None:
                usage = usages[source] = Usage()
            usage.octets += size
            usage.records += 1

    def _write(self, data: bytes) -> bool:
        """All of it into the page cache, or nothing."""
        try:
            if self._writing is None or self._segments[-1].size >= self._segment_bytes:
                self._begin_segment()
            assert self._writing is not None
            segment = self._segments[-1]
            self._put(self._writing, data, segment.size)
        except OSError as problem:
            now = time.monotonic()
            if self.trouble is None and now - self._said_at > _SAY_EVERY:  # small ones may still fit, now and then
                log.error("the trap spool %s can't be written, what arrives is lost: %s", self._folder, problem)
                self._said_at = now
            self.trouble = self.last_trouble = str(problem)
            return False
        self.trouble = None
        segment.size += len(data)
        self._bytes += len(data)
        return True

    def _put(self, descriptor: int, data: bytes, offset: int) -> None:
        written = 0
        try:
            while written < len(data):  # a second time only where a disk or a limit is reached
                written += os.pwrite(descriptor, data[written:] if written else data, offset + written)
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(descriptor, offset)
            raise

    def _begin_segment(self) -> None:
        self._finish()
        number = self._next
        self._next += 1  # even where this fails: what can't be removed afterwards keeps its number
        path = self._folder / name_of(number)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            self._put(descriptor, MARK, 0)
        except OSError:
            os.close(descriptor)
            with contextlib.suppress(OSError):
                path.unlink()
            raise
        self._writing = descriptor
        self._segments.append(Segment(number, path, BEGIN, time.time_ns()))
        self._bytes += BEGIN

    def _finish(self) -> None:
        if self._writing is not None:
            os.close(self._writing)
            self._writing = None

    # Removing

    def release(self, position: Position) -> None:
        """What lies before `position` is done for good: its segments go."""
        self._released = max(self._released, position)
        while self._segments:
            first = self._segments[0]
            done = first.number < position.segment or (
                first.number == position.segment and position.offset >= first.size
            )
            if not done or (len(self._segments) == 1 and self._writing is not None):
                return
            self._remove_first()

    def _drop_oldest(self) -> None:
        segment = self._segments[0]
        begun = self._released.segment == segment.number
        if self._released > (segment.number, segment.size - 1):
            lost = {}
        elif segment.usage is None or begun:
            try:
                lost = segment.count(self._released.offset if begun else BEGIN)
            except OSError as problem:
                log.warning("%s can't be counted: %s", segment.path, problem)
                lost = {}
        else:
            lost = {source: usage.records for source, usage in segment.usage.items()}
        for source, count in lost.items():
            self._counters.overflow_dropped += count
            self._counters.lose(source, count)
        self._remove_first()

    def _remove_first(self) -> None:
        segment = self._segments.pop(0)
        self._bytes -= segment.size
        for source, usage in (segment.usage or {}).items():
            held = self._held[source]
            held.octets -= usage.octets
            held.records -= usage.records
            if not held.records:
                del self._held[source]
        if self._reading is not None and self._reading[0] == segment.number:
            os.close(self._reading[1])
            self._reading = None
        try:
            segment.path.unlink()
        except OSError as problem:
            log.warning("%s can't be removed: %s", segment.path, problem)

    # Reading

    def read(self, position: Position, max_records: int) -> list[SpooledDatagram]:
        """Up to `max_records` from `position` on, in the order of arrival; empty where nothing is there yet.

        Dropped ones are left out. SpoolUnusable where a file can't be read.
        """
        found: list[SpooledDatagram] = []
        index = bisect.bisect_left(self._segments, position.segment, key=lambda segment: segment.number)
        while len(found) < max_records and index < len(self._segments):
            segment = self._segments[index]
            offset = max(position.offset, BEGIN) if segment.number == position.segment else BEGIN
            position = self._read_from(segment, offset, max_records, found)
            if position.offset >= segment.size:
                index += 1
        return found

    def _read_from(self, segment: Segment, offset: int, most: int, found: list[SpooledDatagram]) -> Position:
        """Adds one chunk's records to `found`, and returns where to go on."""
        wanted = segment.size - offset
        if wanted <= 0:
            return Position(segment.number, segment.size)
        try:
            buffer = os.pread(self._descriptor(segment), min(wanted, max(_CHUNK, largest())), offset)
        except OSError as problem:
            if problem.errno not in _GONE:
                raise SpoolUnusable(f"{segment.path} can't be read: {problem}.") from problem
            self._skip(segment, offset, str(problem))
            return Position(segment.number, offset)
        at, size, number = 0, len(buffer), segment.number
        try:
            while len(found) < most and at < size:
                record = unpacked(buffer, at)
                if record is None:
                    if at == 0:
                        raise Damaged
                    break
                (source, port, received_at, data, answered), at = record
                found.append(SpooledDatagram(source, port, received_at, data, answered, Position(number, offset + at)))
            if size == 0:
                raise Damaged
        except Damaged:
            self._skip(segment, offset + at, "no whole record")
        return Position(number, offset + at)

    def _skip(self, segment: Segment, offset: int, problem: str) -> None:
        """Ends a segment where it can't be read any further."""
        self._counters.corrupt += 1
        log.error("%s is damaged at octet %d, the rest of it is skipped: %s", segment.path, offset, problem)
        if segment is self._segments[-1]:
            self._finish()
        self._bytes -= segment.size - offset
        segment.size = offset

    def _descriptor(self, segment: Segment) -> int:
        if self._reading is not None:
            if self._reading[0] == segment.number:
                return self._reading[1]
            os.close(self._reading[1])
            self._reading = None
        descriptor = os.open(segment.path, os.O_RDONLY | os.O_CLOEXEC)
        self._reading = segment.number, descriptor
        return descriptor

    def holds(self, position: Position) -> bool:
        """Whether there is something to read from `position` on."""
        for segment in reversed(self._segments):
            if segment.number < position.segment:
                return False
            begin = max(position.offset, BEGIN) if segment.number == position.segment else BEGIN
            if segment.size > begin:
                return True
        return False

    async def wait(self, position: Position) -> None:
        """Returns when there is something to read from `position` on, or when the spool is closed."""
        if self.holds(position):
            return
        woken = asyncio.get_running_loop().create_future()
        self._waiting.append(woken)
        try:
            await woken
        finally:
            if woken in self._waiting:
                self._waiting.remove(woken)

    def _wake(self) -> None:
        waiting, self._waiting = self._waiting, []
        for woken in waiting:
            if not woken.done():
                woken.set_result(None)
