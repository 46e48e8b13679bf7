"""Keeps memory with each call."""

from __future__ import annotations

from delphis.sdk import Context, Storage, StorageDriver, Volume

KEPT: list[bytearray] = []


class Leak(StorageDriver):
    def get_storage(self, context: Context) -> Storage:
        return Storage(serial_number=f"leak-{self.access_info.rest.host}")

    def list_volumes(self, context: Context) -> list[Volume]:
        mebibytes = int(self.access_info.extra_attributes.get("bad", 0))
        KEPT.extend(bytearray(b"x" * 2**20) for _ in range(mebibytes))
        return [Volume(native_volume_id=str(number)) for number in range(1, 4)]
