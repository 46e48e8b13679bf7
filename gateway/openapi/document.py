"""The whole document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from gateway.bindings import Binding
from gateway.openapi import own, paths
from gateway.openapi.comments import Comments
from gateway.openapi.failures import Failures
from gateway.openapi.operations import BEARER, OperationWriter
from gateway.openapi.parameters import LISTING, SORT_DIRECTION, component_name
from gateway.openapi.prose import read
from gateway.openapi.schemas import Components
from gateway.openapi.served import Served

VERSION = "3.1.0"
Document = dict[str, Any]


class _Tags:
    """The services, as tags: by their short names, or their full ones where two share a name."""

    def __init__(self) -> None:
        self._names: dict[str, str] = {}
        self.listed: list[dict[str, str]] = []

    def take(self, binding: Binding, comments: Comments) -> str:
        service = binding.method.containing_service
        name = service.name
        if self._names.get(name, service.full_name) != service.full_name:
            name = service.full_name
        if name not in self._names:
            self._names[name] = service.full_name
            text = read(comments.of(service.full_name)).text
            self.listed.append({"name": name, "description": text} if text else {"name": name})
        return name


def write(backends: Iterable[Served], *, version: str, login: bool) -> Document:
    """The document.

    Args:
        backends: What is served; of two that bind one path, the first has it.
        version: Of the API, as the document's `info` says.
        login: Callers prove themselves by tokens.
    """
    components = Components()
    components.reserve(SORT_DIRECTION, {"type": "string", "enum": ["asc", "desc"]})
    for name, (_, parameter) in LISTING.items():
        components.parameters[component_name(name)] = parameter
    components.parameters.update(own.PARAMETERS)
    components.headers.update(own.HEADERS)
    tags, ids = _Tags(), paths.OperationIds()
    items: dict[str, dict[str, Any]] = {}
    shapes: dict[str, str] = {}
    for served in backends:
        comments = Comments(served.descriptors.files.values())
        failures = Failures(served.descriptors, comments, components, login=login)
        writer = OperationWriter(components, comments, failures, login=login)
        for binding in served.bindings:
            path, fields = paths.split(binding.template)
            path, fields = as_known(path, fields, shapes)
            item = items.setdefault(path, {})
            key = paths.key(binding.http_method)
            if key in item:
                continue  # the routes have it once too
            item[key] = writer.write(binding, ids.take(binding), tags.take(binding, comments), fields)
    document: Document = {
        "openapi": VERSION,
        "info": own.info(version, login=login),
        "servers": [{"url": "/"}],
        "tags": [*tags.listed, own.TAG],
        "paths": items | own.operations(login=login),
        "components": components.written(),
    }
    if login:
        document["security"] = [{BEARER: []}]
        document["components"]["securitySchemes"] = {BEARER: own.BEARER_SCHEME}
    return document


def as_known(path: str, fields: dict[str, str], shapes: dict[str, str]) -> tuple[str, dict[str, str]]:
    """Paths that differ in the names of their parameters alone are one path: the first one's names hold."""
    shape = path
    for name in fields:
        shape = shape.replace(f"{{{name}}}", "{}", 1)
    known = shapes.setdefault(shape, path)
    if known == path:
        return path, fields
    names = [part.partition("}")[0] for part in known.split("{")[1:]]
    return known, dict(zip(names, fields.values(), strict=True))
