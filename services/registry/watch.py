"""Looks after running hosts once a second: memory, CPU, idleness, health."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from dataclasses import dataclass

from services.registry.errors import HostSilent
from services.registry.host import HostState
from services.registry.settings import HostSettings
from services.registry.slot import HostSlot
from services.registry.spawned_host import SpawnedHost

log = logging.getLogger(__name__)

_MB = 1024 * 1024
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
# Share of the memory limit at which a host is replaced in peace.
_REPLACE_AT = 0.8


@dataclass(slots=True)
class _Seen:
    """What is remembered of a host between two looks."""

    cpu_since: float
    cpu_then: float
    probe: asyncio.Task[bool] | None = None
    probe_began: float = 0.0


class HostWatch:
    """Ends hosts that break their limits, replaces those that ask for it, stops those without work."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self._seen: dict[SpawnedHost, _Seen] = {}

    def look(self, slot: HostSlot, host: SpawnedHost) -> None:
        """Looks at one host."""
        now = time.monotonic()
        if not host.process.alive or host.killed_for:
            return
        seen = self._seen.get(host)
        if seen is None:
            seen = self._seen[host] = _Seen(now, cpu_seconds(host.process.pid))
        if self._memory(slot, host) or self._health(slot, host, seen, now):
            return
        self._cpu(slot, host, seen, now)
        if host.state is HostState.SERVING and not host.calls and now - host.last_used > self._idle_limit(slot, host):
            slot.retire(host)

    def forget_dead(self) -> None:
        """Drops what is remembered of hosts that ended."""
        for host in [host for host in self._seen if not host.process.alive]:
            probe = self._seen.pop(host).probe
            if probe is not None:
                probe.cancel()

    async def close(self) -> None:
        """Cancels what still runs."""
        probes = [seen.probe for seen in self._seen.values() if seen.probe is not None]
        for probe in probes:
            probe.cancel()
        await asyncio.gather(*probes, return_exceptions=True)

    def _memory(self, slot: HostSlot, host: SpawnedHost) -> bool:
        limit = host.manifest.limits.memory_mb
        used = resident_bytes(host.process.pid) / _MB
        if used > limit:
            _kill(host, f"its memory limit: {used:.0f} MB of {limit} MB")
            return True
        if used > limit * _REPLACE_AT and time.time() - host.process.started_at > self._settings.settled_after:
            slot.replace(host, f"it uses {used:.0f} MB of {limit} MB")
        return False

    def _cpu(self, slot: HostSlot, host: SpawnedHost, seen: _Seen, now: float) -> None:
        percent = host.manifest.limits.cpu_percent
        span = now - seen.cpu_since
        if not percent or span < self._settings.cpu_window:
            return
        used = cpu_seconds(host.process.pid)
        average = 100 * (used - seen.cpu_then) / span
        seen.cpu_since, seen.cpu_then = now, used
        if average > percent:
            slot.replace(host, f"it used {average:.0f} % of a core for {span:.0f} s, {percent} % are allowed")

    def _health(self, slot: HostSlot, host: SpawnedHost, seen: _Seen, now: float) -> bool:
        """Asks hosts with calls; those without show it when the next one comes. True where the host was killed."""
        if host.state is not HostState.SERVING:
            return False
        if seen.probe is not None and not seen.probe.done():
            if now - seen.probe_began > self._settings.unresponsive_after:
                seen.probe.cancel()
                _kill(host, f"no answer to a health check for {now - seen.probe_began:.0f} s")
                return True
            return False
        if seen.probe is not None:
            probe, seen.probe = seen.probe, None
            if not probe.result() and not host.info.load_error:
                host.refusing = True
                slot.replace(host, "it says that it doesn't serve")
        elif host.refusing:
            slot.replace(host, "it refused before")
        if host.calls and now - seen.probe_began >= self._settings.probe_interval:
            seen.probe_began = now
            seen.probe = asyncio.create_task(_probe(host))
        return False

    def _idle_limit(self, slot: HostSlot, host: SpawnedHost) -> float:
        if host.info.load_error:
            return min(self._settings.broken_idle_stop, self._settings.idle_stop)
        if slot.probation:
            return min(self._settings.probation_idle_stop, self._settings.idle_stop)
        return self._settings.idle_stop


def resident_bytes(pid: int) -> int:
    """Resident memory of a process; 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used; 0 where it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS
    except (OSError, IndexError):
        return 0.0


async def _probe(host: SpawnedHost) -> bool:
    try:
        return await host.channel.healthy(None)
    except HostSilent:  # a matter for the calls that meet it; here it counts only that somebody answered
        return True


def _kill(host: SpawnedHost, reason: str) -> None:
    host.killed_for = reason
    log.error("driver host %s[%d] is killed for %s", host.name, host.process.pid, reason, extra={"driver": host.name})
    host.process.send(signal.SIGKILL)
