"""Nothing is lost and nothing comes twice while eight write and readers break off and resume, over HTTP."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from gateway.gateway import Gateway, GatewaySettings
from gateway.server import serve
from services.calls.invoker import LocalInvoker
from services.calls.method import MethodTable
from services.calls.pipeline import AnonymousAdmin, Pipeline
from services.calls.reflection import Reflection
from services.inventory.changes import recording
from services.inventory.changes import service as changes
from services.inventory.changes.recording import ChangeLog
from services.inventory.schema import SCHEMA
from services.store.connection import Connection
from services.store.engine import Store
from tests.gateway.support import TIMEOUT, StreamReader
from tests.support.postgres import Cluster
from tests.sync.arrays import START, mark_deleted, new_storage, number_of

WRITERS = 8
STEPS = 30
KINDS = ("volume", "disk", "port")
END = "the end"
WATCH = "/v1/changes:watch"

T = TypeVar("T")

_THREADS = ThreadPoolExecutor(32)  # the loop's own has few


def in_thread(work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
    return asyncio.get_running_loop().run_in_executor(_THREADS, work, *arguments)


@dataclass
class Written:
    """What was committed: of each storage the kinds of its changes in order."""

    storages: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    @classmethod
    async def begin(cls, store: Store, count: int) -> Written:
        """With some storages."""
        written = cls()
        for _ in range(count):
            id_ = await new_storage(store)
            written.storages[str(uuid.UUID(bytes=id_))] = (await number_of(store, id_), id_)
        return written

    async def write(self, store: Store, seed: int) -> None:
        """One writer: some transactions, each with changes of one or two storages."""
        chance = random.Random(seed)
        for _ in range(STEPS):
            # In one order, as syncs that share a transaction do not: but they are one array's each.
            chosen = sorted(chance.sample(sorted(self.storages), chance.choice((1, 1, 2))))
            plan = [(name, chance.choice(KINDS), chance.randint(1, 4)) for name in chosen]
            pause = chance.random() * 0.005

            def work(connection: Connection, plan: Any = plan, pause: float = pause) -> None:
                for name, kind, count in plan:
                    self._add(connection, name, kind, count)
                if connection.dialect == "postgresql":  # so that transactions overlap and commit out of order
                    connection.execute("SELECT pg_sleep(%s)", (pause,))

            await store.write(work)
            await asyncio.sleep(chance.random() * 0.005)

    async def end(self, store: Store) -> None:
        """The last change of each storage."""
        for name in self.storages:
            await store.write(lambda connection, name=name: self._add(connection, name, "volume", 1, END))  # type: ignore[misc]

    def _add(self, connection: Connection, name: str, kind: str, count: int, called: str = "") -> None:
        log = ChangeLog(connection, *self.storages[name], START)
        for _ in range(count):
            log.add(recording.ADDED, kind, name=called)
        log.flush()


@dataclass
class Watcher:
    """Reads until the last change of each storage that it watches, and breaks off again and again on the way."""

    port: int
    path: str
    events: bool
    wanted: int
    seed: int
    seen: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    resumes: int = 0
    started: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """In a thread."""
        chance = random.Random(self.seed)
        ended, position = 0, ""
        while ended < self.wanted:
            with closing(self._open(position)) as reader:
                for _ in range(chance.randint(1, 6)):
                    token, found = self._next(reader)
                    if chance.random() < 0.2:
                        break  # it came, but was not dealt with
                    position = token or position
                    for change in found:
                        self.seen[change["storage_id"]].append(change["position"])
                        ended += change["name"] == END
                    self.started.set()
                    if ended >= self.wanted:
                        break
            self.resumes += 1

    def _open(self, position: str) -> StreamReader:
        headers = {"Accept": "text/event-stream"} if self.events else {}
        path = self.path
        if position and self.events:
            headers["Last-Event-ID"] = position
        elif position:
            path += f"{'&' if '?' in path else '?'}resume_token={position}"
        return StreamReader(self.port, path, headers)

    def _next(self, reader: StreamReader) -> tuple[str, list[Any]]:
        if self.events:
            event = reader.event()
            return event.get("id", ""), json.loads(event.get("data", '{"changes": []}'))["changes"]
        record = reader.record()
        return record["resume_token"], record["changes"]


@asynccontextmanager
async def served(store: Store) -> AsyncIterator[int]:
    table = MethodTable(changes.methods(store))
    gateway = Gateway(GatewaySettings(login=False))
    await gateway.start({"core": LocalInvoker(Pipeline(table, AnonymousAdmin()), Reflection(table.services()))})
    server = await serve(gateway, "127.0.0.1", 0)
    try:
        yield server.port
    finally:
        await server.stop(1.0)
        await gateway.stop()


def watchers(port: int, written: Written) -> Iterator[Watcher]:
    everything, one = len(written.storages), next(iter(written.storages))
    for seed, (path, wanted) in enumerate(
        (
            (WATCH, everything),
            (f"{WATCH}?kinds=volume", everything),
            (f"/v1/storages/{one}/changes:watch", 1),
            (f"/v1/storages/{one}/changes:watch?kinds=volume&kinds=port", 1),
        )
    ):
        for events in (False, True):
            yield Watcher(port, path, events, wanted, seed)


async def count(stores: list[Store], reading: Store) -> None:
    """Eight writers, eight readers."""
    written = await Written.begin(reading, 4)
    async with served(reading) as port:
        reading_all = list(watchers(port, written))
        threads = [asyncio.ensure_future(in_thread(watcher.run)) for watcher in reading_all]
        for watcher in reading_all:
            assert await in_thread(watcher.started.wait, TIMEOUT)
        await asyncio.gather(*(written.write(stores[seed % len(stores)], seed) for seed in range(WRITERS)))
        await written.end(reading)
        await asyncio.wait_for(asyncio.gather(*threads), 60)
        truth = await whole(port)
    assert sum(map(len, truth.values())) > WRITERS * STEPS
    for watcher in reading_all:
        kinds = [part.partition("=")[2] for part in watcher.path.partition("?")[2].split("&") if part] or [*KINDS]
        for name, listed in truth.items():
            assert [position for position, _ in listed] == list(range(1, len(listed) + 1))
            mine = watcher.wanted > 1 or name in watcher.path
            expected = [position for position, kind in listed if kind in kinds] if mine else []
            assert watcher.seen.get(name, []) == expected, (watcher.path, watcher.events)
        assert watcher.resumes > 5


async def whole(port: int) -> dict[str, list[tuple[int, str]]]:
    """All changes as lists have them."""

    def read() -> dict[str, list[tuple[int, str]]]:
        found: dict[str, list[tuple[int, str]]] = defaultdict(list)
        with closing(StreamReader(port, "/v1/changes?limit=1000")) as reader:
            answer = json.loads(reader.rest())
        while True:
            for change in answer["changes"]:
                found[change["storage_id"]].append((change["position"], change["kind"]))
            if "next_page_token" not in answer:
                return found
            with closing(StreamReader(port, f"/v1/changes?page_token={answer['next_page_token']}")) as reader:
                answer = json.loads(reader.rest())

    return await in_thread(read)


async def test_eight_writers(store: Store) -> None:
    await count([store], store)


@pytest.mark.postgres
async def test_eight_writers_of_eight_processes(postgres_cluster: Cluster) -> None:
    """Each has its own connections, and tells the others only through the database."""
    url = postgres_cluster.shared_database()
    stores = [Store.open(url, SCHEMA) for _ in range(WRITERS)]
    reading = Store.open(url, SCHEMA)
    try:
        await count(stores, reading)
    finally:
        for opened in (*stores, reading):
            await opened.close()


async def test_who_resumes_is_told_that_his_storage_was_removed(store: Store) -> None:
    written = await Written.begin(store, 2)
    name, (_, id_) = next(iter(written.storages.items()))
    async with served(store) as port:
        path = f"/v1/storages/{name}/changes:watch"

        def first() -> Any:
            with closing(StreamReader(port, path)) as reader:
                return reader.record()["resume_token"]

        token = await in_thread(first)
        await written.end(store)
        await mark_deleted(store, id_)

        def again() -> list[Any]:
            with closing(StreamReader(port, f"{path}?resume_token={token}")) as reader:
                return [reader.record() for _ in range(3)] + [reader.rest()]

        hello, owed, last, rest = await in_thread(again)
        assert hello["changes"] == []
        assert [change["name"] for change in owed["changes"]] == [END]
        assert (last["error"]["error_code"], rest) == ("StorageNotFound", b"")

        def anew() -> int:
            with closing(StreamReader(port, path)) as reader:
                return reader.response.status

        assert await in_thread(anew) == 404


async def test_tokens_belong_to_what_was_watched(store: Store) -> None:
    written = await Written.begin(store, 2)
    one, other = written.storages
    await written.end(store)
    async with served(store) as port:

        def status(path: str, token: str) -> tuple[int, str]:
            with closing(StreamReader(port, f"{path}?resume_token={token}")) as reader:
                if reader.response.status != 200:
                    reader.rest()
                    return reader.response.status, ""
                return 200, reader.record()["resume_token"]

        def check() -> None:
            _, fleet = status(WATCH, "start")
            answered, single = status(f"/v1/storages/{one}/changes:watch", fleet)
            assert answered == 200, "a narrower watch goes on from a wider one"
            assert status(f"/v1/storages/{one}/changes:watch", single)[0] == 200
            assert status(f"/v1/storages/{other}/changes:watch", single)[0] == 400
            assert status(WATCH, single)[0] == 400, "it would repeat all of the other storages"

        await in_thread(check)


async def test_readers_at_the_same_place_look_once(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    scans = 0
    scan = Store.scan

    async def counted(self: Store, work: Any) -> Any:
        nonlocal scans
        scans += 1
        return await scan(self, work)

    monkeypatch.setattr(Store, "scan", counted)
    written = await Written.begin(store, 1)
    async with served(store) as port:

        def read(ready: threading.Barrier) -> int:
            with closing(StreamReader(port, WATCH)) as reader:
                reader.record()
                ready.wait(TIMEOUT)
                return len(reader.record()["changes"])

        ready = threading.Barrier(13)
        threads = [asyncio.ensure_future(in_thread(read, ready)) for _ in range(12)]
        await in_thread(ready.wait, TIMEOUT)
        before = scans
        await written.end(store)
        assert await asyncio.gather(*threads) == [1] * 12
        assert scans - before < 24, "alone each would look twice"
