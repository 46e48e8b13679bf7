"""A recording as a folder: `index.json`, and a file for each answer's body."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INDEX = "index.json"
FORMAT = "delphis-recording/1"
SNMP = "array.snmprec"
ACCESS = "access.json"

Pairs = tuple[tuple[str, str], ...]


class RecordingError(Exception):
    """A recording that can't be read or written; the message says which file, why, and what to do."""


@dataclass(frozen=True)
class HttpEntry:
    """A request and its answer. A `*` in path, query, needs or body stands for anything.

    Attributes:
        method: In capitals.
        path: Without the query, escaped.
        query: Its pairs, unescaped, in the order in which they came.
        body: Of the request, as text; None: it doesn't matter.
        needs: Headers that a request must have, and texts in them: logins, tokens, cookies.
        status: Of the answer.
        headers: Of the answer.
        answer: Body of the answer.
        scenario: Under which circumstances the array answers so; "" and "default": usually.
    """

    method: str
    path: str
    query: Pairs = ()
    body: str | None = None
    needs: Pairs = ()
    status: int = 200
    headers: Pairs = ()
    answer: bytes = b""
    scenario: str = ""


@dataclass(frozen=True)
class CommandEntry:
    """A command, over SSH or as a line in its shell, and what it wrote.

    Attributes:
        command: Its line; `*` stands for anything.
        stdout: What it wrote.
        stderr: What it wrote beside that.
        exit_status: How it ended.
        scenario: As of an `HttpEntry`.
        after: Lines that a shell must have got before this one has this meaning.
    """

    command: str
    stdout: bytes
    stderr: bytes = b""
    exit_status: int = 0
    scenario: str = ""
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class ShellEntry:
    """A line sent to a shell (empty: none yet, or one that held a secret), and all that came for it."""

    sent: str
    received: bytes
    scenario: str = ""


@dataclass(frozen=True)
class Recording:
    """What was recorded, in the order in which it happened.

    Attributes:
        http: Requests.
        commands: Commands in channels of their own.
        shell: Lines of a shell.
        tokens: What stands for secrets that the array gave: a simulator that gave one takes it from then on.
        snmp: Variables in the format of snmpsim, a line each; empty: none.
        files: Files that the array gave over SFTP or SCP, by path.
        access: With which the simulated array is reached, in the form of a file for `--array`.
        logins: The files that `access` names for secrets, and what is in them.
    """

    http: tuple[HttpEntry, ...] = ()
    commands: tuple[CommandEntry, ...] = ()
    shell: tuple[ShellEntry, ...] = ()
    tokens: frozenset[str] = frozenset()
    snmp: str = ""
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    access: Mapping[str, Any] = field(default_factory=dict[str, Any])
    logins: Mapping[str, str] = field(default_factory=dict[str, str])


def read(folder: Path) -> Recording:
    """Reads a recording: one of ours, or a folder of samples (see `samples`). RecordingError where it is none."""
    document = read_json(folder / INDEX)
    if isinstance(document, list):
        from delphis.sdk.recording import samples

        return samples.read(folder, document)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise RecordingError(f'{folder / INDEX} is no recording: it lacks "format": "{FORMAT}".')
    snmp, access = folder / SNMP, folder / ACCESS
    entries: list[Any] = []
    for place, table in enumerate(document.get("entries", [])):
        try:
            entries.append(_entry(folder, table))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordingError(f"{folder / INDEX}: entry {place} can't be used: {error!r}.") from None
    return Recording(
        http=tuple(entry for entry in entries if isinstance(entry, HttpEntry)),
        commands=tuple(entry for entry in entries if isinstance(entry, CommandEntry)),
        shell=tuple(entry for entry in entries if isinstance(entry, ShellEntry)),
        tokens=frozenset(map(str, document.get("tokens", []))),
        snmp=read_bytes(snmp).decode() if snmp.exists() else "",
        access=read_json(access) if access.exists() else {},
        logins={each.name: read_bytes(each).decode() for each in sorted(folder.glob("*.secret"))},
    )


