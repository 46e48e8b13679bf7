"""Changes: pages, watching, resuming, forgetting."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from delphis.inventory.v1 import change_pb2 as pb
from delphis.type.v1 import block_pb2, hardware_pb2
from services.calls.errors import CallError
from services.inventory.changes import recording, retention, service, token
from services.inventory.changes.recording import ChangeLog
from services.inventory.changes.retention import forget_changes
from services.inventory.schema import SCHEMA
from services.store.engine import Store
from tests.store.resources import Services
from tests.support.postgres import Cluster
from tests.sync.arrays import HOUR, START, Array, number_of


def volumes(count: int, capacity: int = 0) -> list[block_pb2.Volume]:
    return [block_pb2.Volume(native_volume_id=f"v{number}", total_capacity=capacity) for number in range(count)]


async def disks(array: Array, count: int, capacity: int = 0) -> None:
    kind, array.kind = array.kind, "disk"
    await array.sync([hardware_pb2.Disk(native_disk_id=f"d{number}", capacity=capacity) for number in range(count)])
    array.kind = kind


def text(array: Array) -> str:
    return str(uuid.UUID(bytes=array.id))


async def pages(services: Services, **fields: Any) -> list[list[pb.Change]]:
    found: list[list[pb.Change]] = []
    resume = ""
    while True:
        request = pb.ListChangesRequest(page_token=resume, **fields)
        answer = await services.call("ListChanges", request, pb.ListChangesResponse)
        found.append(list(answer.changes))
        resume = answer.next_page_token
        if not resume:
            return found


async def listed(services: Services, **fields: Any) -> list[pb.Change]:
    return [change for page in await pages(services, **fields) for change in page]


class Watch:
    """A watch over the service's bytes."""

    def __init__(self, services: Services, **fields: Any) -> None:
        method = services._methods["WatchChanges"]
        assert method.stream is not None
        request = pb.WatchChangesRequest(**fields)
        self._stream: AsyncIterator[bytes] = method.stream(request.SerializeToString(), services._call(method))
        self.token = ""

    async def next(self) -> list[pb.Change]:
        """The next answer's changes."""
        answer = pb.WatchChangesResponse.FromString(await asyncio.wait_for(anext(self._stream), 60))
        self.token = answer.resume_token
        assert self.token
        return list(answer.changes)

    async def close(self) -> None:
        """Ends the watch."""
        await self._stream.aclose()  # type: ignore[attr-defined]  # an async generator


