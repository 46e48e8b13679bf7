"""Traps: what decoding costs, and receiving into the spool, beside the bare drain of a socket."""

from __future__ import annotations

import asyncio
import dataclasses
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.measure import Row
from services.alerts.receiving import Counters, Receiver, Spool, listen
from services.alerts.receiving.sockets import kernel_drops
from services.snmp import (
    AuthProtocol,
    Decoder,
    InformDesk,
    OwnEngine,
    PrivProtocol,
    TimeWindows,
    User,
    UserTable,
    ber,
    new_engine_id,
)
from tests.snmp import oracle

SECONDS = 4
MESSAGES = 400
ROUNDS = 25
USER = User("array", "monitor", AuthProtocol.SHA, "auth-password", PrivProtocol.AES, "privacy-password")
# As a vendor's trap: 9 bindings, most of them text, 400 octets with those.
BINDINGS = [
    *((f"{oracle.OID}.{place}", ber.OCTETS, b"controller A, bay " + bytes([48 + place])) for place in range(1, 8)),
    (f"{oracle.OID}.8", ber.INTEGER, 4_711),
    (f"{oracle.OID}.9", ber.OBJECT_ID, oracle.OID),
]
SENDER = """
import socket, sys, time
port, rate, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
data = sys.stdin.buffer.read()
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.connect(("127.0.0.1", port))
sent, began = 0, time.monotonic()
while sent < rate * seconds:
    due = min(int(rate * seconds), int((time.monotonic() - began) * rate) + 1)
    while sent < due:
        sender.send(data)
        sent += 1
    time.sleep(0.001)
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    """What came of a paced stream."""

    count: int
    lost: int
    cpu: float
    """Seconds of the receiving process."""

    @property
    def each(self) -> float:
        """µs of CPU a trap."""
        return self.cpu / self.count * 1e6


def decoding(messages: list[bytes]) -> float:
    """µs of CPU a message, each decoded once a round, as behind the spool."""
    engine, now = OwnEngine(new_engine_id(), 1, time.time()), time.time()
    users = UserTable([USER])
    found = []
    for _ in range(ROUNDS):
        decoder = Decoder(users, engine, TimeWindows())
        began = time.process_time()
        for data in messages:
            decoder.decode(data, now)
        found.append((time.process_time() - began) / len(messages) * 1e6)
    return min(found)  # what else runs here only adds


async def sending(port: int, data: bytes, rate: int, seconds: float) -> None:
    """From a process of its own."""
    arguments = (str(port), str(rate), str(seconds))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SENDER, *arguments, stdin=asyncio.subprocess.PIPE
    )
    await process.communicate(data)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, "sender")


async def bare(data: bytes, rate: int, seconds: float) -> Received:
    """Takes every datagram, and does nothing with it."""
    (listening,) = listen("127.0.0.1", 0)
    loop, receive, count = asyncio.get_running_loop(), listening.socket.recvmsg, 0

    def drain() -> None:
        nonlocal count
        for _ in range(256):
            try:
                receive(65_535, 64)
            except BlockingIOError:
                return
            count += 1

    loop.add_reader(listening.socket.fileno(), drain)
    began = time.process_time()
    await sending(listening.port, data, rate, seconds)
    drain()
    cpu = time.process_time() - began
    loop.remove_reader(listening.socket.fileno())
    lost = kernel_drops([listening])
    listening.socket.close()
    return Received(count, lost, cpu)


async def spooled(folder: Path, data: bytes, rate: int, seconds: float) -> Received:
    """Takes every datagram into the spool."""
    counters = Counters()
    engine = OwnEngine(new_engine_id(), 1, time.time())
    desk = InformDesk(Decoder(UserTable([USER]), engine, TimeWindows()), lambda notification, source: True)
    sockets = listen("127.0.0.1", 0)
    with Spool(folder, counters=counters) as spool:
        receiver = Receiver(sockets, spool, desk, counters)
        receiver.start()
        began = time.process_time()
        await sending(sockets[0].port, data, rate, seconds)
        receiver.close()
        cpu = time.process_time() - began
    return Received(counters.accepted, int(rate * seconds) - counters.accepted, cpu)


def run(folder: Path) -> Iterator[Row]:
    """The rows."""
    loop: Callable[[Awaitable[Any]], Received] = uvloop.run  # type: ignore[assignment]
    v3 = oracle.V3(auth=AuthProtocol.SHA, privacy=PrivProtocol.AES)
    streams = (
        ("v2c, 9 varbinds", [oracle.v2c_message(BINDINGS, request_id=number) for number in range(MESSAGES)], 5_000),
        (
            "v3 SHA + AES, 9 varbinds",
            [dataclasses.replace(v3, message_id=number).message(BINDINGS) for number in range(MESSAGES)],
            2_000,
        ),
    )
    for name, messages, rate in streams:
        data = messages[0]
        limit = loop(bare(data, rate, SECONDS))
        yield Row(f"decode a trap: {name}", decoding(messages), "µs", limit.each, f"its bare receipt at {rate:,}/s")
        found = loop(spooled(folder / f"spool-{rate}", data, rate, SECONDS))
        yield Row(f"receive and spool {rate * SECONDS:,} at {rate:,}/s: {name}: lost", found.lost, "traps", goal="≤ 0")
        yield Row("  CPU", found.each, "µs/trap", limit.each, "bare")
        yield Row("  CPU", found.cpu / SECONDS, "of a core", limit.cpu / SECONDS, "bare", goal="≤ 0.5")
    data = streams[0][1][0]
    limit = loop(bare(data, 10_000, 2))
    found = loop(spooled(folder / "spool-burst", data, 10_000, 2))
    yield Row("a burst of 20,000 v2c in 2 s: lost", found.lost, "traps", goal="≤ 0")
    yield Row("  CPU", found.each, "µs/trap", limit.each, "bare")
