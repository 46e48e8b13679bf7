"""Relays calls to the hosts of the arrays' drivers, as bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import grpc
import xxhash

from delphis.driver.v1 import storage_driver_pb2
from delphis.tracing import scope, spans
from delphis.type.v1 import access_pb2
from services.calls.errors import CallError
from services.calls.method import MethodOptions
from services.registry.channel import given_up
from services.registry.driver_hosts import Lease
from services.registry.manifest import Pair
from services.registry.registry import Registry
from services.router import failures, target
from services.router.methods import ASSUMED, METHODS
from services.router.redaction import redact
from services.router.targets import ResolvedTarget, TargetSource

if TYPE_CHECKING:
    from delphis.tracing.exporting import Span

# The host's time ends a little before the caller's, so that the caller learns that it was the array's.
_MARGIN_SECONDS, _MARGIN_SHARE = 0.02, 0.1
_MOST_TRIES = 3


# A call on a channel that was closed before, or meanwhile, ends with one of the latter two.
_CALL_ERRORS = (grpc.aio.AioRpcError, grpc.aio.UsageError, asyncio.CancelledError)


class _Relay:
    """One routed call, over the one or two hosts that are tried."""

    __slots__ = (
        "_deadline",
        "_metadata",
        "_registered",
        "_registry",
        "_rest",
        "_span",
        "_storage_id",
        "_suspect",
        "_target",
        "_tries",
        "method",
        "name",
        "resolved",
    )

    def __init__(
        self,
        registry: Registry,
        name: str,
        storage_id: str,
        resolved: ResolvedTarget,
        rest: bytes,
        deadline: float | None,
        request_id: str,
        suspect: str = "",
        *,
        registered: bool = True,
    ) -> None:
        self.name = name
        self.method: MethodOptions = METHODS[name]
        self.resolved = resolved
        access = resolved.access_info if self.method.needs_array else None
        self._target = storage_driver_pb2.Target(
            storage_id=storage_id, access_info=access, access_revision=resolved.access_revision
        )
        self._rest = rest
        self._registered = registered
        self._registry = registry
        self._storage_id = storage_id
        self._suspect = suspect or storage_id
        if deadline is None:
            deadline = asyncio.get_running_loop().time() + self.method.default_deadline
        self._deadline = deadline
        self._metadata = (("x-request-id", request_id),) if request_id else ()
        self._span: Span | None = None
        self._tries = 0

    async def lease(self) -> Lease:
        """A host for the next try."""
        self._tries += 1
        try:
            with scope.within(storage_id=self._storage_id):
                async with asyncio.timeout_at(self._deadline):
                    lease = await self._registry.lease(
                        self.resolved.pair, self._storage_id, self.name, self._suspect, registered=self._registered
                    )
        except TimeoutError:
            raise failures.no_host_in_time(self.resolved, self.name) from None
        rpcs = lease.host.rpcs
        if rpcs and self.name not in rpcs and self.name not in ASSUMED:
            lease.release()
            raise failures.not_announced(lease.host.name, self.name)
        return lease

    def unary_call(self, lease: Lease) -> grpc.aio.UnaryUnaryCall[bytes, bytes]:
        """Begins the call in the host."""
        method = lease.host.channel.unary(self.method.path)
        return method(self._request(lease), timeout=self._timeout(), metadata=self._begin(lease))

    def stream_call(self, lease: Lease) -> grpc.aio.UnaryStreamCall[bytes, bytes]:
        """Begins the streaming call in the host."""
        method = lease.host.channel.stream(self.method.path)
        return method(self._request(lease), timeout=self._timeout(), metadata=self._begin(lease))

    def _begin(self, lease: Lease) -> tuple[tuple[str, str], ...] | None:
        """Begins the try's part of the trace at hand; the metadata for the host."""
        if spans.tracer is not None:
            about = {spans.DRIVER: lease.host.name, spans.STORAGE_ID: self._storage_id}
            self._span = spans.begin_call(self.method.path[1:], about)
        return (*self._metadata, *spans.outgoing(self._span)) or None

    def over(self, lease: Lease) -> None:
        """The try is over, well or not."""
        lease.release()
        if self._span is not None:
            self._span.end()

    def _request(self, lease: Lease) -> bytes:
        self._target.owner_epoch = lease.owner_epoch
        return target.join(self._target, self._rest)

    async def failed(self, error: BaseException, lease: Lease) -> CallError:
        """What to tell the caller. Raises CancelledError where it was the caller who gave up."""
        with scope.within(storage_id=self._storage_id, driver=lease.host.name):
            try:
                failure = await self._understood(error, lease)
            except asyncio.CancelledError as cancelled:
                if self._span is not None:
                    self._span.failed(cancelled)
                raise
        if self._span is not None:
            self._span.failed(failure)
        return failure

    async def _understood(self, error: BaseException, lease: Lease) -> CallError:
        driver = lease.host.name
        if isinstance(error, grpc.aio.AioRpcError):
            failure = CallError.from_rpc_error(error)
        elif isinstance(error, asyncio.CancelledError) and given_up():
            raise error
        else:  # a handler that ended with CancelledError would leave its caller without an answer
            failure = CallError("", "the connection to the host was closed", code=grpc.StatusCode.CANCELLED)
        if not failure.reason:
            if failure.code is grpc.StatusCode.DEADLINE_EXCEEDED:
                return failures.timed_out(driver, self.name)
            if failure.code in failures.MAYBE_LOST and await lease.lost():
                return failures.host_lost(driver, self.name)
            if failure.code is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in failure.message:
                lease.answered()
                return failures.too_large(driver, self.name, failure.message)
        lease.answered()
        failure = failures.from_driver(failure, driver=driver, method=self.name)
        if self.method.needs_array and self.resolved.access_info is not None:
            plain = (
                field.path.removeprefix("extra_attributes.") for field in lease.host.info.access_fields if field.plain
            )
            failure = redact(failure, self.resolved.access_info, plain)
        return failure

    def try_again(self, failure: CallError, lease: Lease) -> bool:
        """Whether a lost host may be latency instead of an error: for calls that change nothing.

        Once, since the call may be what ends hosts; a few times where the host was ended by somebody else.
        """
        if failure.reason == "OWNER_EPOCH_STALE":  # refused before the driver saw it
            self._registry.stale(self._storage_id)
            return self._tries < _MOST_TRIES
        if failure.reason != "DRIVER_HOST_UNAVAILABLE" or not self.method.read_only:
            return False
        return self._tries == 1 or (lease.host.ended_by_others and self._tries < _MOST_TRIES)

    def _timeout(self) -> float:
        left = self._deadline - asyncio.get_running_loop().time()
        return max(left - min(_MARGIN_SECONDS, left * _MARGIN_SHARE), 0.001)


