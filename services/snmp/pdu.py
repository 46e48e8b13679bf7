"""The PDUs of notifications (RFC 1157, RFC 3416), and what they bind."""

from __future__ import annotations

from typing import Final, NamedTuple

from services.snmp import ber, oid
from services.snmp.errors import Reason, SnmpError, malformed, truncated
from services.snmp.notification import GENERIC_TRAPS, SYS_UPTIME, TRAP_OID, Value, VarBind

RESPONSE: Final = 0xA2
TRAP_V1: Final = 0xA4
INFORM: Final = 0xA6
TRAP_V2: Final = 0xA7
REPORT: Final = 0xA8
OTHERS: Final = frozenset((0xA0, 0xA1, RESPONSE, 0xA3, 0xA5, REPORT))

_INT32_LEAST, _INT32_MOST = -(2**31), 2**31 - 1
_NULLS = frozenset((ber.NULL, ber.NO_SUCH_OBJECT, ber.NO_SUCH_INSTANCE, ber.END_OF_MIB_VIEW))
_UNSIGNED_BITS = {ber.COUNTER32: 32, ber.GAUGE32: 32, ber.TIME_TICKS: 32, ber.COUNTER64: 64}
_NO_ERROR = b"\x02\x01\x00\x02\x01\x00"  # error-status and error-index
_OCTETS = frozenset((ber.OCTETS, ber.OPAQUE))
_MOST_HEADS = 16_384
_heads: dict[bytes, tuple[str, int, int]] = {}
"""Name, tag and length of values, by the octets before them. Traps repeat the same few hundred; a head that was checked
once need not be read again."""
_new = tuple.__new__


class Pdu(NamedTuple):
    """What a notification's PDU says."""

    tag: int
    request_id: int
    uptime: int | None
    trap_oid: str
    varbinds: tuple[VarBind, ...]
    enterprise: str
    agent_address: str
    list_at: int
    """Where in the buffer the list of bindings begins: an inform's answer repeats it octet by octet."""
    list_end: int


def request_id(data: bytes, at: int, end: int) -> int:
    """The request id of any PDU but SNMPv1's trap; 0 where it can't be read."""
    try:
        start, stop = ber.content(data, at, end, data[at])
        return ber.bounded_integer(data, start, stop, _INT32_LEAST, _INT32_MOST)[0]
    except (SnmpError, IndexError):
        return 0


def read(data: bytes, at: int, end: int) -> Pdu:
    """The notification whose PDU fills `at` to `end`. SnmpError UNSUPPORTED_PDU for other PDUs."""
    tag = data[at]
    if tag in (TRAP_V2, INFORM):
        start, stop = ber.content(data, at, end, tag)
        if stop != end:
            raise malformed("something follows the PDU")
        return _v2(data, start, stop, tag)
    if tag in OTHERS or tag == TRAP_V1:
        raise SnmpError(Reason.UNSUPPORTED_PDU, f"PDU {tag:#04x} is no notification")
    raise malformed(f"tag {tag:#04x} where a PDU belongs")


def _v2(data: bytes, at: int, end: int, tag: int) -> Pdu:
    number, at = ber.bounded_integer(data, at, end, _INT32_LEAST, _INT32_MOST)
    if data[at : at + 6] == _NO_ERROR:
        at += 6
    else:  # means nothing here, so any numbers will do
        _, at = ber.bounded_integer(data, at, end, _INT32_LEAST, _INT32_MOST)
        _, at = ber.bounded_integer(data, at, end, _INT32_LEAST, _INT32_MOST)
    found = _bindings(data, at, end)
    uptime = name = None
    # The first two, says RFC 3416; agents that send them elsewhere or leave the time out are still understood.
    if len(found) > 1 and found[0][0] == SYS_UPTIME and found[1][0] == TRAP_OID:
        uptime, name = found[0], found[1]
        del found[:2]
    else:
        uptime = next((varbind for varbind in found if varbind[0] == SYS_UPTIME), None)
        name = next((varbind for varbind in found if varbind[0] == TRAP_OID), None)
        if uptime is not None:
            found.remove(uptime)
        if name is not None:
            found.remove(name)
    if name is None or name[1] != ber.OBJECT_ID:
        raise malformed("no snmpTrapOID.0")
    if uptime is not None and uptime[1] != ber.TIME_TICKS:
        raise malformed("sysUpTime.0 is no TimeTicks")
    ticks = None if uptime is None else uptime[2]
    return _new(Pdu, (tag, number, ticks, name[2], tuple(found), "", "", at, end))


