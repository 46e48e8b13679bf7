"""Messages of all three versions, up to the PDU (RFC 1157, RFC 1901, RFC 3412)."""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from services.snmp import ber, pdu
from services.snmp.errors import Reason, SnmpError, malformed

MOST_OCTETS: Final = 65_535
AUTH: Final = 1
PRIV: Final = 2
REPORTABLE: Final = 4

_INT32_MOST = 2**31 - 1
_VERSIONS = {b"\x02\x01\x00": 0, b"\x02\x01\x01": 1, b"\x02\x01\x03": 3}
_USM = 3
_new = tuple.__new__


class Kind(enum.Enum):
    """What to do with a datagram when it arrives."""

    TRAP = "trap"
    """Nobody waits for an answer: keep it, decode it later."""
    ASKS = "asks"
    """Somebody waits: an inform, or a search for our engine id."""


class CommunityMessage(NamedTuple):
    """SNMPv1 or v2c. Places are in the datagram."""

    version: int
    community: bytes
    pdu_at: int
    end: int


class V3Message(NamedTuple):
    """SNMPv3 with USM, as it came. Places are in the datagram."""

    data: bytes
    id: int
    max_size: int
    flags: int
    engine_id: bytes
    boots: int
    time: int
    user: bytes
    auth_at: int
    auth: bytes
    salt: bytes
    body_at: int


class Scope(NamedTuple):
    """A scoped PDU's context, and where its PDU lies."""

    engine_id: bytes
    name: bytes
    pdu_at: int
    end: int


def opened(data: bytes) -> tuple[int, int]:
    """The version (0, 1 or 3) and where what follows it begins. The message has to fill the datagram."""
    if len(data) > MOST_OCTETS:
        raise SnmpError(Reason.OVERSIZED, f"{len(data)} octets")
    at, end = ber.content(data, 0, len(data), ber.SEQUENCE)
    if end != len(data):
        raise malformed("something follows the message")
    version = _VERSIONS.get(data[at : at + 3])
    if version is not None:
        return version, at + 3
    version, at = ber.bounded_integer(data, at, end, -_INT32_MOST, _INT32_MOST)
    if version not in (0, 1, 3):
        raise SnmpError(Reason.UNSUPPORTED_VERSION, f"version number {version}")
    return version, at


def read_community(data: bytes, version: int, at: int) -> CommunityMessage:
    """The rest of a message of SNMPv1 or v2c, after its version."""
    end = len(data)
    start, stop = ber.content(data, at, end, ber.OCTETS)
    return _new(CommunityMessage, (version, data[start:stop], stop, end))


def _header(data: bytes, at: int, end: int) -> tuple[int, int, int, int]:
    """Message id, largest size, flags, and where the header ends."""
    start, stop = ber.content(data, at, end, ber.SEQUENCE)
    number, start = ber.bounded_integer(data, start, stop, 0, _INT32_MOST)
    max_size, start = ber.bounded_integer(data, start, stop, 484, _INT32_MOST)
    flag_octets, start = ber.octets(data, start, stop, 1, "message flags")
    model, start = ber.bounded_integer(data, start, stop, 1, _INT32_MOST)
    if start != stop or len(flag_octets) != 1:
        raise malformed("the message's header")
    if model != _USM:
        raise SnmpError(Reason.UNSUPPORTED_VERSION, f"security model {model}")
    flags = flag_octets[0]
    if flags & PRIV and not flags & AUTH:
        raise malformed("privacy without authentication")
    return number, max_size, flags, stop


def read_v3(data: bytes, at: int) -> V3Message:
    """The rest of a message of SNMPv3, after its version."""
    end = len(data)
    number, max_size, flags, stop = _header(data, at, end)
    start, body_at = ber.content(data, stop, end, ber.OCTETS)
    at, stop = ber.content(data, start, body_at, ber.SEQUENCE)
    if stop != body_at:
        raise malformed("something follows the security parameters")
    engine_id, at = ber.octets(data, at, stop, 32, "an engine id")
    boots, at = ber.bounded_integer(data, at, stop, 0, _INT32_MOST)
    time, at = ber.bounded_integer(data, at, stop, 0, _INT32_MOST)
    user, at = ber.octets(data, at, stop, 32, "a user name")
    auth_at, at = ber.content(data, at, stop, ber.OCTETS)
    auth = data[auth_at:at]
    salt, at = ber.octets(data, at, stop, 32, "privacy parameters")
    if at != stop:
        raise malformed("the security parameters")
    return _new(V3Message, (data, number, max_size, flags, engine_id, boots, time, user, auth_at, auth, salt, body_at))


def read_scope(data: bytes, at: int, end: int, *, padded: bool = False) -> Scope:
    """A scoped PDU. Only where it is `padded`, as after decryption, may something follow it."""
    at, stop = ber.content(data, at, end, ber.SEQUENCE)
    if stop != end and not padded:
        raise malformed("something follows the scoped PDU")
    engine_id, at = ber.octets(data, at, stop, 65_535, "a context engine id")
    name, at = ber.octets(data, at, stop, 65_535, "a context name")
    return _new(Scope, (engine_id, name, at, stop))


def peek(data: bytes) -> Kind:
    """What kind of datagram this is, by a few of its octets. SnmpError where it surely is no notification."""
    try:
        version, at = opened(data)
        if version == 3:
            flags = _header(data, at, len(data))[2]
            return Kind.ASKS if flags & REPORTABLE else Kind.TRAP
        _, at = ber.content(data, at, len(data), ber.OCTETS)
        tag = data[at]
    except IndexError:
        raise SnmpError(Reason.TRUNCATED, "it ends within its header") from None
    if tag == (pdu.TRAP_V1, pdu.TRAP_V2)[version]:
        return Kind.TRAP
    if version == 1 and tag == pdu.INFORM:
        return Kind.ASKS
    if tag in pdu.OTHERS or tag in (pdu.TRAP_V1, pdu.TRAP_V2, pdu.INFORM):
        raise SnmpError(Reason.UNSUPPORTED_PDU, f"PDU {tag:#04x} is no notification")
    raise malformed(f"tag {tag:#04x} where a PDU belongs")
