"""Which methods a driver really has. The interface makes it write some that do nothing, or only say so."""

from __future__ import annotations

import dis
import inspect
from typing import Any

BASE_MODULE, BASE_NAME = "delfin.drivers.driver", "StorageDriver"

_NOT_AN_ACT = frozenset({"RESUME", "NOP", "CACHE", "PUSH_NULL", "PRECALL", "COPY_FREE_VARS", "MAKE_CELL"})
_RETURNS = (("LOAD_CONST", "RETURN_VALUE"), ("RETURN_CONST",))


def base_of(driver: type[Any]) -> type[Any] | None:
    """Delfin's base class among a driver's, be it Delfin's own or ours."""
    for base in driver.__mro__:
        if base.__module__ == BASE_MODULE and base.__name__ == BASE_NAME:
            return base
    return None


def has(driver: type[Any], name: str) -> bool:
    """Whether a driver has a method that does something."""
    own = inspect.getattr_static(driver, name, None)
    base = base_of(driver)
    if own is None or (base is not None and own is base.__dict__.get(name)):
        return False
    return not is_empty(own)


def is_empty(method: Any) -> bool:
    """Whether a function does nothing but return None, or raise NotImplementedError."""
    function = inspect.unwrap(getattr(method, "__func__", method))
    if not inspect.isfunction(function):
        return False
    acts = [one for one in dis.get_instructions(function) if one.opname not in _NOT_AN_ACT]
    names = tuple(one.opname for one in acts)
    if names in _RETURNS:
        return acts[0].argval is None
    return (
        bool(acts)
        and acts[0].opname == "LOAD_GLOBAL"
        and acts[0].argval == "NotImplementedError"
        and set(names[1:]) <= {"CALL", "RAISE_VARARGS", "LOAD_CONST", "KW_NAMES"}
        and names[-1] == "RAISE_VARARGS"
    )
