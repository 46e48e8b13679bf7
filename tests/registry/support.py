"""A registry with drivers made of tiny_host.py, and a router over it."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from delphis.driver.v1 import storage_driver_pb2 as driver_pb
from delphis.type.v1 import access_pb2
from services.calls.errors import CallError
from services.registry.catalogue import MemoryPreferences
from services.registry.manifest import Pair
from services.registry.registry import Registry
from services.registry.settings import HostSettings
from services.registry.slot import HostSlot
from services.router.router import Router
from services.router.targets import ResolvedTarget

TINY_HOST = Path(__file__).with_name("tiny_host.py")
PAIR = Pair("acme", "box")

T = TypeVar("T")


def write_manifest(
    folder: Path,
    family: str = "box",
    *behaviours: str,
    pair: Pair = PAIR,
    name: str = "",
    limits: Mapping[str, int] | None = None,
) -> Path:
    """A driver.toml whose host is tiny_host.py with these behaviours."""
    path = folder / family / "driver.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    command = ", ".join(f'"{word}"' for word in (sys.executable, str(TINY_HOST), *behaviours))
    lines = [
        f'name = "{name or f"dev.acme.{family}"}"',
        'version = "1.0"',
        f'[[serves]]\nvendor = "{pair.vendor}"\nmodel = "{pair.model}"',
        f"[host]\ncommand = [{command}]",
        "[limits]",
        *(f"{key} = {value}" for key, value in (limits or {}).items()),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_class_manifest(folder: Path, family: str, driver_class: str, pair: Pair) -> None:
    """A driver.toml of a driver for the SDK's host."""
    path = folder / family / "driver.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'name = "dev.acme.{family}"\nversion = "1.0"\n'
        f'[[serves]]\nvendor = "{pair.vendor}"\nmodel = "{pair.model}"\n'
        f'[host]\nclass = "{driver_class}"\n',
        encoding="utf-8",
    )


class Arrays:
    """A TargetSource of arrays that do what the test says."""

    def __init__(self) -> None:
        self.known: dict[str, ResolvedTarget] = {}

    def add(self, storage_id: str, do: str = "", *, pair: Pair = PAIR, **attributes: str) -> str:
        access = access_pb2.AccessInfo(storage_id=storage_id, vendor=pair.vendor, model=pair.model)
        access.rest.host, access.rest.password = "127.0.0.9", "sesame-open"
        access.extra_attributes.update({"do": do, "serial": storage_id, **attributes})
        self.known[storage_id] = ResolvedTarget(pair, access, 1)
        return storage_id

    async def resolve(self, storage_id: str, *, with_access: bool) -> ResolvedTarget:
        found = self.known.get(storage_id)
        if found is None:
            raise CallError("STORAGE_NOT_FOUND", f"No storage {storage_id}.")
        return found if with_access else ResolvedTarget(found.pair)


class House:
    """What the tests hold in hand."""

    def __init__(self, registry: Registry, arrays: Arrays, preferences: MemoryPreferences) -> None:
        self.registry = registry
        self.arrays = arrays
        self.preferences = preferences
        self.router = Router(registry, arrays)

    async def pid(self, storage_id: str, *, timeout: float = 60.0) -> int:
        """The process that answers for the array."""
        answer = await self.router.unary("GetStorage", storage_id, deadline=deadline(timeout))
        return int(driver_pb.GetStorageResponse.FromString(answer).storage.name)

    def slot(self, pair: Pair = PAIR) -> HostSlot:
        """The main slot of the pair's driver."""
        (manifest,) = self.registry.catalogue.find(pair)
        slot = self.registry.supervisor.of(manifest).main
        assert isinstance(slot, HostSlot)
        return slot


def deadline(seconds: float) -> float:
    return asyncio.get_running_loop().time() + seconds


@asynccontextmanager
async def house(tmp_path: Path, **settings: Any) -> AsyncGenerator[House]:
    """A running registry over `tmp_path/drivers`; no host outlives it."""
    drivers = tmp_path / "drivers"
    drivers.mkdir(exist_ok=True)
    settings = {"watch_interval": 0.1, "probe_interval": 0.1, **settings}
    preferences = MemoryPreferences()
    registry = Registry(
        HostSettings(runtime_dir=tmp_path / "run", **settings), [drivers], preferences, entry_points=False
    )
    await registry.start()
    try:
        yield House(registry, Arrays(), preferences)
    finally:
        await registry.stop(2.0)


async def failure(call: Awaitable[object]) -> CallError:
    """The error that a call ends with."""
    try:
        answer = await call
    except CallError as error:
        return error
    raise AssertionError(f"the call succeeded: {answer!r}")


async def until(condition: Callable[[], T | None], *, seconds: float = 60.0, what: str = "") -> T:
    """Waits until the condition holds, and returns what it says."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, f"not within {seconds} s: {what or condition}"
        await asyncio.sleep(0.01)
    return value


def command_line(pid: int) -> list[str]:
    """Program and arguments of a process."""
    return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8").split("\0")[:-1]


def open_files(pid: int) -> dict[int, str]:
    """What a process has open, by number."""
    return {int(path.name): os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()}


def limits(pid: int) -> str:
    """The kernel's table of a process's limits."""
    return Path(f"/proc/{pid}/limits").read_text(encoding="utf-8")


def alive(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
