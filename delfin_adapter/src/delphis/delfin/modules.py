"""`import delfin…`: Delfin's own modules where they can be imported, ours (`standin`) where they can't.

This is decided module by module, when a driver imports it: an installed Delfin often lacks what its helpers need.
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from delphis.delfin import delfin_settings

log = logging.getLogger(__name__)

ROOT = "delfin"
_OF_DRIVERS = "delfin.drivers"
_FOLDER = Path(__file__).parent / "standin"


def stand_in(name: str) -> Path | None:
    """The file of ours that can be the module of this name."""
    path = _FOLDER.joinpath(*name.split(".")[1:])
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file
    return None


class DelfinFinder(MetaPathFinder):
    """Finds `delfin` and what is in it."""

    def __init__(self) -> None:
        self.stood_in: dict[str, str] = {}
        """Modules that are ours, and why."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != ROOT and not fullname.startswith(f"{ROOT}."):
            return None
        ours = stand_in(fullname)
        real = self._real(fullname, path, target)
        if ours is None:
            return real
        if real is None or real.loader is None:
            return self._ours(fullname, ours, real)
        real.loader = _Fallback(real.loader, ours, self.stood_in)
        return real

    def _real(self, name: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)  # some of old libraries lack it
            if find is not None and finder is not self and (spec := find(name, path, target)) is not None:
                found: ModuleSpec = spec
                return found
        return None

    def _ours(self, name: str, file: Path, real: ModuleSpec | None) -> ModuleSpec | None:
        # A folder named delfin without __init__.py may hold drivers; what they import beside is ours.
        places = list(real.submodule_search_locations or ()) if real is not None else []
        spec = importlib.util.spec_from_file_location(name, file, submodule_search_locations=_places(file, places))
        self.stood_in[name] = "it is not installed"
        return spec


def _places(file: Path, more: list[str]) -> list[str] | None:
    return more if file.name == "__init__.py" else None


class _Fallback(Loader):
    """Runs Delfin's module; ours in its place where that fails.

    Not so below `delfin.drivers`: what is there is as much the driver's as its own file, and ours can less.
    """

    def __init__(self, real: Loader, ours: Path, stood_in: dict[str, str]) -> None:
        self._real = real
        self._ours = ours
        self._stood_in = stood_in

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)  # the source for tracebacks, data beside the module

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._real.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        name = module.__name__
        kept = dict(module.__dict__)
        try:
            if before := _BEFORE.get(name):
                before()
            self._real.exec_module(module)
        except Exception as error:
            if name.startswith(_OF_DRIVERS):
                raise
            self._stood_in[name] = f"Delfin's own fails: {type(error).__name__}: {error}"
            log.info("%s is ours: Delfin's own can't be imported here (%s: %s)", name, type(error).__name__, error)
            module.__dict__.clear()
            module.__dict__.update(kept)
            code = compile(self._ours.read_text(encoding="utf-8"), str(self._ours), "exec", dont_inherit=True)
            exec(code, module.__dict__)
            return
        if after := _AFTER.get(name):
            after(module)


def _same_serial(module: ModuleType) -> None:
    """A host has no database of Delfin's; without one a generated array would have another serial at each call."""
    from delphis.delfin.standin import db

    module.__dict__["storage_get"] = db.storage_get


def _has_connect_timeout(module: ModuleType) -> None:
    """Some pools of connections read a class attribute that this class lost."""
    pool = getattr(module, "SSHPool", None)
    if pool is not None and not hasattr(pool, "conn_timeout"):
        pool.conn_timeout = None


_BEFORE: dict[str, Callable[[], None]] = {
    "delfin.cryptor": delfin_settings.register,
    "delfin.ssl_utils": delfin_settings.register,
    "delfin.common.config": delfin_settings.make_way,
}
_AFTER: dict[str, Callable[[ModuleType], None]] = {
    "delfin.common.config": lambda _: delfin_settings.override(),
    "delfin.db": _same_serial,
    "delfin.drivers.utils.ssh_client": _has_connect_timeout,
}

FINDER = DelfinFinder()


def install() -> DelfinFinder:
    """Makes `import delfin` work in this process from now on."""
    if FINDER not in sys.meta_path:
        sys.meta_path.insert(0, FINDER)
    return FINDER
