"""The arrays, as the parts of this service see them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from services.alerts.book.reports import StorageFacts
from services.fleet.storage import Storage as Array

__all__ = ["Array", "Arrays", "facts_of"]


class Arrays(Protocol):
    """All registered storages, as they are now. The fleet is one."""

    @property
    def known(self) -> bool:
        """Whether they were listed at least once."""
        ...

    def get(self, storage_id: str) -> Array | None:
        """The storage; None where there is none."""
        ...

    def all(self) -> Mapping[str, Array]:
        """By id."""
        ...


def facts_of(array: Array) -> StorageFacts:
    """The array, as its alerts show it."""
    return StorageFacts(
        id=array.id,
        name=array.name,
        vendor=array.vendor,
        model=array.model,
        serial_number=array.serial_number,
        labels=array.labels,
    )
