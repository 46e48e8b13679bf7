"""What there is to tell of driver hosts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from services.observing.family import Family, Sample, counter, gauge
from services.observing.observer import Source
from services.registry.registry import Registry
from services.registry.slot import HostSlot
from services.registry.watch import cpu_seconds, resident_bytes


def driver_hosts(registry: Registry) -> Source:
    """The hosts that this core started or calls, by driver."""

    def families() -> Iterator[Family]:
        serving: Counter[str] = Counter()
        starts: Counter[str] = Counter()
        deaths: Counter[str] = Counter()
        suspects: Counter[str] = Counter()
        quarantined: Counter[str] = Counter()
        memory: Counter[str] = Counter()
        cpu: dict[tuple[str, str], float] = {}
        for hosts in registry.supervisor.known():
            driver = hosts.manifest.name
            for slot in hosts.slots():
                serving[driver] += slot.current is not None
                starts[driver] += slot.starts if isinstance(slot, HostSlot) else 0
                deaths[driver] += slot.deaths
            for _, host in hosts.spawned():
                if host.process.alive:
                    memory[driver] += resident_bytes(host.process.pid)
                    cpu[driver, str(host.process.pid)] = cpu_seconds(host.process.pid)
            for record in hosts.ledger.records():
                (suspects if record.until is None else quarantined)[driver] += 1
            for counted in (suspects, quarantined, memory):
                counted[driver] += 0
        yield gauge("delphis_driver_hosts", "Driver hosts that take calls, by driver.", *_by_driver(serving))
        yield counter("delphis_driver_host_starts_total", "Driver hosts that were started.", *_by_driver(starts))
        yield counter(
            "delphis_driver_host_deaths_total",
            "Driver hosts that ended unwanted, failed starts among them.",
            *_by_driver(deaths),
        )
        yield gauge(
            "delphis_driver_host_resident_memory_bytes",
            "Memory of the hosts of a driver that run on this machine.",
            *_by_driver(memory),
        )
        yield counter(
            "delphis_driver_host_cpu_seconds_total",
            "Processor time of a host that runs on this machine.",
            *(Sample(value, (("driver", driver), ("pid", pid))) for (driver, pid), value in cpu.items()),
        )
        yield gauge(
            "delphis_driver_suspect_arrays",
            "Arrays whose calls run apart, since hosts died during them.",
            *_by_driver(suspects),
        )
        yield gauge(
            "delphis_driver_quarantined_arrays",
            "Arrays that get no calls, since their calls killed hosts again and again.",
            *_by_driver(quarantined),
        )

    return families


def _by_driver(counted: Mapping[str, float]) -> Iterator[Sample]:
    return (Sample(count, (("driver", driver),)) for driver, count in sorted(counted.items()))
