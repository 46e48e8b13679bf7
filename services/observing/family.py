"""Numbers of one name, as Prometheus takes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A number, and what it is of."""

    value: float
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class Family:
    """Samples of the same name, each with labels of its own."""

    name: str
    """In base units; that of a counter ends with `_total`."""
    help: str
    is_counter: bool
    samples: tuple[Sample, ...]


def counter(name: str, help_: str, *samples: Sample) -> Family:
    """What grows, from 0 at the start of the process."""
    return Family(name, help_, True, samples)


def gauge(name: str, help_: str, *samples: Sample) -> Family:
    """What goes up and down."""
    return Family(name, help_, False, samples)


def of(label: str, values: Iterable[tuple[str, float]]) -> tuple[Sample, ...]:
    """Samples that differ in one label."""
    return tuple(Sample(value, ((label, name),)) for name, value in values)
