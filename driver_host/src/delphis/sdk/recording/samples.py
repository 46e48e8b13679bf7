"""Reads folders of samples: an `index.json` that is a list, each entry naming a request and the file of its answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from delphis.sdk.recording.files import (
    INDEX,
    CommandEntry,
    HttpEntry,
    Pairs,
    Recording,
    RecordingError,
    read_bytes,
)

_COMMANDS = ("SSH", "CLI")
_FILES = ("SCP", "SFTP", "SFTP-LIST")


def read(folder: Path, entries: list[Any]) -> Recording:
    """The recording that the entries describe. RecordingError where one can't be used."""
    http: list[HttpEntry] = []
    commands: list[CommandEntry] = []
    files: dict[str, bytes] = {}
    for place, table in enumerate(entries):
        try:
            answer = read_bytes(folder / table["response_file"]) if table.get("response_file") else b""
            method = str(table["method"])
            if method in _FILES:
                files[table["path"]] = answer
            elif method in _COMMANDS:
                commands.append(_command(table, answer))
            else:
                http.append(_request(method, table, answer))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordingError(f"{folder / INDEX}: entry {place} can't be used: {error!r}.") from None
    return Recording(http=tuple(http), commands=tuple(commands), files=files)


def _command(table: Mapping[str, Any], answer: bytes) -> CommandEntry:
    first = table.get("preamble")
    after = (*([str(first)] if first else []), *map(str, table.get("preceded_by") or []))
    scenario = str(table.get("scenario") or "")
    return CommandEntry(str(table["command"]), answer, b"", int(table["status"]), scenario, after)


def _request(method: str, table: Mapping[str, Any], answer: bytes) -> HttpEntry:
    path, _, more = str(table["path"]).partition("?")
    query = table.get("query") or more
    pairs: Pairs
    if isinstance(query, Mapping):
        pairs = tuple((str(name), _text(value)) for name, value in query.items())
    else:
        pairs = tuple(parse_qsl(str(query), keep_blank_values=True))
    body = table.get("body")
    return HttpEntry(
        method,
        "/".join("*" if part[:1] == "{" and part[-1:] == "}" else part for part in path.split("/")),
        pairs,
        None if body is None or _is_placeholder(body) else body if isinstance(body, str) else json.dumps(body),
        tuple((str(name), str(text)) for name, text in (table.get("request_headers") or {}).items()),
        int(table["status"]),
        tuple((str(name), str(text)) for name, text in (table.get("response_headers") or {}).items()),
        answer,
        str(table.get("scenario") or ""),
    )


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_placeholder(body: Any) -> bool:
    """A body whose values are all `<name>` stands for any."""
    return isinstance(body, dict) and bool(body) and all(str(text)[:1] == "<" for text in body.values())
