"""Values that are not of the type that a field wants, read as what they were meant to be. None: they say nothing."""

from __future__ import annotations

import ipaddress
import math
import re
from enum import Enum
from typing import Any

_NUMBER = re.compile(r"\s*(-?\d[\d,]*(?:\.\d+)?|-?\.\d+)\s*([A-Za-z/%]*)\s*")
_LARGEST = 2**63 - 1
# What command lines print for a size or a speed. Sizes are binary there, speeds decimal.
_SIZES = {unit: 1024**power for power, unit in enumerate(("", "k", "m", "g", "t", "p", "e"))}
_SPEEDS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE_UNIT = re.compile(r"([kmgtpe]?)(?:i?b|bytes?)?")
_SPEED_UNIT = re.compile(r"([kmgt]?)(?:b|bit|bits)?(?:/s|ps)?")
_NOTHING = frozenset({"", "-", "--", "n/a", "na", "none", "null"})
_TRUE, _FALSE = frozenset({"true", "yes", "on", "1", "enabled"}), frozenset({"false", "no", "off", "0", "disabled"})
# Below so many a speed is meant in Mbit/s: drivers write either, and no port is slower than 1 Mbit/s.
_FEWEST_BITS = 1_000_000


class Unreadable(Exception):
    """The value means nothing that the field could hold; the message says what is wrong."""


def alone(value: Any) -> Any:
    """The value in a list or tuple of one, or of a member of an enum; other values as they are."""
    while True:
        if isinstance(value, (list, tuple)) and len(value) == 1:
            value = value[0]
        elif isinstance(value, Enum):
            value = value.value
        else:
            return value


def text(value: Any) -> str | None:
    """A text without control characters and spaces around it; numbers are written out."""
    value = alone(value)
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, (dict, list, tuple, set)):
        raise Unreadable(f"is of type {type(value).__name__}, not a text")
    found = str(value)
    if not found.isprintable():
        found = "".join(character if character.isprintable() or character in "\n\t" else " " for character in found)
        found = found.encode("utf-8", "replace").decode()
    return found.strip() or None


def one_line(value: Any) -> str | None:
    """The same in one line, for names and ids."""
    found = text(value)
    return " ".join(found.split()) if found and ("\n" in found or "\t" in found) else found


def _parts(value: Any) -> tuple[float, str] | None:
    value = alone(value)
    if isinstance(value, bool):
        return float(value), ""
    if isinstance(value, (int, float)):
        if not math.isfinite(value):
            return None
        return value, ""
    if not isinstance(value, str):
        try:
            return float(value), ""  # Decimal, numpy's numbers
        except (TypeError, ValueError):
            raise Unreadable(f"is of type {type(value).__name__}, not a number") from None
    if value.strip().lower() in _NOTHING:
        return None
    found = _NUMBER.fullmatch(value)
    if found is None:
        raise Unreadable("is no number")
    digits = found[1].replace(",", "")
    return (float(digits) if "." in digits else int(digits)), found[2].lower()


def _whole(number: float) -> int | None:
    if number == -1:
        return None  # "unknown" or "no limit"
    if number < 0:
        raise Unreadable("is below zero")
    if number > _LARGEST:
        raise Unreadable("is too large")
    return int(number)


def integer(value: Any) -> int | None:
    """A whole number, such as a size in bytes: of a float, of a text, of a text with a unit (`1.5 TB`)."""
    parts = _parts(value)
    if parts is None:
        return None
    unit = _SIZE_UNIT.fullmatch(parts[1])
    if unit is None:
        raise Unreadable(f"has the unit {parts[1]!r}")
    return _whole(parts[0] * _SIZES[unit[1]])


def speed(value: Any) -> int | None:
    """bit/s, of a number or a text such as `16 Gbps`. Small numbers are meant in Mbit/s."""
    parts = _parts(value)
    if parts is None:
        return None
    unit = _SPEED_UNIT.fullmatch(parts[1])
    if unit is None:
        raise Unreadable(f"has the unit {parts[1]!r}")
    found = _whole(parts[0] * _SPEEDS[unit[1]])
    return found * 10**6 if found is not None and not unit[1] and found < _FEWEST_BITS else found


def boolean(value: Any) -> bool | None:
    """A truth, of a number or a word."""
    value = alone(value)
    if isinstance(value, (bool, int, float)):
        return bool(value)
    word = str(value).strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    if word in _NOTHING:
        return None
    raise Unreadable("is neither true nor false")


_SEPARATED = re.compile(r"(?:0[xX])?[0-9A-Fa-f]+(?:[:. -][0-9A-Fa-f]+)*")


def wwn(value: Any) -> str | None:
    """A WWN in lower case without separators; what is not hexadecimal stays, such as an iSCSI name."""
    found = one_line(value)
    if found is None or not _SEPARATED.fullmatch(found):
        return found.replace(" ", "") if found else None
    return re.sub(r"^0[xX]|[:. -]", "", found).lower()


def mac(value: Any) -> str | None:
    """Six bytes in hexadecimal, with colons."""
    found = one_line(value)
    if found is None:
        return None
    digits = re.sub(r"[^0-9A-Fa-f]", "", found).lower()
    if len(digits) != 12:
        raise Unreadable("is no MAC address")
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))


def ipv4(value: Any) -> str | None:
    """An IPv4 address."""
    return _address(value, 4)


def ipv6(value: Any) -> str | None:
    """An IPv6 address."""
    return _address(value, 6)


def ip(value: Any) -> str | None:
    """An IP address."""
    return _address(value, None)


def _address(value: Any, version: int | None) -> str | None:
    found = one_line(value)
    if found is None or found.lower() in _NOTHING:
        return None
    try:
        address = ipaddress.ip_address(found.partition("/")[0])
    except ValueError:
        raise Unreadable("is no IP address") from None
    if version is not None and address.version != version:
        raise Unreadable(f"is no IPv{version} address")
    return str(address)
