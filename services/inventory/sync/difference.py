"""Which fields differ between two messages of a kind."""

from __future__ import annotations

from operator import attrgetter, ne
from typing import Any

from services.inventory.kinds import Kind
from services.inventory.sync.wire import driver_part_class


class Difference:
    """Compares driver parts field by field: 0 and unset differ, the order of a map's entries does not matter."""

    def __init__(self, kind: Kind) -> None:
        descriptor = driver_part_class(kind).DESCRIPTOR
        fields = sorted(descriptor.fields, key=lambda field: field.number)
        self._scalars: list[str] = [field.name for field in fields if field.has_presence]
        self._containers: list[str] = [field.name for field in fields if not field.has_presence]
        self._order = {field.name: field.number for field in fields}
        self._get = attrgetter(*self._scalars)

    def fields(self, old: Any, new: Any) -> list[str]:
        """Names of the fields that differ, in order of their numbers. `old` is used up."""
        before, after = self._get(old), self._get(new)
        found = [name for name, differs in zip(self._scalars, map(ne, before, after), strict=True) if differs]
        for name in found:
            setattr(old, name, getattr(new, name))
        # Comparing whole messages takes 0.4 µs; presence and containers are looked at only where that says so.
        if old == new:
            return found
        changed = set(found)
        found += [name for name in self._scalars if name not in changed and old.HasField(name) != new.HasField(name)]
        found += [name for name in self._containers if getattr(old, name) != getattr(new, name)]
        return sorted(found, key=self._order.__getitem__)
