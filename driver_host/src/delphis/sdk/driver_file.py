"""Where a driver's code is, found without running it."""

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


def import_root(module: str, folder: Path) -> Path | None:
    """The folder from which a manifest's module is imported; None: it is installed.

    Args:
        module: As a manifest writes it: `acme.driver`.
        folder: The manifest's. Looked at are it, `src` in it, and the three above.
    """
    place = Path(*module.split("."))
    for root in (folder, folder / "src", *folder.parents[:3]):
        if (root / place.with_suffix(".py")).is_file() or (root / place / "__init__.py").is_file():
            return root
    return None


def _is_driver(base: ast.expr) -> bool:
    return ast.unparse(base).rpartition(".")[2] == StorageDriver.__name__
