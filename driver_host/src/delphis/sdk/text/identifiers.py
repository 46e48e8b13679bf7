"""Names of the world, as the contract writes them; and what arrays print where there is none."""

from __future__ import annotations

import re

from delphis.sdk import errors
from delphis.sdk.text.lines import shortened

_NOTHING = frozenset({"", "-", "--", "---", "----", "n/a", "na", "none", "null", "nil", "not available", "unknown"})
_HEX = re.compile(r"(?:0x)?([0-9a-f]+(?:[:. _-][0-9a-f]+)*)")
_ISCSI = re.compile(r"(?:iqn\.[0-9]{4}-[0-9]{2}\.|nqn\.[0-9]{4}-[0-9]{2}\.)[!-~]{1,240}")
_SHORTEST, _LONGEST = 16, 40


def said(text: str | None) -> str | None:
    """A text, or None where an array says that there is none: "", "-", "--", "N/A", "none", "unknown" and their like.

    Args:
        text: A cell or value as it was printed; None stays None.
    """
    stripped = (text or "").strip()
    return None if stripped.lower() in _NOTHING else stripped


def wwn(text: str) -> str:
    """A WWN, or an IQN or NQN, as the contract writes it.

    Args:
        text: Such as `"50:06:01:60:BE:A0:5E:89"`, `"0x500601…"`, `"naa.6006016…"`, `"iqn.1992-04.com.acme:box"`.

    Returns:
        Hexadecimal digits in lower case, without separators: 16 to 40 of them, an even number. IQN and NQN: in lower
        case.

    Raises:
        errors.BadResponse: It is none of these.
    """
    stripped = text.strip().lower() if text.isascii() else ""
    if _ISCSI.fullmatch(stripped):
        return stripped
    found = _HEX.fullmatch(re.sub(r"^(?:naa|eui)\.", "", stripped))
    digits = re.sub(r"[:. _-]", "", found[1]) if found else ""
    if not _SHORTEST <= len(digits) <= _LONGEST or len(digits) % 2:
        raise errors.BadResponse(f"The array says {shortened(text)!r}, which is no WWN.", text=shortened(text))
    return digits


def mac(text: str) -> str:
    """A MAC address as the contract writes it: six bytes in lower case, with colons.

    Args:
        text: Such as `"00-60-16-AB-CD-EF"`, `"0060.16ab.cdef"`, `"006016abcdef"`.

    Raises:
        errors.BadResponse: It is none.
    """
    stripped = text.strip().lower() if text.isascii() else ""
    digits = re.sub(r"[:. -]", "", stripped)
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        raise errors.BadResponse(f"The array says {shortened(text)!r}, which is no MAC address.", text=shortened(text))
    return ":".join(digits[place : place + 2] for place in range(0, 12, 2))
