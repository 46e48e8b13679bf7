"""Never comes back."""

from __future__ import annotations

import threading

from delphis.sdk import Context, Storage, StorageDriver, Volume

FOR_EVER = threading.Event()


class Hang(StorageDriver):
    def connect(self, context: Context) -> None:
        if self.access_info.extra_attributes.get("bad") == "login":
            FOR_EVER.wait()

    def get_storage(self, context: Context) -> Storage:
        return Storage(serial_number=f"hang-{self.access_info.rest.host}")

    def list_volumes(self, context: Context) -> list[Volume]:
        if self.access_info.extra_attributes.get("bad"):
            FOR_EVER.wait()
        return [Volume(native_volume_id=str(number)) for number in range(1, 4)]
