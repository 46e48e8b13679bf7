"""One sync of one array: who it is, then its kinds, a few at once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeVar

from delphis.inventory.v1 import change_pb2
from delphis.tracing import scope
from delphis.type.v1 import storage_pb2
from services.calls.errors import CallError, reasons
from services.inventory.jobs import records
from services.inventory.jobs.progress import Progress
from services.inventory.jobs.records import Job, Superseded
from services.inventory.jobs.schedule import next_due
from services.inventory.kinds import KINDS, STORAGE, Kind
from services.inventory.storages import messages, rows, settings
from services.inventory.storages.array import Said, said
from services.inventory.storages.capabilities import Listed, capabilities, listed
from services.inventory.storages.history import note
from services.inventory.storages.rows import StorageRow
from services.inventory.storages.serials import set_serial
from services.inventory.sync import states
from services.inventory.sync.kind_sync import record_failure, sync_kind
from services.inventory.sync.result import FAILED, OK, UNSUPPORTED, KindMoved, KindResult, StorageGone
from services.registry.manifest import Pair
from services.router.router import Router
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault
from services.values import times, uuids

log = logging.getLogger(__name__)

KINDS_AT_ONCE = 3
"""A driver host works on four calls for one array: one is left to whoever asks meanwhile."""
REPEATS = 5
"""So often a kind is read again when its host was lost, or its answer found no room."""
_REPEATED = ("DRIVER_HOST_UNAVAILABLE", "STORE_FAULT")
ASK_SECONDS = 60.0
LIST_SECONDS = 600.0
_REPEAT_DELAYS = (0.0, 0.1, 0.3, 1.0, 3.0)

_T = TypeVar("_T")

_OUTCOME_OK = storage_pb2.SYNC_OUTCOME_OK
_OUTCOME_PARTIAL = storage_pb2.SYNC_OUTCOME_PARTIAL
_OUTCOME_FAILED = storage_pb2.SYNC_OUTCOME_FAILED
_JOB_STATES = {
    _OUTCOME_OK: records.SUCCEEDED,
    _OUTCOME_PARTIAL: records.PARTIAL,
    _OUTCOME_FAILED: records.FAILED,
}
_OUTCOMES = {_OUTCOME_OK: "ok", _OUTCOME_PARTIAL: "partial", _OUTCOME_FAILED: "failed"}


class _End(NamedTuple):
    """How a sync ended."""

    outcome: storage_pb2.SyncOutcome.ValueType
    code: str = ""
    message: str = ""


class ArraySync:
    """One attempt of a sync job."""

    def __init__(self, store: Store, router: Router, job: Job, row: StorageRow) -> None:
        self.progress = Progress([STORAGE])
        self.outcome = "stopped"
        """How it ended, once it has: `ok`, `partial`, `failed`."""
        self._store = store
        self._router = router
        self._job = job
        self._row = row
        self._id = uuids.text(row.id)
        self._driver = f"{row.driver_vendor} {row.driver_model}"
        self._guard = partial(records.check, job=job)

    async def run(self) -> int:
        """Syncs, and ends the job; the time at which the next sync is due.

        Raises:
            Superseded: the job was cancelled, the storage removed.
            StoreFault: nothing more can be written.
        """
        try:
            end = await self._sync()
        except (Superseded, StoreFault):
            raise
        except StorageGone:
            raise Superseded from None
        except CallError as error:
            end = _failed(error)
        except Exception:
            log.exception("the sync of storage %s failed by a fault of Delphis", self._id)
            end = _failed(CallError("INTERNAL", f"A fault of Delphis; the log has it under the storage {self._id}."))
        if end.outcome != _OUTCOME_OK:
            log.warning("sync of storage %s: %s", self._id, end.message)
        due = await self._store.write(partial(self._end, end=end))
        self.outcome = _OUTCOMES[end.outcome]
        return due

    async def _sync(self) -> _End:
        pair = Pair(self._row.driver_vendor, self._row.driver_model)
        info = await _repeated(partial(self._router.driver_info, pair))
        scope.enter(scope.current()._replace(driver=info.name))  # `Syncs` leaves it with the sync
        kinds = [kind for kind in KINDS.values() if f"List{kind.rpc}" in info.rpcs]
        self.progress = Progress([STORAGE, *(kind.name for kind in kinds)])
        self.progress.began(STORAGE)
        started_at = times.now()
        try:
            answer = await self._get_storage()
            has = await self._listed(kinds) if "GetCapabilities" in info.rpcs else Listed(kinds, [])
            answer = Said(answer.storage, (*has.warnings, *answer.warnings))
            await self._store.write(partial(self._write_storage, answer=answer, started_at=started_at))
        except CallError as error:
            if isinstance(error, StoreFault):
                raise
            await self._store.write(partial(self._write_failure, error=error, started_at=started_at))
            raise
        await self._write_unlisted(has.others)
        results = await self._sync_kinds(has.kinds, answer.storage.status)
        return _end_of(results)

    # -- the array itself -----------------------------------------------------------------------------------------

    async def _get_storage(self) -> Said:
        answer = said(await self._ask("GetStorage"), self._driver)
        await self._check_serial(answer.serial_number)
        return answer

    async def _listed(self, announced: Sequence[Kind]) -> Listed:
        """Which kinds this array has. One that doesn't say is asked for all."""
        try:
            return listed(announced, capabilities(await self._ask("GetCapabilities"), self._driver))
        except CallError as error:
            if isinstance(error, StoreFault):
                raise
            if error.reason == "STORAGE_CAPABILITY_NOT_SUPPORTED":
                return Listed(list(announced), [])
            return Listed(
                list(announced), [], (f"Which kinds the array has is not known, all are read: {error.message}"[:500],)
            )

    async def _ask(self, method: str) -> bytes:
        async def ask() -> bytes:
            deadline = asyncio.get_running_loop().time() + ASK_SECONDS
            return await self._router.unary(method, self._id, deadline=deadline)

        return await _repeated(ask)

    async def _check_serial(self, serial: str) -> None:
        registered = self._row.serial_number
        if not registered:  # it was imported without; the first that answers is it
            registered = await self._store.write(partial(self._adopt_serial, serial=serial))
        pending = "" if serial == registered else serial
        if pending != self._row.pending_serial_number:
            await self._store.write(partial(self._write_pending, serial=pending))
        if pending:
            log.error("storage %s answers with serial number %s instead of %s", self._id, serial, registered)
            raise CallError(
                "STORAGE_SERIAL_NUMBER_MISMATCH",
                f"The array that answers for storage {self._id} has the serial number {serial}, not {registered}. "
                f"Check its address, or accept it with `delphis storages accept-serial {self._id} {serial}`.",
                metadata={"storage_id": self._id, "serial_number": serial, "registered": registered},
            )

    def _adopt_serial(self, connection: Connection, serial: str) -> str:
        rows.lock_registration(connection)  # before any row, as everybody who takes it does
        self._guard(connection)
        row = rows.by_no(connection, self._row.no)
        if row is None:
            raise StorageGone
        if not row.serial_number:
            set_serial(connection, row, serial)
        return row.serial_number or serial

    def _write_pending(self, connection: Connection, serial: str) -> None:
        self._guard(connection)
        rows.change(connection, self._row.no, pending_serial_number=serial)

    def _write_storage(self, connection: Connection, answer: Said, started_at: int) -> None:
        self._guard(connection)
        row = rows.by_no(connection, self._row.no)
        if row is None:
            raise StorageGone
        now = times.now()
        columns = messages.columns(answer.storage)
        fields = messages.changed_fields(row.driver_part, columns["driver_part"])
        if fields:
            rows.change(connection, row.no, **columns, updated_at=now)
            note(connection, row._replace(name=columns["name"]), change_pb2.CHANGE_TYPE_CHANGED, fields)
        self._write_state(
            connection,
            KindResult(
                kind=STORAGE,
                outcome=OK,
                total=1,
                changed=int(bool(fields)),
                warnings=answer.warnings[:20],
                started_at=started_at,
                ended_at=now,
                last_success_at=now,
            ),
        )

    def _write_failure(self, connection: Connection, error: CallError, started_at: int) -> None:
        self._guard(connection)
        before = states.read(connection, self._row.id, STORAGE)
        if before is None:
            raise StorageGone
        self._write_state(
            connection,
            KindResult(
                kind=STORAGE,
                outcome=FAILED,
                total=1,
                error_code=_code_text(error),
                error_msg=error.message[:1000],
                started_at=started_at,
                ended_at=times.now(),
                last_success_at=before.last_success_at,
            ),
        )

    def _write_state(self, connection: Connection, result: KindResult) -> None:
        states.write(connection, self._row.no, result, generation=0, loaded=True)
        self.progress.ended(result)

    # -- its kinds ------------------------------------------------------------------------------------------------

    async def _write_unlisted(self, kinds: Sequence[Kind]) -> None:
        """What the array says it doesn't have. Rows of an earlier firmware's stay, as after an answer that says so."""
        await asyncio.gather(*map(self._write_one_unlisted, kinds))

    async def _write_one_unlisted(self, kind: Kind) -> None:
        error = CallError(
            "STORAGE_CAPABILITY_NOT_SUPPORTED",
            f"The array says that it has no {kind.plural}; it is not asked for them.",
            metadata={"storage_id": self._id, "kind": kind.name},
        )
        self.progress.ended(await record_failure(self._store, self._row.id, kind.name, error, guard=self._guard))

    async def _sync_kinds(self, kinds: Sequence[Kind], status: int) -> list[KindResult]:
        limit = asyncio.Semaphore(KINDS_AT_ONCE)

        async def one(kind: Kind) -> KindResult:
            async with limit:
                return await self._sync_kind(kind, status)

        tasks = [asyncio.create_task(one(kind), name=f"{kind.name} of {self._id}") for kind in kinds]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _sync_kind(self, kind: Kind, status: int) -> KindResult:
        self.progress.began(kind.name)
        for delay in (*_REPEAT_DELAYS, None):
            try:
                deadline = asyncio.get_running_loop().time() + LIST_SECONDS
                batches = self._router.stream(f"List{kind.rpc}", self._id, deadline=deadline)
                async with contextlib.aclosing(batches) as stream:  # type: ignore[type-var]  # it is a generator
                    result = await sync_kind(
                        self._store, self._row.id, kind.name, stream, storage_status=status, guard=self._guard
                    )
                again = result.error is not None and result.error.reason in _REPEATED
            except KindMoved:
                if delay is None:
                    raise
                continue
            if not again or delay is None:
                self.progress.ended(result)
                return result
            log.info("%s of storage %s is read again: %s", kind.plural, self._id, result.error)
            await asyncio.sleep(delay)
        raise AssertionError

    # -- the end --------------------------------------------------------------------------------------------------

    def _end(self, connection: Connection, end: _End) -> int:
        row = rows.by_no(connection, self._row.no)
        if row is None:
            raise Superseded
        kinds = self.progress.serialised()
        ended = records.end(
            connection, self._job, _JOB_STATES[end.outcome], code=end.code, message=end.message, kinds=kinds
        )
        due = 0 if row.is_paused(ended.ended_at) else next_due(row.id, settings.interval(row), ended.ended_at)
        values: dict[str, object] = {
            "sync_status": rows.SYNCED,
            "sync_outcome": end.outcome,
            "sync_error": end.message,
            "next_sync_at": due,
        }
        if end.outcome == _OUTCOME_OK:
            values["last_success_at"] = ended.ended_at
        rows.change(connection, row.no, **values)
        return due


async def _repeated(ask: Callable[[], Awaitable[_T]]) -> _T:
    """Asks again while the host is away: one that was lost is back in a moment."""
    for delay in (*_REPEAT_DELAYS, None):
        try:
            return await ask()
        except CallError as error:
            if error.reason != "DRIVER_HOST_UNAVAILABLE" or delay is None:
                raise
            await asyncio.sleep(delay)
    raise AssertionError


def _failed(error: CallError) -> _End:
    return _End(_OUTCOME_FAILED, _code_text(error), error.message[:1000])


def _end_of(results: Sequence[KindResult]) -> _End:
    bad = [result for result in results if result.outcome not in (OK, UNSUPPORTED)]
    if not bad:
        return _End(_OUTCOME_OK)
    names = ", ".join(KINDS[result.kind].plural for result in bad)
    first = next((result for result in bad if result.error_msg), bad[0])
    message = f"Not read completely: {names}. {first.error_msg}".strip()
    return _End(_OUTCOME_PARTIAL, first.error_code, message[:1000])


def _code_text(error: CallError) -> str:
    known = reasons().get(error.reason)
    return known.text if known is not None else error.reason
