"""Syncs: kind by kind, errors where they belong, repeated where a host died, never two of one array."""

from __future__ import annotations

import os
import signal

from delphis.inventory.v1 import change_pb2, job_pb2
from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.type.v1 import storage_pb2
from services.inventory.kinds import KINDS
from services.registry.spawned_host import SpawnedHost
from tests.inventory.core import INVENTORY, JOBS, Core, refusal, until

OK, PARTIAL, FAILED = (
    storage_pb2.SYNC_OUTCOME_OK,
    storage_pb2.SYNC_OUTCOME_PARTIAL,
    storage_pb2.SYNC_OUTCOME_FAILED,
)
ALL = 1 + len(KINDS)


async def test_a_job_tells_kind_by_kind_while_it_runs_and_afterwards(delphis_on_both: Core) -> None:
    core = delphis_on_both
    storage = await core.register(1, **{"latency_ms.volumes": "1200"})
    job_id = (await core.state(storage.id)).job_id

    def half_way(job: job_pb2.Job) -> bool:
        outcomes = {kind.kind: kind.outcome for kind in job.kinds}
        return outcomes.get("volume") == job_pb2.KIND_OUTCOME_RUNNING and (
            outcomes.get("disk") == job_pb2.KIND_OUTCOME_OK
        )

    job = await until(lambda: core.job(job_id), half_way)
    assert job.state == job_pb2.JOB_STATE_RUNNING
    assert (job.type, job.storage_id) == (job_pb2.JOB_TYPE_SYNC, storage.id)
    assert (job.attempt, job.requested_by) == (1, "registration")
    state = await core.state(storage.id)
    assert state.sync_status == storage_pb2.SYNC_STATUS_SYNCING
    assert {kind.kind: kind.outcome for kind in state.kinds}["volume"] == job_pb2.KIND_OUTCOME_RUNNING
    job = await core.ended(job_id)
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED
    assert len(job.kinds) == ALL
    assert [kind.kind for kind in job.kinds] == ["storage", *KINDS]
    assert {kind.outcome for kind in job.kinds} == {job_pb2.KIND_OUTCOME_OK}
    assert job.ended_at.ToMicroseconds() >= job.started_at.ToMicroseconds() >= job.created_at.ToMicroseconds()
    state = await core.state(storage.id)
    assert (state.sync_status, state.sync_outcome) == (storage_pb2.SYNC_STATUS_SYNCED, OK)
    assert state.next_sync_at.ToMicroseconds() > state.last_success_at.ToMicroseconds()
    assert list(state.kinds) == list(job.kinds)


async def test_a_second_sync_is_refused_with_the_first_ones_job(delphis: Core) -> None:
    storage = await delphis.register(1, **{"latency_ms.volumes": "300"})
    job_id = (await delphis.state(storage.id)).job_id
    error = await refusal(delphis.sync(storage.id))
    assert error.reason == "STORAGE_IS_SYNCING"
    assert error.metadata["job_id"] == job_id
    await delphis.wait_synced(storage.id)
    assert await delphis.sync(storage.id) != job_id
    assert (await refusal(delphis.sync("11111111-1111-1111-1111-111111111111"))).reason == "STORAGE_NOT_FOUND"


async def test_all_storages_but_the_busy_and_paused_are_synced(delphis: Core) -> None:
    idle = [(await delphis.synced(port)).id for port in (1, 2)]
    paused = (await delphis.synced(3)).id
    settings = pb.StorageSettings(pause=storage_pb2.Pause(reason="maintenance"))
    await delphis.update(paused, settings)
    busy = (await delphis.register(4, **{"latency_ms.volumes": "1000"})).id
    answer = await delphis.call(INVENTORY + "SyncStorages", pb.SyncStoragesRequest(), pb.SyncStoragesResponse)
    assert (answer.started, answer.skipped) == (2, 2)
    page = await delphis.call(
        JOBS + "ListJobs", job_pb2.ListJobsRequest(filter=f'batch_id = "{answer.batch_id}"'), job_pb2.ListJobsResponse
    )
    assert sorted(job.storage_id for job in page.jobs) == sorted(idle)
    assert {job.requested_by for job in page.jobs} == {"anonymous"}
    for storage_id in (*idle, busy):
        await delphis.wait_synced(storage_id)
    assert (await refusal(delphis.sync(paused))).reason == "STORAGE_IS_PAUSED"


async def test_errors_stay_with_their_kind(delphis: Core) -> None:
    storage = await delphis.synced(1, fail="volumes:error; disks:half; ports:unsupported; quotas:bug")
    assert storage.sync_outcome == PARTIAL
    assert "volumes" in storage.sync_error
    assert not storage.HasField("last_success_at")
    states = {state.kind: state for state in (await delphis.state(storage.id)).kinds}
    assert states["volume"].outcome == job_pb2.KIND_OUTCOME_FAILED
    assert states["volume"].error_code == "StorageBackendException"
    assert states["volume"].error_msg
    assert states["quota"].error_code == "DriverFault"
    assert states["disk"].outcome == job_pb2.KIND_OUTCOME_PARTIAL
    assert states["disk"].total == 12
    assert states["port"].outcome == job_pb2.KIND_OUTCOME_UNSUPPORTED
    assert states["storage_pool"].outcome == job_pb2.KIND_OUTCOME_OK
    job = await delphis.job((await delphis.state(storage.id)).job_id)
    assert job.state == job_pb2.JOB_STATE_PARTIAL
    assert job.error_msg == storage.sync_error


