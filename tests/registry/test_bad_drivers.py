"""Drivers that misbehave on one array, in the SDK's host: its siblings, and other drivers' arrays, don't notice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from delphis.driver.v1 import storage_driver_pb2 as pb
from services.calls.errors import CallError
from services.registry.manifest import Pair
from tests.registry.support import House, alive, deadline, failure, house, until, write_class_manifest

BAD_DRIVERS = Path(__file__).parents[1] / "bad_drivers"
BAD = Pair("acme", "bad")
GOOD = Pair("acme", "good")
PASSWORD = "sesame-open"


@dataclass
class Block:
    """A bad array, its sibling of the same driver, and an array of another driver."""

    home: House

    def bad(self, how: str) -> str:
        return self.home.arrays.add("bad", "", pair=BAD, bad=how)

    async def volumes(self, array: str, seconds: float = 60.0) -> int:
        batches = self.home.router.stream("ListVolumes", array, deadline=deadline(seconds))
        return sum([len(pb.ListVolumesResponse.FromString(batch).items) async for batch in batches])

    async def bad_volumes(self, how: str, seconds: float = 60.0) -> CallError:
        return await failure(self.volumes(self.bad(how), seconds))

    def host(self, pair: Pair = BAD) -> int:
        current = self.home.slot(pair).current
        return current.process.pid if current else 0

    async def unharmed(self) -> None:
        """The sibling and the stranger answer, the stranger from the same process as ever."""
        assert await self.volumes("sibling") == 3
        assert await self.volumes("stranger") == 3
        assert self.home.slot(GOOD).deaths == 0


@pytest.fixture
async def block(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Block]:
    """The driver of the test's `bad` marker-like parameter, beside a good one."""
    file, name, settings = request.param
    write_class_manifest(tmp_path / "drivers", "bad", f"{BAD_DRIVERS / file}.py:{name}", BAD)
    write_class_manifest(tmp_path / "drivers", "good", f"{BAD_DRIVERS / 'slow'}.py:Slow", GOOD)
    async with house(tmp_path, **settings) as home:
        home.arrays.add("sibling", pair=BAD)
        home.arrays.add("stranger", pair=GOOD)
        yield Block(home)


