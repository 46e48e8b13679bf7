"""How busy volumes and filesystems are, as a function of time alone: waves of days and weeks, noise, bursts.

Items of one shape (see shapes.py) share a course; each item is a constant multiple of it. So the columns of a hundred
thousand volumes are a multiplication each, and the sum over a pool is one over its shapes. Whoever asks for a time gets
the same numbers, in every process.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from operator import add
from typing import NamedTuple

from .identity import Dice

_DAY = 86_400
_HOUR = 3_600
_NOISES = 1021
# Items of one shape differ by these; the lengths are prime, so that it takes a quarter of a million items to repeat.
_WEIGHTS = (1009, 997, 991)
_KB = 1000.0
_READ_SIZES = tuple(size * _KB for size in (4.096, 8.192, 8.192, 16.384, 32.768, 65.536, 131.072, 262.144))
_WRITE_SIZES = tuple(size * _KB for size in (4.096, 4.096, 8.192, 16.384, 32.768, 65.536, 131.072))
_BURSTS_AN_HOUR = 3
_BURST = 3.0


class Flow(NamedTuple):
    """What passes in a second, added up over any number of items.

    `read_busy` is the seconds that reads took together, `read_hits` the reads that the cache served.
    """

    reads: float = 0.0
    writes: float = 0.0
    read_bytes: float = 0.0
    write_bytes: float = 0.0
    read_busy: float = 0.0
    write_busy: float = 0.0
    read_hits: float = 0.0
    write_hits: float = 0.0

    def plus(self, other: Flow) -> Flow:
        return Flow._make(map(add, self, other))

    def times(self, factor: float) -> Flow:
        return Flow._make([part * factor for part in self])


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan


#: Each metric of a flow. Means have no value where nothing passes.
OF_FLOW: dict[str, Callable[[Flow], float]] = {
    "iops": lambda flow: flow.reads + flow.writes,
    "readIops": lambda flow: flow.reads,
    "writeIops": lambda flow: flow.writes,
    "throughput": lambda flow: flow.read_bytes + flow.write_bytes,
    "readThroughput": lambda flow: flow.read_bytes,
    "writeThroughput": lambda flow: flow.write_bytes,
    "responseTime": lambda flow: _share(flow.read_busy + flow.write_busy, flow.reads + flow.writes),
    "readResponseTime": lambda flow: _share(flow.read_busy, flow.reads),
    "writeResponseTime": lambda flow: _share(flow.write_busy, flow.writes),
    "cacheHitRatio": lambda flow: _share(flow.read_hits + flow.write_hits, flow.reads + flow.writes),
    "readCacheHitRatio": lambda flow: _share(flow.read_hits, flow.reads),
    "writeCacheHitRatio": lambda flow: _share(flow.write_hits, flow.writes),
    "ioSize": lambda flow: _share(flow.read_bytes + flow.write_bytes, flow.reads + flow.writes),
    "readIoSize": lambda flow: _share(flow.read_bytes, flow.reads),
    "writeIoSize": lambda flow: _share(flow.write_bytes, flow.writes),
}


@dataclass(frozen=True, slots=True)
class Weights:
    """What items are multiples by: of operations, of bytes, of waiting. Bytes of an operation: `sizes`."""

    operations: list[float]
    sizes: list[float]
    bytes: list[float]
    waits: list[float]
    busy: list[float]


class _Course(NamedTuple):
    """One shape at its busiest."""

    reads: float
    writes: float
    read_size: float
    write_size: float
    read_wait: float
    write_wait: float
    hits: float
    profile: int


class Load:
    """The load of one kind of one array."""

    def __init__(self, dice: Dice, shapes: int) -> None:
        self.shapes = shapes
        self._dice = dice
        self._courses = [_course(dice, shape) for shape in range(shapes)]
        # Noise is cut out of one table at a place that depends on the time; twice, to be cut without an edge.
        noises = [math.exp(0.36 * (_unit(dice, number, 5) + _unit(dice, number, 6) - 1)) for number in range(_NOISES)]
        self._noises = array("d", noises * (2 + shapes // _NOISES))
        self._phase = dice.below(6, 0, 7) * _HOUR
        self._tables = [
            array("d", [0.5 + _unit(dice, item, 2 + salt) for item in range(length)]) for salt, length in _each_table()
        ]

    def weights(self, low: int, high: int, slowness: Sequence[float] = (1.0,)) -> Weights:
        """Of the items from low to high. `slowness` of item i is at i modulo its length."""
        operations, sizes, waits = (
            list(islice(cycle(table), low % len(table), low % len(table) + high - low)) for table in self._tables
        )
        slow = islice(cycle(slowness), low % len(slowness), None)
        waits = [wait * factor for wait, factor in zip(waits, slow, strict=False)]
        return Weights(
            operations=operations,
            sizes=sizes,
            bytes=[weight * size for weight, size in zip(operations, sizes, strict=True)],
            waits=waits,
            busy=[weight * wait for weight, wait in zip(operations, waits, strict=True)],
        )

    def at(self, when: int, shapes: int) -> list[Flow]:
        """What an item with weights of 1 does at a time, in seconds since 1970: of each of the first shapes."""
        rolls = self._dice.number(when, 1)
        reading, writing = (
            self._noises[start : start + shapes] for start in (rolls % _NOISES, (rolls >> 16) % _NOISES)
        )
        waves = _waves(when + self._phase)
        bursting = self._bursting(when // _HOUR)
        flows: list[Flow] = []
        for shape, (course, noise, other) in enumerate(zip(self._courses[:shapes], reading, writing, strict=False)):
            wave = waves[course.profile] * (_BURST if shape in bursting else 1.0)
            reads, writes = course.reads * wave * noise, course.writes * wave * other
            waiting = 0.7 + 0.5 * wave * noise
            hits = min(1.0, course.hits * (1.08 - 0.16 * wave / _BURST))
            flows.append(
                Flow(
                    reads,
                    writes,
                    reads * course.read_size,
                    writes * course.write_size,
                    reads * course.read_wait * waiting,
                    writes * course.write_wait * waiting,
                    reads * hits,
                    writes * min(1.0, 0.9 + 0.1 * hits),
                )
            )
        return flows

    def _bursting(self, hour: int) -> set[int]:
        return {self._dice.below(self.shapes, hour, 4 + number) for number in range(_BURSTS_AN_HOUR)}


def _each_table() -> Iterator[tuple[int, int]]:
    return enumerate(_WEIGHTS)


def _course(dice: Dice, shape: int) -> _Course:
    operations = 10 ** (0.7 + 2.1 * _unit(dice, shape, 0))  # few are busy, most are not
    read_share = 0.3 + 0.6 * _unit(dice, shape, 1)
    roll = dice.number(shape, 2)
    return _Course(
        reads=operations * read_share,
        writes=operations * (1 - read_share),
        read_size=_READ_SIZES[roll % len(_READ_SIZES)],
        write_size=_WRITE_SIZES[(roll >> 8) % len(_WRITE_SIZES)],
        read_wait=0.0004 + 0.0006 * _unit(dice, shape, 3),
        write_wait=0.0002 + 0.0003 * _unit(dice, shape, 4),
        hits=0.55 + 0.35 * _unit(dice, shape, 5),
        profile=(roll >> 16) % 3,
    )


def _waves(when: int) -> tuple[float, float, float]:
    """How much of their most office work, nightly work and steady work do."""
    hour = when % _DAY / _HOUR
    weekend = (when // _DAY + 3) % 7 >= 5
    office = 0.15 + 0.85 * math.exp(-(((hour - 13.5) / 3.8) ** 2)) * (0.3 if weekend else 1.0)
    night = 0.1 + 0.9 * math.exp(-((min(abs(hour - 2), 26 - hour) / 1.5) ** 2))
    steady = (0.75 + 0.25 * math.sin((hour - 9) / 12 * math.pi)) * (0.85 if weekend else 1.0)
    return office, night, steady


def _unit(dice: Dice, index: int, salt: int) -> float:
    """From 0 to 1."""
    return (dice.number(index, salt) >> 11) / (1 << 53)
