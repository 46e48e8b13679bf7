"""A driver in one Python file: which class it is, without running the file."""

from __future__ import annotations

import ast
from pathlib import Path

from delphis.sdk.driver import StorageDriver


class NoSingleDriver(Exception):
    """The file has no driver, or several; the message says so."""


def only_class(path: Path) -> str:
    """The name of the one driver in a file."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise NoSingleDriver(f"{path} can't be read as Python: {error}.") from None
    found = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and any(map(_is_driver, node.bases))]
    if len(found) != 1:
        what = f"the drivers {', '.join(found)}" if found else "no subclass of StorageDriver"
        raise NoSingleDriver(f"{path} has {what}: name the class, as in {path}:Class.")
    return found[0]


def _is_driver(base: ast.expr) -> bool:
    return ast.unparse(base).rpartition(".")[2] == StorageDriver.__name__
