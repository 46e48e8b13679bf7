"""One call from its first byte to its last: place, thread, login, driver, answer, deadline."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from google.protobuf.message import DecodeError, Message

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk import errors
from delphis.sdk.context import Context
from delphis.sdk.driver import StorageDriver
from delphis.sdk.host import answers
from delphis.sdk.host.access import AccessRules
from delphis.sdk.host.batches import batches
from delphis.sdk.host.contract import Method, methods
from delphis.sdk.host.lanes import Lanes, Permit
from delphis.sdk.host.loading import LoadedDriver
from delphis.sdk.host.points import point_batches
from delphis.sdk.host.sessions import Session, Sessions
from delphis.sdk.host.settings import HostSettings
from delphis.sdk.host.workers import Job, Workers
from delphis.sdk.redaction import SECRETS, secrets_of
from delphis.sdk.status import scrubbed
from delphis.tracing import spans

log = logging.getLogger(__name__)
_T = TypeVar("_T")

# Time that a logout may take.
CLOSE_TIMEOUT = 10.0
# Storages whose last owner is remembered.
MOST_EPOCHS = 100_000


def budget(remaining: float) -> float:
    """How long the driver may take of the time that the caller waits, so that our error arrives before his own."""
    return remaining - min(0.5, max(0.05, remaining / 5), remaining / 2)


@dataclass
class Call:
    """One RPC under way."""

    method: Method
    request: Any
    context: Context
    deadline: float
    """In the loop's time."""
    seconds: float
    """From its begin to its deadline."""
    job: Job = field(default_factory=Job)

    def late(self, where: str = "") -> errors.ArrayTimeout:
        """What the caller is told when the deadline passed."""
        return errors.ArrayTimeout(
            f"{self.method.name} was not answered within {self.seconds:.3g} s{where}.",
            method=self.method.name,
            seconds=f"{self.seconds:.3g}",
        )


