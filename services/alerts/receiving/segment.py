"""One file of the spool: a mark at its begin, then records. What a crash tore off its end is found and cut."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from services.alerts.receiving.record import Damaged, largest, unpacked

MARK = b"DLPHSPL1"
BEGIN = len(MARK)
_SUFFIX = ".spool"
_CHUNK = 256 * 1024


@dataclass(slots=True)
class Usage:
    """What one source has in a segment, or in the spool."""

    octets: int = 0
    records: int = 0


@dataclass(slots=True)
class Segment:
    """A file, and what is known of it."""

    number: int
    path: Path
    size: int
    """Up to where its records are whole."""
    newest_at_ns: int
    """When its last record was received."""
    usage: dict[str, Usage] | None = field(default_factory=dict)
    """By source; None for one of an earlier process, which isn't read until it has to be."""

    def count(self, offset: int) -> dict[str, int]:
        """How many records each source has from `offset` on, read from the file."""
        found: dict[str, int] = {}
        with self.path.open("rb") as file:
            at = max(offset, BEGIN)
            file.seek(at)
            held = file.read(self.size - at)
        at = 0
        try:
            while record := unpacked(held, at):
                source = record[0].source
                found[source] = found.get(source, 0) + 1
                at = record[1]
        except Damaged:
            pass  # counted where it is read; here only what is whole counts
        return found


def name_of(number: int) -> str:
    """The file's name: sorted by number."""
    return f"{number:016d}{_SUFFIX}"


def found_in(folder: Path) -> list[Segment]:
    """The segments in a folder, oldest first, the last one without its torn end."""
    numbered = {int(path.stem): path for path in folder.glob(f"*{_SUFFIX}") if path.stem.isdigit()}
    segments: list[Segment] = []
    for number, path in sorted(numbered.items()):
        about = path.stat()
        if about.st_size < BEGIN:  # made, and nothing more
            path.unlink()
            continue
        segments.append(Segment(number, path, about.st_size, about.st_mtime_ns, None))
    if segments:
        last = segments[-1]
        last.size = _whole(last)
        if last.size < last.path.stat().st_size:
            os.truncate(last.path, last.size)
    return segments


def _whole(segment: Segment) -> int:
    """Where the last whole record ends."""
    with segment.path.open("rb") as file:
        if file.read(BEGIN) != MARK:
            return BEGIN
        whole, held, at = BEGIN, b"", 0
        while chunk := file.read(_CHUNK):
            held, at = held[at:] + chunk, 0
            try:
                while record := unpacked(held, at):
                    whole += record[1] - at
                    at = record[1]
            except Damaged:
                return whole
            if len(held) - at > largest():
                return whole
        return whole
