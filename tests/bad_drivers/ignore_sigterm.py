"""Sees to it that no SIGTERM reaches the process."""

from __future__ import annotations

import ctypes
import signal

from delphis.sdk import Context, Storage, StorageDriver, Volume

SIG_IGN = 1


class IgnoreSigterm(StorageDriver):
    def get_storage(self, context: Context) -> Storage:
        if self.access_info.extra_attributes.get("bad"):
            handler = ctypes.c_void_p(SIG_IGN)
            ctypes.CDLL(None).signal(signal.SIGTERM.value, handler)
        return Storage(serial_number=f"ignore-{self.access_info.rest.host}")

    def list_volumes(self, context: Context) -> list[Volume]:
        return [Volume(native_volume_id=str(number)) for number in range(1, 4)]
