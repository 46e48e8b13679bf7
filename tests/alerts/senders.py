"""Senders of traps, made of the decoder's own parts: net-snmp's are tried where the receiver is."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from services.snmp import ber, oid

ENTERPRISE = "1.3.6.1.4.1.8072.9999.8190"
TRAP_OID = f"{ENTERPRISE}.0.1"
_TRAP_V1, _TRAP_V2 = 0xA4, 0xA7


def bindings(
    number: str, what: str = "raise", *, severity: str = "Major", description: str = "", serial: str = ""
) -> dict[str, str]:
    """What a trap of a generated array says; see drivers/fake_storage/README.md."""
    found = {"1": severity, "2": number, "3": description or f"Alert {number}", "4": what}
    return found | ({"5": serial} if serial else {})


def v2c(
    given: Mapping[str, str], *, community: str = "public", trap_oid: str = TRAP_OID, inform: bool = False
) -> bytes:
    """A trap, or an inform, of SNMPv2c. `given` are texts by the number behind the enterprise."""
    return _sequence(ber.encode_integer(1), _octets(community.encode()), _pdu(given, trap_oid, inform=inform))


def v1(given: Mapping[str, str], *, agent: str, community: str = "public") -> bytes:
    """A trap of SNMPv1, as a relay passes it on for `agent`."""
    fields = (
        _oid(ENTERPRISE),
        ber.encode(ber.IP_ADDRESS, socket.inet_aton(agent)),
        ber.encode_integer(6),
        ber.encode_integer(1),
        ber.encode_integer(1, ber.TIME_TICKS),
        _sequence(*_varbinds(given)),
    )
    return _sequence(ber.encode_integer(0), _octets(community.encode()), ber.encode(_TRAP_V1, b"".join(fields)))


def v3(given: Mapping[str, str], *, user: str, engine_id: bytes, number: int = 1) -> bytes:
    """A trap of SNMPv3 without authentication."""
    header = _sequence(ber.encode_integer(number), ber.encode_integer(65_507), _octets(b"\0"), ber.encode_integer(3))
    zero = ber.encode_integer(0)
    security = _sequence(_octets(engine_id), zero, zero, _octets(user.encode()), _octets(b""), _octets(b""))
    scoped = _sequence(_octets(engine_id), _octets(b""), _pdu(given, TRAP_OID, inform=False))
    return _sequence(ber.encode_integer(3), header, _octets(security), scoped)


class Sender:
    """Sends to a receiver from an address of this machine."""

    def __init__(self, receiver: str, source: str = "127.0.0.1") -> None:
        host, _, port = receiver.rpartition(":")
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((source, 0))
        self._to = (host, int(port))

    def send(self, *datagrams: bytes) -> None:
        """One after the other."""
        for datagram in datagrams:
            self._socket.sendto(datagram, self._to)

    def close(self) -> None:
        """No more."""
        self._socket.close()


def _pdu(given: Mapping[str, str], trap_oid: str, *, inform: bool) -> bytes:
    uptime = _sequence(_oid("1.3.6.1.2.1.1.3.0"), ber.encode_integer(1, ber.TIME_TICKS))
    what = _sequence(_oid("1.3.6.1.6.3.1.1.4.1.0"), _oid(trap_oid))
    zero = ber.encode_integer(0)
    body = ber.encode_integer(1) + zero + zero + _sequence(uptime, what, *_varbinds(given))
    return ber.encode(0xA6 if inform else _TRAP_V2, body)


def _varbinds(given: Mapping[str, str]) -> list[bytes]:
    return [_sequence(_oid(f"{ENTERPRISE}.{number}"), _octets(text.encode())) for number, text in given.items()]


def _oid(text: str) -> bytes:
    return ber.encode(ber.OBJECT_ID, oid.encoded(text))


def _octets(data: bytes) -> bytes:
    return ber.encode(ber.OCTETS, data)


def _sequence(*parts: bytes) -> bytes:
    return ber.encode(ber.SEQUENCE, b"".join(parts))
