"""Where the router learns which array a storage id means."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from delphis.type.v1 import access_pb2
from services.registry.manifest import Pair


@dataclass(frozen=True, slots=True)
class ResolvedTarget:
    """What a host must be told about an array."""

    pair: Pair
    access_info: access_pb2.AccessInfo | None = field(default=None, repr=False)
    access_revision: int = 0


class TargetSource(Protocol):
    """Knows the storages."""

    async def resolve(self, storage_id: str, *, with_access: bool) -> ResolvedTarget:
        """The array's vendor and model, and how to reach it if `with_access`. CallError STORAGE_NOT_FOUND.

        The router doesn't change the message: it may be one that is kept.
        """
        ...
