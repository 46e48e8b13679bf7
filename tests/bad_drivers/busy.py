"""Holds the interpreter: no other thread of the process runs meanwhile."""

from __future__ import annotations

import re
import time

from delphis.sdk import Context, Storage, StorageDriver, Volume


class Busy(StorageDriver):
    def get_storage(self, context: Context) -> Storage:
        return Storage(serial_number=f"busy-{self.access_info.rest.host}")

    def list_volumes(self, context: Context) -> list[Volume]:
        end = time.monotonic() + float(self.access_info.extra_attributes.get("bad", 0))
        while time.monotonic() < end:
            re.match(r"(a+)+$", "a" * 22 + "b")
        return [Volume(native_volume_id=str(number)) for number in range(1, 4)]
