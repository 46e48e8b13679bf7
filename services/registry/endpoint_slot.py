"""Keeps the connection to a host that somebody else runs. Whether it lives is judged by our own dial."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import Any

from google.protobuf.message import DecodeError

from delphis.tracing.scope import detached
from services.calls.errors import CallError
from services.registry import certificate
from services.registry.certificate import ShownCertificate
from services.registry.channel import HostChannel
from services.registry.errors import HostSilent, StartFailed
from services.registry.host import Host, HostState
from services.registry.manifest import EndpointHost, LeasedHost, Manifest
from services.registry.settings import HostSettings
from services.registry.stopping import outcome, stopping

log = logging.getLogger(__name__)


class EndpointSlot:
    """At most one connection; a broken one is dialled anew by the next call."""

    def __init__(self, manifest: Manifest, settings: HostSettings) -> None:
        assert isinstance(manifest.host, EndpointHost)
        self.manifest = manifest
        self.current: Host | None = None
        self.failure = ""
        """Why the last dial failed; empty after one that didn't."""
        self.failed_at = 0.0
        """When that was."""
        self.deaths = 0
        self._address = manifest.host
        self._settings = settings
        self._dialling: asyncio.Task[str] | None = None
        self._closed = False
        self._tasks: set[asyncio.Task[Any]] = set()

    @property
    def starting(self) -> bool:
        """Whether the host is being dialled."""
        return self._dialling is not None

    def serving(self) -> Host | None:
        """The host, if it is connected."""
        return self.current

    async def host(self) -> Host:
        """The host, dialled if need be. CallError DRIVER_HOST_UNAVAILABLE where it doesn't answer."""
        while self.current is None:
            if self._closed:
                raise stopping(self.manifest.name)
            if self._dialling is None:
                self._dialling = detached(self._dial())
            failure = await outcome(self._dialling, self.manifest.name)
            if failure:
                raise self.unusable()
        return self.current

    def unusable(self) -> CallError:
        """The answer to calls while the host can't be used."""
        name, endpoint = self.manifest.name, self._address.endpoint
        return CallError(
            "DRIVER_HOST_UNAVAILABLE",
            f"The host of driver {name} at {endpoint} can't be used: {self.failure}.",
            metadata={"driver": name, "endpoint": endpoint},
        )

    async def look(self) -> None:
        """Finds out whether the host lives, and dials it where there is no connection. Takes `silent_after` at most.

        An interpreter may be too busy to answer for longer than that, but the handshake of a new connection needs no
        interpreter: a host that still does one lives.
        """
        host = self.current
        if host is None:
            if self._dialling is None and not self._closed:
                with contextlib.suppress(CallError):
                    await self.host()
            return
        try:
            async with asyncio.timeout(self._settings.silent_after / 2):
                host.refusing = not await host.channel.healthy(None) and not host.info.load_error
        except (HostSilent, TimeoutError):
            try:
                await self._certificate(self._settings.silent_after / 2)
            except StartFailed as failure:
                if self.current is host:
                    self._failed(failure)
                    self._drop(host, at_once=True)

    def leave(self) -> None:
        """Closes the connection, where no call needs it."""
        if self.current is not None and not self.current.calls:
            self._drop(self.current)

    async def lost(self, host: Host) -> bool:
        """A call ended as if the connection broke. Whether that host is gone: then the next call dials."""
        if host is self.current:
            try:
                info = await host.channel.info(self._patience)
                # Whoever answers may be its successor.
                if info.server_id == host.info.server_id:
                    return False
            except (HostSilent, DecodeError) as error:
                log.warning(
                    "driver host %s at %s is lost: %s", host.name, host.endpoint, error, extra={"driver": host.name}
                )
            if host is self.current:
                self._drop(host)
        return True

    def answered(self, host: Host) -> None:
        """A call to an array ended there with an answer."""
        host.answered = True

    async def stop(self, grace: float) -> None:
        """Closes the connection when its calls have ended, after `grace` seconds at the latest."""
        self._closed = True
        if self._dialling is not None:
            self._dialling.cancel()
            await asyncio.gather(self._dialling, return_exceptions=True)
        if self.current is not None:
            try:
                async with asyncio.timeout(grace):
                    await self.current.quiet.wait()
            except TimeoutError:
                log.warning("%d calls to %s are cut", len(self.current.calls), self._address.endpoint)
            self._drop(self.current)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _dial(self) -> str:
        host = Host(self.manifest, self._address.endpoint)
        try:
            shown = await self._certificate(self._patience)
            try:
                channel = HostChannel(self._address.target, self._address.tls, shown)
            except OSError as error:
                raise StartFailed(f"a TLS file can't be read: {error}") from error
            await host.introduce(channel, self._patience)
        except StartFailed as failure:
            self._failed(failure)
            return failure.message
        finally:
            self._dialling = None
        self.failure = ""
        host.state = HostState.SERVING
        self.current = host
        log.info("driver host %s at %s serves", host.name, host.endpoint, extra={"driver": host.name})
        return ""

    @property
    def _patience(self) -> float:
        """How long the host may take for an answer to us."""
        return self._settings.silent_after if self.manifest.leased else self._settings.connect_timeout

    async def _certificate(self, timeout: float) -> ShownCertificate | None:
        """What a host under lease shows in a handshake: the certificate of its lease. StartFailed where not."""
        if not isinstance(self._address, LeasedHost) or self._address.tls is None:
            return None
        return await certificate.shown(
            self._address.target, self._address.tls, self._address.certificate_sha256, timeout
        )

    def _failed(self, failure: StartFailed) -> None:
        if self.failure != failure.message:
            name = self.manifest.name
            about = {"driver": name}
            log.warning("driver host %s at %s: %s", name, self._address.endpoint, failure.message, extra=about)
        self.failure = failure.message
        self.failed_at = time.monotonic()

    def _drop(self, host: Host, *, at_once: bool = False) -> None:
        if self.current is not host:
            return
        self.current = None
        self.deaths += not self._closed
        host.state = HostState.DEAD
        host.gone.set()
        task = asyncio.create_task(host.close_channel(at_once=at_once))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
