"""Sync: host to inventory to SQLite; first, unchanged and all changed, empty and beside 500,000 rows."""

from __future__ import annotations

import datetime
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc

from benchmarks.measure import Row, cpu_seconds, median, peak_rss_mb, reset_peak
from delphis.driver.v1 import storage_driver_pb2, storage_driver_pb2_grpc
from delphis.type.v1 import access_pb2
from tests.support.up import Up, core_alone, fake_array, up, wait_for

VOLUMES = 10_000
REPEATS = 5
POLL = 0.2
"""Seconds between two looks at a running sync: each costs the core what is measured."""
QUIET_SQLITE, QUIET_HOST = 120_000.0, 180_000.0
"""Rows a second that SQLite took, and volumes a second that a host made, where the goals were set."""
# An array of volumes alone: the other kinds are counted by the fleet.
OTHER_KINDS = """
    disks controllers ports filesystems qtrees quotas shares storage_hosts storage_host_initiators
    storage_host_groups port_groups volume_groups masking_views
"""
ONLY_VOLUMES = dict.fromkeys(OTHER_KINDS.split(), "0")


def volumes_kind(delphis: Up, storage_id: str) -> dict[str, object]:
    """The sync state of the kind."""
    state = delphis.get(f"/v1/storages/{storage_id}/sync-state")
    return next(kind for kind in state["kinds"] if kind["kind"] == "volume")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one sync took, in seconds: by the job's own clock, and CPU of core and hosts."""

    wall: float
    core: float
    hosts: float


def hosts_cpu(delphis: Up) -> float:
    """CPU seconds of the driver's hosts so far."""
    return sum(cpu_seconds(pid) for pid in delphis.host_pids("fake"))


def job_seconds(delphis: Up, storage_id: str) -> float:
    """How long the storage's last job ran."""
    job = delphis.get("/v1/jobs/" + delphis.get(f"/v1/storages/{storage_id}/sync-state")["job_id"])
    began, ended = (datetime.datetime.fromisoformat(job[name]) for name in ("started_at", "ended_at"))
    return (ended - began).total_seconds()


def cost(delphis: Up, sync: Callable[[], str]) -> tuple[Cost, str]:
    """What a sync costs; `sync` starts it, waits for its end and says which storage's it was."""
    core = delphis.core_pid()
    before = cpu_seconds(core), hosts_cpu(delphis)
    storage_id = sync()
    after = cpu_seconds(core), hosts_cpu(delphis)
    return Cost(job_seconds(delphis, storage_id), after[0] - before[0], after[1] - before[1]), storage_id


def sync_once(delphis: Up, storage_id: str) -> Cost:
    """One more sync of a storage."""

    def sync() -> str:
        delphis.sync(storage_id, interval=POLL)
        return storage_id

    return cost(delphis, sync)[0]


def first_once(delphis: Up, port: int, volumes: int) -> tuple[Cost, str]:
    """A registration with its first sync."""

    def sync() -> str:
        storage_id: str = delphis.register(port, volumes=str(volumes), drift="0", **ONLY_VOLUMES)["id"]
        delphis.wait_synced(storage_id, interval=POLL)
        return storage_id

    return cost(delphis, sync)


@dataclass(frozen=True, slots=True)
class Limit:
    """What something does at most."""

    per_second: float
    cpu_us: float
    """Microseconds of CPU for each."""


def host_limit(delphis: Up, port: int, volumes: int) -> Limit:
    """Volumes straight from the host, parsed by nobody."""
    drivers = delphis.get("/v1/drivers")["drivers"]
    host = next(driver for driver in drivers if "fake" in driver["name"])["hosts"][0]
    body = fake_array(port, volumes=str(volumes), drift="0", **ONLY_VOLUMES)
    access = access_pb2.AccessInfo(
        vendor=body["vendor"], model=body["model"], extra_attributes=body["extra_attributes"],
        rest=access_pb2.RestAccess(**body["rest"]),
    )  # fmt: skip
    target = storage_driver_pb2.Target(storage_id="limit", access_info=access, access_revision=1)
    request = storage_driver_pb2.ListVolumesRequest(target=target)
    with grpc.insecure_channel(host["endpoint"]) as channel:
        times, busy = [], hosts_cpu(delphis)
        for _ in range(REPEATS):
            began = time.perf_counter()
            stub = storage_driver_pb2_grpc.StorageDriverStub(channel)
            seen = sum(len(batch.items) for batch in stub.ListVolumes(request, timeout=60))
            times.append(time.perf_counter() - began)
            assert seen == volumes
        busy = hosts_cpu(delphis) - busy
        storage_driver_pb2_grpc.StorageDriverStub(channel).CloseStorage(
            storage_driver_pb2.CloseStorageRequest(target=target), timeout=10
        )
    return Limit(volumes / median(times), busy / REPEATS / volumes * 1e6)


