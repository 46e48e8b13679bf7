"""What a sender needs of the place that points go to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.telemetry.sinks.load import Load


@dataclass(frozen=True, slots=True)
class Piece:
    """What is sent at once."""

    points: int
    messages: Sequence[tuple[bytes, bytes]]
    """Keys and bodies; of a place without keys they are empty."""


class Destination(Protocol):
    """The place."""

    batch: int
    """Loads go together up to so many points."""

    def pieces(self, loads: Sequence[Load]) -> Iterator[Piece]:
        """What is to be sent for some loads. Called in a thread."""
        ...

    async def send(self, piece: Piece) -> None:
        """Returns once it was taken; raises Unavailable or Refused."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...
