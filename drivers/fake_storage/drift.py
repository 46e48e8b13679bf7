"""What changes on a generated array from one sync to the next."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

_COUNTS = ("renamed", "renumbered", "replaced", "removed", "added")


@dataclass(frozen=True, slots=True)
class Drift:
    """What one tick changes. See the README for the words.

    `share` is the part of the volumes and filesystems whose used capacity moves; the others are numbers of volumes.
    """

    share: Fraction = Fraction(0)
    renamed: int = 0
    renumbered: int = 0
    replaced: int = 0
    removed: int = 0
    added: int = 0

    def moving(self, count: int) -> int:
        """How many of `count` items move: the first ones."""
        return min(count, math.ceil(self.share * count))


def parse(text: str) -> Drift:
    """Read a `drift` attribute such as `10%, renamed=2`. Raises ValueError with a sentence."""
    share = Fraction(0)
    counts: dict[str, int] = {}
    for part in (part.strip() for part in text.split(",")):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not part:
            continue
        if not equals:
            share = _share(part)
        elif name in _COUNTS and value.isascii() and value.isdigit():
            counts[name] = int(value)
        elif name in _COUNTS:
            raise ValueError(f"{name!r} takes a number of volumes, not {value!r}")
        else:
            raise ValueError(f"{name!r} is none of {', '.join(_COUNTS)}")
    return Drift(share=share, **counts)


def _share(text: str) -> Fraction:
    if text == "all":
        return Fraction(1)
    percent = text.endswith("%")
    try:
        share = Fraction(text.removesuffix("%").strip()) / (100 if percent else 1)
    except (ValueError, ZeroDivisionError):
        share = Fraction(-1)
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is no share: give 'all', a percentage such as '5%', or a number from 0 to 1")
    return share


class Clock:
    """Counts the ticks of one array.

    With a period the tick follows from the time of day, so all processes agree. Without one a sync is a tick: the tick
    ends when something is read for the second time in it, so all lists of one sync show the same state.
    """

    def __init__(self, period_s: float | None, now: Callable[[], float] = time.time) -> None:
        self._period_s = period_s
        self._now = now
        self._tick = 0
        self._seen: set[str] = set()
        self._lock = threading.Lock()

    @property
    def tick(self) -> int:
        """The present tick, without reading anything in it."""
        return self._tick if self._period_s is None else int(self._now() / self._period_s)

    @property
    def minute(self) -> int:
        """The present minute, as seconds since 1970."""
        return int(self._now()) // 60 * 60

    def read(self, what: str) -> int:
        """The tick in which `what`, a kind or `storage`, is read now."""
        if self._period_s is not None:
            return int(self._now() / self._period_s)
        with self._lock:
            if what in self._seen:
                self._tick += 1
                self._seen.clear()
            self._seen.add(what)
            return self._tick
