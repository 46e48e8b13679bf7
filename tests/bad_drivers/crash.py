"""Kills its own process."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

from delphis.sdk import Context, Storage, StorageDriver, Volume

SIGNALS = {"segv": signal.SIGSEGV, "abort": signal.SIGABRT, "kill": signal.SIGKILL}


class Crash(StorageDriver):
    def get_storage(self, context: Context) -> Storage:
        return Storage(serial_number=f"crash-{self.access_info.rest.host}")

    def list_volumes(self, context: Context) -> Iterator[Volume]:
        yield Volume(native_volume_id="1")
        how = self.access_info.extra_attributes.get("bad", "")
        if how == "exit":
            os._exit(3)
        elif how:
            signal.raise_signal(SIGNALS[how])
        yield from (Volume(native_volume_id="2"), Volume(native_volume_id="3"))
