"""What is measured, and in which units."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple

from delphis.delfin import kinds
from delphis.delfin.notes import Notes
from delphis.sdk import Capabilities, ResourceMetrics
from delphis.sdk import metrics as sdk_metrics

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


class Metric(NamedTuple):
    """A metric of the catalogue, as a driver says it."""

    name: str
    unit: str
    factor: float
    """What the driver's values are multiplied by."""


@cache
def _by_plain_name() -> Mapping[str, sdk_metrics.Metric]:
    return {name.lower(): metric for name, metric in sdk_metrics.catalogue().items()}


def usual_unit(name: str) -> str:
    """The unit that the interface gives a metric; empty for one that it doesn't know."""
    metric = _by_plain_name().get(name.lower())
    return metric.delfin_unit if metric is not None else ""


@lru_cache(4000)
def read_as(kind: str, name: str, unit: str) -> Metric | str:
    """What a metric of a kind is in the catalogue, whatever its upper and lower case; in its usual unit where none is
    said. A text: why it is none of it."""
    metric = _by_plain_name().get(name.strip().lower())
    if metric is None:
        return "is no metric of the catalogue: left out"
    if kind not in metric.kinds:
        return f"is no metric of a {kind}: left out"
    said = _UNITS.get(unit.strip().lower() or metric.delfin_unit.lower())
    if said is None:
        return "has a unit that is unknown: left out"
    if said[0] != metric.unit:
        return f"has a unit that is none of {metric.unit}: left out"
    return Metric(metric.name, metric.unit, said[1])


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
            metric = read_as(kind, str(name), str(described.get("unit") or ""))
            if isinstance(metric, str):
                notes.odd(str(name), metric, described.get("unit"))
                continue
            text = str(described.get("description") or "")
            group.metrics.add(name=metric.name, unit=metric.unit, description=text)
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
        spelled = {name.strip().lower(): name for name in mine}
        found[word] = {}
        for metric in group.metrics:
            name = spelled.get(metric.name.lower(), metric.name)
            found[word][name] = mine.get(name, {"unit": usual_unit(name), "description": name})
        found[word] = found[word] or mine
    return found
