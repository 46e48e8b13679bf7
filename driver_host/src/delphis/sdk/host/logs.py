"""The host's log: standard error, a line a record, without the secrets that the process holds."""

from __future__ import annotations

import faulthandler
import io
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING

from delphis.sdk.redaction import SECRETS

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

LONGEST_LINE = 64 * 1024


class ScrubbedStream(io.TextIOBase):
    """Standard output and error for drivers that print: line by line to the log's descriptor, secrets masked.

    Nobody need read there: a closed pipe is no error of the driver's.
    """

    encoding = "utf-8"

    def __init__(self, descriptor: int) -> None:
        self.buffer = _Bytes(self)
        self._descriptor = descriptor
        self._lock = threading.Lock()
        self._rest = ""

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def write(self, text: str) -> int:
        with self._lock:
            lines, newline, self._rest = (self._rest + text).rpartition("\n")
            if newline:
                self._put(lines + newline)
            if len(self._rest) > LONGEST_LINE:
                self._put(self._rest + "\n")
                self._rest = ""
        return len(text)

    def flush(self) -> None:
        """Lines are written at once; half a line waits for its end, as a secret may stand across."""

    def finish(self) -> None:
        """Writes what stands after the last line."""
        if self._rest:
            self.write("\n")

    def _put(self, text: str) -> None:
        data = SECRETS.scrub(text).encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            pass


class _Bytes(io.RawIOBase):
    """What `sys.stdout.buffer` is to those who print bytes."""

    def __init__(self, text: ScrubbedStream) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        raw = bytes(data)
        self._text.write(raw.decode("utf-8", "backslashreplace"))
        return len(raw)


class ScrubbingFormatter(logging.Formatter):
    """Time, level, logger, message and traceback, secrets masked."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        return SECRETS.scrub(super().format(record))


def start(level: str) -> None:
    """Sends the log, and whatever is printed, to standard error."""
    stream = ScrubbedStream(2)
    sys.stdout = stream
    sys.stderr = stream
    os.dup2(2, 1)  # what C code prints
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ScrubbingFormatter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(True)
    faulthandler.enable(2, all_threads=False)  # the supervisor keeps the last lines: they must be the guilty thread's