class Calls:
    """Everything that a host does for its callers. Lives in the host's event loop."""

    def __init__(self, settings: HostSettings, loaded: LoadedDriver) -> None:
        self.server_id = str(uuid.uuid4())
        self.lanes = Lanes(settings.threads, settings.array_queue, settings.stuck_limit)
        self.sessions = Sessions(settings.sessions, settings.session_idle, self._close)
        self.out_of_memory = False
        self._settings = settings
        self._loaded = loaded
        self._announced = frozenset(loaded.announced)
        self._rules = AccessRules(loaded.driver.access_fields if loaded.driver else ())
        self._concurrency = max(1, loaded.driver.concurrency) if loaded.driver else 1
        self._workers = Workers()
        self._epochs: OrderedDict[str, int] = OrderedDict()

    @property
    def wants_replacement(self) -> bool:
        """Too many calls are stuck, or memory ran out."""
        return self.lanes.too_many_stuck or self.out_of_memory

    # ---- From the server ----

    def begin(self, method: Method, data: bytes, remaining: float | None) -> Call:
        """Checks a request. Raises what is wrong with it."""
        seconds = method.default_deadline if remaining is None else budget(max(0.0, remaining))
        if self._loaded.driver is None:
            why = self._loaded.error.partition("\n")[0]  # `delphis drivers show` has the traceback
            raise errors.DriverLoadFailed(
                f"The driver {self._settings.driver} can't be loaded: {why}",
                driver=self._settings.driver,
            )
        if method.name not in self._announced:
            raise errors.StorageCapabilityNotSupported(
                f"The driver {self._settings.driver} has no {method.name}.",
                driver=self._settings.driver,
                method=method.name,
            )
        try:
            request: Any = method.request.FromString(data)
        except DecodeError:
            raise errors.BadRequest(f"The request is no {method.request.DESCRIPTOR.full_name}.") from None
        self._check_target(method, request.target)
        context = Context(request.target.storage_id, timeout=seconds)
        return Call(method, request, context, asyncio.get_running_loop().time() + seconds, seconds)

    def _check_target(self, method: Method, target: pb.Target) -> None:
        if not target.storage_id:
            raise errors.InvalidInput("The request names no storage.", field="target.storage_id")
        if method.needs_array and method.name != "CloseStorage" and not target.HasField("access_info"):
            raise errors.AccessInfoIncomplete(
                f"The request for storage {target.storage_id} came without access info.", field="target.access_info"
            )
        if target.owner_epoch:
            seen = self._epochs.get(target.storage_id, 0)
            if target.owner_epoch < seen:
                raise errors.OwnerEpochStale(
                    f"Storage {target.storage_id} belongs to another core since: epoch {target.owner_epoch} < {seen}.",
                    storage_id=target.storage_id,
                    epoch=target.owner_epoch,
                    seen=seen,
                )
            self._epochs[target.storage_id] = target.owner_epoch
            self._epochs.move_to_end(target.storage_id)
            if len(self._epochs) > MOST_EPOCHS:
                self._epochs.popitem(last=False)

    async def unary(self, call: Call) -> Message:
        """The answer of a call that has one."""
        if call.method.name == "CloseStorage":
            return await self._close_storage(call)
        if call.method.name == "ResetConnection":
            self.sessions.forget(call.request.target.storage_id)
        if call.method.name == "ParseAlert":
            driver_class = self._loaded.driver
            assert driver_class is not None
            return await self._on_class(
                call, lambda: answers.parse_alert(driver_class, call.context, call.request, call.job)
            )
        ask = answers.UNARY[call.method.name]
        return await self._on_array(call, lambda driver: ask(driver, call.context, call.request, call.job))

    async def stream(self, call: Call, send: Callable[[bytes], Any]) -> None:
        """The batches of a call, each given to `send` as soon as the one before is on its way."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Queue[bytes | None] = asyncio.Queue()
        cut = point_batches if call.method.name == "CollectPerfMetrics" else batches

        def work(driver: StorageDriver) -> None:
            source = answers.listing(driver, call.method, call.context, call.request, call.job)
            try:
                for payload in cut(source.take, call.method, call.context, self._give_way):
                    if not call.job.wait_for_room():
                        return
                    loop.call_soon_threadsafe(ready.put_nowait, payload)
            finally:
                source.close()

        running = asyncio.ensure_future(self._on_array(call, work))
        running.add_done_callback(lambda _: ready.put_nowait(None))
        try:
            # A little later than what runs inside, which knows better what was waited for.
            async with asyncio.timeout_at(call.deadline + 0.005):
                while (payload := await ready.get()) is not None:
                    await send(payload)
                    call.job.taken()
        except TimeoutError:
            raise call.late() from None
        finally:
            if not running.done():
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError, errors.DriverError):
                    await running
        await running

    async def _close_storage(self, call: Call) -> Message:
        storage_id = call.request.target.storage_id
        self.sessions.forget(storage_id)
        try:
            async with asyncio.timeout_at(call.deadline):
                await self.sessions.closed(storage_id)
        except TimeoutError:
            raise call.late() from None
        return pb.CloseStorageResponse()

    # ---- Places, threads and logins ----

    async def _on_class(self, call: Call, work: Callable[[], _T]) -> _T:
        permit = await self._enter(call, ("class", call.context.storage_id), self._concurrency)
        try:
            return await self._in_thread(call, call.job, permit, work)
        finally:
            permit.close()

    async def _on_array(self, call: Call, work: Callable[[StorageDriver], _T]) -> _T:
        storage_id = call.context.storage_id
        control = call.method.name == "ResetConnection"  # it must not wait behind calls that hang
        permit = await self._enter(
            call, ("control", storage_id) if control else storage_id, 1 if control else self._concurrency
        )
        secrets = secrets_of(call.request.trap_config) if hasattr(call.request, "trap_config") else ()
        try:
            session = await self._session(call, permit)
            driver = self.sessions.enter(session)
            SECRETS.add(call.job, secrets)

            def returned(_: object, __: object) -> None:
                self.sessions.leave(session)
                SECRETS.discard(call.job)

            return await self._in_thread(call, call.job, permit, lambda: work(driver), returned)
        finally:
            permit.close()

    async def _enter(self, call: Call, key: Hashable, limit: int) -> Permit:
        try:
            permit = await self.lanes.enter(key, limit, call.deadline)
        except TimeoutError:
            raise call.late(": it waited behind other calls") from None
        if asyncio.get_running_loop().time() >= call.deadline:
            permit.close()
            raise call.late(": it waited behind other calls")
        return permit

    async def _session(self, call: Call, permit: Permit) -> Session:
        """A login that the call can use, made now if there is none. Calls that come meanwhile wait for it."""
        target: pb.Target = call.request.target
        while True:
            session = self.sessions.find(target, target.access_info)
            if session is None:
                session = await self._log_in(call, permit)
            elif not session.settled.is_set():
                try:
                    async with asyncio.timeout_at(call.deadline):
                        await session.settled.wait()
                except TimeoutError:
                    raise call.late(": it waited for a login") from None
            if session.error is not None and session.serves(target, target.access_info):
                raise session.error
            if session.driver is not None and not session.retired and session.serves(target, target.access_info):
                return session

    async def _log_in(self, call: Call, permit: Permit) -> Session:
        target: pb.Target = call.request.target
        driver_class = self._loaded.driver
        assert driver_class is not None
        session = self.sessions.begin(target, target.access_info, self._rules.plain)
        job = Job()

        def log_in() -> StorageDriver:
            access_info = self._rules.completed(target.access_info)
            access_info.storage_id = target.storage_id
            driver = driver_class(access_info)
            try:
                job.resolve(driver.connect(call.context))
            except BaseException as error:  # noqa: BLE001 - a driver may raise anything
                failure = self._understood(error, call, job)
                SECRETS.discard(id(driver))
                raise failure from None
            return driver

        def returned(driver: StorageDriver | None, error: BaseException | None) -> None:
            if driver is not None:
                self.sessions.opened(session, driver)
            else:
                self.sessions.failed(session, error or errors.DriverFault())

        await self._in_thread(call, job, permit, log_in, returned, lambda: self.sessions.abandoned(session))
        return session

    async def _in_thread(
        self,
        call: Call,
        job: Job,
        permit: Permit,
        work: Callable[[], _T],
        on_return: Callable[[_T | None, BaseException | None], None] = lambda _, __: None,
        on_late: Callable[[], None] = lambda: None,
    ) -> _T:
        """Runs driver code in a thread until the deadline.

        Args:
            call: For whom.
            job: What is given up at the deadline; the call's own job also when its caller gives up.
            permit: Holds the thread until the driver comes back.
            work: The code.
            on_return: Told the result or the error when the driver comes back, be it late.
            on_late: Told that the deadline passed.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[_T] = loop.create_future()

        def returned(result: _T | None, error: BaseException | None) -> None:
            timer.cancel()
            permit.job_returned()
            on_return(result, error)
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(cast("_T", result))

        def late() -> None:
            call.context.cancel()
            job.give_up()
            permit.expire()
            on_late()
            if not future.done():
                future.set_exception(call.late())

        about = contextvars.copy_context()  # what the log knows of the call, in the thread too
        name = "connect" if job is not call.job else call.method.python_name

        def in_thread() -> None:
            result: _T | None = None
            error: BaseException | None = None
            try:
                array = {spans.STORAGE_ID: call.context.storage_id}
                result = about.run(spans.run, f"driver {name}", work, array)
            except BaseException as raised:  # noqa: BLE001 - a driver may raise anything, SystemExit too
                error = about.run(self._understood, raised, call, job)
            with contextlib.suppress(RuntimeError):  # the loop has ended, and the process is about to
                loop.call_soon_threadsafe(returned, result, error)

        permit.job_started()
        timer = loop.call_at(call.deadline, late)
        try:
            self._workers.put(in_thread)
        except RuntimeError as error:  # no memory for a thread's stack, or no more threads allowed
            self.out_of_memory = True
            returned(None, scrubbed(MemoryError(str(error))))
        try:
            return await future
        except asyncio.CancelledError:
            call.context.cancel()
            if job is call.job:
                job.give_up()
            raise

    def _understood(self, error: BaseException, call: Call, job: Job | None = None) -> errors.DriverError:
        """What an exception of the driver's means to its caller. Called in the thread, while its secrets are known."""
        if job is not None and job.given_up:
            return call.late()
        if isinstance(error, MemoryError):
            gc.collect()
            self.out_of_memory = True
        known = scrubbed(error)
        if isinstance(known, errors.DriverFault) and not isinstance(error, errors.HostError):
            call.context.logger.error("%s failed", call.method.python_name, exc_info=error)
        elif isinstance(known, errors.DriverBrokeContract):
            call.context.logger.error("%s", known.message)
        return known

    def _give_way(self) -> None:
        # Measured with four lists at a time: another call's median falls from 50 to 9 ms, throughput doesn't.
        if self.lanes.running > 1:
            time.sleep(0)

    async def _close(self, driver: StorageDriver) -> None:
        """Logs out. What goes wrong is nobody's concern but the log's."""
        context = Context(driver.access_info.storage_id, timeout=CLOSE_TIMEOUT)
        deadline = asyncio.get_running_loop().time() + CLOSE_TIMEOUT
        call = Call(methods()["CloseStorage"], pb.CloseStorageRequest(), context, deadline, CLOSE_TIMEOUT)
        try:
            permit = await self._enter(call, ("control", context.storage_id), 1)
            try:
                await self._in_thread(call, call.job, permit, lambda: call.job.resolve(driver.close()))
            finally:
                permit.close()
        except errors.DriverError as error:
            context.logger.warning("the logout failed: %s", error.message)
