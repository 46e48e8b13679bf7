"""Finds drivers: `driver.toml` files in folders, and Python entry points of the group `delphis.drivers`."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from services.registry import manifest
from services.registry.errors import ManifestError
from services.registry.manifest import Manifest, Pair, PythonHost, Source

log = logging.getLogger(__name__)

GROUP = "delphis.drivers"
MANIFEST = "driver.toml"


@dataclass(frozen=True, slots=True)
class BrokenDriver:
    """Something that should be a driver and can't be used."""

    name: str
    source: Source
    origin: str
    error: str


@dataclass(frozen=True, slots=True)
class Found:
    """What there is. One that is broken stops no other."""

    manifests: tuple[Manifest, ...]
    broken: tuple[BrokenDriver, ...]


def in_folders(folders: Sequence[Path]) -> Found:
    """The drivers in `FOLDER/*/driver.toml`. Of two that serve a pair, the earlier folder's has it."""
    manifests: list[Manifest] = []
    broken: list[BrokenDriver] = []
    for rank, folder in enumerate(folders):
        if not folder.is_dir():
            broken.append(BrokenDriver(folder.name, Source.MANIFEST, str(folder), "the folder doesn't exist"))
            continue
        for path in sorted(folder.glob(f"*/{MANIFEST}")):
            try:
                manifests.append(manifest.read(path, rank=rank))
            except ManifestError as error:
                broken.append(BrokenDriver(path.parent.name, Source.MANIFEST, str(path), str(error)))
    return Found(tuple(manifests), tuple(broken))


def in_entry_points(rank: int, points: Iterable[EntryPoint] | None = None) -> Found:
    """The drivers that installed packages announce; entry points of the same class are one driver."""
    manifests: list[Manifest] = []
    broken: list[BrokenDriver] = []
    pairs: dict[tuple[str, str], list[Pair]] = {}
    for point in entry_points(group=GROUP) if points is None else points:
        version = point.dist.version if point.dist is not None else "0"
        vendor, _, model = point.name.partition(" ")
        if not vendor or not model.strip():
            error = f'the entry point\'s name must be "vendor model", not {point.name!r}'
            broken.append(BrokenDriver(point.value, Source.ENTRY_POINT, _origin(point.value), error))
        elif not manifest.is_class(point.value):
            error = f"the entry point's value must be module:Class, not {point.value!r}"
            broken.append(BrokenDriver(point.name, Source.ENTRY_POINT, _origin(point.value), error))
        else:
            serves = pairs.setdefault((point.value, version), [])
            if Pair(vendor, model) not in serves:
                serves.append(Pair(vendor, model))
    for (value, version), serves in pairs.items():
        name = value.replace(":", ".")
        origin = _origin(value)
        manifests.append(
            Manifest(name, version, tuple(serves), PythonHost(value), Source.ENTRY_POINT, origin, rank=rank)
        )
    return Found(tuple(manifests), tuple(broken))


def _origin(value: str) -> str:
    return f"{GROUP}: {value}"
