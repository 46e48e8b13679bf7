"""Families in Prometheus' text format 0.0.4, or in OpenMetrics 1.0."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from services.exposition.formats import OPENMETRICS
from services.exposition.labels import described, pairs
from services.observing.family import Family

_LINES = 2000


def write(families: Iterable[Family], format_: str) -> Iterator[bytes]:
    """The text in parts of some 100 KB, families by name; of several with one name, the samples go together."""
    named: dict[str, list[Family]] = {}
    for family in families:
        if family.samples:
            named.setdefault(family.name, []).append(family)
    lines: list[str] = []
    for name, same in sorted(named.items()):
        lines += _head(same[0], format_)
        for family in same:
            lines += [f"{name}{_labels(sample.labels)} {_number(sample.value)}" for sample in family.samples]
        if len(lines) >= _LINES:
            yield _joined(lines)
            lines = []
    if format_ == OPENMETRICS:
        lines.append("# EOF")
    if lines:
        yield _joined(lines)


def _head(family: Family, format_: str) -> Iterator[str]:
    name, kind = family.name, "counter" if family.is_counter else "gauge"
    if format_ == OPENMETRICS and family.is_counter:
        name = name.removesuffix("_total")
    yield f"# HELP {name} {described(family.help, format_)}"
    yield f"# TYPE {name} {kind}"


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    return f"{{{pairs(labels).removesuffix(',')}}}" if labels else ""


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)


def _joined(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()
