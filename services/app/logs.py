"""How processes log: lines for people, or JSON. Either tells what the work was about that a line comes from."""

from __future__ import annotations

import datetime
import json
import logging
import sys
from collections.abc import Iterator

from delphis.tracing import scope

_OF_RECORD = (*scope.FIELDS, "host_pid", "source")
"""What a record may say itself, by `extra`. It counts more than what the work at hand is about."""


def _about(record: logging.LogRecord) -> Iterator[tuple[str, str]]:
    known = dict(scope.current().fields())
    for name in _OF_RECORD:
        value = getattr(record, name, "") or known.get(name)
        if value:
            yield name, value


def _exception(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    """The traceback: of this process, or one that a driver host told."""
    if record.exc_info:
        return formatter.formatException(record.exc_info)
    told: str = getattr(record, "exception", "")
    return told


class TextFormatter(logging.Formatter):
    """A line, and in brackets at its end what it is about."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """The line without the traceback."""
        line = super().formatMessage(record)
        about = " ".join(f"{name}={value}" for name, value in _about(record))
        return f"{line} [{about}]" if about else line

    def format(self, record: logging.LogRecord) -> str:
        """All of it."""
        line, told = super().format(record), getattr(record, "exception", "")
        return f"{line}\n{told}" if told else line


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def __init__(self, process: str = "") -> None:
        super().__init__()
        self._process = {"process": process} if process else {}

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "at": datetime.datetime.fromtimestamp(record.created, datetime.UTC).isoformat(),
            "level": record.levelname.lower(),
            **self._process,
            "logger": record.name,
            "message": record.getMessage(),
            **dict(_about(record)),
        }
        exception = _exception(self, record)
        if exception:
            line["exception"] = exception
        return json.dumps(line, ensure_ascii=False)


def configure(log_format: str, process: str = "") -> None:
    """Logs to stderr, from INFO on. `process` is the name of this one, for those who read several in one place."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter(process) if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
