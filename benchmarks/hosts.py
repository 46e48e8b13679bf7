"""How fast hosts of two languages stream volumes into the core. Without Go, Python's alone."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.bare import STREAM, STREAMED, bare
from benchmarks.measure import Row, cpu_seconds, median
from benchmarks.sync import POLL, VOLUMES, job_seconds
from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.type.v1 import access_pb2
from services.registry.channel import HostChannel
from tests.support.up import Up, children, up

REPO = Path(__file__).parents[1]
LIST_VOLUMES = "/delphis.driver.v1.StorageDriver/ListVolumes"
ROUNDS = 30
GOAL = "≥ 200,000"


@dataclass(frozen=True, slots=True)
class Language:
    """A host that makes volumes up."""

    name: str
    folder: Path
    model: str
    vendor: str
    program: str
    """What its command line has."""


PYTHON = Language(
    "Python", REPO / "benchmarks/generated_arrays", "generated-python", "bench", "dev.delphis.bench-generated"
)


def go(folder: Path) -> Language | None:
    """The example's host with arrays that are made up; None without a tool chain."""
    if shutil.which("go") is None:
        sys.stderr.write("hosts: there is no Go, so its host isn't measured\n")
        return None
    example = REPO / "examples" / "go-driver"
    subprocess.run(["make", "--silent", "bin/generated"], cwd=example, check=True, stdout=subprocess.DEVNULL)
    made = folder / "generated-go"
    made.mkdir()
    (made / "driver.toml").write_text(
        'name = "dev.delphis.example-generated"\nversion = "0.1.0"\n'
        '[[serves]]\nvendor = "example"\nmodel = "generated-go"\n'
        f'[host]\ncommand = ["{example}/bin/generated"]\n'
    )
    return Language("Go", made, "generated-go", "example", "bin/generated")


@dataclass(frozen=True, slots=True)
class Streamed:
    """What one list took, in seconds, and how many bytes it had."""

    wall: float
    reader: float
    bytes: int


def read(target: str, request: bytes, path: str = LIST_VOLUMES) -> list[Streamed]:
    """Lists again and again, as the core reads: bytes on its own channel, in its own loop."""

    async def once(start: Callable[..., Any]) -> Streamed:
        wall, cpu, size = time.perf_counter(), time.process_time(), 0
        async for payload in start(request, timeout=60):
            size += len(payload)
        return Streamed(time.perf_counter() - wall, time.process_time() - cpu, size)

    async def rounds() -> list[Streamed]:
        channel = HostChannel(target)
        try:
            start = channel.stream(path)
            await once(start)
            return [await once(start) for _ in range(ROUNDS)]
        finally:
            await channel.close()

    run: Callable[[Awaitable[list[Streamed]]], list[Streamed]] = uvloop.run  # type: ignore[assignment]
    return run(rounds())


def rate(streamed: list[Streamed]) -> float:
    """Volumes a second."""
    return VOLUMES / median([each.wall for each in streamed])


def direct(delphis: Up, language: Language, *, kept: bool) -> tuple[list[Streamed], float]:
    """Lists straight from the host, and what one costs it in CPU seconds."""
    drivers = delphis.get("/v1/drivers")["drivers"]
    served = (d for d in drivers if any(pair["model"] == language.model for pair in d["serves"]))
    endpoint = next(served)["hosts"][0]["endpoint"]
    pid = next(pid for pid, line in children(delphis.core_pid()) if language.program in line)
    access = access_pb2.AccessInfo(rest=access_pb2.RestAccess(host="127.0.0.1", port=2))
    access.extra_attributes.update({"volumes": str(VOLUMES), "kept": "yes" if kept else "no"})
    target = pb.Target(storage_id=f"kept-{kept}", access_info=access, access_revision=1)
    before = cpu_seconds(pid)
    found = read(endpoint, pb.ListVolumesRequest(target=target).SerializeToString())
    return found, (cpu_seconds(pid) - before) / (ROUNDS + 1)


def stream(delphis: Up, language: Language) -> Iterator[Row]:
    """Host to core: the stream alone, beside a bare server's, and a sync that finds nothing changed."""
    rest = {"host": "127.0.0.1", "port": 1, "username": "me", "password": "secret-9c1f"}
    extra = {"volumes": str(VOLUMES), "kept": "yes"}
    body = {"vendor": language.vendor, "model": language.model, "rest": rest, "extra_attributes": extra}
    reply = delphis.ask("POST", "/v1/storages", body)
    assert reply.status == 201, reply
    storage_id = reply.json["id"]
    assert delphis.wait_synced(storage_id)["sync_outcome"] == "ok"
    held, _ = direct(delphis, language, kept=True)
    with bare("stream", held[0].bytes // STREAMED) as address:
        limit = rate(read(address, b"", STREAM))
    for kept, how, goal in ((True, "that it holds", GOAL), (False, "that it makes on the way", "")):
        found, host = direct(delphis, language, kept=kept)
        name = f"{language.name} host streams 10,000 volumes {how}"
        yield Row(name, rate(found), "volumes/s", limit, "a bare server", goal)
        yield Row("  CPU of the host", host / VOLUMES * 1e6, "µs/volume")
        yield Row("  CPU of the reader", median([each.reader for each in found]) / VOLUMES * 1e6, "µs/volume")
    core = delphis.core_pid()
    walls, cpus = [], []
    for _ in range(5):
        spent = cpu_seconds(core)
        delphis.sync(storage_id, interval=POLL)
        cpus.append(cpu_seconds(core) - spent)
        walls.append(job_seconds(delphis, storage_id))
    name = f"sync of 10,000 volumes from a {language.name} host, unchanged"
    yield Row(name, VOLUMES / median(walls), "volumes/s", rate(held), "its stream")
    yield Row("  CPU of the core", median(cpus) / VOLUMES * 1e6, "µs/volume")


def run(folder: Path) -> Iterator[Row]:
    """The rows."""
    languages = [PYTHON, *([found] if (found := go(folder)) else [])]
    drivers = folder / "drivers"
    drivers.mkdir()
    for language in languages:
        (drivers / language.folder.name).symlink_to(language.folder)
    with up(folder / "up", "--drivers", str(drivers)) as delphis:
        for language in languages:
            yield from stream(delphis, language)
