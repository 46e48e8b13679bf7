"""driver.toml files by which Delphis starts the adapter with a driver."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from delphis.delfin.entry_points import Installed
from delphis.delfin.errors import AdapterError

MANIFEST = "driver.toml"


def text(driver: Installed, *, name: str, paths: Sequence[str]) -> str:
    """The manifest: it runs this interpreter, in whose environment the driver is."""
    command = [sys.executable, "-P", "-m", "delphis.delfin", "run", driver.driver_class]
    command += [word for path in paths for word in ("--path", path)]
    lines = [f"name = {_quoted(name)}", f"version = {_quoted(driver.version)}", ""]
    for vendor, model in driver.serves:
        lines += ["[[serves]]", f"vendor = {_quoted(vendor)}", f"model = {_quoted(model)}", ""]
    words = ",\n".join(f"    {_quoted(word)}" for word in command)
    return "\n".join([*lines, "[host]", f"command = [\n{words},\n]", ""])


def write(driver: Installed, folder: Path, *, name: str, paths: Sequence[str] = ()) -> Path:
    """Writes `FOLDER/NAME/driver.toml`. AdapterError where that can't be done."""
    file = folder / name / MANIFEST
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text(driver, name=name, paths=paths), encoding="utf-8")
    except OSError as error:
        raise AdapterError(f"{file} can't be written: {error.strerror}.") from None
    return file


def _quoted(word: str) -> str:
    return json.dumps(word, ensure_ascii=False)