async def test_an_array_that_cannot_be_reached_fails_the_sync_and_keeps_all(delphis: Core) -> None:
    storage = await delphis.synced(1, volumes="40", fail="storage:unavailable@3")
    assert storage.sync_outcome == OK
    job = await delphis.ended(await delphis.sync(storage.id))
    assert job.state == job_pb2.JOB_STATE_FAILED
    assert job.error_code == "ArrayUnreachable"
    storage = await delphis.get(storage.id)
    assert storage.sync_outcome == FAILED
    assert storage.sync_error == job.error_msg
    assert storage.HasField("last_success_at")
    assert (await delphis.kind(storage.id, "storage")).outcome == job_pb2.KIND_OUTCOME_FAILED
    assert (await delphis.kind(storage.id, "volume")).outcome == job_pb2.KIND_OUTCOME_OK
    assert await delphis.volumes(storage.id) == 40


async def test_what_the_array_says_of_itself_is_followed_with_a_change(delphis: Core) -> None:
    storage = await delphis.synced(1, volumes="10", drift="all")
    used = storage.used_capacity
    await delphis.ended(await delphis.sync(storage.id))
    storage = await delphis.get(storage.id)
    assert storage.used_capacity != used
    assert storage.HasField("updated_at")
    answer = await delphis.call(
        "/delphis.inventory.v1.ChangeService/ListChanges",
        change_pb2.ListChangesRequest(storage_id=storage.id, kind="storage"),
        change_pb2.ListChangesResponse,
    )
    last = answer.changes[-1]
    assert last.type == change_pb2.CHANGE_TYPE_CHANGED
    assert "used_capacity" in last.fields


async def test_a_kind_whose_host_dies_is_read_again(delphis: Core) -> None:
    storage = await delphis.register(1, volumes="600", **{"latency_ms.volumes": "700"})

    async def reading() -> bool:
        job = await delphis.job((await delphis.state(storage.id)).job_id)
        return any(kind.kind == "volume" and kind.outcome == job_pb2.KIND_OUTCOME_RUNNING for kind in job.kinds)

    [hosts] = delphis.registry.supervisor.known()

    async def pid() -> int:
        host = hosts.main.current
        return host.process.pid if isinstance(host, SpawnedHost) else 0

    for _ in range(2):
        await until(reading, bool)
        killed = await pid()
        os.kill(killed, signal.SIGKILL)
        await until(pid, lambda now, old=killed: now not in (0, old))  # type: ignore[misc]
    assert (await delphis.wait_synced(storage.id)).sync_outcome == OK
    assert await delphis.volumes(storage.id) == 600


async def test_an_array_that_is_offline_loses_nothing(delphis: Core) -> None:
    storage = await delphis.synced(1, volumes="40", fail="storage:offline@3; volumes:short=5@2")
    assert await delphis.volumes(storage.id) == 40
    await delphis.ended(await delphis.sync(storage.id))
    state = await delphis.kind(storage.id, "volume")
    assert (await delphis.get(storage.id)).status == storage_pb2.STORAGE_STATUS_OFFLINE
    assert (state.outcome, state.missing) == (job_pb2.KIND_OUTCOME_SUSPICIOUS, 5)
    assert await delphis.volumes(storage.id) == 40


async def test_half_a_list_gone_is_suspicious_until_an_operator_accepts(delphis: Core) -> None:
    storage = await delphis.synced(1, volumes="100", fail="volumes:short=60@2")
    job = await delphis.ended(await delphis.sync(storage.id))
    assert job.state == job_pb2.JOB_STATE_PARTIAL
    state = await delphis.kind(storage.id, "volume")
    assert (state.outcome, state.missing, state.total) == (job_pb2.KIND_OUTCOME_SUSPICIOUS, 60, 100)
    assert await delphis.volumes(storage.id) == 100

    async def accept(kind: str) -> pb.SyncState:
        request = pb.AcceptRemovalsRequest(storage_id=storage.id, kind=kind)
        return await delphis.call(INVENTORY + "AcceptRemovals", request, pb.SyncState)

    assert (await refusal(accept("disk"))).reason == "NOTHING_TO_ACCEPT"
    assert (await refusal(accept("nonsense"))).reason == "INVALID_INPUT"
    accepted = {kind.kind: kind for kind in (await accept("volume")).kinds}["volume"]
    assert (accepted.outcome, accepted.missing, accepted.total) == (job_pb2.KIND_OUTCOME_OK, 0, 40)
    assert await delphis.volumes(storage.id) == 40
    assert (await refusal(accept(""))).reason == "NOTHING_TO_ACCEPT"


