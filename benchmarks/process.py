"""Start, memory, the router's share of a call, and what a kill -9 of a driver host costs."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc

from benchmarks.bare import bare
from benchmarks.measure import Row, median, percentile, pss_mb
from delphis.driver.v1 import storage_driver_pb2, storage_driver_pb2_grpc
from delphis.type.v1 import access_pb2
from tests.support.up import Up, fake_array, up, wait_for

KILLS = 50
WRITES = 10
QUIET_RELAY_MS = 0.61
"""What a bare relay added to a call, where the goals were set."""


def start(folder: Path) -> Iterator[Row]:
    """`up` to the first 200, and idle memory."""
    imports = "import asyncio, grpc, sqlalchemy, uvicorn, orjson, cryptography"
    bare = []
    for _ in range(3):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", imports], check=True)
        bare.append(time.monotonic() - began)
    times = []
    for repeat in range(4):
        with up(folder / f"start{min(repeat, 1)}") as delphis:
            delphis.get("/v1/storages")
            if repeat:  # the first one makes the byte code
                times.append(time.monotonic() - delphis.began)
    with up(folder / "idle") as delphis:
        delphis.wait_synced(delphis.register(volumes="100")["id"])
        time.sleep(2)
        core, host = pss_mb(delphis.core_pid()), pss_mb(delphis.host_pids("fake")[0])
    yield Row("`up` to the first 200", median(times), "s", median(bare), "importing the libraries", "≤ 1.2")
    yield Row("core, idle", core, "MB PSS", goal="≤ 100")
    yield Row("driver host", host, "MB PSS", goal="≤ 30")


def routed(delphis: Up) -> Iterator[Row]:
    """What the router adds to a unary call."""
    storage = delphis.register(20, volumes="10")
    delphis.wait_synced(storage["id"])
    drivers = delphis.get("/v1/drivers")["drivers"]
    endpoint = next(driver for driver in drivers if "fake" in driver["name"])["hosts"][0]["endpoint"]
    body = fake_array(20, volumes="10")
    access = access_pb2.AccessInfo(
        vendor=body["vendor"], model=body["model"], extra_attributes=body["extra_attributes"],
        rest=access_pb2.RestAccess(**body["rest"]),
    )  # fmt: skip
    direct = storage_driver_pb2.Target(storage_id="direct", access_info=access, access_revision=1)
    through = storage_driver_pb2.Target(storage_id=storage["id"])
    with contextlib.ExitStack() as stack:
        # Before the same host: one that is woken by another process takes longer than one whose caller keeps it awake.
        relay = stack.enter_context(bare("relay", to=endpoint))
        calls: dict[str, Callable[[], object]] = {}
        for name, address, target in (
            ("direct", endpoint, direct),
            ("routed", delphis.grpc, through),
            ("relayed", relay, direct),
        ):
            stub = storage_driver_pb2_grpc.StorageDriverStub(stack.enter_context(grpc.insecure_channel(address)))
            request = storage_driver_pb2.GetStorageRequest(target=target)
            calls[name] = functools.partial(stub.GetStorage, request, timeout=10)
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(5):
            for name, call in calls.items():
                for _ in range(200):
                    began = time.perf_counter()
                    call()
                    times[name].append(time.perf_counter() - began)
    p50 = {name: percentile(values, 0.5) * 1e3 for name, values in times.items()}
    added, least = p50["routed"] - p50["direct"], p50["relayed"] - p50["direct"]
    yield Row("GetStorage through the router, p50", p50["routed"], "ms", p50["direct"], "the same call direct")
    name = "  what the router adds, p50"
    yield Row(name, added, "ms", least, "a bare relay", "≤ 1", quiet_limit=QUIET_RELAY_MS)


def _others(delphis: Up, pid: int) -> list[int]:
    return [other for other in delphis.host_pids("fake") if other != pid]


def kills(delphis: Up) -> Iterator[Row]:
    """kill -9 of a host under load: how long until the next call succeeds, and what siblings see."""
    first, sibling = delphis.register(30, volumes="10")["id"], delphis.register(31, volumes="10")["id"]
    for storage_id in (first, sibling):
        delphis.wait_synced(storage_id)
    errors: list[str] = []
    slowest = [0.0]
    stop = threading.Event()

    def read_sibling() -> None:
        with grpc.insecure_channel(delphis.grpc) as channel:
            stub = storage_driver_pb2_grpc.StorageDriverStub(channel)
            request = storage_driver_pb2.GetStorageRequest(target=storage_driver_pb2.Target(storage_id=sibling))
            while not stop.is_set():
                began = time.perf_counter()
                try:
                    stub.GetStorage(request, timeout=10)
                except grpc.RpcError as error:
                    errors.append(str(error))
                slowest[0] = max(slowest[0], time.perf_counter() - began)

    reader = threading.Thread(target=read_sibling)
    reader.start()
    times = []
    with grpc.insecure_channel(delphis.grpc) as channel:
        stub = storage_driver_pb2_grpc.StorageDriverStub(channel)
        request = storage_driver_pb2.GetStorageRequest(target=storage_driver_pb2.Target(storage_id=first))
        for _ in range(KILLS):
            pid = wait_for("host", lambda: next(iter(delphis.host_pids("fake")), None))
            stub.GetStorage(request, timeout=10)
            os.kill(pid, signal.SIGKILL)
            began = time.perf_counter()
            stub.GetStorage(request, timeout=10)
            times.append(time.perf_counter() - began)
            wait_for("new host", functools.partial(_others, delphis, pid))
    stop.set()
    reader.join()
    yield Row(f"kill -9 of a host: next call, p99 of {KILLS}", percentile(times, 0.99) * 1e3, "ms", goal="< 500")
    yield Row("  p50", percentile(times, 0.5) * 1e3, "ms")
    yield Row("  errors seen by a sibling array's reads", len(errors), "errors", goal="0")
    yield Row("  slowest read of the sibling", slowest[0] * 1e3, "ms")
    if errors:
        sys.stderr.write(errors[0] + "\n")


def writes_in_flight(delphis: Up) -> Iterator[Row]:
    """kill -9 of a host while it works on a call that changes something, which nobody repeats."""
    storage_id = delphis.register(40, volumes="10", **{"latency_ms.login": "2000"})["id"]
    delphis.wait_synced(storage_id)
    target = storage_driver_pb2.Target(storage_id=storage_id)
    request = storage_driver_pb2.ResetConnectionRequest(target=target)
    times = []
    with grpc.insecure_channel(delphis.grpc) as channel:
        stub = storage_driver_pb2_grpc.StorageDriverStub(channel)
        for _ in range(WRITES):
            stub.GetStorage(storage_driver_pb2.GetStorageRequest(target=target), timeout=20)
            pid = delphis.host_pids("fake")[0]
            call = stub.ResetConnection.future(request, timeout=10)
            time.sleep(0.5)  # it has reached the host, whose login takes two seconds
            os.kill(pid, signal.SIGKILL)
            began = time.perf_counter()
            error = call.exception()
            times.append(time.perf_counter() - began)
            assert isinstance(error, grpc.RpcError), error
            assert error.code() is grpc.StatusCode.UNAVAILABLE, error
    yield Row(f"kill -9 of a host: a write in flight fails, slowest of {WRITES}", max(times) * 1e3, "ms", goal="< 50")


def run(folder: Path) -> Iterator[Row]:
    """The rows."""
    yield from start(folder)
    with up(folder / "router") as delphis:
        yield from routed(delphis)
        yield from writes_in_flight(delphis)
        yield from kills(delphis)