class Router:
    """Calls methods of StorageDriver by the array's storage id.

    `method` is the method's name, such as `ListVolumes`; `body` the serialised request without its target, empty for
    most; `deadline` a time of the event loop, None for the method's default.
    """

    def __init__(self, registry: Registry, targets: TargetSource) -> None:
        self._registry = registry
        self._targets = targets

    async def unary(
        self, method: str, storage_id: str, body: bytes = b"", *, deadline: float | None = None, request_id: str = ""
    ) -> bytes:
        """Calls a unary method. CallError where it fails."""
        resolved = await self._resolve(method, storage_id)
        # What needs no array can't be the array's fault: where it ends a host, this very request is distrusted.
        suspect = "" if METHODS[method].needs_array else f"{storage_id}/{xxhash.xxh3_64_hexdigest(body)}"
        return await self._unary(method, storage_id, resolved, body, deadline, request_id, suspect)

    async def stream(
        self, method: str, storage_id: str, body: bytes = b"", *, deadline: float | None = None, request_id: str = ""
    ) -> AsyncIterator[bytes]:
        """Calls a method that answers a stream. CallError where it fails."""
        resolved = await self._resolve(method, storage_id)
        target.refuse_target(body)
        relay = _Relay(self._registry, method, storage_id, resolved, body, deadline, request_id)
        passed_on = False
        while True:
            lease = await relay.lease()
            call = relay.stream_call(lease)
            try:
                async for answer in call:
                    passed_on = True
                    yield answer
                lease.answered()
                return
            except _CALL_ERRORS as error:
                failure = await relay.failed(error, lease)
                if passed_on or not relay.try_again(failure, lease):
                    raise failure from error
            finally:
                call.cancel()
                relay.over(lease)

    async def unary_to(
        self,
        pair: Pair,
        storage_id: str,
        access_info: access_pb2.AccessInfo,
        access_revision: int,
        method: str,
        body: bytes = b"",
        *,
        deadline: float | None = None,
        request_id: str = "",
        suspect: str = "",
    ) -> bytes:
        """Calls a unary method of an array that is not registered, or not with this access info.

        `storage_id` must be the array's own, or one made for this call: hosts keep a session for each storage id and
        revision, and would take that of another array with the same. `suspect` is what is distrusted where the call
        ends its host: something that the next call to the same array has in common with this one.
        """
        if not storage_id:
            raise ValueError("a storage id is needed, be it one made for this call")
        resolved = ResolvedTarget(pair, access_info, access_revision)
        return await self._unary(method, storage_id, resolved, body, deadline, request_id, suspect, registered=False)

    async def driver_info(self, pair: Pair) -> storage_driver_pb2.GetDriverInfoResponse:
        """Who the driver of a vendor and model is, and which access info it wants. Starts a host if none runs."""
        return await self._registry.info(pair)

    async def elsewhere(self, pair: Pair) -> int:
        """The process of the core that calls the pair's driver, where this one can't and another one can; else 0."""
        return await self._registry.elsewhere(pair)

    async def _resolve(self, method: str, storage_id: str) -> ResolvedTarget:
        return await self._targets.resolve(storage_id, with_access=METHODS[method].needs_array)

    async def _unary(
        self,
        method: str,
        storage_id: str,
        resolved: ResolvedTarget,
        body: bytes,
        deadline: float | None,
        request_id: str,
        suspect: str = "",
        *,
        registered: bool = True,
    ) -> bytes:
        target.refuse_target(body)
        if method == "CloseStorage" and not self._registry.runs(resolved.pair):
            return b""  # no host runs, so none has a session
        relay = _Relay(
            self._registry, method, storage_id, resolved, body, deadline, request_id, suspect, registered=registered
        )
        while True:
            lease = await relay.lease()
            try:
                answer = await relay.unary_call(lease)
                lease.answered()
                return answer
            except _CALL_ERRORS as error:
                failure = await relay.failed(error, lease)
                if not relay.try_again(failure, lease):
                    raise failure from error
            finally:
                relay.over(lease)
