"""`delphis-driver new`."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from delphis.sdk.project import Names, ProjectError, write

USAGE = 2


def new(words: Sequence[str]) -> int:
    """Makes a project of a driver: code, manifest, tests, a simulated array, Dockerfile. It runs as it is."""
    parser = argparse.ArgumentParser(prog="delphis-driver new", description=new.__doc__)
    parser.add_argument("name", metavar="NAME", help="of the project, such as acme-box")
    parser.add_argument("--vendor", required=True, metavar="V", help="of the arrays, as operators will write it")
    parser.add_argument("--model", required=True, metavar="M", help="of the arrays, as operators will write it")
    parser.add_argument("--dir", metavar="D", type=Path, help="the project's folder, new or empty (default: ./NAME)")
    given = parser.parse_args(words)
    try:
        folder = Path(given.name) if given.dir is None else given.dir
        written = write(Names(given.name, given.vendor, given.model), folder)
    except ProjectError as error:
        print(f"delphis-driver new: {error}", file=sys.stderr)
        return USAGE
    shown = os.path.relpath(folder) if not folder.is_absolute() else str(folder)
    print(f"{len(written)} files in {shown}, among them README.md. Its tests:\n")
    print(f"    cd {shlex.quote(shown)} && PYTHONPATH=.:src python -m pytest")
    return 0
