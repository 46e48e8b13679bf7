"""What the parts of this service want to know of the arrays. The fleet knows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from services.alerts.book.reports import StorageFacts


class Controller(Protocol):
    """A controller with its management address."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def address(self) -> str:
        """Name or address."""
        ...


class Array(Protocol):
    """A registered storage."""

    @property
    def id(self) -> str:
        """UUID text."""
        ...

    @property
    def pair(self) -> tuple[str, str]:
        """Vendor and model, by which its driver is found."""
        ...

    @property
    def facts(self) -> StorageFacts:
        """As its alerts show it."""
        ...

    @property
    def paused(self) -> bool:
        """Nothing is asked of it now."""
        ...

    @property
    def hosts(self) -> Iterable[str]:
        """Names and addresses in its access info."""
        ...

    @property
    def controllers(self) -> Iterable[Controller]:
        """Those with a management address."""
        ...


class Arrays(Protocol):
    """All registered storages, as they are now."""

    def get(self, storage_id: str) -> Array | None:
        """The storage; None where there is none."""
        ...

    def all(self) -> Mapping[str, Array]:
        """By id."""
        ...
