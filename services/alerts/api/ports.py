"""What the handlers of alerts need of other parts of the service."""

from __future__ import annotations

from typing import Protocol

from delphis.alert.v1 import alert_pb2 as pb


class Polls(Protocol):
    """The polls of the arrays."""

    async def request(self, storage_id: str, begin: int | None, end: int | None) -> None:
        """Has the array polled soon, and does not wait for it.

        Args:
            storage_id: The storage.
            begin: Only alerts of this time or later, in milliseconds since 1970. With it or with `end`, what was found
                is raised and nothing is cleared.
            end: Only alerts before this time.

        Raises:
            CallError: STORAGE_NOT_FOUND; STORAGE_CAPABILITY_NOT_SUPPORTED: the array can't list alerts.
        """
        ...

    async def state(self, storage_id: str) -> pb.AlertPoll:
        """How they go. CallError STORAGE_NOT_FOUND."""
        ...


class Silences(Protocol):
    """The silences."""

    async def refresh(self) -> None:
        """Reads them anew if they changed. To be called before `ids_for`."""
        ...

    def ids_for(self, alert: pb.Alert) -> list[str]:
        """Those that keep the alert from receivers now. Called in threads."""
        ...
