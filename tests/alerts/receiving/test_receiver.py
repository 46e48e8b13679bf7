"""The receiver on real sockets: what it keeps, refuses, answers and counts."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import os
import resource
import socket
import time
from pathlib import Path

import pytest

from services.alerts.receiving import CannotListen, listen
from services.alerts.receiving.pace import Pace
from services.alerts.receiving.sockets import asked_at, kernel_drops
from services.snmp import AuthProtocol, SnmpError
from tests.alerts.receiving.station import eventually, station
from tests.snmp import oracle
from tests.snmp.oracle import V3

TRAP = oracle.v2c_message(oracle.EVERY_TYPE[:2])
INFORM = oracle.v2c_message(oracle.EVERY_TYPE[:2], inform=True)


def sender(source: str = "127.0.0.1") -> socket.socket:
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.bind((source, 0))
    opened.setblocking(False)
    return opened


async def test_both_families_on_one_socket(tmp_path: Path) -> None:
    async with station(tmp_path, host="*") as listening:
        with sender("127.0.0.9") as four, sender("::1") as six:
            four.sendto(TRAP, ("127.0.0.1", listening.port))
            await eventually(lambda: listening.counters.accepted == 1)
            six.sendto(TRAP, ("::1", listening.port))
            await eventually(lambda: listening.counters.accepted == 2)
            found = listening.spooled()
            assert [(record.source, record.port) for record in found] == [
                ("127.0.0.9", four.getsockname()[1]),
                ("::1", six.getsockname()[1]),
            ]
        assert {record.data for record in found} == {TRAP}
        assert all(abs(record.received_at_ns - time.time_ns()) < 60e9 for record in found)
        assert listening.counters.received_bytes == 2 * len(TRAP)


@pytest.mark.parametrize(("host", "asked"), [("*", "127.0.0.7"), ("0.0.0.0", "127.0.0.7"), ("*", "::1")])
async def test_informs_are_answered_from_the_address_that_was_asked(tmp_path: Path, host: str, asked: str) -> None:
    """A sender that has connected its socket hears nobody else."""
    async with station(tmp_path, host=host) as listening:
        with sender("::1" if ":" in asked else "127.0.0.1") as opened:
            opened.connect((asked, listening.port))
            opened.send(INFORM)
            loop = asyncio.get_running_loop()
            answer = await asyncio.wait_for(loop.sock_recv(opened, 65_535), 60)
            assert answer[-60:] == INFORM[-60:]
            (record,) = listening.spooled()
            assert record.answered
            opened.send(INFORM)  # it didn't hear us, it says
            assert await asyncio.wait_for(loop.sock_recv(opened, 65_535), 60) == answer
        assert len(listening.spooled()) == 1
        assert (listening.counters.informs_answered, listening.counters.informs_repeated) == (1, 1)


async def test_what_is_no_notification_is_counted_by_reason(tmp_path: Path) -> None:
    async with station(tmp_path) as listening:
        to = "127.0.0.1", listening.port
        with sender() as opened:
            for data in (
                b"",
                b"\x30\x82\x01",
                b"GET / HTTP/1.1\r\n\r\n",
                TRAP[:-3],
                TRAP.replace(b"\xa7", b"\xa0", 1),
                TRAP.replace(b"\x02\x01\x01", b"\x02\x01\x05", 1),
                TRAP,
            ):
                opened.sendto(data, to)
        await eventually(lambda: listening.counters.received == 7)
        assert listening.counters.refused == {
            "truncated": 3,
            "malformed": 1,
            "unsupported_pdu": 1,
            "unsupported_version": 1,
        }
        assert len(listening.spooled()) == 1


async def test_what_only_decoding_finds_is_kept_and_harmless(tmp_path: Path) -> None:
    """Receiving looks at the head; the worker behind the spool refuses the rest."""
    broken = TRAP[:-6] + b"\x3f" + TRAP[-5:]  # the last value has a type that there isn't
    foreign = V3("nobody", AuthProtocol.SHA).message()
    async with station(tmp_path) as listening:
        with sender() as opened:
            for data in (broken, foreign, TRAP):
                opened.sendto(data, ("127.0.0.1", listening.port))
        await eventually(lambda: listening.counters.accepted == 3)
        *refused, good = listening.spooled()
        for record in refused:
            with pytest.raises(SnmpError):
                listening.decode(record)
        assert listening.decode(good).trap_oid == oracle.TRAP


async def test_an_inform_that_cant_be_kept_isnt_answered(tmp_path: Path) -> None:
    async with station(tmp_path) as listening:
        with sender() as opened:
            opened.connect(("127.0.0.1", listening.port))
            soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
            try:
                opened.send(INFORM)
                await eventually(lambda: listening.counters.disk_refused == 1)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            with pytest.raises(BlockingIOError):
                opened.recv(1)
            opened.send(INFORM)
            assert await asyncio.wait_for(asyncio.get_running_loop().sock_recv(opened, 65_535), 60)
        assert (listening.counters.informs_answered, listening.counters.informs_repeated) == (1, 0)
        assert len(listening.spooled()) == 1


async def test_a_fault_in_judging_an_inform_harms_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with station(tmp_path) as listening:
        listening.receiver.desk._allow = lambda *_: 1 / 0 > 1
        with sender() as opened:
            opened.sendto(INFORM, ("127.0.0.1", listening.port))
            opened.sendto(TRAP, ("127.0.0.1", listening.port))
        await eventually(lambda: listening.counters.accepted == 1)
        assert listening.counters.refused == {"internal": 1}
        assert "could not be judged" in caplog.text


async def test_what_the_kernel_drops_is_seen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with station(tmp_path, buffer_bytes=4_096) as listening:
        with sender() as opened:
            for _ in range(500):  # nobody reads meanwhile: this is the same thread
                opened.sendto(TRAP, ("127.0.0.1", listening.port))
        await eventually(lambda: listening.counters.kernel_drops > 0)
        await eventually(lambda: listening.counters.received + listening.counters.kernel_drops == 500)
        assert "dropped by the kernel" in caplog.text


async def test_a_source_may_ask_only_so_often(tmp_path: Path) -> None:
    async with station(tmp_path, questions=Pace(0.001, 5)) as listening:
        with sender("127.0.0.2") as flood, sender("127.0.0.3") as other:
            for number in range(50):
                flood.sendto(oracle.v2c_message((), inform=True, request_id=number), ("127.0.0.1", listening.port))
            other.sendto(INFORM, ("127.0.0.1", listening.port))
            flood.sendto(TRAP, ("127.0.0.1", listening.port))
            await eventually(lambda: listening.counters.received == 52)
        assert listening.counters.refused == {"too_many_questions": 45}
        assert [record.source for record in listening.spooled()].count("127.0.0.3") == 1
        assert listening.counters.accepted == 5 + 1 + 1


async def test_a_flood_from_one_source(tmp_path: Path) -> None:
    """Its spool is small and nobody reads it: the flood loses, the other doesn't."""
    async with station(tmp_path, most_bytes=400_000) as listening:
        to = "127.0.0.1", listening.port
        with sender("127.0.0.2") as flood, sender("127.0.0.3") as other:
            for number in range(100):
                for _ in range(100):
                    flood.sendto(TRAP, to)
                other.sendto(oracle.v2c_message((), request_id=number), to)
                await asyncio.sleep(0)
            await eventually(lambda: listening.counters.received + listening.counters.kernel_drops == 10_100)
        counters = listening.counters
        assert counters.kernel_drops == 0
        kept = [listening.decode(record) for record in listening.spooled() if record.source == "127.0.0.3"]
        assert [found.request_id for found in kept] == list(range(100))
        assert counters.lost_by_source == {"127.0.0.2": counters.share_refused + counters.overflow_dropped}
        assert counters.share_refused > 5_000


