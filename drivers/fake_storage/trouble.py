"""Makes the faults of a `fail` attribute happen."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import islice
from typing import NoReturn, TypeVar

from google.protobuf.message import Message

from delphis.sdk import Context, Storage, StorageStatus

from . import faults
from .fault_memory import Tally
from .faults import Fault
from .garbage import garbage
from .identity import Dice

M = TypeVar("M", bound=Message)

_PAGE = 100
_STATUS = {
    faults.OFFLINE: StorageStatus.STORAGE_STATUS_OFFLINE,
    faults.ABNORMAL: StorageStatus.STORAGE_STATUS_ABNORMAL,
    faults.DEGRADED: StorageStatus.STORAGE_STATUS_DEGRADED,
}


class _Rule:
    """One fault and its count of calls: in memory, or on disk where it ends the process that counts."""

    def __init__(self, fault: Fault, key: tuple[str, ...], dice: Dice) -> None:
        self.fault = fault
        self._dice = dice
        self._calls = self._happened = 0
        counted = fault.times is not None or fault.since > 1
        self._tally = Tally(*key, fault.text) if counted and fault.word in faults.ENDS_PROCESS else None

    def happens(self) -> bool:
        """Count a call, and say whether the fault happens in it."""
        fault = self.fault
        if self._tally is not None:
            self._calls, self._happened = self._tally.read()
        self._calls += 1
        happens = (
            self._calls >= fault.since
            and (fault.times is None or self._happened < fault.times)
            and self._dice.below(100, self._calls) < fault.percent
        )
        self._happened += happens
        if self._tally is not None:
            self._tally.write(self._calls, self._happened)
        return happens


class Trouble:
    """The faults of one array in one session."""

    def __init__(self, rules: tuple[Fault, ...], key: tuple[str, ...], dice: Dice) -> None:
        self._rules = [_Rule(fault, (*key, str(position)), dice) for position, fault in enumerate(rules)]
        self._lock = threading.Lock()

    def strike(self, place: str) -> list[Fault]:
        """Count a call of a place, let happen what happens at its beginning, and return what happens later in it."""
        with self._lock:
            happening = [rule.fault for rule in self._rules if place in rule.fault.places and rule.happens()]
        for fault in happening:
            if fault.word in faults.EVERYWHERE and fault.after is None:
                _fail(fault, place)
        return happening


def _fail(fault: Fault, place: str) -> NoReturn:
    if fault.word == faults.CRASH:
        os.kill(os.getpid(), signal.SIGSEGV)
    if fault.word == faults.EXIT:
        os._exit(3)
    if fault.word in (faults.CRASH, faults.HANG):
        while True:  # deaf to deadlines, as a call into a vendor's library can be
            time.sleep(3600)
    if fault.word == faults.BUG:
        raise ZeroDivisionError(f"made by the rule {fault.text!r} of 'fail' at {place}")
    raise faults.ERRORS[fault.word](
        f"The rule {fault.text!r} of 'fail' says so at {place}.", rule=fault.text, place=place
    )


def pause(context: Context, seconds: float) -> None:
    """Wait as a slow array does, until the caller gives up."""
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        context.check()
        time.sleep(min(rest, 0.05))


def spoil_storage(happening: list[Fault], storage: Storage) -> Storage:
    for fault in happening:
        if fault.word in _STATUS:
            storage.status = _STATUS[fault.word]
        elif fault.word == faults.SERIAL:
            storage.serial_number = f"{storage.serial_number}-OTHER"
        elif fault.word == faults.NO_SERIAL:
            storage.ClearField("serial_number")
        elif fault.word == faults.GARBAGE:
            storage = garbage(Storage, 1)
        elif fault.word == faults.BROKEN:
            return "no message"  # type: ignore[return-value]  # which is the point
    return storage


def spoil(
    happening: list[Fault], context: Context, place: str, cls: type[M], items: Iterator[M], count: int
) -> Iterator[M]:
    """Make a list of `count` items wrong in the ways of the faults."""
    for fault in happening:
        if fault.after is not None:
            items = _failing(items, fault, place)
        elif fault.word == faults.HALF:
            items = _half(items, count, context, place)
        elif fault.word == faults.SHORT:
            items = islice(items, max(0, count - fault.number))
        elif fault.word == faults.EMPTY:
            items = iter(())
        elif fault.word == faults.DUPLICATES:
            items = _duplicated(items, fault.number)
        elif fault.word == faults.GARBAGE:
            items = (garbage(cls, index) for index in range(count))
        elif fault.word == faults.BROKEN:
            items = _broken(items)
        elif fault.word == faults.SLOW:
            items = _slow(items, context, fault.number / 1000)
    return items


def _failing(items: Iterator[M], fault: Fault, place: str) -> Iterator[M]:
    yield from islice(items, fault.after)
    _fail(fault, place)


def _half(items: Iterator[M], count: int, context: Context, place: str) -> Iterator[M]:
    yield from islice(items, count // 2)
    context.incomplete(f"Only {count // 2} of {count} {place} could be read.")


def _duplicated(items: Iterator[M], number: int) -> Iterator[M]:
    first: list[M] = []
    for item in items:
        if len(first) < number:
            first.append(item)
        yield item
    for item in first:
        again = type(item)()
        again.CopyFrom(item)
        setattr(again, "name", f"again-{getattr(item, 'name')}")  # noqa: B009, B010
        yield again


def _broken(items: Iterator[M]) -> Iterator[M]:
    yield from islice(items, 1)
    yield "no message"  # type: ignore[misc]  # which is the point


def _slow(items: Iterator[M], context: Context, seconds: float) -> Iterator[M]:
    for index, item in enumerate(items):
        if index % _PAGE == 0:
            pause(context, seconds)
        yield item