def id_of(number: int) -> bytes:
    """16 bytes."""
    return number.to_bytes(16, "big")


def sqlite_limit(folder: Path, rows: int) -> Limit:
    """Rows that SQLite itself takes, in the shape of a volume's row with its indexes."""
    folder.mkdir(parents=True, exist_ok=True)
    times, busy = [], []
    for repeat in range(3):
        path = folder / f"limit{repeat}.db"
        with sqlite3.connect(path) as database:
            for pragma in ("page_size=16384", "journal_mode=WAL", "synchronous=NORMAL", "cache_size=-32768"):
                database.execute(f"PRAGMA {pragma}")
            database.execute(
                "CREATE TABLE v (pk INTEGER PRIMARY KEY, id BLOB UNIQUE, storage BLOB, native TEXT, name TEXT, status"
                " INTEGER, wwn TEXT, pool TEXT, digest BLOB, body BLOB, UNIQUE(storage, native))"
            )
            for columns in ("wwn", "storage, name", "storage, pool"):
                database.execute(f"CREATE INDEX v_{columns.replace(', ', '_')} ON v ({columns})")
            made = [
                (
                    n.to_bytes(16, "big"),
                    b"s" * 16,
                    f"vol-{n}",
                    f"volume {n}",
                    2,
                    f"{n:032x}",
                    f"pool-{n % 4}",
                    b"d" * 16,
                    b"b" * 250,
                )
                for n in range(rows)
            ]
            began, used = time.perf_counter(), time.process_time()
            with database:
                database.executemany(
                    "INSERT INTO v (id, storage, native, name, status, wwn, pool, digest, body)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    made,
                )
            times.append(time.perf_counter() - began)
            busy.append(time.process_time() - used)
        database.close()
    return Limit(rows / median(times), median(busy) / rows * 1e6)


def three(delphis: Up, where: str, port: int, limits: tuple[Limit, Limit]) -> Iterator[Row]:
    """First, unchanged and all changed of 10,000 volumes."""
    host, sqlite = limits
    firsts, ids = [], []
    for repeat in range(REPEATS):
        first, storage_id = first_once(delphis, port + repeat, VOLUMES)
        firsts.append(first)
        ids.append(storage_id)
    unchanged = [sync_once(delphis, ids[0]) for _ in range(REPEATS)]
    assert volumes_kind(delphis, ids[0])["changed"] == 0
    body = fake_array(port, volumes=str(VOLUMES), drift="all", **ONLY_VOLUMES)
    attributes = {"rest": body["rest"], "extra_attributes": body["extra_attributes"]}
    reply = delphis.ask("PUT", f"/v1/storages/{ids[0]}/access-info", attributes)
    assert reply.status == 200, reply
    changed = [sync_once(delphis, ids[0]) for _ in range(REPEATS)]
    assert volumes_kind(delphis, ids[0])["changed"] == VOLUMES, volumes_kind(delphis, ids[0])
    for what, costs, limit, limit_name, goal, delfin, quiet, cpu_goal in (
        ("first", firsts, sqlite, "SQLite itself", "≥ 40,000", "4,670", QUIET_SQLITE, "≤ 25"),
        ("unchanged", unchanged, host, "the host", "≥ 100,000", "782", QUIET_HOST, "≤ 6"),
        ("all changed", changed, sqlite, "SQLite itself", "≥ 25,000", "846", QUIET_SQLITE, ""),
    ):
        rate = VOLUMES / median([cost.wall for cost in costs])
        core = median([cost.core for cost in costs]) / VOLUMES * 1e6
        hosts = median([cost.hosts for cost in costs]) / VOLUMES * 1e6
        most = limit.per_second
        yield Row(f"sync of 10,000 volumes, {what}{where}", rate, "volumes/s", most, limit_name, goal, delfin, quiet)
        name, unit = f"  CPU of the core, {what}{where}", "µs/volume"
        if limit is sqlite:
            yield Row(name, core, unit, sqlite.cpu_us, limit_name, cpu_goal, quiet_limit=1e6 / QUIET_SQLITE)
        else:
            yield Row(name, core, unit, goal=cpu_goal)
        name, host_goal = f"  CPU of the host, {what}{where}", "≤ 8" if cpu_goal else ""
        yield Row(name, hosts, unit, host.cpu_us, "the host", host_goal)
    for storage_id in ids:
        assert delphis.ask("DELETE", f"/v1/storages/{storage_id}").status == 202


