"""Which driver serves a vendor and model."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Protocol

from services.calls.errors import CallError
from services.registry.discovery import BrokenDriver, Found
from services.registry.manifest import Manifest, Pair


class PreferenceStore(Protocol):
    """Keeps which driver an operator prefers for a pair."""

    async def load(self) -> Mapping[Pair, str]:
        """All preferences: names of drivers by pair."""
        ...

    async def save(self, pair: Pair, driver: str) -> None:
        """Keeps one, in the place of an earlier one."""
        ...


class MemoryPreferences:
    """Preferences that end with the process."""

    def __init__(self) -> None:
        self._drivers: dict[Pair, str] = {}

    async def load(self) -> Mapping[Pair, str]:
        """As PreferenceStore says."""
        return dict(self._drivers)

    async def save(self, pair: Pair, driver: str) -> None:
        """As PreferenceStore says."""
        self._drivers[pair] = driver


class Catalogue:
    """The drivers by name and by pair. Vendor and model match exactly.

    Manifests of the same name are replicas of one driver. Where drivers of different names serve a pair, one has it:
    the one that an operator prefers; else the one that had it before; else the one of the lowest rank. Among several
    of the lowest rank none has it, until an operator prefers one: a guess could send calls to the wrong code.
    """

    def __init__(self, preferences: Mapping[Pair, str] | None = None) -> None:
        self.broken: tuple[BrokenDriver, ...] = ()
        self._preferences = dict(preferences or {})
        self._by_name: dict[str, list[Manifest]] = {}
        self._by_pair: dict[Pair, dict[str, list[Manifest]]] = {}
        self._in_use: dict[Pair, str] = {}

    def update(self, found: Iterable[Found]) -> None:
        """Takes what was found in the place of what was known."""
        self.broken = ()
        self._by_name, self._by_pair = {}, {}
        for part in found:
            self.broken += part.broken
            for manifest in part.manifests:
                replicas = self._by_name.setdefault(manifest.name, [])
                if any(known.host == manifest.host for known in replicas):  # found twice
                    continue
                replicas.append(manifest)
                for pair in manifest.serves:
                    self._by_pair.setdefault(pair, {}).setdefault(manifest.name, []).append(manifest)
        self._in_use = {pair: name for pair in self._by_pair if (name := self._choose(pair)) is not None}

    def prefer(self, pair: Pair, name: str) -> None:
        """Gives the pair to a driver that serves it."""
        self._preferences[pair] = name
        self._in_use[pair] = name

    def find(self, pair: Pair) -> list[Manifest]:
        """The replicas of the driver that has the pair. CallError where none has."""
        name = self._in_use.get(pair)
        if name is not None:
            return self._by_pair[pair][name]
        metadata = {"vendor": pair.vendor, "model": pair.model}
        rivals = self.rivals(pair)
        if rivals:
            raise CallError(
                "DRIVER_CONFLICT",
                f"Several drivers serve vendor {pair.vendor!r}, model {pair.model!r}: {', '.join(rivals)}. "
                "Choose one with `delphis drivers prefer`.",
                metadata={**metadata, "drivers": ", ".join(rivals)},
            )
        known = [str(other) for other in self._by_pair]
        near = difflib.get_close_matches(str(pair), known, n=3, cutoff=0.6)
        hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
        raise CallError(
            "STORAGE_DRIVER_NOT_FOUND",
            f"No driver serves vendor {pair.vendor!r}, model {pair.model!r}.{hint} `delphis drivers list` names all.",
            metadata=metadata,
        )

    def serves(self, pair: Pair) -> bool:
        """Whether any driver does."""
        return pair in self._by_pair

    def rivals(self, pair: Pair) -> list[str]:
        """Names of all drivers that serve the pair, sorted."""
        return sorted(self._by_pair.get(pair, ()))

    def in_use(self, pair: Pair) -> str | None:
        """Name of the driver that has the pair."""
        return self._in_use.get(pair)

    def names(self) -> list[str]:
        """Names of the usable drivers, sorted."""
        return sorted(self._by_name)

    def replicas(self, name: str) -> list[Manifest]:
        """The manifests of a driver. CallError DRIVER_NOT_FOUND."""
        replicas = self._by_name.get(name)
        if replicas is None:
            raise CallError("DRIVER_NOT_FOUND", f"No driver has the name {name!r}.", metadata={"driver": name})
        return replicas

    def manifests(self) -> list[Manifest]:
        """All manifests that can be used."""
        return [manifest for replicas in self._by_name.values() for manifest in replicas]

    def _choose(self, pair: Pair) -> str | None:
        drivers = self._by_pair[pair]
        for name in (self._preferences.get(pair), self._in_use.get(pair)):
            if name in drivers:
                return name
        ranks = {name: min(manifest.rank for manifest in replicas) for name, replicas in drivers.items()}
        lowest = [name for name, rank in ranks.items() if rank == min(ranks.values())]
        return lowest[0] if len(lowest) == 1 else None
