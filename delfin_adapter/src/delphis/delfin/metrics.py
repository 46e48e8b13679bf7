"""What is measured, and in which units."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from delphis.delfin import kinds
from delphis.delfin.notes import Notes
from delphis.sdk import Capabilities, ResourceMetrics

_VERSION = re.compile(r"[vV]?(\d+(?:\.\d+)*)")
# Base unit, and what a value is multiplied by.
_UNITS: dict[str, tuple[str, float]] = {
    "iops": ("1/s", 1.0),
    "io/s": ("1/s", 1.0),
    "1/s": ("1/s", 1.0),
    "b/s": ("By/s", 1.0),
    "by/s": ("By/s", 1.0),
    "kb/s": ("By/s", 1e3),
    "mb/s": ("By/s", 1e6),
    "mbps": ("By/s", 1e6),
    "gb/s": ("By/s", 1e9),
    "us": ("s", 1e-6),
    "µs": ("s", 1e-6),
    "ms": ("s", 1e-3),
    "s": ("s", 1.0),
    "b": ("By", 1.0),
    "by": ("By", 1.0),
    "kb": ("By", 1e3),
    "mb": ("By", 1e6),
    "%": ("1", 1e-2),
    "1": ("1", 1.0),
}
_BY_NAME = (
    ("iops", "IOPS"),
    ("throughput", "MB/s"),
    ("responsetime", "ms"),
    ("cachehitratio", "%"),
    ("iosize", "KB"),
    ("cpuusage", "%"),
)


def usual_unit(name: str) -> str:
    """The unit that the interface gives a metric; empty for one that it doesn't know."""
    plain = name.lower()
    return next((unit for ending, unit in _BY_NAME if plain.endswith(ending)), "")


@lru_cache(1000)
def base_unit(name: str, unit: str) -> tuple[str, float] | None:
    """Base unit and factor of a metric in a unit; in its usual one where none is said. None: the unit is unknown."""
    return _UNITS.get(unit.strip().lower() or usual_unit(name).lower())


def for_firmware(answer: Any, firmware: str) -> Any:
    """Of capabilities by firmware version, those of the array's; others as they are."""
    if not isinstance(answer, Mapping) or not answer or not all(_version(key) for key in answer):
        return answer
    by_version = {_version(key): value for key, value in answer.items()}
    own = _version(firmware)
    fitting = [version for version in by_version if not own or version <= own[: len(version)]]
    return by_version[max(fitting) if fitting else min(by_version)]


def _version(text: Any) -> tuple[int, ...]:
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        return ()
    found = _VERSION.match(str(text).strip())
    return tuple(map(int, found[1].split("."))) if found else ()


def capabilities(answer: Any, notes: Notes) -> Capabilities:
    """The contract's message for what get_capabilities returned."""
    found = Capabilities()
    if not isinstance(answer, Mapping):
        if answer:
            notes.odd("capabilities", f"are a {type(answer).__name__}, not a dict", answer)
        notes.tell()
        return found
    found.is_historic = bool(answer.get("is_historic"))
    retention = answer.get("performance_metric_retention_window")
    if isinstance(retention, (int, float)) and retention > 0:
        found.retention.FromSeconds(int(retention))
    interval = answer.get("collect_interval")
    for word, measured in _by_kind(answer, notes).items():
        kind, measured = kinds.kind_of(str(word)), _described(measured)
        if kind is None or not isinstance(measured, Mapping):
            notes.odd("resource_metrics", "names no kind of resource, or no metrics: left out", word)
            continue
        group = ResourceMetrics(kind=kind)
        for name, about in measured.items():
            described = about if isinstance(about, Mapping) else {}
            unit = base_unit(str(name), str(described.get("unit") or ""))
            if unit is None:
                notes.odd(str(name), "has a unit that is unknown: left out", described.get("unit"))
                continue
            group.metrics.add(name=str(name), unit=unit[0], description=str(described.get("description") or ""))
        if isinstance(interval, (int, float)) and interval > 0:
            group.interval.FromSeconds(int(interval))
        if group.metrics:
            found.resource_metrics.append(group)
    notes.tell()
    return found


def _by_kind(answer: Mapping[Any, Any], notes: Notes) -> Mapping[Any, Any]:
    found = answer.get("resource_metrics")
    if isinstance(found, Mapping):
        return found
    if found:
        notes.odd("resource_metrics", f"is a {type(found).__name__}, not a dict: left out")
    return {}


def _described(measured: Any) -> Any:
    """Metrics with what is said of them, of a list of names too."""
    if isinstance(measured, (list, tuple, set)) and all(isinstance(name, str) for name in measured):
        return {name: {"unit": usual_unit(name), "description": name} for name in measured}
    return measured


def wanted(asked: Sequence[ResourceMetrics], answer: Any) -> dict[str, dict[str, Any]]:
    """What collect_perf_metrics is to read, as it wants to be told: the driver's own words for what is asked."""
    known = answer.get("resource_metrics") if isinstance(answer, Mapping) else None
    own: dict[str, dict[str, Any]] = {}
    for word, measured in known.items() if isinstance(known, Mapping) else ():
        measured = _described(measured)
        own[str(word)] = dict(measured) if isinstance(measured, Mapping) else {}
    if not asked:
        return own
    found: dict[str, dict[str, Any]] = {}
    for group in asked:
        word = kinds.word_of(group.kind)
        mine = own.get(word, {})
        found[word] = {
            metric.name: mine.get(metric.name, {"unit": usual_unit(metric.name), "description": metric.name})
            for metric in group.metrics
        } or mine
    return found