async def test_another_serial_number_stops_the_sync_until_it_is_accepted(delphis: Core) -> None:
    storage = await delphis.synced(1, volumes="10", fail="storage:serial@3")
    registered = storage.serial_number
    job = await delphis.ended(await delphis.sync(storage.id))
    assert job.state == job_pb2.JOB_STATE_FAILED
    assert job.error_code == "StorageSerialNumberMismatch"
    storage = await delphis.get(storage.id)
    assert storage.serial_number == registered
    assert storage.pending_serial_number not in ("", registered)
    assert storage.sync_outcome == FAILED

    async def accept(serial: str) -> storage_pb2.Storage:
        request = pb.AcceptSerialRequest(storage_id=storage.id, serial_number=serial)
        return await delphis.call(INVENTORY + "AcceptSerial", request, storage_pb2.Storage)

    assert (await refusal(accept("another"))).reason == "NOTHING_TO_ACCEPT"
    accepted = await accept(storage.pending_serial_number)
    assert accepted.serial_number == storage.pending_serial_number
    assert not accepted.HasField("pending_serial_number")
    assert accepted.sync_status == storage_pb2.SYNC_STATUS_SYNCING
    assert (await delphis.wait_synced(storage.id)).sync_outcome == OK
    assert (await refusal(accept(storage.pending_serial_number))).reason == "NOTHING_TO_ACCEPT"


async def test_a_serial_number_that_is_accepted_while_a_sync_runs_is_synced_too(delphis: Core) -> None:
    storage = await delphis.synced(1, fail="storage:serial@3", **{"latency_ms.storage": "300"})
    await delphis.ended(await delphis.sync(storage.id))
    pending = (await delphis.get(storage.id)).pending_serial_number
    assert pending
    running = await delphis.sync(storage.id)
    await until(lambda: delphis.job(running), lambda job: job.state == job_pb2.JOB_STATE_RUNNING)
    request = pb.AcceptSerialRequest(storage_id=storage.id, serial_number=pending)
    accepted = await delphis.call(INVENTORY + "AcceptSerial", request, storage_pb2.Storage)
    assert accepted.sync_status == storage_pb2.SYNC_STATUS_SYNCING
    assert (await delphis.ended(running)).state == job_pb2.JOB_STATE_CANCELLED
    following = (await delphis.state(storage.id)).job_id
    assert following != running
    assert (await delphis.ended(following)).state == job_pb2.JOB_STATE_SUCCEEDED
    storage = await delphis.get(storage.id)
    assert (storage.sync_outcome, storage.serial_number) == (OK, pending)
    assert not storage.HasField("pending_serial_number")


async def test_a_job_can_be_cancelled(delphis: Core) -> None:
    storage = await delphis.register(1, **{"latency_ms.volumes": "60000"})
    job_id = (await delphis.state(storage.id)).job_id
    await until(lambda: delphis.job(job_id), lambda job: job.state == job_pb2.JOB_STATE_RUNNING and len(job.kinds) > 1)
    request = job_pb2.CancelJobRequest(job_id=job_id)
    job = await delphis.call(JOBS + "CancelJob", request, job_pb2.Job)
    assert job.state == job_pb2.JOB_STATE_CANCELLED
    assert job.HasField("ended_at")
    assert (await delphis.get(storage.id)).sync_status == storage_pb2.SYNC_STATUS_SYNCED
    again = await delphis.call(JOBS + "CancelJob", request, job_pb2.Job)
    assert again == job
    unknown = job_pb2.CancelJobRequest(job_id="11111111-1111-1111-1111-111111111111")
    assert (await refusal(delphis.call(JOBS + "CancelJob", unknown, job_pb2.Job))).reason == "JOB_NOT_FOUND"


async def test_jobs_are_listed_newest_first(delphis: Core) -> None:
    storage = await delphis.synced(1)
    ids = [(await delphis.state(storage.id)).job_id]
    for _ in range(3):
        ids.insert(0, await delphis.sync(storage.id))
        await delphis.wait_synced(storage.id)
    other = await delphis.synced(2)

    async def listed(text: str = "", token: str = "", size: int = 0) -> job_pb2.ListJobsResponse:
        request = job_pb2.ListJobsRequest(filter=text, page_token=token, page_size=size)
        return await delphis.call(JOBS + "ListJobs", request, job_pb2.ListJobsResponse)

    assert [job.job_id for job in (await listed()).jobs][1:] == ids
    mine = f'storage_id = "{storage.id}"'
    assert [job.job_id for job in (await listed(mine)).jobs] == ids
    first = await listed(mine, size=3)
    second = await listed(mine, first.next_page_token, size=3)
    assert [job.job_id for job in (*first.jobs, *second.jobs)] == ids
    assert not second.next_page_token
    assert len((await listed("state = succeeded AND type = sync")).jobs) == 5
    assert len((await listed("state = failed")).jobs) == 0
    assert {job.storage_id for job in (await listed()).jobs} == {storage.id, other.id}
    for text, reason in (("colour = red", "INVALID_INPUT"), ("state = odd", "INVALID_INPUT")):
        assert (await refusal(listed(text))).reason == reason
    assert (await refusal(listed(token="nonsense"))).reason == "INVALID_PAGE_TOKEN"
