"""Where a driver's code is, found without running it."""

from __future__ import annotations

import ast
from pathlib import Path

from delphis.sdk.driver import StorageDriver


class NoSingleDriver(Exception):
    """The file has no driver, or several; the message says so."""


def only_class(path: Path) -> str:
    """The name of the one driver in a file: a subclass of StorageDriver that is no other's base there."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise NoSingleDriver(f"{path} can't be read as Python: {error}.") from None
    found = _drivers(tree)
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


def _drivers(tree: ast.Module) -> list[str]:
    names, bases, found = {StorageDriver.__name__}, set[str](), list[str]()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom):
            names |= {each.asname for each in node.names if each.asname and each.name == StorageDriver.__name__}
        elif isinstance(node, ast.ClassDef):
            of = {ast.unparse(base).rpartition(".")[2] for base in node.bases} & names
            if of:
                names.add(node.name)
                bases |= of
                found.append(node.name)
    return [name for name in found if name not in bases]
