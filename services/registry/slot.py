"""Keeps one host of a driver serving, over its starts, deaths and replacements."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from delphis.tracing.scope import detached
from services.calls.errors import CallError
from services.registry.deaths import Blame
from services.registry.errors import HostSilent, StartFailed
from services.registry.host import Host, HostState
from services.registry.host_process import Exit
from services.registry.manifest import Manifest
from services.registry.settings import HostSettings
from services.registry.spawned_host import SpawnedHost
from services.registry.stopping import outcome, stopping

log = logging.getLogger(__name__)

_REMEMBERED = 3
# Hosts in a row that died ready but before they answered anything: from here on starts are spaced out.
_BARREN = 3
# A dead host's process is seen dead this soon after its connection broke; else it lives and only refuses.
_DEATH_SEEN = 0.1
_QUICK_PROBE = 0.5
_KILL_SEEN = 5.0

EndHandler = Callable[[SpawnedHost, Exit], Blame]
"""Told of every end of a host that had served; judges it."""


class HostSlot:
    """At most one current host; beside it one that starts, and old ones that finish their calls."""

    def __init__(
        self,
        manifest: Manifest,
        settings: HostSettings,
        new_socket: Callable[[], Path],
        on_end: EndHandler,
        *,
        probation: bool = False,
    ) -> None:
        self.manifest = manifest
        self.probation = probation
        self.current: SpawnedHost | None = None
        self.incoming: SpawnedHost | None = None
        self.draining: set[SpawnedHost] = set()
        self.ended: deque[tuple[SpawnedHost, Exit]] = deque(maxlen=_REMEMBERED)
        self.failure: StartFailed | None = None
        """Why the last start failed; None after one that didn't."""
        self.deaths = 0
        """Unwanted ends, failed starts among them."""
        self.starts = 0
        """Hosts that came to serve."""
        self._about = {"driver": manifest.name}
        self._settings = settings
        self._new_socket = new_socket
        self._on_end = on_end
        self._starting: asyncio.Task[StartFailed | None] | None = None
        self._fruitless = 0
        self._not_before = 0.0
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def starting(self) -> bool:
        """Whether a host is being started."""
        return self._starting is not None

    @property
    def waits(self) -> float:
        """Seconds until the next start may be tried."""
        return max(0.0, self._not_before - time.monotonic())

    def serving(self) -> SpawnedHost | None:
        """The host that takes calls now."""
        host = self.current
        return host if host is not None and not host.refusing else None

    async def host(self) -> SpawnedHost:
        """The host that takes calls, started if need be. CallError DRIVER_HOST_START_FAILED where that fails."""
        while True:
            host = self.serving()
            if host is not None:
                return host
            failure = self._backing_off() or await outcome(self._begin(), self.manifest.name)
            if failure is not None:
                # Better one that asked to be replaced than none.
                if self.current is not None:
                    return self.current
                raise self.start_error(failure)

    async def restart(self) -> None:
        """Starts a new host whatever happened before, and then drains the old one. CallError where it can't start."""
        self._fruitless, self._not_before = 0, 0.0
        if self._starting is not None:
            await outcome(self._starting, self.manifest.name)
        failure = await outcome(self._begin(), self.manifest.name)
        if failure is not None:
            raise self.start_error(failure)

    def replace(self, host: SpawnedHost, reason: str) -> None:
        """Starts another host in the place of this one, which is then drained."""
        if self.current is host and self._starting is None and not self._closed and self._backing_off() is None:
            log.warning(
                "driver host %s[%d] is being replaced: %s", host.name, host.process.pid, reason, extra=self._about
            )
            self._begin()

    async def lost(self, host: Host) -> bool:
        """A call ended as if the connection broke. Whether the host is gone; then all that follows from it is known."""
        assert isinstance(host, SpawnedHost)
        answers = asyncio.create_task(_answers(host))
        gone = asyncio.create_task(host.gone.wait())
        try:
            await asyncio.wait({answers, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not gone.done() and not answers.result():
                # The connection of a killed process breaks a moment before its end is seen.
                await asyncio.wait({gone}, timeout=_DEATH_SEEN)
        finally:
            answers.cancel()
            gone.cancel()
        if host.gone.is_set():
            return True
        if answers.result():
            return False
        if host.state is HostState.SERVING:
            host.refusing = True
            self.replace(host, "it takes no calls any more")
        return True

    def answered(self, host: SpawnedHost) -> None:
        """A call to an array ended there with an answer."""
        if not host.answered:
            host.answered = True
            self._fruitless = 0

    def retire(self, host: SpawnedHost) -> None:
        """Takes no more calls to the host, lets those in it finish, and ends it."""
        if self.current is host:
            self.current = None
        host.state = HostState.DRAINING
        host.wanted_end = True
        self.draining.add(host)
        self._run(self._drain(host))

    async def stop(self, grace: float) -> None:
        """Ends all hosts: they have `grace` seconds to finish. No host is started afterwards."""
        self._closed = True
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self.current is not None:
            self.draining.add(self.current)
            self.current = None
        for host in self.draining:
            host.state, host.wanted_end = HostState.DRAINING, True
        try:
            async with asyncio.timeout(grace + _KILL_SEEN):
                await asyncio.gather(*(host.process.stop(grace) for host in list(self.draining)))
                await asyncio.gather(*(host.gone.wait() for host in list(self.draining)))
        except TimeoutError:  # such as one that waits for a dead file server; it ends when it can, or with us
            for host in self.draining:
                said = (host.name, host.process.pid)
                log.error("driver host %s[%d] does not end, not even by SIGKILL", *said, extra=self._about)
            for task in self._tasks:
                task.cancel()
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _backing_off(self) -> StartFailed | None:
        return self.failure if self._starting is None and self.waits > 0 else None

    def _begin(self) -> asyncio.Task[StartFailed | None]:
        if self._closed:
            raise stopping(self.manifest.name)
        if self._starting is None:
            # Of what the host does later the call that made it start knows nothing.
            self._starting = detached(self._start())
        return self._starting

    async def _start(self) -> StartFailed | None:
        began = time.monotonic()
        try:
            host = self.incoming = SpawnedHost(
                self.manifest, self._settings, self._new_socket(), probation=self.probation
            )
            await host.become_ready()
        except StartFailed as failure:
            self.deaths += 1
            self._fail(failure)
            self._back_off()
            log.error("%s", self.start_error(failure).message, extra=self._about)
            return failure
        finally:
            self._starting = self.incoming = None
        self.failure = None
        self.starts += 1
        log.info(
            "driver host %s[%d] serves after %.0f ms%s",
            host.name,
            host.process.pid,
            (time.monotonic() - began) * 1000,
            " for suspects" if self.probation else "",
            extra=self._about,
        )
        if host.info.load_error:
            log.error("driver %s can't be loaded: %s", host.name, host.info.load_error, extra=self._about)
        old, self.current = self.current, host
        if old is not None:
            self.retire(old)
        host.process.exited.add_done_callback(lambda ended: self._ended(host, ended.result()))
        return None

    def _ended(self, host: SpawnedHost, ended: Exit) -> None:
        host.state = HostState.DEAD
        self.draining.discard(host)
        self.ended.append((host, ended))
        was_current = self.current is host
        if was_current:
            self.current = None
        blame = self._on_end(host, ended)
        host.ended_by_others = not blame.makes_suspects
        host.gone.set()
        host.remove_socket()
        self._run(host.close_channel())
        if host.wanted_end:
            log.info("driver host %s[%d] was stopped: %s", host.name, host.process.pid, ended, extra=self._about)
            return
        self.deaths += 1
        why = host.killed_for or ended
        log.warning("driver host %s[%d] ended with %s", host.name, host.process.pid, why, extra=self._about)
        tail = host.process.tail
        if blame is Blame.OUTSIDE_TOO_OFTEN:
            self._fail(StartFailed("it is killed from outside all the time", exit_text=str(ended), log_tail=tail))
            self._back_off()
        elif was_current and host.answered and not self._closed:
            self._begin()
        elif not host.answered and blame is not Blame.OUTSIDE:
            self._fail(StartFailed("it ends before it answers anything", exit_text=str(ended), log_tail=tail))
            if self._fruitless > _BARREN:
                self._back_off()

    async def _drain(self, host: SpawnedHost) -> None:
        # We are its only caller, so it is drained when our calls are done, whatever SIGTERM means to the program.
        try:
            async with asyncio.timeout(self._settings.drain_wait):
                await host.quiet.wait()
        except TimeoutError:
            log.warning(
                "driver host %s[%d] still has %d calls after %g s; they are cut",
                host.name,
                host.process.pid,
                len(host.calls),
                self._settings.drain_wait,
                extra=self._about,
            )
        await host.process.stop(self._settings.drain_grace)

    def _fail(self, failure: StartFailed) -> None:
        self.failure = failure
        self._fruitless += 1

    def _back_off(self) -> None:
        settings = self._settings
        delay = min(settings.backoff_first * 2 ** min(self._fruitless - 1, 20), settings.backoff_max)
        self._not_before = time.monotonic() + delay * random.uniform(0.5, 1.0)

    def start_error(self, failure: StartFailed) -> CallError:
        """The answer to calls while no host starts."""
        ending = f" Its process ended with {failure.exit_text}." if failure.exit_text else ""
        tail = "\n".join(failure.log_tail)
        said = f" It printed last:\n{tail}" if tail else " It printed nothing."
        return CallError(
            "DRIVER_HOST_START_FAILED",
            f"The host of driver {self.manifest.name} did not start: {failure.message}.{ending}{said}",
            metadata={"driver": self.manifest.name, "exit": failure.exit_text, "log_tail": tail},
            retry_after=self.waits or None,
        )

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = detached(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _answers(host: SpawnedHost) -> bool:
    try:
        return await host.channel.healthy(_QUICK_PROBE)
    except HostSilent:
        return False
