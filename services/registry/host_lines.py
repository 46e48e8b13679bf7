"""What a driver host prints, line by line: text, or JSON objects, of which the core's log keeps what they say."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import orjson

LINE_BYTES = 2000
JSON_LINE_BYTES = 16 * 1024
"""A line of JSON has the whole traceback."""
_FIELD_CHARACTERS = 200
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
_FIELDS = ("request_id", "storage_id", "trace_id")


class HostLine(NamedTuple):
    """One line."""

    message: str
    level: int = logging.INFO
    fields: Mapping[str, str] = {}
    """What it is about, as `delphis.tracing.scope.FIELDS` names it; never the driver, which the core knows itself."""
    source: str = ""
    """The logger that it came from."""
    exception: str = ""
    """The traceback."""
    at: str = ""

    def shown(self) -> Iterator[str]:
        """For people: a line, and those of the traceback."""
        if not self.source:
            yield self.message
            return
        storage_id = self.fields.get("storage_id")
        about = f"[{storage_id}] " if storage_id else ""
        yield f"{self.at} {logging.getLevelName(self.level)} {self.source}: {about}{self.message}".lstrip()
        yield from self.exception.splitlines()


def read(line: bytes) -> HostLine:
    """A line that the host printed. What is not a JSON object with a text as its `message` is a text itself."""
    if line.startswith(b"{"):
        try:
            said = orjson.loads(line)
        except orjson.JSONDecodeError:
            said = None
        if isinstance(said, dict) and isinstance(said.get("message"), str):
            return _structured(said)
    return HostLine(printable(line[:LINE_BYTES].decode("utf-8", "backslashreplace").rstrip()))


def _structured(said: dict[str, Any]) -> HostLine:
    def text(name: str, longest: int = _FIELD_CHARACTERS) -> str:
        value = said.get(name)
        return printable(value[:longest]) if isinstance(value, str) else ""

    exception = said.get("exception")
    lines = exception.splitlines() if isinstance(exception, str) else []
    return HostLine(
        message=text("message", LINE_BYTES),
        level=_LEVELS.get(text("level").lower(), logging.INFO),
        fields={name: value for name in _FIELDS if (value := text(name))},
        source=text("logger") or "?",
        exception="\n".join(map(printable, lines)),
        at=text("at"),
    )


def printable(text: str) -> str:
    """The text without anything that a terminal or a log reader would act upon."""
    return "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text)
