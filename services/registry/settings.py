"""How the registry runs driver hosts."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HostSettings:
    """All times are seconds."""

    runtime_dir: Path
    """A folder of this core's own; the hosts' sockets are made in it."""
    python: str = sys.executable
    """The interpreter of drivers written in Python that name none of their own."""
    spawn: bool = True
    """Whether hosts are started at all."""
    start_timeout: float = 20.0
    """Within this a host must be ready."""
    connect_timeout: float = 5.0
    """Within this a host that runs elsewhere must answer a dial."""
    drain_grace: float = 10.0
    """How long a host may finish its calls after SIGTERM."""
    drain_wait: float = 60.0
    """How long a host that is being replaced or stopped for idleness keeps its calls before SIGTERM."""
    idle_stop: float = 600.0
    """A host without calls for this long is stopped; the next call starts one."""
    broken_idle_stop: float = 5.0
    """The same for a host whose driver can't be loaded, so that a mended driver is seen soon."""
    probation_idle_stop: float = 60.0
    """The same for hosts that serve suspects."""
    backoff_first: float = 0.25
    """Wait after the first host that died before it was ready; doubles up to `backoff_max`, with jitter."""
    backoff_max: float = 30.0
    watch_interval: float = 1.0
    """How often memory, CPU, idleness and health are looked at."""
    probe_interval: float = 2.0
    """How often a host with calls is asked for its health."""
    unresponsive_after: float = 30.0
    """A host that leaves its health unanswered for this long is killed. A busy interpreter was seen to take 18 s."""
    settled_after: float = 60.0
    """A host that is younger is not replaced for the memory that it uses: the next one would use it as well."""
    cpu_window: float = 60.0
    """Over which the use of CPU is averaged before it is held against the limit."""
    window: float = 600.0
    """In which deaths are counted."""
    outside_kills: int = 100
    """From this many kills from outside within the window on, they count as the host's own deaths."""
    kills_to_quarantine: int = 2
    """Probation hosts that an array may kill within the window."""
    quarantine_first: float = 300.0
    """Length of an array's first quarantine; doubles with each further one up to `quarantine_max`."""
    quarantine_max: float = 6 * 3600.0
    probation_hosts: int = 4
    """Most hosts for suspects of one driver; one is used unless a suspect waits longer than `probation_patience`."""
    probation_patience: float = 2.0
    lease_ttl: float = 15.0
    """How long the lease of a host that runs elsewhere holds; the host renews it at a third."""
    lease_kept: float = 86400.0
    """How long a lease that ended is shown, and keeps its pairs from other drivers."""
    lease_look: float = 1.0
    """How often the leases are read anew, and the hosts under lease asked whether they live."""
    silent_after: float = 4.0
    """A host under lease that shows no sign of life for this long has lost its arrays to another one."""
    owner_rests: float = 10.0
    """An array that got another owner stays there this long, be its first choice back or not."""
    vmstat: Path = Path("/proc/vmstat")
    """Where the kernel counts processes it killed for want of memory."""
