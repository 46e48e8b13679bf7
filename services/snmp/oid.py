"""Object identifiers: encoded content to dotted text and back. A cache, since traps repeat the same few hundred."""

from __future__ import annotations

from services.snmp.errors import Reason, SnmpError, malformed

MOST_ARCS = 128
_MOST_ARC = 0xFFFFFFFF
_MOST_OCTETS = MOST_ARCS * 5
_MOST_CACHED = 16_384

_cache: dict[bytes, str] = {}


def dotted(raw: bytes) -> str:
    """The identifier as text, such as `1.3.6.1`."""
    return _cache.get(raw) or _decode(raw)


def encoded(text: str) -> bytes:
    """The content octets of an identifier, without tag and length. ValueError where it is none."""
    arcs = [int(arc) for arc in text.split(".")]
    if not 2 <= len(arcs) <= MOST_ARCS or arcs[0] > 2 or (arcs[0] < 2 and arcs[1] > 39) or min(arcs) < 0:
        raise ValueError(f"{text!r} is no object identifier")
    found = bytearray()
    for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]):
        septets = [arc & 0x7F]
        while arc := arc >> 7:
            septets.append(arc & 0x7F | 0x80)
        found += bytes(reversed(septets))
    return bytes(found)


def _decode(raw: bytes) -> str:
    if not raw:
        raise malformed("an object identifier without content")
    if len(raw) > _MOST_OCTETS:
        raise SnmpError(Reason.OVERSIZED, f"an object identifier of {len(raw)} octets")
    if raw[-1] & 0x80:
        raise malformed("an object identifier that ends within a number")
    arcs: list[int] = []
    value, began = 0, True
    for octet in raw:
        if began and octet == 0x80:
            raise malformed("a padded number in an object identifier")
        value = value << 7 | octet & 0x7F
        began = octet < 0x80
        if began:
            arcs.append(value)
            value = 0
    if len(arcs) >= MOST_ARCS:
        raise SnmpError(Reason.OVERSIZED, f"an object identifier of {len(arcs) + 1} numbers")
    first = min(arcs[0] // 40, 2)
    arcs[0:1] = [first, arcs[0] - first * 40]
    if max(arcs) > _MOST_ARC:
        raise SnmpError(Reason.OVERSIZED, "a number beyond 32 bits in an object identifier")
    text = ".".join(map(str, arcs))
    if len(_cache) >= _MOST_CACHED:  # somebody sends ever new ones: start again rather than grow
        _cache.clear()
    _cache[raw] = text
    return text
