"""Does wrong with traps: ends its process at one, or answers for too few."""

from __future__ import annotations

import os
import signal

from delphis.sdk import Alert, Context, Severity, Storage, StorageDriver, Trap


class Traps(StorageDriver):
    def get_storage(self, context: Context) -> Storage:
        return Storage(serial_number=f"traps-{self.access_info.rest.host}")

    @classmethod
    def parse_alert(cls, context: Context, trap: Trap) -> Alert:
        number = next(binding.octets.decode() for binding in trap.varbinds if binding.oid.endswith(".2"))
        if number.startswith("crash"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if number.startswith("raise"):
            raise ZeroDivisionError(number)
        return Alert(alert_id="1", sequence_number=number, match_key=number, severity=Severity.SEVERITY_MAJOR)
