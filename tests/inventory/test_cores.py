"""Several cores on one database: none touches the jobs of another that lives, and somebody goes on with the others'."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from delphis.inventory.v1 import job_pb2
from delphis.type.v1 import storage_pb2
from services.inventory import service
from services.store.connection import Connection
from tests.inventory.core import core, until
from tests.support import postgres
from tests.support.up import Up, wait_for

pytestmark = pytest.mark.postgres
SYNCING = storage_pb2.SYNC_STATUS_SYNCING


def is_running(job: job_pb2.Job) -> bool:
    return job.state == job_pb2.JOB_STATE_RUNNING


@pytest.fixture
def database(postgres_cluster: postgres.Cluster) -> str:
    return postgres_cluster.new_database()


async def test_a_core_that_starts_leaves_the_jobs_of_another_alone(tmp_path: Path, database: str) -> None:
    async with core(tmp_path, database=database) as first:
        running = await first.register(1, volumes="50", **{"latency_ms.volumes": "2500"})
        job_id = (await first.state(running.id)).job_id
        await until(partial(first.job, job_id), is_running)
        async with core(tmp_path, database=database) as second:
            assert (await second.get(running.id)).sync_status == SYNCING
            assert is_running(await second.job(job_id))
        job = await first.ended(job_id)
        assert (job.state, job.attempt) == (job_pb2.JOB_STATE_SUCCEEDED, 1)


async def test_what_a_stopped_core_left_is_taken_over_by_one_that_runs(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ADOPTION_SECONDS", 0.1)
    async with core(tmp_path, database=database) as second:
        async with core(tmp_path, database=database) as first:
            storage = await first.register(1, volumes="50", **{"latency_ms.volumes": "1500"})
            job_id = (await first.state(storage.id)).job_id
            await until(partial(first.job, job_id), is_running)
        job = await second.ended(job_id)
        assert (job.state, job.attempt) == (job_pb2.JOB_STATE_SUCCEEDED, 2)
        assert await second.volumes(storage.id) == 50


async def test_a_core_that_is_taken_for_ended_writes_nothing_more(
    tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection broke, and it has not written since: another core has gone on with its job."""
    monkeypatch.setattr(service, "ADOPTION_SECONDS", 0.1)
    async with core(tmp_path, database=database) as second:
        monkeypatch.setattr(service, "ADOPTION_SECONDS", 1000.0)
        async with core(tmp_path, database=database) as first:
            storage = await first.register(1, volumes="50", **{"latency_ms.volumes": "1500"})
            job_id = (await first.state(storage.id)).job_id
            await until(partial(first.job, job_id), is_running)

            def process_id(connection: Connection) -> int:
                return int(connection.execute("SELECT pg_backend_pid()").fetchone()[0])

            broken = await first.store.write(process_id)
            await second.store.write(lambda connection: connection.execute(f"SELECT pg_terminate_backend({broken})"))
            await until(partial(second.job, job_id), lambda job: job.attempt == 2)
            job = await second.ended(job_id)
            assert (job.state, job.attempt) == (job_pb2.JOB_STATE_SUCCEEDED, 2)
            # It lives after all, and shows it from its next write on.
            again = await first.register(2, volumes="5", **{"latency_ms.volumes": "500"})
            assert (await first.wait_synced(again.id)).sync_outcome == storage_pb2.SYNC_OUTCOME_OK
            assert (await first.job((await first.state(again.id)).job_id)).attempt == 1


def test_a_killed_cores_job_goes_on_elsewhere(tmp_path: Path, database: str) -> None:
    options = ("--database", database, "--key-file", str(tmp_path / "key"))
    first = Up(tmp_path / "one", *options)
    storage = first.register(1, **{"latency_ms.volumes": "2000"})

    def running() -> str:
        jobs = [job for job in first.get("/v1/jobs")["jobs"] if job["state"] == "running"]
        return jobs[0]["job_id"] if jobs else ""

    job_id = wait_for("running sync", running)
    first.kill()
    second = Up(tmp_path / "two", *options)
    try:
        assert second.get(f"/v1/storages/{storage['id']}")["sync_status"] == "SYNCING"
        assert second.wait_synced(storage["id"])["sync_outcome"] == "ok"
        assert second.get(f"/v1/jobs/{job_id}")["attempt"] == 2
    finally:
        second.stop()