def driver(file: str, name: str, **settings: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", [(file, name, settings)], indirect=True, ids=[file])


@driver("crash", "Crash")
@pytest.mark.parametrize("how", ["segv", "exit"])
async def test_crash(block: Block, how: str) -> None:
    await block.unharmed()
    # Not lists: one that had begun is cut, and repeated by who asked for it, as a sync does.
    reads = [asyncio.create_task(block.home.router.unary("GetStorage", "sibling")) for _ in range(10)]
    error = await block.bad_volumes(how)
    assert error.reason == "DRIVER_HOST_UNAVAILABLE"
    assert all(await asyncio.gather(*reads))
    await block.unharmed()
    for _ in range(2):
        error = await block.bad_volumes(how)
    assert error.reason == "ARRAY_QUARANTINED"
    pid = block.host()
    await block.unharmed()
    assert block.host() == pid


@driver("crash", "Crash")
async def test_a_driver_that_kills_itself_looks_killed_from_outside(block: Block) -> None:
    await block.unharmed()
    assert (await block.bad_volumes("kill")).reason == "DRIVER_HOST_UNAVAILABLE"
    assert block.home.registry.distrusted() == []
    await block.unharmed()


@driver("exit", "Exit")
async def test_exit(block: Block) -> None:
    await block.unharmed()
    pid = block.host()
    assert (await block.bad_volumes("1")).reason == "DRIVER_FAULT"
    await block.unharmed()
    assert block.host() == pid


@driver("hang", "Hang")
@pytest.mark.parametrize("how", ["yes", "login"])
async def test_hang(block: Block, how: str) -> None:
    await block.unharmed()
    began = time.monotonic()
    errors = [block.bad_volumes(how, 0.7) for _ in range(3)]
    hanging = asyncio.gather(*errors)
    await block.unharmed()
    assert {error.reason for error in await hanging} <= {"ARRAY_TIMEOUT", "DRIVER_OVERLOADED"}
    assert time.monotonic() - began < 50
    await block.unharmed()


@driver("hang", "Hang")
async def test_a_host_with_stuck_calls_is_replaced(block: Block) -> None:
    await block.unharmed()
    pid = block.host()
    for n in range(20):  # four calls run for an array at a time, eight stuck ones are too many
        array = block.home.arrays.add(f"bad{n}", pair=BAD, bad="yes")
        await asyncio.gather(*(failure(block.volumes(array, 0.3)) for _ in range(4)))
        if block.host() not in (0, pid):
            break
    await until(lambda: block.host() not in (0, pid))
    await block.unharmed()
    await until(lambda: not alive(pid))
    assert block.home.slot(BAD).deaths == 0
    assert block.home.registry.distrusted() == []


@driver("slow", "Slow")
async def test_slow(block: Block) -> None:
    slow = asyncio.create_task(block.volumes(block.bad("0.3")))
    await block.unharmed()
    assert await slow == 3


@driver("busy", "Busy", unresponsive_after=2.0)
async def test_busy(block: Block) -> None:
    """One that holds the interpreter makes its siblings slow; where nothing gets through, its host is killed."""
    await block.unharmed()
    busy = asyncio.create_task(block.bad_volumes("6", 4))
    await asyncio.sleep(0.3)
    # Not lists: one that had begun is cut when the host is killed.
    assert await block.home.router.unary("GetStorage", "sibling")
    assert await block.volumes("stranger") == 3
    # On a machine that is loaded the deadline may pass before there is a host again.
    assert (await busy).reason in ("DRIVER_HOST_UNAVAILABLE", "ARRAY_TIMEOUT", "DEADLINE_EXCEEDED")
    assert await block.home.router.unary("GetStorage", "sibling")
    assert block.home.slot(GOOD).deaths == 0


@driver("leak", "Leak")
async def test_leak(block: Block, tmp_path: Path) -> None:
    path = tmp_path / "drivers" / "bad" / "driver.toml"
    path.write_text(path.read_text(encoding="utf-8") + "[limits]\nmemory_mb = 160\n", encoding="utf-8")
    block.home.registry.rescan()
    await block.unharmed()
    pid = block.host()
    for _ in range(20):
        try:
            await block.volumes(block.bad("40"))
        except CallError as error:
            assert error.reason in ("DRIVER_HOST_UNAVAILABLE", "ARRAY_QUARANTINED")  # noqa: PT017
        if not alive(pid):
            break
        await asyncio.sleep(0.05)
    assert not alive(pid)
    await block.unharmed()


@driver("lie", "Lie")
async def test_lie(block: Block) -> None:
    await block.unharmed()
    pid = block.host()
    for how in ("dict", "none", "text", "mixed", "nameless", "duplicates", "half", "half_error", "core_owned", "huge"):
        await lie(block, how)
    await block.unharmed()
    assert block.host() == pid


async def lie(block: Block, how: str) -> None:
    """Whatever the driver returns, the call ends, with an answer or one of these reasons."""
    try:
        await block.volumes(block.bad(how))
    except CallError as error:
        assert error.reason in ("DRIVER_BROKE_CONTRACT", "DRIVER_FAULT", "BAD_RESPONSE", "ARRAY_UNREACHABLE")  # noqa: PT017


@driver("stdout", "Stdout")
async def test_stdout(block: Block) -> None:
    await block.unharmed()
    assert await block.volumes(block.bad("yes")) == 3
    await block.unharmed()


@driver("tell_secrets", "TellSecrets")
@pytest.mark.parametrize("how", ["known", "unknown"])
async def test_tell_secrets(block: Block, how: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "services")
    error = await block.bad_volumes(how)
    assert PASSWORD not in error.message + str(error.metadata)
    await block.unharmed()
    assert PASSWORD not in caplog.text


@driver("ignore_sigterm", "IgnoreSigterm")
async def test_ignore_sigterm(block: Block) -> None:
    await block.home.router.unary("GetStorage", block.bad("yes"))
    await block.unharmed()
    pid = block.host()
    began = time.monotonic()
    await block.home.registry.stop(0.5)
    assert time.monotonic() - began < 30
    assert not alive(pid)


@driver("no_import", "NoImport")
async def test_no_import(block: Block) -> None:
    error = await block.bad_volumes("")
    assert error.reason == "DRIVER_LOAD_FAILED"
    assert "Error" in error.message
    assert await block.volumes("stranger") == 3
    info = await block.home.router.driver_info(BAD)
    assert "no_import.py" in info.load_error
    assert block.home.slot(BAD).deaths == 0


@driver("no_driver", "NoDriver")
async def test_no_driver(block: Block) -> None:
    assert (await block.bad_volumes("")).reason == "DRIVER_LOAD_FAILED"
    assert await block.volumes("stranger") == 3