async def test_closing_takes_what_waits(tmp_path: Path) -> None:
    async with station(tmp_path) as listening:
        with sender() as opened:
            for _ in range(700):
                opened.sendto(TRAP, ("127.0.0.1", listening.port))
        listening.receiver.close()
        assert listening.counters.accepted == 700
        listening.receiver.close()


def test_where_traps_cant_be_received(caplog: pytest.LogCaptureFixture) -> None:
    (first,) = listen("127.0.0.1", 0)
    try:
        with pytest.raises(CannotListen, match=f"127.0.0.1 port {first.port}: Address already in use"):
            listen("127.0.0.1", first.port)
        with pytest.raises(CannotListen):
            listen("192.0.2.1", 0)
        with pytest.raises(CannotListen):
            listen("no-such-name.invalid", 0)
        assert kernel_drops([first]) == 0
    finally:
        first.socket.close()
    (six,) = listen("::1", 0)
    assert str(six) == f"[::1]:{six.port}"
    six.socket.close()
    assert caplog.records == [] or all(record.levelno <= logging.INFO for record in caplog.records)


def test_a_name_with_several_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    known = [(socket.AF_INET, socket.SOCK_DGRAM, 0, "", (f"127.0.0.{last}", 0)) for last in (2, 3, 2)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: known)
    found = listen("traps.example", 0)
    assert [each.host for each in found] == ["127.0.0.2", "127.0.0.3"]
    assert len({each.port for each in found}) == 1
    for each in found:
        each.socket.close()


def test_a_port_that_isnt_permitted(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an ordinary user; as root bind() is made to refuse as it would."""
    bind = socket.socket.bind

    def refusing(self: socket.socket, address: tuple[str, int]) -> None:
        if 0 < address[1] < 1_024:
            raise PermissionError(13, os.strerror(13))
        bind(self, address)

    monkeypatch.setattr(socket.socket, "bind", refusing)
    with pytest.raises(CannotListen, match="CAP_NET_BIND_SERVICE"):
        listen("127.0.0.1", 162)
    (found,) = listen("127.0.0.1", 162, or_port=0)
    found.socket.close()
    assert "port 162 isn't permitted" in caplog.text


def test_answers_leave_where_the_question_came_to() -> None:
    four = (3).to_bytes(4, "little") + ipaddress.ip_address("192.0.2.7").packed + bytes(4)
    assert asked_at(socket.IPPROTO_IP, 8, four) == [(socket.IPPROTO_IP, 8, bytes(4) + four[4:8] + bytes(4))]
    for text, kept in (("2001:db8::1", False), ("fe80::1", True)):
        info = ipaddress.ip_address(text).packed + (3).to_bytes(4, "little")
        ((_, _, told),) = asked_at(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, info)
        assert told == (info if kept else info[:16] + bytes(4))
    assert asked_at(socket.SOL_SOCKET, 1, b"") == []


def test_tokens() -> None:
    pace = Pace(10, 5)
    assert [pace.allows("a", 0.0) for _ in range(6)] == [True] * 5 + [False]
    assert [pace.allows("a", 0.25) for _ in range(3)] == [True, True, False]
    assert pace.allows("b", 0.25)
    for number in range(20_000):
        pace.allows(str(number), 1.0)
    assert len(pace._buckets) <= 10_000