def positions(changes: list[pb.Change]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for change in changes:
        found.setdefault(change.storage_id, []).append(change.position)
    return found


@pytest.mark.parametrize("size", [1, 3, 7, 500, 1000])
async def test_pages_make_the_whole_list(store: Store, size: int) -> None:
    services = Services(store)
    arrays = [await Array.new(store) for _ in range(3)]
    for capacity in range(3):
        for array in arrays:
            await array.sync(volumes(5, capacity))
        await disks(arrays[0], 4, capacity)
    whole = await listed(services)
    assert positions(whole) == {
        text(arrays[0]): list(range(1, 1 + 1 + 10 + 1 + 8)),
        text(arrays[1]): list(range(1, 12)),
        text(arrays[2]): list(range(1, 12)),
    }
    found = await pages(services, page_size=size)
    assert [change for page in found for change in page] == whole
    assert max(map(len, found)) <= size
    assert all(len(page) == size for page in found[:-1])
    one = [change for change in whole if change.storage_id == text(arrays[0])]
    assert await listed(services, page_size=size, storage_id=text(arrays[0])) == one
    assert await listed(services, page_size=size, storage_id=text(arrays[0]), kind="disk") == [
        change for change in one if change.kind == "disk"
    ]
    assert await listed(services, kind="qtree", page_size=size) == []


async def test_large_blocks_are_cut(store: Store) -> None:
    services = Services(store)
    array = await Array.new(store)
    await array.sync(volumes(1200))
    await array.sync(volumes(1200, 1))
    whole = await listed(services, storage_id=text(array), page_size=333)
    assert [change.position for change in whole] == list(range(1, 1202))
    assert [change.native_id for change in whole[1:]] == [f"v{number}" for number in range(1200)]


async def test_what_is_wrong_is_named(store: Store) -> None:
    services = Services(store)
    array = await Array.new(store)
    await array.sync(volumes(20))
    await array.sync(volumes(20, 1))
    request = pb.ListChangesRequest(page_size=2)
    answer = await services.call("ListChanges", request, pb.ListChangesResponse)
    refusals: list[tuple[dict[str, Any], str]] = [
        ({"page_size": -1}, "INVALID_INPUT"),
        ({"kind": "nonsense"}, "INVALID_INPUT"),
        ({"storage_id": str(uuid.uuid4())}, "STORAGE_NOT_FOUND"),
        ({"page_token": "nonsense"}, "INVALID_PAGE_TOKEN"),
        ({"page_token": answer.next_page_token, "kind": "disk"}, "INVALID_PAGE_TOKEN"),
    ]
    for fields, reason in refusals:
        with pytest.raises(CallError) as refused:
            await services.call("ListChanges", pb.ListChangesRequest(**fields), pb.ListChangesResponse)
        assert refused.value.reason == reason, fields
    for fields, reason in (
        ({"kinds": ["volume", "nonsense"]}, "INVALID_INPUT"),
        ({"storage_id": "nonsense"}, "STORAGE_NOT_FOUND"),
        ({"resume_token": "nonsense"}, "INVALID_INPUT"),
    ):
        with pytest.raises(CallError) as refused:
            await Watch(services, **fields).next()
        assert refused.value.reason == reason, fields


async def test_a_watch_tells_what_is_committed(store: Store) -> None:
    services = Services(store)
    array = await Array.new(store)
    await array.sync(volumes(3))
    watch = Watch(services)
    assert await watch.next() == [], "the first answer comes at once"
    waiting = asyncio.ensure_future(watch.next())
    await asyncio.sleep(0)
    await array.sync(volumes(3, 1))
    assert [change.native_id for change in await waiting] == ["v0", "v1", "v2"]
    seen = watch.token
    await watch.close()
    await array.sync(volumes(4, 1))
    resumed = Watch(services, resume_token=seen)
    assert await resumed.next() == []
    assert [change.native_id for change in await resumed.next()] == ["v3"]
    await resumed.close()
    start = Watch(services, resume_token="start", storage_id=text(array), kinds=["volume"])
    assert await start.next() == []
    assert [change.position for change in await start.next()] == [1, 2, 3, 4, 5]
    await start.close()


async def test_a_watch_gives_a_sign_of_life(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SIGN_OF_LIFE", 0.05)
    watch = Watch(Services(store), kinds=["disk"])
    array = await Array.new(store)
    await watch.next()
    await array.sync(volumes(3))
    before = watch.token
    for _ in range(3):
        assert await watch.next() == []
    assert watch.token != before, "what others are told moves the position too"
    await watch.close()


async def _writes(store: Store, storage_id: bytes, count: int) -> None:
    number = await number_of(store, storage_id)
    for step in range(count):

        def write(connection: Any, step: int = step) -> None:
            log = ChangeLog(connection, number, storage_id, START)
            for kind in ("volume", "disk"):
                for item in range(1 + step % 3):
                    log.add(recording.ADDED, kind, native_id=f"{step}-{item}")
            log.flush()

        await store.write(write)


async def _watch_all(services: Services, wanted: int) -> list[pb.Change]:
    """Reads until so many changes came, breaking off and resuming after each answer but a few."""
    found: list[pb.Change] = []
    resume = "start"
    while len(found) < wanted:
        watch = Watch(services, resume_token=resume)
        for _ in range(3):
            found += await watch.next()
            resume = watch.token
            if len(found) >= wanted:
                break
        await watch.close()
    return found


async def test_nothing_is_lost_or_doubled_under_concurrent_writers(store: Store) -> None:
    arrays = [await Array.new(store) for _ in range(4)]
    await _concurrently([store], arrays, store)


@pytest.mark.postgres
async def test_nor_with_two_cores_on_one_database(postgres_cluster: Cluster) -> None:
    url = postgres_cluster.shared_database()
    stores = [Store.open(url, SCHEMA), Store.open(url, SCHEMA), Store.open(url, SCHEMA)]
    arrays = [await Array.new(stores[0]) for _ in range(4)]
    await _concurrently(stores[:2], arrays, stores[2])
    for opened in stores:
        await opened.close()


async def _concurrently(writers: list[Store], arrays: list[Array], reader: Store) -> None:
    steps = 30
    of_array = len(writers) * sum(2 * (1 + step % 3) for step in range(steps))
    wanted = len(arrays) * of_array
    watching = [asyncio.ensure_future(_watch_all(Services(reader), wanted)) for _ in range(2)]
    await asyncio.gather(*(_writes(store, array.id, steps) for store in writers for array in arrays))
    for found in await asyncio.gather(*watching):
        assert Counter(map(len, positions(found).values())) == {of_array: len(arrays)}
        for seen in positions(found).values():
            assert seen == list(range(1, of_array + 1))
    assert len(await listed(Services(reader), page_size=17)) == wanted


async def test_old_and_surplus_changes_are_forgotten(store: Store) -> None:
    services = Services(store)
    old, young = await Array.new(store), await Array.new(store)
    await old.sync(volumes(30))
    await old.sync(volumes(30, 1))
    first = await services.call("ListChanges", pb.ListChangesRequest(page_size=5), pb.ListChangesResponse)
    watch = Watch(services)
    await watch.next()
    young.now += 10 * 24 * HOUR
    for _ in range(2):
        await young.sync(volumes(30, young.now))
    assert await forget_changes(store, now=young.now) >= 1
    left = await listed(services)
    assert {change.storage_id for change in left} == {text(young)}
    # Who had seen all of it goes on; who had not is told.
    assert [change.storage_id for change in await watch.next()] == [text(young)] * 31
    await watch.close()
    late = pb.ListChangesRequest(page_token=first.next_page_token)
    for call in (services.call("ListChanges", late, pb.ListChangesResponse), _expired_watch(services, old)):
        with pytest.raises(CallError) as refused:
            await call
        assert refused.value.reason == "CHANGE_POSITION_EXPIRED"
    assert await forget_changes(store, now=young.now, limit=10) >= 1
    assert await listed(services) == []
    await young.sync(volumes(30))
    assert [change.position for change in await listed(services)][:1] == [32]


async def _expired_watch(services: Services, array: Array) -> None:
    number = await number_of(services.store, array.id)
    watch = Watch(services, resume_token=token.written({number: 3}, "watch"))
    await watch.next()
    await watch.next()


async def test_a_position_of_the_future_is_refused(store: Store) -> None:
    """The database was set back to an older state."""
    services = Services(store)
    array = await Array.new(store)
    await array.sync(volumes(3))
    number = await number_of(store, array.id)
    watch = Watch(services, resume_token=token.written({number: 1000}, "watch"))
    await watch.next()
    with pytest.raises(CallError) as refused:
        await watch.next()
    assert refused.value.reason == "CHANGE_POSITION_EXPIRED"


def test_retention_is_what_the_contract_says() -> None:
    assert retention.PERIOD == 7 * 24 * HOUR
    assert retention.MAX_CHANGES == 1_000_000
