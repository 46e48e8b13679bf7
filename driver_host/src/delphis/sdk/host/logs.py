"""The host's log: standard error, a line a record, without the secrets that the process holds."""

from __future__ import annotations

import faulthandler
import io
import json
import logging
import os
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from delphis.sdk.redaction import SECRETS
from delphis.tracing.scope import current

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

LONGEST_LINE = 64 * 1024
# So that a line is not longer than Delphis reads: of a traceback the end says most.
_LONGEST_MESSAGE, _LONGEST_TRACEBACK = 2000, 6000


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


def _about(record: logging.LogRecord) -> dict[str, str]:
    """What the record is about: the work at hand, but for what the record says itself."""
    known = dict(current().fields())
    storage_id = getattr(record, "storage_id", "")
    return {**known, "storage_id": storage_id} if storage_id else known


class ScrubbingFormatter(logging.Formatter):
    """Time, level, logger, storage, message and traceback, secrets masked."""

    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self.converter = time.gmtime

    def formatMessage(self, record: logging.LogRecord) -> str:
        storage_id = _about(record).get("storage_id")
        if storage_id:
            record.message = f"[{storage_id}] {record.message}"
        return super().formatMessage(record)

    def format(self, record: logging.LogRecord) -> str:
        return SECRETS.scrub(super().format(record))


class ScrubbingJsonFormatter(logging.Formatter):
    """One JSON object a line, secrets masked. Delphis' log takes its fields over."""

    def __init__(self, driver: str) -> None:
        super().__init__()
        self._driver = driver

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": SECRETS.scrub(record.getMessage())[:_LONGEST_MESSAGE],
            **_about(record),
            "driver": self._driver,
        }
        if record.exc_info:
            line["exception"] = SECRETS.scrub(self.formatException(record.exc_info))[-_LONGEST_TRACEBACK:]
        return json.dumps(line, ensure_ascii=False)


def start(level: str, log_format: str = "text", driver: str = "") -> None:
    """Sends the log, and whatever is printed, to standard error."""
    stream = ScrubbedStream(2)
    sys.stdout = stream
    sys.stderr = stream
    os.dup2(2, 1)  # what C code prints
    handler = logging.StreamHandler(stream)
    handler.setFormatter(ScrubbingJsonFormatter(driver) if log_format == "json" else ScrubbingFormatter())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.captureWarnings(True)
    faulthandler.enable(2, all_threads=False)  # the supervisor keeps the last lines: they must be the guilty thread's