def fleet(folder: Path) -> Iterator[Row]:
    """100 arrays of 1,000 volumes and all other kinds, registered and synced."""
    what = "100 arrays × 1,000 volumes, all kinds, registered and synced"
    with core_alone(folder / "core") as delphis:
        yield Row(what, _registered_and_synced(delphis), "s", goal="≤ 6", delfin="36")
    with up(folder / "up") as delphis:
        yield Row("  the same while alerts polls each", _registered_and_synced(delphis), "s")


def _registered_and_synced(delphis: Up) -> float:
    """The seconds it takes."""
    began = time.perf_counter()
    with ThreadPoolExecutor(8) as clients:
        ids = list(clients.map(lambda port: delphis.register(port, volumes="1000")["id"], range(100, 200)))
    wait_for(
        "end of all syncs",
        lambda: all(
            storage["sync_status"] == "SYNCED" for storage in delphis.get("/v1/storages?limit=1000")["storages"]
        ),
        120,
        POLL,
    )
    elapsed = time.perf_counter() - began
    outcomes = {storage["sync_outcome"] for storage in delphis.get("/v1/storages?limit=1000")["storages"]}
    assert outcomes == {"ok"}, outcomes
    assert len(ids) == 100
    return elapsed


def scale(folder: Path) -> Iterator[Row]:
    """Memory and CPU with large arrays, up to 1,000,000 rows."""
    with up(folder) as delphis:
        core = delphis.core_pid()
        delphis.wait_synced(delphis.register(1, volumes="10", **ONLY_VOLUMES)["id"])
        reset_peak(core)
        small = first_once(delphis, 2, 100_000)[0].core
        yield Row("core while 100,000 volumes stream", peak_rss_mb(core), "MB RSS peak", goal="< 250")
        reset_peak(core)
        ids = [delphis.register(port, volumes="100000", drift="0", **ONLY_VOLUMES)["id"] for port in (3, 4, 5, 6)]
        for storage_id in ids:
            delphis.wait_synced(storage_id, 120)
        yield Row("core while four such arrays stream at once", peak_rss_mb(core), "MB RSS peak", goal="< 450")
        limits = (host_limit(delphis, 7, VOLUMES), sqlite_limit(folder / "limits", VOLUMES))
        yield from three(delphis, ", beside 500,000 rows", 1000, limits)
        for port in (8, 9, 10, 11):
            first_once(delphis, port, 100_000)
        large = first_once(delphis, 12, 100_000)[0].core
        yield Row("CPU per row at 1,000,000 rows to that at 100,000", large / small, "times", goal="≤ 1.8")


def run(folder: Path) -> Iterator[Row]:
    """The rows."""
    with up(folder / "empty") as delphis:
        delphis.wait_synced(delphis.register(1, volumes="10", **ONLY_VOLUMES)["id"])
        limits = (host_limit(delphis, 7, VOLUMES), sqlite_limit(folder / "limits", VOLUMES))
        yield from three(delphis, "", 1000, limits)
    yield from fleet(folder / "fleet")
    yield from scale(folder / "scale")
