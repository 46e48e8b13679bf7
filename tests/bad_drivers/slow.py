"""Takes its time, but comes back."""

from __future__ import annotations

import time
from collections.abc import Iterator

from delphis.sdk import Context, Storage, StorageDriver, Volume


class Slow(StorageDriver):
    def get_storage(self, context: Context) -> Storage:
        return Storage(serial_number=f"slow-{self.access_info.rest.host}")

    def list_volumes(self, context: Context) -> Iterator[Volume]:
        for number in range(1, 4):
            time.sleep(float(self.access_info.extra_attributes.get("bad", 0)))
            yield Volume(native_volume_id=str(number))
