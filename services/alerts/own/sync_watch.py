"""What the syncs say of the arrays: unreachable, failing, old, suspicious, another serial number, full."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from delphis.alert.v1 import alert_pb2
from delphis.inventory.v1 import inventory_pb2, job_pb2, resource_pb2
from delphis.type.v1 import block_pb2, storage_pb2
from services.alerts.arrays import Array, Arrays
from services.alerts.own import capacity
from services.alerts.own.conditions import Condition, Conditions, key_of
from services.alerts.own.kinds import (
    ARRAY_CAPACITY,
    ARRAY_UNREACHABLE,
    POOL_CAPACITY,
    SERIAL_CHANGED,
    SUSPICIOUS,
    SYNC_FAILING,
    SYNC_STALE,
)
from services.calls.errors import CallError, reasons
from services.fleet.core import Core
from services.values import times

log = logging.getLogger(__name__)

LOOK_SECONDS = 30.0
AT_ONCE = 4
ASK_SECONDS = 20.0
STALE_INTERVALS = 4
STALE_LEAST = times.HOUR
DEFAULT_INTERVAL = 15 * times.MINUTE
UNREACHABLE = frozenset({"ARRAY_UNREACHABLE", "CONNECT_TIMEOUT"})

_ANSWERS = frozenset(
    {
        "INVALID_USERNAME_OR_PASSWORD",
        "INVALID_CREDENTIAL",
        "ARRAY_PERMISSION_DENIED",
        "ARRAY_BUSY",
        "BAD_RESPONSE",
        "STORAGE_BACKEND_EXCEPTION",
        "STORAGE_LIST_ALERT_FAILED",
    }
)
"""Errors that only an array which was reached can be the reason of."""
_OK = frozenset({storage_pb2.SYNC_OUTCOME_OK, storage_pb2.SYNC_OUTCOME_NEVER, storage_pb2.SYNC_OUTCOME_UNSPECIFIED})
_FAILED = job_pb2.KIND_OUTCOME_FAILED
_SYNC_STATE = "/delphis.inventory.v1.InventoryService/GetSyncState"
_JOBS = "/delphis.inventory.v1.JobService/ListJobs"
_POOLS = "/delphis.inventory.v1.ResourceService/ListStoragePools"


class SyncWatch:
    """Looks at each array when something of it changed, and at all from time to time."""

    def __init__(
        self, core: Core, arrays: Arrays, conditions: Conditions, settings: Callable[[], alert_pb2.AlertSettings]
    ) -> None:
        self._core = core
        self._arrays = arrays
        self._conditions = conditions
        self._settings = settings
        self._seen: dict[str, tuple[object, ...]] = {}
        """What an array was like when it was looked at closely."""
        self._answered: dict[str, int] = {}
        """When an array last answered a poll."""
        self._unreachable = frozenset(reasons()[reason].text for reason in UNREACHABLE)
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look."""
        self._task = asyncio.create_task(self._run(), name="own alerts: syncs")

    async def stop(self) -> None:
        """Looks no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def refresh(self) -> None:
        """Arrays or settings changed."""
        self._wake.set()

    def forget(self, storage_id: str) -> None:
        """The storage was removed."""
        self._seen.pop(storage_id, None)
        self._answered.pop(storage_id, None)

    async def polled(self, array: Array, error: CallError | None) -> None:
        """A poll of the array's alerts ended."""
        if error is not None and error.reason in UNREACHABLE:
            await self._conditions.hold(array, Condition(ARRAY_UNREACHABLE, error.message))
        elif error is None or error.reason in _ANSWERS:
            self._answered[array.id] = times.now()
            await self._conditions.over(array, ARRAY_UNREACHABLE)

    async def _run(self) -> None:
        gate = asyncio.Semaphore(AT_ONCE)
        while True:
            self._wake.clear()
            await asyncio.gather(*(self._guarded(array, gate) for array in list(self._arrays.all().values())))
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _guarded(self, array: Array, gate: asyncio.Semaphore) -> None:
        async with gate:
            try:
                await self._look(array)
            except CallError as error:
                log.info("how the syncs of %s go is not known now: %s", array.id, error)
            except Exception:
                log.exception("what is amiss with %s can't be said by a fault of Delphis", array.id)

    async def _look(self, array: Array) -> None:
        if array.paused or array.message.sync_status == storage_pb2.SYNC_STATUS_SYNCING:
            return  # what a sync finds is looked at when it ended
        await self._at_a_glance(array)
        message, settings = array.message, self._settings()
        seen = (
            message.sync_outcome,
            message.last_success_at.ToNanoseconds(),
            message.updated_at.ToNanoseconds(),
            message.sync_error,
            settings.SerializeToString(deterministic=True),
        )
        fine = message.sync_outcome in _OK and not self._conditions.get(array.id, key_of(SYNC_FAILING))
        if self._seen.get(array.id) == seen and fine:
            return
        await self._syncs(array, settings.sync_failures)
        await self._pools(array, settings)
        self._seen[array.id] = seen

    async def _at_a_glance(self, array: Array) -> None:
        message, holding = array.message, dict[str, Condition]()
        if message.pending_serial_number:
            self._add(
                holding,
                Condition(
                    SERIAL_CHANGED,
                    f"At the address of the array with the serial number {message.serial_number} one with"
                    f" {message.pending_serial_number} answers; syncs stop until that is settled.",
                ),
            )
        last = message.last_success_at if message.HasField("last_success_at") else message.created_at
        interval = message.sync_interval.ToMicroseconds() if message.HasField("sync_interval") else DEFAULT_INTERVAL
        limit = max(STALE_INTERVALS * interval, STALE_LEAST)
        if last.seconds and times.now() - times.of_stamp(last) > limit:
            since = last.ToDatetime().isoformat(sep=" ", timespec="seconds")
            self._add(holding, Condition(SYNC_STALE, f"No sync has ended well since {since} UTC."))
        severity = self._severity(array.id, key_of(ARRAY_CAPACITY), message.used_capacity, message.total_capacity)
        if severity:
            found = capacity.array_condition(message.used_capacity, message.total_capacity, severity)
            self._add(holding, found)
        looked_at = (key_of(SERIAL_CHANGED), key_of(SYNC_STALE), key_of(ARRAY_CAPACITY))
        await self._conditions.settle(array, holding, looked_at)

    async def _syncs(self, array: Array, failures: int) -> None:
        state = await self._core.ask(
            _SYNC_STATE,
            inventory_pb2.GetSyncStateRequest(storage_id=array.id),
            inventory_pb2.SyncState,
            timeout=ASK_SECONDS,
        )
        holding: dict[str, Condition] = {}
        for kind in state.kinds:
            if kind.outcome == job_pb2.KIND_OUTCOME_SUSPICIOUS:
                what = f"{kind.missing} of {kind.total} {kind.kind.replace('_', ' ')}s"
                words = f"{what} are missing from the array's answer; they are kept for now."
                self._add(holding, Condition(SUSPICIOUS, words, detail=kind.kind))
        failed = await self._failed_in_a_row(array.id, failures)
        if failed is not None:
            why = failed.error_msg or array.message.sync_error
            self._add(holding, Condition(SYNC_FAILING, f"The last {failures} syncs failed. {why}"))
        known = [key for key in self._conditions.keys(array.id) if key.partition(":")[0] == SUSPICIOUS.name]
        await self._conditions.settle(array, holding, {*known, *holding, key_of(SYNC_FAILING)})
        await self._reached(array, state)

    async def _failed_in_a_row(self, storage_id: str, count: int) -> job_pb2.Job | None:
        """The last sync, where so many in a row failed."""
        wanted = f'storage_id = "{storage_id}" AND type = sync AND ended_at:*'
        request = job_pb2.ListJobsRequest(page_size=count, filter=wanted)
        answer = await self._core.ask(_JOBS, request, job_pb2.ListJobsResponse, timeout=ASK_SECONDS)
        jobs = [job for job in answer.jobs if job.state != job_pb2.JOB_STATE_CANCELLED]
        if len(jobs) < count or not all(_has_failed(job) for job in jobs):
            return None
        return jobs[0]

    async def _reached(self, array: Array, state: inventory_pb2.SyncState) -> None:
        """Whether the array answered the last sync. The latest word counts, be it a sync's or a poll's."""
        device = next((kind for kind in state.kinds if kind.kind == "storage"), None)
        if device is None or not device.HasField("ended_at"):
            return
        raised = self._conditions.get(array.id, key_of(ARRAY_UNREACHABLE))
        if device.outcome == _FAILED and device.error_code in self._unreachable:
            if raised is None and self._answered.get(array.id, 0) < times.of_stamp(device.ended_at):
                await self._conditions.hold(array, Condition(ARRAY_UNREACHABLE, device.error_msg))
        elif raised is not None and times.of_stamp(device.started_at) > raised.since:
            await self._conditions.over(array, ARRAY_UNREACHABLE)

    async def _pools(self, array: Array, settings: alert_pb2.AlertSettings) -> None:
        holding: dict[str, Condition] = {}
        request = resource_pb2.ListStoragePoolsRequest(page_size=1000, filter=f'storage_id = "{array.id}"')
        while True:
            page = await self._core.ask(_POOLS, request, resource_pb2.ListStoragePoolsResponse, timeout=ASK_SECONDS)
            for pool in page.storage_pools:
                self._pool(array, pool, holding)
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        known = [key for key in self._conditions.keys(array.id) if key.partition(":")[0] == POOL_CAPACITY.name]
        await self._conditions.settle(array, holding, {*known, *holding})

    def _pool(self, array: Array, pool: block_pb2.StoragePool, holding: dict[str, Condition]) -> None:
        native_id = pool.native_storage_pool_id
        severity = self._severity(array.id, key_of(POOL_CAPACITY, native_id), pool.used_capacity, pool.total_capacity)
        if severity:
            found = capacity.pool_condition(native_id, pool.name, pool.used_capacity, pool.total_capacity, severity)
            self._add(holding, found)

    def _severity(self, storage_id: str, key: str, used: int, total: int) -> int:
        raised = self._conditions.get(storage_id, key)
        return capacity.severity_of(used, total, self._settings(), 0 if raised is None else raised.severity)

    @staticmethod
    def _add(holding: dict[str, Condition], condition: Condition) -> None:
        holding[condition.key] = condition


def _has_failed(job: job_pb2.Job) -> bool:
    if job.state == job_pb2.JOB_STATE_FAILED:
        return True
    return job.state == job_pb2.JOB_STATE_PARTIAL and any(kind.outcome == _FAILED for kind in job.kinds)