def _entry(folder: Path, table: Mapping[str, Any]) -> HttpEntry | CommandEntry | ShellEntry:
    answer = read_bytes(folder / table["response_file"]) if table.get("response_file") else b""
    scenario = str(table.get("scenario") or "")
    match table["method"]:
        case "SSH":
            return CommandEntry(
                table["command"], answer, str(table.get("stderr", "")).encode(), int(table.get("status", 0)), scenario
            )
        case "SHELL":
            return ShellEntry(table["sent"], answer, scenario)
        case method:
            body = table.get("body")
            return HttpEntry(
                str(method),
                table["path"],
                tuple((str(name), str(value)) for name, value in table.get("query") or ()),
                body if body is None or isinstance(body, str) else json.dumps(body),
                tuple((table.get("request_headers") or {}).items()),
                int(table["status"]),
                tuple((str(name), str(value)) for name, value in table.get("response_headers") or ()),
                answer,
                scenario,
            )


def write(folder: Path, recording: Recording, about: Mapping[str, Any]) -> None:
    """Writes a recording into a new or empty folder. RecordingError where that can't be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise RecordingError(f"{folder} is not empty; name a new folder.")
        all_: list[HttpEntry | CommandEntry | ShellEntry] = [*recording.http, *recording.commands, *recording.shell]
        entries = [_table(folder, number, entry) for number, entry in enumerate(all_, 1)]
        document = {"format": FORMAT, **about, "tokens": sorted(recording.tokens), "entries": entries}
        _write_json(folder / INDEX, document)
        if recording.snmp:
            (folder / SNMP).write_text(recording.snmp, encoding="ascii")
        if recording.access:
            _write_json(folder / ACCESS, recording.access)
        for name, text in recording.logins.items():
            (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise RecordingError(f"{error.filename or folder} can't be written: {error.strerror}.") from None


def _write_json(path: Path, document: Any) -> None:
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _table(folder: Path, number: int, entry: HttpEntry | CommandEntry | ShellEntry) -> dict[str, Any]:
    table: dict[str, Any]
    match entry:
        case HttpEntry():
            table = {"method": entry.method, "path": entry.path}
            table |= {"query": [list(pair) for pair in entry.query]} if entry.query else {}
            table |= {"request_headers": dict(entry.needs)} if entry.needs else {}
            table |= {"body": _readable(entry.body)} if entry.body is not None else {}
            table |= {"status": entry.status}
            table |= {"response_headers": [list(pair) for pair in entry.headers]} if entry.headers else {}
            name, body = f"{entry.method}_{entry.path}", entry.answer
        case CommandEntry():
            table = {"method": "SSH", "command": entry.command, "status": entry.exit_status}
            table |= {"stderr": entry.stderr.decode("utf-8", "replace")} if entry.stderr else {}
            name, body = entry.command, entry.stdout
        case ShellEntry():
            table = {"method": "SHELL", "sent": entry.sent}
            name, body = f"shell_{entry.sent}", entry.received
    if body:
        file = f"{number:04}_{re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_')[:60]}{_suffix(body)}"
        (folder / file).write_bytes(body)
        table["response_file"] = file
    return table


def _readable(body: str) -> Any:
    """The body as JSON, where that says the same."""
    try:
        made = json.loads(body)
    except ValueError:
        return body
    return made if isinstance(made, dict | list) else body


def _suffix(body: bytes) -> str:
    match body.lstrip()[:1]:
        case b"{" | b"[":
            return ".json"
        case b"<":
            return ".xml"
        case _:
            return ".bin" if b"\0" in body else ".txt"


def read_json(path: Path) -> Any:
    """The document in a file."""
    try:
        return json.loads(read_bytes(path))
    except ValueError as error:
        raise RecordingError(f"{path} is no JSON: {error}.") from None


def read_bytes(path: Path) -> bytes:
    """What is in a file."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path} can't be read: {error.strerror}.") from None


def names_of(entries: Iterable[HttpEntry]) -> list[str]:
    """`GET /path` of each entry, once."""
    return list(dict.fromkeys(f"{entry.method} {entry.path}" for entry in entries))
