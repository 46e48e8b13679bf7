"""The fleet, told by a real core: what it knows of each storage, and that it follows, whatever happens to the core."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from pathlib import Path

import grpc
import pytest

from services.calls.invoker import CHANNEL_OPTIONS
from services.fleet.core import Core
from services.fleet.fleet import Fleet
from tests.support.up import Up, up


@pytest.fixture(scope="module")
def delphis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with up(tmp_path_factory.mktemp("delphis")) as running:
        yield running


class Heard:
    """What a listener was told."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def __call__(self, ids: Collection[str]) -> None:
        self.ids.extend(ids)


@pytest.fixture
async def fleet(delphis: Up) -> AsyncIterator[Fleet]:
    async with grpc.aio.insecure_channel(f"unix:{delphis.data_dir}/run/core.sock", CHANNEL_OPTIONS) as channel:
        fleet = Fleet(Core(channel, "none-is-asked-for"))
        fleet.start()
        try:
            async with asyncio.timeout(60):
                await fleet.wait_known()
            yield fleet
        finally:
            await fleet.stop()


async def until(what: str, probe: Callable[[], object], seconds: float = 60.0) -> None:
    """Polls with a deadline."""
    end = time.monotonic() + seconds
    while not probe():
        assert time.monotonic() < end, f"no {what} within {seconds} s"
        await asyncio.sleep(0.02)


async def test_a_storage_comes_with_hosts_and_controllers_and_goes(delphis: Up, fleet: Fleet) -> None:
    heard = Heard()
    fleet.listen(heard)
    storage_id = (await asyncio.to_thread(delphis.register, 21, host="127.0.0.21"))["id"]
    await until("storage", lambda: fleet.get(storage_id))
    assert heard.ids[0] == storage_id
    await until("controllers", lambda: (found := fleet.get(storage_id)) and found.controllers)
    storage = fleet.get(storage_id)
    assert storage is not None
    assert storage.hosts == ("127.0.0.21",)
    assert storage.pair == ("fake_storage", "fake_driver")
    assert storage.serial_number
    assert storage.access_revision > 0
    told = delphis.get(f"/v1/storages/{storage_id}/controllers")["controllers"]
    assert {(each.id, each.name, each.address) for each in storage.controllers} == {
        (row["id"], row["name"], row["mgmt_ip"]) for row in told if row["mgmt_ip"]
    }
    assert not storage.paused
    heard.ids.clear()
    assert delphis.ask("DELETE", f"/v1/storages/{storage_id}").status in (200, 202)
    await until("removal", lambda: fleet.get(storage_id) is None)
    assert heard.ids == [storage_id]


async def test_settings_and_access_are_followed(delphis: Up, fleet: Fleet) -> None:
    storage_id = (await asyncio.to_thread(delphis.register, 22, host="127.0.0.22"))["id"]
    await asyncio.to_thread(delphis.wait_synced, storage_id)
    reply = delphis.ask(
        "PATCH", f"/v1/storages/{storage_id}", {"labels": {"site": "east"}, "pause": {"reason": "work"}}
    )
    assert reply.status == 200, reply
    await until("labels", lambda: (found := fleet.get(storage_id)) and found.labels == {"site": "east"}, 60)
    storage = fleet.get(storage_id)
    assert storage is not None
    assert storage.paused
    revision = storage.access_revision
    block = {"host": "127.0.0.23", "port": 22, "username": "admin", "password": "secret-9c1f"}
    reply = await asyncio.to_thread(delphis.ask, "PUT", f"/v1/storages/{storage_id}/access-info", {"ssh": block})
    assert reply.status == 200, reply
    await until("host", lambda: (found := fleet.get(storage_id)) and len(found.hosts) == 2, 60)
    storage = fleet.get(storage_id)
    assert storage is not None
    assert storage.hosts == ("127.0.0.22", "127.0.0.23")
    assert storage.access_revision > revision


async def test_a_core_that_was_killed_is_followed_again(delphis: Up, fleet: Fleet) -> None:
    before = (await asyncio.to_thread(delphis.register, 24))["id"]
    await until("storage", lambda: fleet.get(before))
    said = len(delphis.lines)
    os.kill(delphis.child_pid("core"), signal.SIGKILL)
    await until("core", lambda: any("is ready" in line for line in delphis.lines[said:]))
    assert fleet.get(before) is not None  # what was known stays
    rest = next(line.split()[1] for line in reversed(delphis.lines) if "REST" in line)
    delphis.rest = rest.removesuffix("/v1")
    after = (await asyncio.to_thread(delphis.register, 25))["id"]
    await until("new storage", lambda: fleet.get(after))
    assert fleet.get(before) is not None


async def test_many_storages_take_pages(delphis: Up, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.fleet.listing.PAGE", 2)
    for port in range(30, 36):
        await asyncio.to_thread(delphis.register, port, volumes="1", pools="1")
    await fleet.refresh()
    known = {storage["id"] for storage in delphis.get("/v1/storages?limit=1000")["storages"]}
    assert set(fleet.all()) == known
    assert all(storage.hosts for storage in fleet.all().values())


async def test_a_core_that_is_away_is_waited_for(tmp_path: Path) -> None:
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/nobody.sock", CHANNEL_OPTIONS) as channel:
        fleet = Fleet(Core(channel, "none"))
        fleet.start()
        await asyncio.sleep(0)
        assert not fleet.known
        assert not fleet.all()
        await fleet.stop()
