"""Storages are removed: from all answers at once, from the store soon, and whatever happens meanwhile."""

from __future__ import annotations

from pathlib import Path

from delphis.inventory.v1 import change_pb2, job_pb2, resource_pb2
from delphis.inventory.v1 import inventory_pb2 as pb
from services.inventory.schema import metadata
from services.store.connection import Connection
from tests.inventory.core import INVENTORY, RESOURCES, Core, core, refusal, until

KEPT = {"changes", "change_blocks", "change_positions", "jobs", "audit_entries", "alembic_version"}


def rows_of(connection: Connection) -> dict[str, int]:
    """Tables of storages that have rows."""
    found = {}
    for table in metadata.sorted_tables:
        if table.name in KEPT or not ({"storage_no", "no"} & set(table.c.keys())):
            continue
        count = connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]
        if count:
            found[table.name] = count
    return found


async def test_it_is_gone_at_once_and_its_rows_soon(delphis_on_both: Core) -> None:
    core = delphis_on_both
    kept = await core.synced(2, volumes="20")
    before = await core.store.scan(rows_of)
    storage = await core.synced(1, volumes="3000")
    job_id = await core.delete(storage.id)
    assert (await refusal(core.get(storage.id))).reason == "STORAGE_NOT_FOUND"
    assert [one.id for one in (await core.storages()).storages] == [kept.id]
    every = await core.call(
        RESOURCES + "ListVolumes", resource_pb2.ListVolumesRequest(), resource_pb2.ListVolumesResponse
    )
    assert {volume.storage_id for volume in every.volumes} == {kept.id}
    for refused in (core.delete(storage.id), core.sync(storage.id), core.state(storage.id), core.volumes(storage.id)):
        assert (await refusal(refused)).reason == "STORAGE_NOT_FOUND"
    assert (await refusal(core.router.unary("GetStorage", storage.id))).reason == "STORAGE_NOT_FOUND"
    page = await core.call(INVENTORY + "ListAccessInfos", pb.ListAccessInfosRequest(), pb.ListAccessInfosResponse)
    assert [access.storage_id for access in page.access_infos] == [kept.id]
    job = await core.ended(job_id)
    assert (job.type, job.state) == (job_pb2.JOB_TYPE_REMOVAL, job_pb2.JOB_STATE_SUCCEEDED)
    assert job.storage_id == storage.id
    assert await core.store.scan(rows_of) == before
    again = await core.synced(1, volumes="20")
    assert again.id != storage.id
    assert again.serial_number == storage.serial_number
    changes = await core.call(
        "/delphis.inventory.v1.ChangeService/ListChanges",
        change_pb2.ListChangesRequest(kind="storage"),
        change_pb2.ListChangesResponse,
    )
    types = {change.type for change in changes.changes if change.storage_id == storage.id}
    assert types == {change_pb2.CHANGE_TYPE_REGISTERED, change_pb2.CHANGE_TYPE_DELETED}


async def test_a_running_sync_is_stopped_and_writes_nothing_more(delphis: Core) -> None:
    storage = await delphis.register(1, volumes="500", **{"latency_ms.volumes": "400", "latency_ms.disks": "150"})
    sync = (await delphis.state(storage.id)).job_id
    await until(lambda: delphis.job(sync), lambda job: len(job.kinds) > 1)
    removal = await delphis.ended(await delphis.delete(storage.id))
    assert removal.state == job_pb2.JOB_STATE_SUCCEEDED
    assert (await delphis.job(sync)).state == job_pb2.JOB_STATE_CANCELLED
    assert await delphis.store.scan(rows_of) == {}


async def test_many_removals_while_syncs_run_leave_nothing(delphis: Core) -> None:
    made = [await delphis.register(port, volumes="200") for port in range(1, 9)]
    for storage in made:
        await delphis.delete(storage.id)
    await until(lambda: delphis.store.scan(rows_of), lambda rows: rows == {})


async def test_a_removal_goes_on_after_a_restart(tmp_path: Path) -> None:
    async with core(tmp_path) as first:
        storage = await first.synced(1, volumes="3000")
        # Nothing is taken from the queue any more, as after a kill.
        await first.inventory._removals.stop()
        job_id = await first.delete(storage.id)
        assert (await first.job(job_id)).state == job_pb2.JOB_STATE_WAITING
    async with core(tmp_path) as second:
        assert (await second.ended(job_id)).state == job_pb2.JOB_STATE_SUCCEEDED
        assert await second.store.scan(rows_of) == {}
        assert (await second.storages()).storages == []
