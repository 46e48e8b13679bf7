"""What an import did, for people and for programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.importing.source import Left
from services.importing.transfer import Outcome, Result

TLS_NOTE = (
    "Delphis verifies the certificates of arrays, which Delfin left out unless told otherwise. Where they are "
    "self-signed, import with --array-ca FILE or --array-tls off, or change it later with `delphis access update`."
)
SYNC_NOTE = "Arrays are synced when their time comes, within 23 minutes; at once: delphis storages sync --all"


@dataclass(slots=True)
class Report:
    """One run."""

    source: str
    server: str
    dry_run: bool
    results: list[Result] = field(default_factory=list)
    left: Sequence[Left] = ()
    notes: list[str] = field(default_factory=list)
    unfinished: int = 0
    """Storages that nothing was done about, since the run was cut short."""

    def count(self, outcome: Outcome) -> int:
        """How many storages it came to this for."""
        return self._counts()[outcome]

    @property
    def complete(self) -> bool:
        """Whether each storage is, or would be, in the inventory."""
        return not self.unfinished and not self.count(Outcome.FAILED)

    def _counts(self) -> Counter[Outcome]:
        return Counter(result.outcome for result in self.results)


def line(result: Result) -> Iterator[str]:
    """A storage in lines of text."""
    planned = result.planned
    names = " ".join(part for part in (planned.vendor, planned.model) if part)
    yield _plain("  ".join((f"{result.outcome:<12}", planned.storage_id or "no id", names, planned.name)).rstrip())
    if result.problem:
        yield _plain(f"              {result.problem}" + (f" ({result.reason})" if result.reason else ""))
    for warning in result.warnings:
        yield _plain(f"              note: {warning}")


def ending(report: Report) -> Iterator[str]:
    """What is to say after all storages."""
    done = Outcome.WOULD_IMPORT if report.dry_run else Outcome.IMPORTED
    parts = [
        f"{report.count(done)} {'would be imported' if report.dry_run else 'imported'}",
        f"{report.count(Outcome.EXISTS)} were there already",
        f"{report.count(Outcome.FAILED)} failed",
    ]
    if report.unfinished:
        parts.append(f"{report.unfinished} not tried")
    yield ""
    yield ", ".join(parts) + ("; nothing was stored." if report.dry_run else ".")
    if report.left:
        yield ""
        yield "Not taken:"
        for left in report.left:
            yield _plain(f"  {left.what}{_rows(left)}: {left.why}")
    for note in report.notes:
        yield ""
        yield note


def document(report: Report) -> str:
    """All of it as JSON."""
    content: dict[str, Any] = {
        "source": report.source,
        "server": report.server,
        "dry_run": report.dry_run,
        "complete": report.complete,
        "counts": {outcome.name.lower(): report.count(outcome) for outcome in Outcome}
        | {"not_tried": report.unfinished},
        "storages": [
            {
                "id": result.planned.storage_id,
                "name": result.planned.name,
                "vendor": result.planned.vendor,
                "model": result.planned.model,
                "outcome": result.outcome.name.lower(),
                "reason": result.reason,
                "problem": result.problem,
                "warnings": list(result.warnings),
            }
            for result in report.results
        ],
        "not_taken": [
            {"what": left.what, "why": left.why, "rows": left.rows, "more_rows": left.more} for left in report.left
        ],
        "notes": report.notes,
    }
    return json.dumps(content, indent=2, ensure_ascii=False)


def _rows(left: Left) -> str:
    if left.rows is None:
        return ""
    return f", {'more than ' if left.more else ''}{left.rows:,} row{'' if left.rows == 1 else 's'}"


def _plain(text: str) -> str:
    """Without control characters: the texts come from a database, and go to a terminal."""
    return "".join(character if character.isprintable() else f"\\x{ord(character):02x}" for character in text)
