"""What the operating system and the interpreter know of this process."""

from __future__ import annotations

import gc
import importlib.metadata
import os
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.observing.family import Family, Sample, counter, gauge, of
from services.observing.observer import Observer
from services.observing.tracing import traced

_PROC = Path("/proc/self")
_PAGE = resource.getpagesize()


class Pauses:
    """How long the garbage collector stopped everything."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.collections = [0, 0, 0]
        self._began = 0.0

    def watch(self) -> None:
        """Begins to count."""
        gc.callbacks.append(self._told)

    def unwatch(self) -> None:
        """Ends that."""
        gc.callbacks.remove(self._told)

    def _told(self, phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            self._began = time.perf_counter()
        else:
            self.seconds += time.perf_counter() - self._began
            self.collections[info["generation"]] += 1


class ProcessSource:
    """Processor time, memory, files, garbage collection."""

    def __init__(self, version: str) -> None:
        self.pauses = Pauses()
        self._version = version
        self._started = _started()

    def __call__(self) -> Iterator[Family]:
        used = resource.getrusage(resource.RUSAGE_SELF)
        yield counter(
            "delphis_process_cpu_seconds_total",
            "Processor time of the process, by where it was spent.",
            *of("mode", (("user", used.ru_utime), ("system", used.ru_stime))),
        )
        yield gauge("delphis_process_resident_memory_bytes", "Memory that the process holds.", Sample(_resident()))
        yield gauge("delphis_process_open_files", "Files and sockets that are open.", Sample(_open_files()))
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if most != resource.RLIM_INFINITY:
            yield gauge("delphis_process_open_files_limit", "How many files and sockets may be open.", Sample(most))
        yield gauge(
            "delphis_process_start_time_seconds", "When the process started, since 1970 UTC.", Sample(self._started)
        )
        yield gauge(
            "delphis_process_build_info",
            "Always 1; its labels say what runs.",
            Sample(1, (("version", self._version), ("python", sys.version.split()[0]))),
        )
        yield counter(
            "delphis_process_gc_pause_seconds_total",
            "Time for which the garbage collector stopped the process.",
            Sample(self.pauses.seconds),
        )
        yield counter(
            "delphis_process_gc_collections_total",
            "Runs of the garbage collector, by generation.",
            *of("generation", ((str(number), count) for number, count in enumerate(self.pauses.collections))),
        )


@contextmanager
def observed_process() -> Iterator[Observer]:
    """An observer that knows of the process itself."""
    observer, source = Observer(), ProcessSource(importlib.metadata.version("delphis"))
    observer.add(source, traced)
    source.pauses.watch()
    try:
        yield observer
    finally:
        source.pauses.unwatch()


def _resident() -> int:
    return int((_PROC / "statm").read_text(encoding="ascii").split()[1]) * _PAGE


def _open_files() -> int:
    return len(os.listdir(_PROC / "fd")) - 1  # the one that lists them


def _started() -> float:
    ticks = int((_PROC / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[19])
    since_boot = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return round(time.time() - since_boot, 2)
