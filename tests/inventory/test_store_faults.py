"""Syncs while the store, or Delphis itself, fails: repeated where that helps, ended visibly where it doesn't."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from delphis.inventory.v1 import job_pb2
from delphis.type.v1 import storage_pb2
from services.inventory.jobs import queue, records
from services.store.connection import Connection
from tests.inventory.core import Core, core, until

FAILED = storage_pb2.SYNC_OUTCOME_FAILED
OK = storage_pb2.SYNC_OUTCOME_OK


def full(connection: Connection) -> None:
    """The database file may not grow any more."""
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count={pages + 8}")


def roomy(connection: Connection) -> None:
    connection.execute("PRAGMA max_page_count=1000000")


async def test_an_outage_of_the_store_is_not_taken_for_ends_of_the_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(records, "MOST_DEATHS", 3)
    async with core(tmp_path) as first:
        await first.synced(2)
        await first.store.write(full)
        storage = await first.register(1, volumes="2000")
        job_id = (await first.state(storage.id)).job_id
        job = await until(partial(first.job, job_id), lambda job: job.attempt > 4)
        assert job.state == job_pb2.JOB_STATE_RUNNING
    async with core(tmp_path) as second:
        job = await second.ended(job_id)
        assert (job.state, job.error_msg) == (job_pb2.JOB_STATE_SUCCEEDED, "")
        assert (await second.get(storage.id)).sync_outcome == OK
        assert await second.volumes(storage.id) == 1000


async def test_a_sync_goes_on_once_the_store_has_room_again(delphis: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "RETRY_SECONDS", 0.01)
    await delphis.synced(2)
    await delphis.store.write(full)
    storage = await delphis.register(1, volumes="2000")
    job_id = (await delphis.state(storage.id)).job_id
    await until(partial(delphis.job, job_id), lambda job: job.attempt > 1)
    await delphis.store.write(roomy)
    assert (await delphis.ended(job_id)).state == job_pb2.JOB_STATE_SUCCEEDED


async def test_a_core_that_is_stopped_again_and_again_is_not_blamed_on_its_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setattr(records, "MOST_DEATHS", 2)
    async with core(tmp_path, database=database_url) as first:
        storage = await first.register(1, **{"latency_ms.volumes": "60000"})
        job_id = (await first.state(storage.id)).job_id
        await until(partial(first.job, job_id), lambda job: job.state == job_pb2.JOB_STATE_RUNNING)
    for attempt in (2, 3, 4):
        async with core(tmp_path, database=database_url) as again:
            running = await until(partial(again.job, job_id), lambda job: job.state == job_pb2.JOB_STATE_RUNNING)
            assert running.attempt == attempt


REFUSE = {
    "begins": (
        "CREATE TRIGGER refuse BEFORE UPDATE ON jobs WHEN NEW.attempt > OLD.attempt"
        " BEGIN SELECT RAISE(ABORT, 'broken'); END"
    ),
    "ends": (
        f"CREATE TRIGGER refuse BEFORE UPDATE ON jobs WHEN NEW.state = {records.SUCCEEDED}"
        " BEGIN SELECT RAISE(ABORT, 'broken'); END"
    ),
}


@pytest.mark.parametrize("when", sorted(REFUSE))
async def test_a_fault_of_delphis_ends_the_job_and_shows(delphis: Core, when: str) -> None:
    storage = await delphis.synced(1)
    await delphis.store.write(lambda connection: connection.execute(REFUSE[when]))
    job = await delphis.ended(await delphis.sync(storage.id))
    assert (job.state, job.error_code) == (job_pb2.JOB_STATE_FAILED, "InternalError")
    assert job.job_id in job.error_msg
    assert job.HasField("ended_at")
    storage = await delphis.get(storage.id)
    assert storage.sync_status == storage_pb2.SYNC_STATUS_SYNCED
    assert (storage.sync_outcome, storage.sync_error) == (FAILED, job.error_msg)
    await delphis.store.write(lambda connection: connection.execute("DROP TRIGGER refuse"))
    assert (await delphis.ended(await delphis.sync(storage.id))).state == job_pb2.JOB_STATE_SUCCEEDED
