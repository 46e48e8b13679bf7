"""Writes a project: all of its files, or none."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import tempfile
from importlib.resources import files
from pathlib import Path

from delphis.sdk.project.errors import ProjectError
from delphis.sdk.project.names import Names
from delphis.sdk.version import VERSION

#: Where the files of the template go.
FILES = {
    "package": "src/«package»/__init__.py",
    "driver": "src/«package»/driver.py",
    "api": "src/«package»/api.py",
    "resources": "src/«package»/resources.py",
    "simulator": "simulator/__init__.py",
    "simulator_array": "simulator/array.py",
    "simulator_main": "simulator/__main__.py",
    "simulator_server": "simulator/server.py",
    "password": "simulator/password",
    "conftest": "tests/conftest.py",
    "test_conformance": "tests/test_conformance.py",
    "test_driver": "tests/test_driver.py",
    "array_toml": "array.toml",
    "driver_toml": "driver.toml",
    "pyproject": "pyproject.toml",
    "dockerfile": "Dockerfile",
    "dockerignore": ".dockerignore",
    "gitignore": ".gitignore",
    "readme": "README.md",
}
EMPTY = ("src/«package»/py.typed",)
_PLACE = re.compile("«([a-z_]+)»")


def project(names: Names) -> dict[str, str]:
    """The text of each file of a project, by its path."""
    values = _values(names)

    def filled(text: str) -> str:
        return _PLACE.sub(lambda place: values[place[1]], text)

    template = files("delphis.sdk.project").joinpath("template")
    written = {
        filled(path): filled(template.joinpath(f"{name}.txt").read_text(encoding="utf-8"))
        for name, path in FILES.items()
    }
    return written | {filled(path): "" for path in EMPTY}


def write(names: Names, folder: Path) -> list[str]:
    """Writes a project into a folder that is new or empty.

    Args:
        names: The project's.
        folder: Where; folders above it are made where they are missing.

    Returns:
        The paths of the files, relative to the folder.

    Raises:
        ProjectError: The folder holds something, or can't be written.
    """
    written = project(names)
    try:
        folder = folder.resolve()
        there = folder.exists()
        if there and not folder.is_dir():
            raise ProjectError(f"{folder} is a file; name a folder that is new or empty with --dir.")
        if there and any(folder.iterdir()):
            raise ProjectError(f"The folder {folder} is not empty; name another with --dir.")
        made = _made_parents(folder.parent)
        try:
            _write(written, folder, there=there)
        except BaseException:
            for parent in reversed(made):
                parent.rmdir()
            raise
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise ProjectError(f"{folder} can't be written: {getattr(error, 'strerror', None) or error}.") from None
    return sorted(written)


def _made_parents(folder: Path) -> list[Path]:
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()][::-1]
    for number, parent in enumerate(missing):
        try:
            parent.mkdir()
        except OSError:
            for made in reversed(missing[:number]):
                made.rmdir()
            raise
    return missing


def _write(written: dict[str, str], folder: Path, *, there: bool) -> None:
    # Beside the folder, or inside where it is there already: somebody may be in it, or may not write above it.
    staging = Path(tempfile.mkdtemp(prefix=".delphis-driver-new-", dir=folder if there else folder.parent))
    try:
        for path, text in written.items():
            file = staging / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
        if there:
            for each in sorted(staging.iterdir()):
                each.rename(folder / each.name)
            staging.rmdir()
        else:
            umask = os.umask(0)
            os.umask(umask)
            staging.chmod(0o777 & ~umask)
            staging.rename(folder)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise


def _values(names: Names) -> dict[str, str]:
    return {
        "distribution": names.distribution,
        "package": names.package,
        "prefix": names.prefix,
        "class": names.driver_class,
        "own_imports": "\n".join(
            sorted([f"from {names.package}.driver import {names.driver_class}", "from simulator import Simulator"])
        ),
        "sdk_version": VERSION,
        "vendor": names.vendor,
        "model": names.model,
        "vendor_word": shlex.quote(names.vendor),
        "model_word": shlex.quote(names.model),
        # A basic string of TOML is written as JSON writes it.
        "driver_name_text": json.dumps(names.driver_name),
        "vendor_text": json.dumps(names.vendor, ensure_ascii=False),
        "model_text": json.dumps(names.model, ensure_ascii=False),
        "pair_text": json.dumps(f"{names.vendor} {names.model}", ensure_ascii=False),
        "description_text": json.dumps(
            f"A storage driver for Delphis: {names.vendor} {names.model}", ensure_ascii=False
        ),
    }
