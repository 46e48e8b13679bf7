"""Keeps a host known to its core: acquires a lease, renews it, acquires it anew, releases it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, Callable

import grpc

from delphis.driver.v1 import storage_driver_pb2
from delphis.registry.v1 import lease_pb2 as pb
from delphis.registry.v1 import lease_pb2_grpc
from delphis.sdk.host.lease_settings import LeaseSettings, advertised_at
from delphis.sdk.host.settings import HostSettings, SettingsError

log = logging.getLogger(__name__)

_CALL_SECONDS = 5.0
_BACKOFF_FIRST = 0.25
_BACKOFF_MAX = 2.0
_REFUSED_PAUSE = 5.0
_RELEASE_SECONDS = 2.0
# Of the lease's time: a host that could not renew for so long logs out, before another owner logs in.
_FENCE = 0.9
# A new channel inherits no backoff from a core that was away.
_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.enable_http_proxy", 0),
)
_REFUSALS = frozenset(
    {
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


class LeaseKeeper:
    """Announces this host as long as it runs.

    A host that can't renew its lease must assume that its arrays got another owner: `lost` is called, which logs out.
    """

    def __init__(
        self, settings: LeaseSettings, host: HostSettings, server_id: str, bound: str, lost: Callable[[], None]
    ) -> None:
        """`bound` is the address at which the host listens."""
        self._settings = settings
        self._bound = bound
        self._request = pb.AcquireLeaseRequest(
            name=host.driver,
            version=host.version,
            serves=[storage_driver_pb2.Pair(vendor=pair.vendor, model=pair.model) for pair in host.serves],
            certificate_sha256=settings.certificate_sha256,
            server_id=server_id,
        )
        self._lost = lost
        self._lease_id = ""
        self._token = ""
        self._held_until = 0.0
        self._said = ""

    async def keep(self) -> None:
        """Acquires and renews until it is cancelled."""
        backoff = _BACKOFF_FIRST
        while True:
            began = asyncio.get_running_loop().time()
            try:
                lease = await self._acquire()
            except grpc.aio.AioRpcError as error:
                self._say(logging.WARNING, f"no lease from the core at {self._settings.core}: {_told(error)}")
                # The core won't change its mind soon, but an operator may mend the token or the core.
                pause = _REFUSED_PAUSE if error.code() in _REFUSALS else backoff * random.uniform(0.5, 1.0)
                backoff = min(backoff * 2, _BACKOFF_MAX)
            except SettingsError as error:
                self._say(logging.WARNING, str(error))
                pause, backoff = backoff, min(backoff * 2, _REFUSED_PAUSE)
            else:
                ttl = lease.ttl.ToMilliseconds() / 1000
                self._took(lease, began, ttl)
                backoff, pause = _BACKOFF_FIRST, max(0.2, ttl / 3 - (asyncio.get_running_loop().time() - began))
            await self._wait(pause)

    async def release(self) -> None:
        """Takes the announcement back, so that new calls go elsewhere."""
        if not self._lease_id:
            return
        try:
            async with self._channel() as channel:
                stub = lease_pb2_grpc.LeaseServiceStub(channel)
                request = pb.ReleaseLeaseRequest(lease_id=self._lease_id)
                await stub.ReleaseLease(request, timeout=_RELEASE_SECONDS, metadata=_bearer(self._token))
            log.info("the lease is released")
        except (grpc.aio.AioRpcError, SettingsError) as error:
            told = _told(error) if isinstance(error, grpc.aio.AioRpcError) else str(error)
            log.warning("the lease could not be released and runs out by itself: %s", told)

    async def _acquire(self) -> pb.Lease:
        self._request.endpoint = await asyncio.to_thread(advertised_at, self._settings, self._bound)
        token = self._settings.token()
        if self._lease_id and token != self._token:
            log.info("there is a new token; the lease of the old one is given back")
            await self.release()
            self._lease_id = ""
        # A channel for each call: a connection that stands still for seconds is of no use to anybody.
        async with self._channel() as channel:
            stub = lease_pb2_grpc.LeaseServiceStub(channel)
            lease: pb.Lease = await stub.AcquireLease(self._request, timeout=_CALL_SECONDS, metadata=_bearer(token))
            self._token = token
            return lease

    def _took(self, lease: pb.Lease, began: float, ttl: float) -> None:
        self._fence(asyncio.get_running_loop().time())
        if self._lease_id != lease.lease_id:
            log.info("the core at %s knows this host as %s", self._settings.core, self._request.endpoint)
        self._lease_id = lease.lease_id
        self._held_until = began + ttl * _FENCE
        if lease.problem:
            self._say(logging.WARNING, f"the core can't use this host: {lease.problem}")
        else:
            self._said = ""

    async def _wait(self, pause: float) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + pause
        while loop.time() < end:
            until = min(end, self._held_until) if self._held_until > loop.time() else end
            await asyncio.sleep(max(until - loop.time(), 0.001))
            self._fence(loop.time())

    def _fence(self, now: float) -> None:
        """Also after this process stood still: then it wakes up with a lease that ran out long ago."""
        if self._held_until and now >= self._held_until:
            self._held_until = 0.0
            log.warning("the lease ran out; the host logs out of its arrays, which may have another owner by now")
            self._lost()

    def _channel(self) -> grpc.aio.Channel:
        if self._settings.ca is None:
            return grpc.aio.insecure_channel(self._settings.core, _OPTIONS)
        try:
            credentials = grpc.ssl_channel_credentials(self._settings.ca.read_bytes())
        except OSError as error:
            raise SettingsError(f"The core's authority {self._settings.ca} can't be read: {error.strerror}.") from None
        options: tuple[tuple[str, int | str], ...] = _OPTIONS
        if self._settings.core_name:
            options = (*options, ("grpc.ssl_target_name_override", self._settings.core_name))
        return grpc.aio.secure_channel(self._settings.core, credentials, options)

    def _say(self, level: int, text: str) -> None:
        """Once, however often it happens in a row."""
        if text != self._said:
            self._said = text
            log.log(level, "%s", text)


@contextlib.asynccontextmanager
async def kept(keeper: LeaseKeeper) -> AsyncGenerator[None]:
    """Keeps the lease for a block; it is released before the block's host drains."""
    task = asyncio.create_task(keeper.keep(), name="lease")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await keeper.release()


def _bearer(token: str) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {token}"),) if token else ()


def _told(error: grpc.aio.AioRpcError) -> str:
    return f"{error.code().name}: {error.details()}"
