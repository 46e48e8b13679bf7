"""Prints, as scripts do."""

from __future__ import annotations

import os
import sys

from delphis.sdk import Context, Storage, StorageDriver, Volume

print("imported: ready")


class Stdout(StorageDriver):
    def get_storage(self, context: Context) -> Storage:
        return Storage(serial_number=f"stdout-{self.access_info.rest.host}")

    def list_volumes(self, context: Context) -> list[Volume]:
        if self.access_info.extra_attributes.get("bad"):
            for number in range(5_000):
                print("line", number, "of much", file=sys.stderr if number % 2 else sys.stdout)
            print("half a line", end="")
            os.write(1, b"\xff\x00 not text\n")
            sys.stdout.buffer.write(b"\xfe bytes\n")
            print("the end", end="")
            sys.stdout.flush()
        return [Volume(native_volume_id=str(number)) for number in range(1, 4)]
