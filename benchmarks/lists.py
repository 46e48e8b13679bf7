"""Lists of 1,000,000 volumes of ten arrays: filters and orders that an index has, and one that none has."""

from __future__ import annotations

import heapq
import http.client
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks.measure import Row, median
from benchmarks.sync import ONLY_VOLUMES, POLL
from tests.support.up import Up, up

ARRAYS = 10
VOLUMES = 100_000
PAGE = 100
REPEATS = 30
NORMAL, DEGRADED = 4, 6
"""Numbers of the statuses in the store."""


def milliseconds(work: Callable[[], object]) -> float:
    """How long a work takes: the middle of many times."""
    work()
    times: list[float] = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1000)
    return median(times)


class Client:
    """One connection to the REST API."""

    def __init__(self, address: str) -> None:
        host, _, port = address.removeprefix("http://").rpartition(":")
        self._connection = http.client.HTTPConnection(host, int(port), timeout=60)

    def get(self, **parameters: str) -> tuple[int, bytes]:
        """A list of volumes of all arrays."""
        self._connection.request("GET", "/v1/volumes?" + urlencode(parameters))
        answer = self._connection.getresponse()
        return answer.status, answer.read()

    def milliseconds(self, status: int, **parameters: str) -> float:
        """How long the list takes."""
        found, body = self.get(**parameters)
        assert found == status, body
        return milliseconds(lambda: self.get(**parameters))


def sqlite_page(database: sqlite3.Connection, arrays: list[int], where: str, values: tuple[Any, ...]) -> list[Any]:
    """The newest rows of all arrays, by plain SQL: a page's rows of each array by its index, merged."""
    text = f"SELECT seq, body FROM volumes WHERE storage_no = ? AND {where} ORDER BY seq DESC LIMIT {PAGE}"
    found = (database.execute(text, (no, *values)) for no in arrays)
    return list(islice(heapq.merge(*found, reverse=True), PAGE))


def measured(delphis: Up) -> Iterator[Row]:
    """The rows, of a store that is full."""
    client = Client(delphis.rest)
    _, body = client.get(limit="1")
    newest = json.loads(body)["volumes"][0]
    pool = newest["native_storage_pool_id"]
    in_pool = f'native_storage_pool_id = "{pool}"'
    (path,) = delphis.folder.rglob("inventory.db")
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        arrays = [no for (no,) in database.execute("SELECT DISTINCT storage_no FROM volumes")]
        statuses = dict(database.execute("SELECT status, count(*) FROM volumes GROUP BY status"))
        assert statuses.keys() == {NORMAL, DEGRADED}, statuses
        both = "native_storage_pool_id = ? AND status = ?"
        for name, number in (("normal", NORMAL), ("degraded", DEGRADED)):
            limit = milliseconds(lambda number=number: sqlite_page(database, arrays, both, (pool, number)))  # type: ignore[misc]
            found = client.milliseconds(200, filter=f"status = {name} AND {in_pool}", limit=str(PAGE))
            yield Row(f"1,000,000 volumes: status {name} and pool", found, "ms", limit, "plain SQLite", "< 50")
        limit = milliseconds(lambda: sqlite_page(database, arrays, "native_storage_pool_id = ?", (pool,)))
    found = client.milliseconds(200, filter=in_pool, limit=str(PAGE))
    yield Row("  pool alone", found, "ms", goal="< 50")
    for what, parameters in (
        ("status alone", {"filter": "status = degraded"}),
        ("status and pool, with the total", {"filter": f"status = normal AND {in_pool}", "include_total": "true"}),
        ("beginning of the name", {"filter": f'name = "{newest["name"][:-2]}*"', "order_by": "name"}),
        ("all, by name", {"order_by": "name"}),
    ):
        yield Row(f"  {what}", client.milliseconds(200, limit=str(PAGE), **parameters), "ms", goal="< 50")
    refused = client.milliseconds(400, filter="NOT name:x", limit=str(PAGE))
    yield Row("  what no index has: refused", refused, "ms", goal="< 50")
    unindexed = f"storage_id = {newest['storage_id']} AND type = thin"
    slow = client.milliseconds(200, filter=unindexed, order_by="updated_at", limit=str(PAGE))
    yield Row("  what no index has, of one array of 100,000", slow, "ms")


def run(folder: Path) -> Iterator[Row]:
    """The rows."""
    with up(folder) as delphis:
        ids = [
            delphis.register(port, volumes=str(VOLUMES), drift="0", **ONLY_VOLUMES)["id"]
            for port in range(1, 1 + ARRAYS)
        ]
        for storage_id in ids:
            delphis.wait_synced(storage_id, 300, POLL)
        yield from measured(delphis)
