"""From days to a date: a straight line through what was used, and how sure it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

LEAST_DAYS = 5
"""A line through fewer says nothing."""
FURTHEST_DAYS = 3653
# Two-sided 90 % of Student's t, by degrees of freedom; beyond these it is that of the normal distribution, nearly.
_T90 = {
    3: 2.353,
    4: 2.132,
    5: 2.015,
    6: 1.943,
    7: 1.895,
    8: 1.860,
    9: 1.833,
    10: 1.812,
    15: 1.753,
    20: 1.725,
    30: 1.697,
}
_T90_MANY = 1.66


@dataclass(frozen=True, slots=True)
class Trend:
    """Where a line through the days leads."""

    growth: float
    """A day."""
    fit: float
    """How much of what happened the line explains: 0 to 1."""
    full_in: float | None
    """Days from the last one on. None: within ten years it won't be."""
    earliest: float | None
    """With a probability of 90 % not before. None: as above."""
    latest: float | None
    """With that probability not after. None: maybe never."""


def trend(days: Sequence[int], used: Sequence[int], total: int) -> Trend | None:
    """The line; None where there are too few days."""
    if len(days) < LEAST_DAYS or days[-1] - days[0] < LEAST_DAYS - 1:
        return None
    x = np.array(days, dtype=np.float64) - days[-1]
    y = np.array(used, dtype=np.float64)
    spread = float(((x - x.mean()) ** 2).sum())
    growth = float(((x - x.mean()) * (y - y.mean())).sum()) / spread
    residual = y - (y.mean() + growth * (x - x.mean()))
    whole = float(((y - y.mean()) ** 2).sum())
    left = float((residual**2).sum())
    freedom = len(days) - 2
    sway = _t90(freedom) * math.sqrt(left / freedom / spread)
    room = total - float(y[-1])
    return Trend(
        growth=growth,
        fit=1.0 if whole == 0 else max(0.0, 1.0 - left / whole),
        full_in=_reached(room, growth),
        earliest=_reached(room, growth + sway),
        latest=_reached(room, growth - sway),
    )


def _reached(room: float, growth: float) -> float | None:
    """Days until what is free is used. From the last day's own value: a line that missed it is no news of it."""
    if room <= 0:
        return 0.0
    if growth <= 0 or room / growth > FURTHEST_DAYS:
        return None
    return room / growth


def _t90(freedom: int) -> float:
    return next((value for known, value in sorted(_T90.items(), reverse=True) if known <= freedom <= 40), _T90_MANY)
