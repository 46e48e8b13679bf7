"""An array that any access info leads to."""

from __future__ import annotations

from delphis import sdk


class Blocks(sdk.StorageDriver):
    """Only itself, nothing inside."""

    def get_storage(self, context: sdk.Context) -> sdk.Storage:
        return sdk.Storage(serial_number="blocks")
