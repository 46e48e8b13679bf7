"""`fields=`: the caller's choice of what an answer has."""

from __future__ import annotations

from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.dialect import Dialect, is_map, is_secret
from gateway.jsontext import shown
from services.calls.errors import invalid

PARAMETER = "fields"
MAX_FIELDS = 200
_MAX_KEPT = 100

Tree = dict[str, "Tree"]
"""Chosen keys with what is chosen below them; empty: all of it."""


class Projection:
    """A choice of fields, checked."""

    __slots__ = ("_tree",)

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def apply(self, value: Any) -> Any:
        """The value with the chosen fields only."""
        return _chosen(value, self._tree)

    def apply_to_list(self, envelope: dict[str, Any], key: str) -> dict[str, Any]:
        """The envelope, with the chosen fields of its items only."""
        envelope[key] = _chosen(envelope[key], self._tree)
        return envelope


def _chosen(value: Any, tree: Tree) -> Any:
    if isinstance(value, list):
        return [_chosen(item, tree) for item in value]
    if not isinstance(value, dict):
        return value  # null: the message is not set
    return {key: _chosen(value[key], below) if below else value[key] for key, below in tree.items() if key in value}


class Projections:
    """What can be chosen of one message in one dialect; keeps the choices it saw."""

    def __init__(self, message: Descriptor, dialect: Dialect) -> None:
        self._message = message
        self._dialect = dialect
        self._kept: dict[str, Projection] = {}

    def of(self, text: str) -> Projection:
        """Names of fields joined by commas, of inner fields with dots; INVALID_INPUT naming one that is none."""
        found = self._kept.get(text)
        if found is None:
            found = self._parsed(text)
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            self._kept[text] = found
        return found

    def _parsed(self, text: str) -> Projection:
        paths = [part.strip() for part in text.split(",")]
        if not all(paths):
            raise invalid(PARAMETER, "It must be names of fields, joined by commas.")
        if len(paths) > MAX_FIELDS:
            raise invalid(PARAMETER, f"It names {len(paths)} fields; at most {MAX_FIELDS} are taken.")
        tree: Tree = {}
        whole: set[tuple[str, ...]] = set()
        for path in paths:
            keys = self._keys(path)
            if not any(keys[:length] in whole for length in range(1, len(keys) + 1)):
                _set(tree, keys)
                whole.add(keys)
        return Projection(tree)

    def _keys(self, path: str) -> tuple[str, ...]:
        """The path as keys of objects."""
        message: Descriptor | None = self._message
        keys: list[str] = []
        rest = path
        while rest:
            name, dot, rest = rest.partition(".")
            field = self._field(message, name) if message is not None else None
            if field is None or (dot and not rest):
                raise invalid(PARAMETER, f"There is no field {shown(path)!r} in the answer.")
            keys.append(self._dialect.key(field))
            if is_map(field) and rest:
                keys.append(rest)  # a key of a map, which may have dots
                break
            message = _inner(field)
        return tuple(keys)

    def _field(self, message: Descriptor, name: str) -> FieldDescriptor | None:
        for field in message.fields:
            if name == field.name or (name == field.json_name and not self._dialect.delfin):
                return None if is_secret(field) and not is_map(field) else field
        return None


def _inner(field: FieldDescriptor) -> Descriptor | None:
    """The message whose fields can be chosen: not one that is written as a text or as any JSON."""
    inner = field.message_type
    if inner is None or is_map(field) or inner.full_name.startswith("google.protobuf."):
        return None
    return inner


def _set(tree: Tree, keys: tuple[str, ...]) -> None:
    *parents, last = keys
    for key in parents:
        tree = tree.setdefault(key, {})
    tree[last] = {}  # all of it, whatever was chosen below it before
