"""Finds a class of Delfin's interface, and says in a sentence what is missing."""

from __future__ import annotations

import importlib
import inspect
import sys
import warnings
from pathlib import Path
from typing import Any

from delphis.delfin import modules
from delphis.sdk.host.loading import NotADriver, import_file

# Where the name that is imported isn't the one that is installed.
_DISTRIBUTIONS = {
    "oslo_concurrency": "oslo.concurrency",
    "oslo_config": "oslo.config",
    "oslo_context": "oslo.context",
    "oslo_db": "oslo.db",
    "oslo_i18n": "oslo.i18n",
    "oslo_log": "oslo.log",
    "oslo_middleware": "oslo.middleware",
    "oslo_utils": "oslo.utils",
    "OpenSSL": "pyOpenSSL",
    "webob": "WebOb",
    "yaml": "PyYAML",
}


def find(name: str) -> type[Any]:
    """The class named `module:Class` or `path/to/file.py:Class`.

    Raises:
        NotADriver: There is none, or a module that it imports is missing; the message says which.
        Exception: Whatever else the module raises.
    """
    place, _, attribute = name.rpartition(":")
    if not place or not attribute:
        raise NotADriver(f"{name!r} is neither module:Class nor path/to/file.py:Class.")
    modules.install()
    try:
        with warnings.catch_warnings():
            # Old libraries and old drivers announce at import that they are old.
            warnings.simplefilter("ignore")
            module: Any = import_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except ModuleNotFoundError as error:
        raise NotADriver(_missing(name, error)) from error
    found: Any = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise NotADriver(f"{place} has no {attribute}.")
    if not isinstance(found, type):
        raise NotADriver(f"{name} is no class.")
    if not callable(getattr(found, "get_storage", None)):
        raise NotADriver(f"{name} has no get_storage, so it is no driver of Delfin's interface.")
    if inspect.isabstract(found):
        lacks = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        raise NotADriver(f"{name} is abstract; it lacks {lacks}.")
    return found


def _missing(name: str, error: ModuleNotFoundError) -> str:
    missing = error.name or str(error)
    top = missing.partition(".")[0]
    if top == modules.ROOT:
        return (
            f"{name} imports {missing}, which is neither installed here nor part of the stand-in for Delfin; install "
            f"Delfin's package beside the driver, or name its folder with --path."
        )
    if name.startswith((f"{missing}.", f"{missing}:")):
        return f"There is no module {missing}; install the driver here, or name its folder with --path."
    distribution = _DISTRIBUTIONS.get(top, top)
    return (
        f"{name} imports {missing}, which is not installed here; install it beside the driver: "
        f"{sys.executable} -m pip install {distribution}"
    )
