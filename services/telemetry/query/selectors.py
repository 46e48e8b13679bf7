"""Series selectors of PromQL. Ids come from arrays: whatever stands in them stays a value."""

from __future__ import annotations

import re
from collections.abc import Iterable

_SIGNS = re.compile(r'["\\\x00-\x1f\x7f]')
_REGEX = re.compile(r"[\\.+*?()|\[\]{}^$]")


def selector(name: str, *, storage_ids: Iterable[str], native_ids: Iterable[str] | None = None) -> str:
    """The series of a metric, of some storages, and of some resources or (None) all."""
    matchers = [_one_of("storage_id", storage_ids)]
    if native_ids is not None:
        matchers.append(_one_of("resource_id", native_ids))
    return f"{name}{{{','.join(matchers)}}}"


def _one_of(label: str, values: Iterable[str]) -> str:
    listed = [_as_written(value) for value in values]
    if len(listed) == 1:
        return f"{label}={_quoted(listed[0])}"
    return f"{label}=~{_quoted('|'.join(_REGEX.sub(_escaped, value) for value in listed))}"


def _as_written(value: str) -> str:
    """As remote write and `/metrics` send it: what is no Unicode text becomes question marks."""
    return value.encode("utf-8", "replace").decode("utf-8")


def _escaped(found: re.Match[str]) -> str:
    return f"\\{found[0]}"


def _quoted(text: str) -> str:
    return f'"{_SIGNS.sub(_sign, text)}"'


def _sign(found: re.Match[str]) -> str:
    sign = found[0]
    return f"\\{sign}" if sign in '"\\' else f"\\x{ord(sign):02x}"
