"""How pools fill up in the course of time: with snapshots, which are removed when there is no more room for them."""

from __future__ import annotations

from .identity import Dice

_DAY = 86_400
_POSITIONS = 1 << 20


def snapshots(dice: Dice, pool: int, *, room: int, a_day: float, when: int) -> int:
    """Bytes that the snapshots of a pool take.

    Args:
        dice: Decides where in its course each pool is.
        pool: The pool.
        room: What snapshots may take at most, in bytes.
        a_day: How much they grow in a day, in bytes.
        when: Seconds since 1970.
    """
    if room <= 0 or a_day <= 0:
        return 0
    begin = dice.below(_POSITIONS, pool) / _POSITIONS * room
    return int((begin + when / _DAY * a_day) % room)
