"""Items that wait for the writer: in memory while they are few, else in an unnamed file."""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterator
from io import FileIO

from services.calls.errors import CallError

CHUNK = 200
"""Items that are handed out at once: about 2 ms of work, after which other threads have had their turn."""

MAX_RESERVED = 4 << 20
"""Bytes of an answer that are kept until its end shows whether it is the one before: some 15,000 volumes."""


class SpoolBudget:
    """Bytes that all spools together may hold in memory."""

    def __init__(self, limit: int = 64 << 20) -> None:
        self.limit = limit
        self.used = 0


class SpoolFault(CallError):
    """The items that wait for the writer can't be kept: mostly a full disk."""

    def __init__(self, folder: str | None, error: OSError) -> None:
        folder = folder or os.environ.get("TMPDIR") or "/tmp"
        problem = error.strerror or str(error)
        super().__init__(
            "STORE_FAULT",
            f"The answer of the array can't be kept in the folder {folder} until it is written: {problem}. Free space "
            "there; the next sync reads it again, and nothing was removed.",
            metadata={"folder": folder, "problem": problem},
        )


class Spool:
    """A list of byte strings, each with a number, that may be read any number of times."""

    def __init__(self, budget: SpoolBudget, *, own_limit: int = 24 << 20, folder: str | None = None) -> None:
        self._budget = budget
        self._own_limit = own_limit
        self._folder = folder
        self._items: list[bytes] = []
        self._bytes = 0
        self._file: FileIO | None = None
        self._filed = array("I")
        self._reached = (0, 0)
        """An item, and where it is in the file: the last that was looked for."""
        self._numbers = array("Q")
        self._reserved = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def extend(self, items: list[bytes], numbers: array[int]) -> None:
        """Appends items with their numbers. SpoolFault where there is no room for them."""
        self._items += items
        self._numbers += numbers
        # 40: what a bytes object and its place in a list take beside its content.
        size = sum(map(len, items)) + 40 * len(items)
        self._bytes += size
        self._budget.used += size
        if self._bytes > self._own_limit or (self._budget.used > self._budget.limit and self._bytes > 1 << 20):
            self._spill()

    def reserve(self, size: int) -> bool:
        """Counts bytes that are kept elsewhere until they are released; whether there is room for them."""
        self._reserved += size
        self._budget.used += size
        return self._reserved <= MAX_RESERVED and self._budget.used <= self._budget.limit

    def release(self) -> None:
        """What was kept elsewhere is kept no more."""
        self._budget.used -= self._reserved
        self._reserved = 0

    def _spill(self) -> None:
        try:
            if self._file is None:
                # Unbuffered, so that a full disk shows here and not where the file is read or closed.
                self._file = tempfile.TemporaryFile(  # noqa: SIM115 - see close
                    prefix="delphis-sync-", dir=self._folder, buffering=0
                )
            left = memoryview(b"".join(self._items))
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise SpoolFault(self._folder, error) from error
        self._filed.extend(map(len, self._items))
        self._forget()

    def _read(self, file: FileIO, size: int) -> bytes:
        try:
            block = file.read(size)
            while len(block) < size:
                more = file.read(size - len(block))
                if not more:
                    raise OSError("the file is shorter than what was written to it")
                block += more
        except OSError as error:
            raise SpoolFault(self._folder, error) from error
        return block

    def _forget(self) -> None:
        self._items = []
        self._budget.used -= self._bytes
        self._bytes = 0

    def chunks(self, begin: int = 0, end: int | None = None) -> Iterator[tuple[list[bytes], array[int]]]:
        """The items from `begin` up to `end`, or all, with their numbers, `CHUNK` at a time."""
        end = len(self) if end is None else min(end, len(self))
        filed = len(self._filed)
        if self._file is not None and begin < filed:
            place = self._reached[1] if self._reached[0] == begin else sum(self._filed[:begin])
            self._file.seek(place)
            while begin < min(filed, end):
                sizes = self._filed[begin : min(begin + CHUNK, end)]
                block = self._read(self._file, sum(sizes))
                items = []
                at = 0
                for size in sizes:
                    items.append(block[at : at + size])
                    at += size
                yield items, self._numbers[begin : begin + len(items)]
                begin += len(items)
                place += at
                self._reached = (begin, place)
        while begin < end:
            items = self._items[begin - filed : min(begin + CHUNK, end) - filed]
            yield items, self._numbers[begin : begin + len(items)]
            begin += len(items)

    def close(self) -> None:
        """Gives memory and file back."""
        self._forget()
        self.release()
        self._numbers = array("Q")
        if self._file is not None:
            self._file.close()
            self._file = None
