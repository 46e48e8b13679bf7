"""Quantities as arrays print them, in the contract's units: bytes, bit/s, ratios.

    size("1.5 TiB")                                   # 1649267441664
    size("1.5 TB", prefixes=Prefixes.BINARY)          # the same, on an array that prints TB and means TiB
    size("2097152 blocks", block_size=512)            # 1073741824
    speed("16Gbps")                                   # 16000000000

Results are exact: texts never pass through floating point. What can't be read raises `errors.BadResponse`, and nothing
else; whether a text says "unknown" is asked first, with `delphis.sdk.text.said`.
"""

from __future__ import annotations

import enum
import re
from fractions import Fraction

from delphis.sdk import errors

_PREFIXES = "kmgtpezy"
# Bounded, so that hostile texts cost nothing. Groups of three may be parted by commas: 1,234,567.8
_NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3}){1,8}|[0-9]{1,40})(?:\.[0-9]{1,40})?|\.[0-9]{1,40}"
_INTEGER = re.compile(r"([+-]?)([0-9]{1,3}(?:,[0-9]{3}){1,8}|[0-9]{1,40})")
_QUANTITY = re.compile(rf"({_NUMBER})[ \t]*([A-Za-z/()]*)")
_SIZE_UNIT = re.compile(rf"([{_PREFIXES}])?(i)?(?:b|bytes?|byte\(s\))?", re.IGNORECASE)
_BLOCK_UNITS = frozenset({"block", "blocks", "blk", "blks", "sector", "sectors"})
_SPEED_UNIT = re.compile(
    r"([KkMmGgTt])?(bit|Bit|BIT|bits|Bits|b|bps|B|bytes?|Bytes?|Bps|be|bE)?(?:/s|/sec|/S|ps|/second)?"
)
_RPM_UNIT = re.compile(r"(k)?(?:[ \t]*(?:rpm|r/min))?", re.IGNORECASE)
_BASE = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}


class Prefixes(enum.Enum):
    """What an array means by KB, MB, GB where it doesn't write the `i` of KiB."""

    DECIMAL = 1000
    BINARY = 1024


def integer(text: str) -> int:
    """A whole number, of at most 40 digits; commas may part groups of three.

    Args:
        text: Such as `"1,024"` or `"-5"`.

    Raises:
        errors.BadResponse: It is none.
    """
    found = _INTEGER.fullmatch(text.strip())
    if found is None:
        raise _unreadable(text, "a whole number")
    return int(found[1] + found[2].replace(",", ""))


def size(
    text: str, *, prefixes: Prefixes = Prefixes.DECIMAL, unit: str | None = None, block_size: int | None = None
) -> int:
    """A capacity in bytes.

    Args:
        text: Number and unit, such as `"1.5 TiB"`, `"10GB"`, `"512"`, `"2048 sectors"`. Case means nothing.
        prefixes: What KB, MB, GB, TB (and K, M, G, T) stand for. KiB, MiB and so on are binary always.
        unit: Of a number without one, such as `"MiB"` or `"blocks"`. None: a bare number is not taken.
        block_size: Bytes of a block or sector. None: blocks are not taken.

    Returns:
        Bytes. A fraction of a byte, as rounded figures give it, is rounded to the nearest one, halves up.

    Raises:
        errors.BadResponse: It is no capacity, or its unit is not known.
        ValueError: `unit` is none, or `block_size` is not positive: the driver's own mistake.
    """
    if block_size is not None and block_size <= 0:
        raise ValueError(f"block_size is {block_size}, and must be positive")
    if unit is not None and _bytes_of_unit(unit, prefixes, block_size) is None:
        raise ValueError(f"{unit!r} is no unit of a capacity, or one of blocks whose size isn't given")
    found = _QUANTITY.fullmatch(text.strip())
    if found is None:
        raise _unreadable(text, "a capacity")
    written = found[2] or unit
    if written is None:
        raise _unreadable(text, "a capacity: it has no unit")
    factor = _bytes_of_unit(written, prefixes, block_size)
    if factor is None:
        raise _unreadable(text, "a capacity: its unit is not known")
    return _nearest(_fraction(found[1]) * factor)


def speed(text: str, *, unit: str | None = None) -> int:
    """The speed of a port in bit/s. Prefixes are decimal, as on all wires.

    Args:
        text: Such as `"16Gbps"`, `"10 Gb/s"`, `"8 Gbit"`, `"25GbE"`, `"32G"`, `"100 MB/s"`. A small b is bits, a
            capital B is bytes; a prefix alone is bits.
        unit: Of a number without one, such as `"Gbps"`. None: a bare number is not taken.

    Raises:
        errors.BadResponse: It is no speed. Turns per minute are none: see `rotation`.
        ValueError: `unit` is none.
    """
    if unit is not None and _bits_of_unit(unit) is None:
        raise ValueError(f"{unit!r} is no unit of a speed")
    found = _QUANTITY.fullmatch(text.strip())
    written = (found[2] or unit) if found else None
    factor = _bits_of_unit(written) if written else None
    if found is None or factor is None:
        raise _unreadable(text, "a speed")
    return _nearest(_fraction(found[1]) * factor)


def rotation(text: str) -> int:
    """Turns of a disk per minute.

    Args:
        text: Such as `"7200"`, `"10K"`, `"15k rpm"`, `"10,000 RPM"`.

    Raises:
        errors.BadResponse: It is none, such as `"SSD"`.
    """
    found = re.fullmatch(rf"({_NUMBER})[ \t]*(.{{0,16}})", text.strip(), re.DOTALL)
    unit = _RPM_UNIT.fullmatch(found[2]) if found else None
    if found is None or unit is None:
        raise _unreadable(text, "turns per minute")
    return _nearest(_fraction(found[1]) * (1000 if unit[1] else 1))


def ratio(text: str) -> float:
    """A percentage as a ratio: 1.0 is all of it. More than that is possible, as in overcommitted pools.

    Args:
        text: Such as `"45.3%"`, `"45.3 %"` or `"45.3"`, which are percent all of them.

    Raises:
        errors.BadResponse: It is none.
    """
    found = re.fullmatch(rf"({_NUMBER})[ \t]*%?", text.strip())
    if found is None:
        raise _unreadable(text, "a percentage")
    return float(_fraction(found[1]) / 100)


def _bytes_of_unit(unit: str, prefixes: Prefixes, block_size: int | None) -> int | None:
    if unit.lower() in _BLOCK_UNITS:
        return block_size
    found = _SIZE_UNIT.fullmatch(unit)
    if not unit or found is None or (found[2] and not found[1]):
        return None
    power = _PREFIXES.index(found[1].lower()) + 1 if found[1] else 0
    base: int = Prefixes.BINARY.value if found[2] else prefixes.value
    return int(base**power)


def _bits_of_unit(unit: str) -> int | None:
    found = _SPEED_UNIT.fullmatch(unit)
    if not unit or found is None or not (found[1] or found[2]):
        return None
    of_bytes = (found[2] or "").startswith(("B", "byte")) and not (found[2] or "").lower().startswith("bit")
    return _BASE[(found[1] or "").lower()] * (8 if of_bytes else 1)


def _fraction(number: str) -> Fraction:
    return Fraction(number.replace(",", ""))


def _nearest(value: Fraction) -> int:
    return (2 * value.numerator + value.denominator) // (2 * value.denominator)


def _unreadable(text: str, what: str) -> errors.BadResponse:
    shown = text if len(text) <= 60 else text[:60] + "…"
    return errors.BadResponse(f"The array says {shown!r}, which can't be read as {what}.", text=shown)
