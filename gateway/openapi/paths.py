"""Path templates of `google.api.http` as OpenAPI has them, and the names of operations."""

from __future__ import annotations

from gateway.bindings import Binding
from gateway.template import Template

_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


def split(template: Template) -> tuple[str, dict[str, str]]:
    """The path, and its parameters: each with the field that it sets or is a part of; empty: no field.

    A variable of several segments, `{name=shelves/*/books/*}`, becomes `shelves/{name_1}/books/{name_2}`: OpenAPI
    has no parameter that holds a slash.
    """
    parts: list[str] = []
    fields: dict[str, str] = {}
    for index, segment in enumerate(template.segments):
        if segment not in ("*", "**"):
            parts.append(segment)
            continue
        field = _field_at(template, index)
        name = field or "segment"
        if name in fields or _wildcards(template, field) > 1:
            name = f"{name}_{sum(1 for known in fields.values() if known == field) + 1}"
        fields[name] = field
        parts.append(f"{{{name}}}")
    return "/" + "/".join(parts) + (f":{template.verb}" if template.verb else ""), fields


def _field_at(template: Template, index: int) -> str:
    for variable in template.variables:
        end = variable.end if variable.end >= 0 else len(template.segments)
        if variable.start <= index < end:
            return variable.field
    return ""


def _wildcards(template: Template, field: str) -> int:
    return sum(
        1 for index, one in enumerate(template.segments) if one in ("*", "**") and _field_at(template, index) == field
    )


def key(http_method: str) -> str:
    """The key of an operation in its path's item. OpenAPI knows some HTTP methods only."""
    lower = http_method.lower()
    return lower if lower in _METHODS else f"x-{'any' if lower == '*' else lower}"


class OperationIds:
    """Names of operations: the method's, the same whatever else is served.

    Further bindings of a method are named for the variables that its first one has not, else they are counted. Where
    two services have a method of one name, the later one's has its service in front.
    """

    def __init__(self) -> None:
        self._owners: dict[str, str] = {}
        self._first: dict[str, frozenset[str]] = {}

    def take(self, binding: Binding) -> str:
        """A name that nobody has."""
        method = binding.method
        name = method.name
        if self._owners.setdefault(name, method.full_name) != method.full_name:
            name = f"{method.containing_service.name}_{name}"
            if self._owners.setdefault(name, method.full_name) != method.full_name:
                name = method.full_name.replace(".", "_")
        first = self._first.get(method.full_name)
        if first is None:
            self._first[method.full_name] = binding.path_fields
            self._owners[name] = method.full_name
            return name
        more = sorted(binding.path_fields - first)
        name += "".join(f"By{_pascal(field)}" for field in more)
        number, candidate = 2, name
        while candidate in self._owners:
            candidate, number = f"{name}{number}", number + 1
        self._owners[candidate] = ""
        return candidate


def _pascal(field: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in field.replace(".", "_").split("_"))
