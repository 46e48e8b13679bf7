"""Callers who wait for a host while the registry stops: they are told so, at once."""

from __future__ import annotations

import asyncio
import socket
import time
from pathlib import Path

from services.calls.errors import CallError
from tests.registry.support import PAIR, House, house, until, write_manifest


async def ends(home: House, *calls: asyncio.Task[object]) -> None:
    before = time.monotonic()
    await home.registry.stop(1.0)
    assert time.monotonic() - before < 15
    for error in await asyncio.gather(*calls, return_exceptions=True):
        assert isinstance(error, CallError), error
        assert error.reason == "SERVICE_UNAVAILABLE"
        assert "stopped" in error.message


def asked(home: House, storage_id: str) -> asyncio.Task[object]:
    return asyncio.create_task(home.router.unary("GetStorage", storage_id))


async def test_callers_who_wait_for_the_start_of_a_host(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "box", "never_ready")
    async with house(tmp_path) as home:
        calls = [asked(home, home.arrays.add(f"a{number}")) for number in range(3)]
        await until(lambda: home.slot().incoming is not None)
        restart: asyncio.Task[object] = asyncio.create_task(home.slot().restart())
        info: asyncio.Task[object] = asyncio.create_task(home.registry.info(PAIR))
        await asyncio.sleep(0)
        await ends(home, *calls, restart, info)


async def test_a_caller_who_gave_up_himself_is_not_told_so(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers", "box", "never_ready")
    async with house(tmp_path) as home:
        call = asked(home, home.arrays.add("a1"))
        await until(lambda: home.slot().incoming is not None)
        call.cancel()
        (error,) = await asyncio.gather(call, return_exceptions=True)
        assert isinstance(error, asyncio.CancelledError)


async def test_suspects_who_wait_for_their_turn(tmp_path: Path) -> None:
    write_manifest(tmp_path / "drivers")
    async with house(tmp_path) as home:
        # Two suspects: one keeps the probation host, the other waits.
        for name in ("a1", "a2"):
            await home.pid(home.arrays.add(name, f"once={tmp_path / name},exit=3"))
        hosts = home.registry.supervisor.known()[0]
        for name in ("a1", "a2"):
            hosts.ledger.host_died({name: ["GetStorage"]}, "exit code 3")
        slot = await hosts.probation.enter("a1")
        waits = asked(home, "a2")
        await until(lambda: bool(hosts.probation._waiting))
        assert slot in hosts.probation.slots
        await ends(home, waits)
        await ends(home, asked(home, "a2"))


async def test_callers_who_wait_for_a_host_elsewhere(tmp_path: Path) -> None:
    path = write_manifest(tmp_path / "drivers")
    text = path.read_text("utf-8")
    begin = text.index("command = ")
    path.write_text(text[:begin] + f'endpoint = "unix:{tmp_path}/mute.sock"\n', "utf-8")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as mute:
        mute.bind(f"{tmp_path}/mute.sock")
        mute.listen()
        async with house(tmp_path) as home:
            call = asked(home, home.arrays.add("a1"))
            await until(lambda: any(hosts.main.starting for hosts in home.registry.supervisor.known()))
            await ends(home, call)
