"""Calls sys.exit as if it were a script."""

from __future__ import annotations

import sys

from delphis.sdk import Context, Storage, StorageDriver, Volume


class Exit(StorageDriver):
    def get_storage(self, context: Context) -> Storage:
        return Storage(serial_number=f"exit-{self.access_info.rest.host}")

    def list_volumes(self, context: Context) -> list[Volume]:
        if self.access_info.extra_attributes.get("bad"):
            sys.exit("nothing to do")
        return [Volume(native_volume_id=str(number)) for number in range(1, 4)]
