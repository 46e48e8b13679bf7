"""Floods that fill the sockets: the kernel's filter, and when it is set."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from services.alerts.receiving import listen
from services.alerts.receiving.dam import Dam
from services.alerts.receiving.sockets import TrapSocket, source_text
from tests.alerts.receiving.station import station
from tests.snmp import oracle

FLOODING = """
import socket, sys, time
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sender.bind(("127.0.0.2", 0))
sender.connect(("127.0.0.1", int(sys.argv[1])))
data, ends = sys.stdin.buffer.read(), time.monotonic() + float(sys.argv[2])
while time.monotonic() < ends:
    for _ in range(200):
        sender.send(data)
"""


def came(listening: TrapSocket) -> dict[str, int]:
    counts: dict[str, int] = {}
    with contextlib.suppress(BlockingIOError):
        while True:
            source = source_text(listening.socket.recvfrom(100)[1])
            counts[source] = counts.get(source, 0) + 1
    return counts


def send(to: TrapSocket, *sources: str, count: int = 1_000) -> None:
    for source in sources:
        six = ":" in source
        with socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.bind((source, 0))
            for _ in range(count):
                sender.sendto(b"x", ("::1" if six else "127.0.0.1", to.port))


@pytest.mark.parametrize("host", ["*", "0.0.0.0"])
def test_the_filter(host: str) -> None:
    """Several sources of both families: each gets its part, and others everything."""
    (listening,) = listen(host, 0)
    sources = ["127.0.0.2", "127.0.0.3", "127.0.0.4", *(["::1"] if host == "*" else [])]
    try:
        dam = Dam([listening])
        dam.kept = {"127.0.0.2": 1 / 4096, "fe80::1%eth0": 1 / 4096, "127.0.0.3": 0.5}
        dam._set()
        send(listening, *sources)
        counts = came(listening)
        assert counts.get("127.0.0.2", 0) < 50
        assert 300 < counts["127.0.0.3"] < 700
        assert counts["127.0.0.4"] == 1_000
        if host == "*":
            assert counts["::1"] == 1_000
            dam.kept = {"127.0.0.2": 0.5, "::1": 1 / 4096}
            dam._set()
            send(listening, *sources)
            counts = came(listening)
            assert counts.get("::1", 0) < 50
            assert counts["127.0.0.3"] == 1_000
        dam.kept = {}
        dam._set()
        send(listening, *sources)
        assert came(listening) == dict.fromkeys(sources, 1_000)
    finally:
        listening.socket.close()


def test_when_it_is_set(caplog: pytest.LogCaptureFixture) -> None:
    dam = Dam([])
    dam.look({"flood": 9_000}, full=1.0, dropped=9)
    assert dam.kept == {}  # nobody else is there, so it takes nothing from anybody
    dam.look({"other": 1}, full=0.0, dropped=0)
    dam.look({"flood": 9_000}, full=0.9, dropped=0)
    assert dam.kept == {}  # late, and not lost
    dam.look({"flood": 9_000}, full=1.0, dropped=9)
    assert dam.kept == {"flood": 0.25}
    dam.look({"flood": 9_000, "other": 20}, full=1.0, dropped=9)
    assert dam.kept == {"flood": 0.0625}
    for _ in range(50):  # it still sends 9,000, of which a part comes in
        dam.look({"flood": int(9_000 * dam.kept["flood"]), "other": 20}, full=0.0, dropped=0)
    assert 0.25 < dam.kept["flood"] < 0.6
    for _ in range(10):
        dam.look({"other": 20}, full=0.0, dropped=0)
    assert dam.kept == {}
    assert [record.args for record in caplog.records] == [("flood",), ("flood",)]
    dam.look({"a": 200, "b": 200, "c": 200}, full=1.0, dropped=9)
    assert dam.kept == {}
    for _ in range(20):
        dam.look({f"flood {number}": 9_000 + number for number in range(40)}, full=1.0, dropped=9)
    assert len(dam.kept) == 12
    assert min(dam.kept.values()) == 1 / 4096


@pytest.mark.slow
async def test_a_flood_faster_than_we_read(tmp_path: Path) -> None:
    """It fills the socket; the other source still gets most of its traps through."""
    data = oracle.v2c_message()
    async with station(tmp_path, most_bytes=4_000_000, buffer_bytes=256 * 1024, batch=16) as listening:
        flood = await asyncio.create_subprocess_exec(
            sys.executable, "-c", FLOODING, str(listening.port), "2", stdin=subprocess.PIPE
        )
        sent = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(("127.0.0.3", 0))
            done = asyncio.create_task(flood.communicate(data))
            held_back = False
            while not done.done():
                other.sendto(oracle.v2c_message((), request_id=sent), ("127.0.0.1", listening.port))
                sent += 1
                await asyncio.sleep(0.01)
                held_back |= "127.0.0.2" in listening.counters.held_back
        assert flood.returncode == 0
        listening.receiver.close()
        got = sum(record.source == "127.0.0.3" for record in listening.spooled())
        if listening.counters.kernel_drops > 1_000:
            assert held_back
        assert got > sent * 0.6
