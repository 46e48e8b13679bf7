"""The encoders and decoders of one backend."""

from __future__ import annotations

from google.protobuf.descriptor_pool import DescriptorPool

from gateway.decode import Decoders
from gateway.dialect import Dialect
from gateway.encode import Encoders
from gateway.fragments import Budget


class Codecs:
    """Made for a dialect when it is first asked for, then kept as long as the backend's descriptors."""

    def __init__(self, pool: DescriptorPool) -> None:
        self._pool = pool
        self.budget = Budget()
        """What the lists may keep."""
        self._encoders: dict[Dialect, Encoders] = {}
        self._decoders: dict[Dialect, Decoders] = {}

    def encoders(self, dialect: Dialect) -> Encoders:
        """To JSON."""
        found = self._encoders.get(dialect)
        if found is None:
            found = self._encoders[dialect] = Encoders(dialect, self._pool)
        return found

    def decoders(self, dialect: Dialect) -> Decoders:
        """From JSON."""
        found = self._decoders.get(dialect)
        if found is None:
            found = self._decoders[dialect] = Decoders(dialect, self._pool)
        return found

    @property
    def unlisted(self) -> dict[str, int]:
        """How often enums, by their full names, had numbers that they don't list."""
        counts: dict[str, int] = {}
        for encoders in self._encoders.values():
            for name, count in encoders.unlisted.items():
                counts[name] = counts.get(name, 0) + count
        return counts
