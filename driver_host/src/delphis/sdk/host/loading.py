"""Finds the driver's class. What goes wrong becomes data, so that an operator sees it in Delphis."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import logging
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from delphis.sdk.driver import StorageDriver
from delphis.sdk.host.contract import methods
from delphis.sdk.redaction import SECRETS

log = logging.getLogger(__name__)

# What a host does for every driver.
ALWAYS = frozenset({"GetDriverInfo", "GetStorage", "ResetConnection", "CloseStorage"})
LONGEST_ERROR = 16_000


class NotADriver(Exception):
    """What was found under the name is no driver."""


@dataclass(frozen=True)
class LoadedDriver:
    """A driver's class, or why there is none."""

    driver: type[StorageDriver] | None
    error: str = ""

    @property
    def announced(self) -> tuple[str, ...]:
        """Names of the RPCs that the driver has, in the contract's order."""
        driver = self.driver
        if driver is None:
            return ()
        return tuple(
            name for name, method in methods().items() if name in ALWAYS or overrides(driver, method.python_name)
        )


def overrides(driver: type[StorageDriver], python_name: str) -> bool:
    """Whether a driver's class has a method of its own, or one of a base between it and StorageDriver."""
    own, base = inspect.getattr_static(driver, python_name, None), StorageDriver.__dict__.get(python_name)
    return own is not None and own is not base


def load(name: str) -> LoadedDriver:
    """The class named `module:Class` or `path/to/file.py:Class`. Never raises."""
    try:
        return LoadedDriver(_find(name))
    except NotADriver as error:
        log.error("the driver %s can't be loaded: %s", name, error)
        return LoadedDriver(None, str(error))
    except BaseException as error:  # noqa: BLE001 - a driver's module may raise anything, SystemExit too
        text = SECRETS.scrub("".join(traceback.format_exception(error)))
        log.error("the driver %s can't be loaded:\n%s", name, text)
        first = f"{type(error).__name__}: {SECRETS.scrub(str(error))}"
        return LoadedDriver(None, f"{first}\n{text[-LONGEST_ERROR:]}")


def _find(name: str) -> type[StorageDriver]:
    place, colon, attribute = name.rpartition(":")
    if not colon or not place or not attribute:
        raise NotADriver(f"{name!r} is neither module:Class nor path/to/file.py:Class.")
    module = import_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    found: object = module
    for part in attribute.split("."):
        found = getattr(found, part, None)
        if found is None:
            raise NotADriver(f"{place} has no {attribute}.")
    if not isinstance(found, type) or not issubclass(found, StorageDriver):
        raise NotADriver(f"{name} is not a subclass of delphis.sdk.StorageDriver.")
    if not overrides(found, "get_storage"):
        raise NotADriver(f"{name} has no get_storage, the one method that every driver needs.")
    if inspect.isabstract(found):
        missing = ", ".join(sorted(getattr(found, "__abstractmethods__", ())))
        raise NotADriver(f"{name} is abstract; it lacks {missing}.")
    return found


def import_file(path: Path) -> ModuleType:
    """The module of a file. Modules beside it can be imported by their names."""
    path = path.resolve()
    if not path.is_file():
        raise NotADriver(f"There is no file {path}.")
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.append(folder)  # last, so that no file beside the driver hides a module of a library
    name = path.stem if path.stem not in sys.modules else f"{path.stem}_of_{path.parent.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise NotADriver(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
