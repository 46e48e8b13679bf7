"""The drivers that are installed beside the adapter: entry points of the group `delfin.storage.drivers`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from delphis.delfin.errors import AdapterError
from delphis.sdk.host.settings import Pair

GROUP = "delfin.storage.drivers"


@dataclass(frozen=True)
class Installed:
    """A class, and all the vendors and models that it is registered for."""

    driver_class: str
    """`module:Class`"""
    version: str
    serves: tuple[Pair, ...]

    @property
    def name(self) -> str:
        """Its name as a driver of Delphis."""
        return name_of(self.serves[0])


def name_of(pair: Pair) -> str:
    """The name of a driver as Delphis knows it, from the vendor and model that it serves."""
    words = (re.sub(r"[^a-z0-9-]+", "-", word.lower()).strip("-") or "x" for word in pair)
    return ".".join(("delfin", *words))


def pair_of(text: str) -> Pair | None:
    """What an entry point's name says: vendor, a space, model."""
    vendor, _, model = text.strip().partition(" ")
    return Pair(vendor, model.strip()) if vendor and model.strip() else None


def installed(points: Iterable[EntryPoint] | None = None) -> list[Installed]:
    """All that are installed, by name. Entry points of the same class are one driver."""
    serves: dict[tuple[str, str], list[Pair]] = {}
    for point in entry_points(group=GROUP) if points is None else points:
        pair = pair_of(point.name)
        version = point.dist.version if point.dist is not None else "0"
        if pair is not None and pair not in serves.setdefault((point.value, version), []):
            serves[point.value, version].append(pair)
    found = [Installed(value, version, tuple(sorted(pairs))) for (value, version), pairs in serves.items() if pairs]
    return sorted(found, key=lambda driver: driver.serves)


def misnamed(points: Iterable[EntryPoint] | None = None) -> list[str]:
    """Names of entry points that don't say a vendor and a model."""
    found = entry_points(group=GROUP) if points is None else points
    return sorted(point.name for point in found if pair_of(point.name) is None)


def named(text: str) -> Installed:
    """The installed driver that serves `vendor model`. AdapterError where there is none."""
    pair = pair_of(text)
    found = installed()
    for driver in found:
        if pair in driver.serves:
            return driver
    known = ", ".join(f"{vendor} {model}" for driver in found for vendor, model in driver.serves)
    raise AdapterError(
        f"No driver of the group {GROUP} serves {text!r}; installed are {known or 'none'}. A class is named as "
        "module:Class, with --vendor and --model."
    )
