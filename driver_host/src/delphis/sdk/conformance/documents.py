"""Reads the files that people write for a check: YAML, JSON or TOML, by the ending of their names."""

from __future__ import annotations

import importlib
import json
import tomllib
from pathlib import Path
from typing import Any

from delphis.sdk.conformance.errors import UsageError

_MOST_BYTES = 16 << 20


def read(path: Path) -> Any:
    """What is in a file. UsageError where it can't be read."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}.") from None
    if len(data) > _MOST_BYTES:
        raise UsageError(f"{path} is larger than 16 MiB.")
    try:
        text = data.decode("utf-8")
        match path.suffix.lower():
            case ".toml":
                return tomllib.loads(text)
            case ".yaml" | ".yml":
                return _yaml(path, text)
            case _:
                return json.loads(text)
    except ValueError as error:  # of all three, and of decode
        kind = path.suffix.lower().removeprefix(".").replace("yml", "yaml").upper() or "JSON"
        raise UsageError(f"{path} is no {kind}: {error}.") from None


def _yaml(path: Path, text: str) -> Any:
    try:
        yaml: Any = importlib.import_module("yaml")
    except ModuleNotFoundError:
        raise UsageError(
            f"{path} needs PyYAML: pip install 'delphis-driver-sdk[conformance]', or write JSON or TOML."
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


def table(value: Any, where: str) -> dict[str, Any]:
    """The value, which must be a table with texts for keys."""
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise UsageError(f"{where} must be a table of names and values, not {type(value).__name__}.")
    return value
