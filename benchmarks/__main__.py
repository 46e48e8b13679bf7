"""Runs the benchmarks, prints their table, and adds it to the history. `python -m benchmarks [NAME …]`."""

from __future__ import annotations

import argparse
import datetime
import importlib
import json
import platform
import subprocess
import sys
import tempfile
import traceback
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Row

NAMES = (
    "process",
    "rest",
    "sync",
    "lists",
    "codec",
    "delfin_adapter",
    "hosts",
    "traps",
    "alerts",
    "alert_lists",
    "telemetry",
)
LONG = ("telemetry_fleet",)
"""Run only where it is named."""
HEAD = ("what", "measured", "ratio to a limit of the same run", "aimed at", "reached", "Delfin")
WHICH = f"which; all where none is named, but for {', '.join(LONG)}, which takes 10 minutes"
HISTORY = Path(__file__).parent / "history.jsonl"


def number(value: float) -> str:
    """Three figures, or all before the point."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def cells(row: Row) -> tuple[str, ...]:
    """A row as text."""
    limit = f"{row.ratio:.2f} × {row.limit_name} ({number(row.limit)})" if row.ratio and row.limit else ""
    goal = row.goal
    if row.aim is not None and row.quiet_limit is not None:
        goal = f"{row.goal}, here {row.goal[0]} {number(row.aim)}"
    reached = {True: "yes", False: "no", None: ""}[row.reached]
    return row.name, f"{number(row.value)} {row.unit}", limit, goal, reached, row.delfin


def table(rows: list[Row]) -> Table:
    """The table for people."""
    shown = Table(*HEAD)
    for row in rows:
        shown.add_row(*cells(row))
    return shown


def markdown(rows: list[Row]) -> str:
    """The table for README.md."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    lines += ["| " + " | ".join(cells(row)) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, *LONG, []], help=WHICH)
    parser.add_argument("--markdown", action="store_true", help="print the table for README.md too")
    parser.add_argument("--record", action="store_true", help="add the figures to the history in git")
    options = parser.parse_args()
    rows: list[Row] = []
    failed: list[str] = []
    console = Console(width=150)
    for name in options.names or NAMES:
        module = importlib.import_module(f"benchmarks.{name}")
        with tempfile.TemporaryDirectory(prefix=f"delphis-bench-{name}-") as folder:
            try:
                for row in module.run(Path(folder)):
                    rows.append(row)
                    sys.stderr.write("  ".join(cells(row)) + "\n")
            except Exception:  # noqa: BLE001 - the other sections' figures are still wanted
                traceback.print_exc()
                failed.append(name)
    console.print(table(rows))
    if options.markdown:
        sys.stdout.write(markdown(rows) + "\n")
    if options.record:
        revision = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
        entry = {
            "at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "revision": revision.stdout.strip(),
            "python": platform.python_version(),
            "rows": [asdict(row) for row in rows],
        }
        with HISTORY.open("a") as history:
            history.write(json.dumps(entry, ensure_ascii=False) + "\n")
    if failed:
        sys.exit(f"These sections failed: {', '.join(failed)}.")


if __name__ == "__main__":
    main()
