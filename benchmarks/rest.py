"""REST: one storage by id, a page of volumes, a whole array in pages; in one process and over a hop."""

from __future__ import annotations

import http.client
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bare import bare
from benchmarks.load import command, load, wrk
from benchmarks.measure import Row, median
from tests.support.up import Up, up

SECONDS = 4.0
QUIET_HTTP = 25_300.0
"""Requests a second of the bare HTTP server under wrk, where the goals were set."""
QUIET_HOP, QUIET_HOP_P50 = 1_950.0, 0.65
"""Of one that makes a gRPC call for each, p50 in milliseconds."""


def pages(address: str, storage_id: str) -> float:
    """Seconds for 10,000 volumes as pages of 1,000."""
    host, _, port = address.rpartition(":")
    connection = http.client.HTTPConnection(host, int(port))
    began = time.perf_counter()
    seen, token = 0, ""
    while True:
        path = f"/v1/volumes?storage_id={storage_id}&limit=1000" + (f"&page_token={token}" if token else "")
        connection.request("GET", path)
        body = connection.getresponse().read()
        # Only the end of the page is looked at: the client's own parsing is not what is measured.
        tail = body[-400:].decode()
        seen += body.count(b'"native_volume_id"')
        if '"next_page_token":"' not in tail:
            break
        token = tail.split('"next_page_token":"')[1].split('"')[0]
    elapsed = time.perf_counter() - began
    connection.close()
    assert seen == 10_000, seen
    return elapsed


def run(folder: Path) -> Iterator[Row]:
    """The rows."""
    with up(folder) as delphis:
        storage = delphis.register(volumes="10000")
        delphis.wait_synced(storage["id"])
        address = delphis.rest.removeprefix("http://")
        by_id = f"/v1/storages/{storage['id']}"
        size = len(delphis.ask("GET", by_id).text)
        with bare("http", size) as server:
            load(server, "/", 8, 1.0)
            limit8, limit1 = load(server, "/", 8, SECONDS), load(server, "/", 1, SECONDS)
        load(address, by_id, 8, 1.0)
        at8, at1 = load(address, by_id, 8, SECONDS), load(address, by_id, 1, SECONDS)
        what = "a bare ASGI server"
        quiet = QUIET_HTTP if wrk() else None
        yield Row("storage by id, 8 clients", at8.per_second, "req/s", limit8.per_second, what, "≥ 5,000", "268", quiet)
        yield Row("storage by id, 1 client, p50", at1.p50_ms, "ms", limit1.p50_ms, what, "< 0.6")
        listed = f"/v1/volumes?storage_id={storage['id']}&limit=100"
        with bare("http", len(delphis.ask("GET", listed).text)) as server:
            limit = load(server, "/", 8, SECONDS)
        found = load(address, listed, 8, SECONDS)
        yield Row("volumes?limit=100, 8 clients", found.per_second, "req/s", limit.per_second, what, "≥ 1,200", "25")
        yield Row(
            "10,000 volumes in pages of 1,000",
            median([pages(address, storage["id"]) for _ in range(5)]),
            "s",
            goal="≤ 0.12",
            delfin="1.38",
        )
        yield from over_a_hop(delphis, by_id, size)
        yield from during_a_sync(delphis, by_id)


def over_a_hop(delphis: Up, path: str, size: int) -> Iterator[Row]:
    """The gateway in a process of its own."""
    with bare("echo") as echo, bare("hop", size, echo) as server:
        load(server, "/", 8, 1.0)
        limit8, limit1 = load(server, "/", 8, SECONDS), load(server, "/", 1, SECONDS)
    with up(delphis.folder, "--grpc", delphis.grpc, "--auth", "none", command=("serve", "gateway")) as gateway:
        address = gateway.rest.removeprefix("http://")
        load(address, path, 8, 1.0)
        at8, at1 = load(address, path, 8, SECONDS), load(address, path, 1, SECONDS)
    what = "a bare hop"
    rate, p50 = (QUIET_HOP, QUIET_HOP_P50) if wrk() else (None, None)
    name = "over a hop: by id"
    yield Row(f"{name}, 8 clients", at8.per_second, "req/s", limit8.per_second, what, "≥ 1,500", quiet_limit=rate)
    yield Row(f"{name}, 1 client, p50", at1.p50_ms, "ms", limit1.p50_ms, what, "< 1.2", quiet_limit=p50)


def during_a_sync(delphis: Up, path: str) -> Iterator[Row]:
    """By id while a large array is read for the first time."""
    address = delphis.rest.removeprefix("http://")
    measuring = subprocess.Popen(command(address, path, 1, 6.0), stdout=subprocess.PIPE, text=True)
    time.sleep(1.0)
    storage = delphis.register(2, volumes="100000")
    out, _ = measuring.communicate()
    delphis.wait_synced(storage["id"])
    yield Row("by id while 100,000 volumes sync, p99", json.loads(out)["p99_ms"], "ms", goal="< 25")
