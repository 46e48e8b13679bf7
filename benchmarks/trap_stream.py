"""Streams of traps: made beforehand, sent at a pace by a process of its own.

`python -m benchmarks.trap_stream HOST:PORT FILE RATE` sends the file; its sources are addresses of this machine.
"""

from __future__ import annotations

import functools
import socket
import struct
import sys
import time as clock
from collections.abc import Callable, Sequence
from pathlib import Path

from services.snmp import AuthProtocol, ber, privacy, usm
from services.snmp.privacy import KeyExtension, PrivProtocol
from tests.alerts import senders

ENGINE_ID = bytes.fromhex("80001f888012345678")
KEYS = {
    "username": "monitor",
    "security_level": "authPriv",
    "auth_protocol": "HMACSHA",
    "auth_key": "auth-password",
    "privacy_protocol": "AES",
    "privacy_key": "privacy-password",
}
_HEAD = struct.Struct("<BH")


def v2c(number: str, what: str) -> bytes:
    """A trap of a generated array, with as many words as vendors use: about 300 octets."""
    return senders.v2c(_bindings(number, what))


def _bindings(number: str, what: str) -> dict[str, str]:
    return senders.bindings(number, what, description=f"Disk {number} in enclosure 7, bay 12 failed: replace it soon")


@functools.cache
def _keys() -> tuple[usm.AuthKey, privacy.PrivKey]:
    auth = usm.password_key(AuthProtocol.SHA, KEYS["auth_key"].encode())
    secret = usm.password_key(AuthProtocol.SHA, KEYS["privacy_key"].encode())
    key = privacy.extended("sha1", secret, ENGINE_ID, 16, KeyExtension.BLUMENTHAL)
    local = usm.AuthKey(AuthProtocol.SHA, usm.localised("sha1", auth, ENGINE_ID))
    return local, privacy.priv_key(PrivProtocol.AES, key)


def v3(number: str, what: str, *, time: int) -> bytes:
    """The same by SNMPv3 with SHA and AES."""
    auth, secret = _keys()
    plain = senders.v3(_bindings(number, what), user=KEYS["username"], engine_id=ENGINE_ID)
    at, end = ber.content(plain, 0, len(plain), ber.SEQUENCE)
    for tag in (ber.INTEGER, ber.SEQUENCE, ber.OCTETS):
        at = ber.content(plain, at, end, tag)[1]
    scoped, salt = secret.encrypt(plain[at:], 1, time)
    text = functools.partial(ber.encode, ber.OCTETS)
    integer = ber.encode_integer
    header = integer(1) + integer(65_507) + text(b"\3") + integer(3)

    def message(digest: bytes) -> bytes:
        fields = text(ENGINE_ID) + integer(1) + integer(time) + text(KEYS["username"].encode()) + text(digest)
        security = text(ber.encode(ber.SEQUENCE, fields + text(salt)))
        return ber.encode(ber.SEQUENCE, integer(3) + ber.encode(ber.SEQUENCE, header) + security + text(scoped))

    return message(auth.digest(message(bytes(auth.octets))))


def write(file: Path, sources: Sequence[str], count: int, prefix: str, make: Callable[[str, str], bytes]) -> int:
    """Writes a stream in which each alert is raised, and cleared later; how many traps it has."""
    lag = min(1_000, count // 2)
    found: list[tuple[int, bytes]] = []
    raised = -(-count // 2)
    for number in range(raised + lag):
        for place, what in ((number, "raise"), (number - lag, "clear")):
            if 0 <= place < raised and len(found) < count + raised:
                found.append((place % len(sources), make(f"{prefix}{place}", what)))
    found = found[:count]
    addresses = "\n".join(sources).encode()
    with file.open("wb") as out:
        out.write(struct.pack("<H", len(addresses)) + addresses)
        out.writelines(_HEAD.pack(place, len(data)) + data for place, data in found)
    return len(found)


def first(file: Path) -> bytes:
    """The first datagram of a stream."""
    data = file.read_bytes()
    at = 2 + struct.unpack_from("<H", data)[0]
    length = _HEAD.unpack_from(data, at)[1]
    return data[at + _HEAD.size : at + _HEAD.size + length]


def main() -> None:
    """Sends a file."""
    address, file, rate = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    host, _, port = address.rpartition(":")
    data = file.read_bytes()
    (size,) = struct.unpack_from("<H", data)
    sockets = []
    for source in data[2 : 2 + size].decode().split("\n"):
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sender.bind((source, 0))
        sender.connect((host, int(port)))
        sockets.append(sender)
    at, sent, began = 2 + size, 0, clock.monotonic()
    while at < len(data):
        due = int((clock.monotonic() - began) * rate) + 1
        while sent < due and at < len(data):
            place, length = _HEAD.unpack_from(data, at)
            at += _HEAD.size
            sockets[place].send(data[at : at + length])
            at += length
            sent += 1
        clock.sleep(0.001)


if __name__ == "__main__":
    main()
