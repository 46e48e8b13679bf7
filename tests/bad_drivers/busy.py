"""Holds the interpreter: no other thread of the process runs meanwhile."""

from __future__ import annotations

import re
import time

from delphis.sdk import Context, Storage, StorageDriver, Volume


class Busy(StorageDriver):
    def get_storage(self, context: Context) -> Storage:
        return Storage(serial_number=f"busy-{self.access_info.rest.host}")

    def list_volumes(self, context: Context) -> list[Volume]:
        hold(float(self.access_info.extra_attributes.get("bad", 0)))
        return [Volume(native_volume_id=str(number)) for number in range(1, 4)]


def hold(seconds: float) -> None:
    """Up to so long in one go, and at least half of it: each letter more doubles what the match takes."""
    letters, took = 18, 0.0
    while took < seconds / 2:
        begin = time.monotonic()
        re.match(r"(a+)+$", "a" * letters + "b")
        took = time.monotonic() - begin
        letters += 1
