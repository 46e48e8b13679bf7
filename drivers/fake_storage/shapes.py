"""Sizes of volumes and filesystems, from small tables that repeat.

Item i has the shape `table[i % len(table)]`. So an item costs a look-up, and the sum over a million items follows from
the table without visiting one of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .identity import Dice

GIB = 1 << 30

# Prime, so that every pool meets every shape.
VOLUME_SHAPES = 251
FILESYSTEM_SHAPES = 61

# Used parts of 1,024: thin items move between these.
_LOWEST = 20
_HIGHEST = 640
# How far drift expands thick items.
_GROWTH_GIB = 8

_SIZES_GIB = (16, 32, 50, 64, 100, 100, 128, 200, 256, 256, 500, 512, 1024, 2048)
_FILESYSTEM_SIZES_GIB = (256, 512, 1024, 2048, 4096)

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Shape:
    """What volumes, or filesystems, of one shape have in common."""

    thin: bool
    size: int
    level: int
    compressed: bool
    deduplicated: bool
    faulty: bool
    use: int

    def capacity(self, tick: int) -> tuple[int, int]:
        """Total and used bytes at a tick. Two consecutive ticks always differ."""
        if self.thin:
            return self.size, self.size // 1024 * (_LOWEST + _swing(self.level + tick, _HIGHEST - _LOWEST))
        total = self.size + GIB * _swing(tick, _GROWTH_GIB)
        return total, total

    @property
    def most(self) -> int:
        """The most that it ever uses, in bytes."""
        return self.size // 1024 * _HIGHEST if self.thin else self.size + GIB * _GROWTH_GIB


def _swing(at: int, height: int) -> int:
    """0, 1, … height, … 1, 0, 1, … ."""
    at %= 2 * height
    return at if at <= height else 2 * height - at


def volume_shapes(dice: Dice) -> tuple[Shape, ...]:
    return _shapes(dice, VOLUME_SHAPES, _SIZES_GIB)


def filesystem_shapes(dice: Dice) -> tuple[Shape, ...]:
    return _shapes(dice, FILESYSTEM_SHAPES, _FILESYSTEM_SIZES_GIB)


def _shapes(dice: Dice, count: int, sizes_gib: Sequence[int]) -> tuple[Shape, ...]:
    shapes: list[Shape] = []
    for index in range(count):
        roll = dice.number(index)  # one throw: its bits serve all properties
        thin = roll % 6 != 0
        shapes.append(
            Shape(
                thin=thin,
                size=sizes_gib[(roll >> 8) % len(sizes_gib)] * GIB,
                level=(roll >> 16) % (2 * (_HIGHEST - _LOWEST)),
                compressed=thin and (roll >> 28) % 3 == 0,
                deduplicated=thin and (roll >> 34) % 4 == 0,
                faulty=(roll >> 40) % 97 == 0,
                use=roll >> 48,
            )
        )
    return tuple(shapes)


def striped_sum(values: Sequence[int], span: Span, stride: int, offset: int) -> int:
    """Sum of values[i % len(values)] over the i of [span) with i % stride == offset."""
    low, high = span
    first = low + (offset - low) % stride
    if first >= high:
        return 0
    count = (high - first + stride - 1) // stride
    period = len(values) // math.gcd(len(values), stride)
    cycle = [values[(first + turn * stride) % len(values)] for turn in range(min(count, period))]
    turns, rest = divmod(count, period)
    return turns * sum(cycle) + sum(cycle[:rest]) if turns else sum(cycle)
