"""A core that ends in the middle: the next one goes on, and an old attempt writes nothing more."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import update

from delphis.inventory.v1 import job_pb2
from delphis.type.v1 import storage_pb2
from services.inventory.jobs import records, schedule
from services.inventory.jobs.records import Superseded
from services.inventory.schema.jobs import jobs
from services.inventory.schema.storages import storages
from services.store.statement import statement
from services.values import times
from tests.inventory.core import core, until

OK = storage_pb2.SYNC_OUTCOME_OK
GONE = 12345
"""The number of a core that is not there."""


async def test_a_sync_that_was_cut_goes_on_with_the_next_attempt(tmp_path: Path, database_url: str) -> None:
    async with core(tmp_path, database=database_url) as first:
        idle = await first.synced(2)
        storage = await first.register(1, volumes="50", **{"latency_ms.volumes": "600"})
        job_id = (await first.state(storage.id)).job_id
        await until(partial(first.job, job_id), lambda job: job.state == job_pb2.JOB_STATE_RUNNING)
    async with core(tmp_path, database=database_url) as second:
        assert (await second.get(storage.id)).sync_status == storage_pb2.SYNC_STATUS_SYNCING
        assert (await second.get(idle.id)).sync_status == storage_pb2.SYNC_STATUS_SYNCED
        job = await second.ended(job_id)
        assert job.state == job_pb2.JOB_STATE_SUCCEEDED
        assert job.attempt == 2
        storage = await second.get(storage.id)
        assert (storage.sync_status, storage.sync_outcome) == (storage_pb2.SYNC_STATUS_SYNCED, OK)
        assert await second.volumes(storage.id) == 50


async def test_nothing_says_it_is_syncing_that_is_not(tmp_path: Path) -> None:
    async with core(tmp_path) as first:
        storage = await first.synced(1)
        stuck = statement(update(storages).values(sync_status=storage_pb2.SYNC_STATUS_SYNCING))
        await first.store.write(lambda connection: connection.run(stuck))
    async with core(tmp_path) as second:
        assert (await second.get(storage.id)).sync_status == storage_pb2.SYNC_STATUS_SYNCED
        await second.ended(await second.sync(storage.id))


async def test_what_fell_due_meanwhile_is_synced_soon_but_not_all_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "SPREAD_OVERDUE", 300_000)
    async with core(tmp_path) as first:
        made = [await first.synced(port) for port in (1, 2)]
        past = statement(update(storages).values(next_sync_at=times.now() - times.HOUR))
        await first.store.write(lambda connection: connection.run(past))
        known = {storage.id: (await first.state(storage.id)).job_id for storage in made}
    async with core(tmp_path) as second:
        for storage in made:
            state = await until(
                partial(second.state, storage.id), lambda state: state.job_id != known[state.storage_id]
            )
            assert (await second.ended(state.job_id)).requested_by == "schedule"


async def test_an_old_attempt_writes_nothing(tmp_path: Path) -> None:
    async with core(tmp_path) as running:
        storage = await running.synced(1)
        store = running.store
        job = await store.write(lambda connection: records.add(connection, records.SYNC, 1, b"i" * 16, "test"))
        assert await store.write(partial(records.begin, job_id=b"x" * 16)) is None
        old = await store.write(partial(records.begin, job_id=job.id))
        assert old is not None
        await store.write(partial(records.check, job=old))
        assert await store.write(partial(records.begin, job_id=job.id)) is None
        gone = statement(update(jobs).values(owner=GONE))
        await store.write(lambda connection: connection.run(gone))
        (adopted,) = await store.write(partial(records.adopt, type_=records.SYNC))
        assert (adopted.id, adopted.deaths) == (job.id, 1)
        with pytest.raises(Superseded):
            await store.write(partial(records.check, job=old))
        new = await store.write(partial(records.begin, job_id=job.id))
        assert new is not None
        assert (old.attempt, new.attempt) == (1, 2)
        for work in (partial(records.check, job=old), partial(records.end, job=old, state=records.SUCCEEDED)):
            with pytest.raises(Superseded):
                await store.write(work)
        await store.write(partial(records.end, job=new, state=records.SUCCEEDED))
        with pytest.raises(Superseded):
            await store.write(partial(records.check, job=new))
        assert (await running.get(storage.id)).sync_outcome == OK


async def test_a_sync_in_whose_course_core_after_core_died_is_given_up(tmp_path: Path) -> None:
    async with core(tmp_path) as first:
        storage = await first.register(1, **{"latency_ms.volumes": "60000"})
        job_id = (await first.state(storage.id)).job_id
        await until(partial(first.job, job_id), lambda job: job.state == job_pb2.JOB_STATE_RUNNING)
        died = statement(update(jobs).values(deaths=records.MOST_DEATHS))
        await first.store.write(lambda connection: connection.run(died))
    async with core(tmp_path) as second:
        job = await second.job(job_id)
        assert job.state == job_pb2.JOB_STATE_FAILED
        assert job.error_msg
        assert (await second.get(storage.id)).sync_status == storage_pb2.SYNC_STATUS_SYNCED
        assert await second.sync(storage.id)


async def test_old_jobs_and_request_ids_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with core(tmp_path) as running:
        storage = await running.synced(1)
        await running.ended(await running.sync(storage.id))
        await running.inventory.prune()
        assert len((await running.jobs()).jobs) == 2
        monkeypatch.setattr("services.inventory.jobs.records.MOST_JOBS", 1)
        await running.inventory.prune()
        assert len((await running.jobs()).jobs) == 1
        monkeypatch.setattr("services.inventory.service.JOBS_KEPT", -times.HOUR)
        await running.inventory.prune()
        assert len((await running.jobs()).jobs) == 0
        assert await running.sync(storage.id)


def test_due_times_are_spread_and_stay_in_step() -> None:
    minute, now = times.MINUTE, times.now()
    ids = [number.to_bytes(16, "big") for number in range(1000)]
    due = [schedule.next_due(storage_id, 15 * minute, now) for storage_id in ids]
    earliest = now + 15 * minute // 2
    assert all(earliest <= at < earliest + 15 * minute for at in due)
    for tenth in range(10):
        begin = earliest + tenth * 15 * minute // 10
        assert 60 < sum(begin <= at < begin + 15 * minute // 10 for at in due) < 140
    for storage_id, at in zip(ids, due, strict=True):
        assert schedule.next_due(storage_id, 15 * minute, at) == at + 15 * minute
        assert schedule.next_due(storage_id, 15 * minute, at + 7 * minute) == at + 15 * minute
        assert schedule.next_due(storage_id, 15 * minute, at - 7 * minute) == at + 15 * minute
    soon = [schedule.soon(storage_id, now) for storage_id in ids]
    assert all(now < at <= now + 30 * times.SECOND + 1 for at in soon)
    assert len(set(soon)) > 990