def read_v1(data: bytes, at: int, end: int) -> Pdu:
    """The Trap-PDU of SNMPv1 that fills `at` to `end`."""
    if data[at] != TRAP_V1:
        if data[at] in OTHERS or data[at] in (TRAP_V2, INFORM):
            raise SnmpError(Reason.UNSUPPORTED_PDU, f"PDU {data[at]:#04x} is no trap of SNMPv1")
        raise malformed(f"tag {data[at]:#04x} where a PDU belongs")
    at, stop = ber.content(data, at, end, TRAP_V1)
    if stop != end:
        raise malformed("something follows the PDU")
    start, at = ber.content(data, at, end, ber.OBJECT_ID)
    enterprise = oid.dotted(data[start:at])
    start, at = ber.content(data, at, end, ber.IP_ADDRESS)
    address = _address(data[start:at])
    generic, at = ber.bounded_integer(data, at, end, 0, 6)
    specific, at = ber.bounded_integer(data, at, end, 0, _INT32_MOST)
    start, at = ber.content(data, at, end, ber.TIME_TICKS)
    ticks = _unsigned(data, start, at, ber.TIME_TICKS)
    found = _bindings(data, at, end)
    name = f"{enterprise}.0.{specific}" if generic == 6 else f"{GENERIC_TRAPS}.{generic + 1}"
    return Pdu(TRAP_V1, 0, ticks, name, tuple(found), enterprise, address, at, end)


def _address(raw: bytes) -> str:
    if len(raw) != 4:
        raise malformed(f"an IpAddress of {len(raw)} octets")
    return f"{raw[0]}.{raw[1]}.{raw[2]}.{raw[3]}"


def _unsigned(data: bytes, start: int, stop: int, tag: int) -> int:
    value = ber.integer(data, start, stop)
    bits = _UNSIGNED_BITS[tag]
    if value < 0 and -value <= 1 << (bits - 1):  # an agent that forgot the leading zero
        value += 1 << bits
    if not 0 <= value < 1 << bits:
        raise malformed(f"{value} in {bits} bits")
    return value


def _bindings(data: bytes, at: int, end: int) -> list[VarBind]:
    """The list at `at`, which has to end with `end`. This loop is what decoding costs."""
    at, stop = ber.content(data, at, end, ber.SEQUENCE)
    if stop != end:
        raise malformed("something follows the variable bindings")
    found: list[VarBind] = []
    add, heads = found.append, _heads
    while at < end:
        start = at + data[at + 3] + 6
        head = heads.get(data[at:start])
        if head is None:
            varbind, at = _binding(data, at, end)
            add(varbind)
            continue
        name, tag, length = head
        at = start + length
        if at > end:
            raise truncated()
        add((name, tag, data[start:at] if tag == 0x04 else _value(data, tag, start, at)))
    return found


def _binding(data: bytes, at: int, end: int) -> tuple[VarBind, int]:
    """The binding at `at`, and where it ends. A head as all have that are short is remembered."""
    begin, stop = ber.content(data, at, end, ber.SEQUENCE)
    start, middle = ber.content(data, begin, stop, ber.OBJECT_ID)
    name = oid.dotted(data[start:middle])
    tag = data[middle]
    start, end = ber.content(data, middle, stop, tag)
    if end != stop:
        raise malformed("the lengths of a variable binding disagree")
    value = _value(data, tag, start, stop)
    if start == at + data[at + 3] + 6:
        if len(_heads) >= _MOST_HEADS:  # somebody sends ever new ones: start again rather than grow
            _heads.clear()
        _heads[data[at:start]] = name, tag, stop - start
    return (name, tag, value), stop


def _value(data: bytes, tag: int, start: int, stop: int) -> Value:
    """The value whose content lies from `start` to `stop`."""
    if tag in _OCTETS:
        return data[start:stop]
    if tag == ber.INTEGER:
        number = ber.integer(data, start, stop)
        if not _INT32_LEAST <= number <= _INT32_MOST:
            raise malformed("an integer beyond 32 bits")
        return number
    if tag in _UNSIGNED_BITS:
        if 0 < stop - start <= 4 and data[start] < 128:
            return int.from_bytes(data[start:stop], "big")
        return _unsigned(data, start, stop, tag)
    if tag == ber.OBJECT_ID:
        return oid.dotted(data[start:stop])
    if tag == ber.IP_ADDRESS:
        return _address(data[start:stop])
    if tag not in _NULLS:
        raise malformed(f"a value of type {tag:#04x}")
    if start != stop:
        raise malformed("a NULL with content")
    return None
