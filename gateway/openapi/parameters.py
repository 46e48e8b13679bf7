"""Parameters of paths, queries and headers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from gateway.bindings import WHOLE, Binding, find_field
from gateway.dialect import is_map
from gateway.listing import MAX_LIMIT, MAX_OFFSET
from gateway.openapi.comments import Comments
from gateway.openapi.schemas import Schema, Schemas, described, is_required
from gateway.wellknown_decode import TEXTUAL

Parameter = dict[str, Any]
_MAX_DEPTH = 4
_OTHERWISE_TOLD = frozenset({"accept", "authorization", "content-type"})

SORT_DIRECTION = "SortDirection"

LISTING: dict[str, tuple[str, Parameter]] = {
    "limit": (
        "page_size",
        {
            "name": "limit",
            "in": "query",
            "description": f"Items a page; more than {MAX_LIMIT:,} is taken as {MAX_LIMIT:,}. 0: an empty list. "
            "Excludes `page_size`.",
            "schema": {"type": "integer", "minimum": 0},
        },
    ),
    "offset": (
        "skip",
        {
            "name": "offset",
            "in": "query",
            "description": "Items to skip before the page. Dear where large: prefer `page_token`. Excludes `skip`.",
            "schema": {"type": "integer", "minimum": 0, "maximum": MAX_OFFSET},
        },
    ),
    "marker": (
        "page_token",
        {
            "name": "marker",
            "in": "query",
            "description": "Id of the last item seen: the page begins behind it. Excludes `page_token`.",
            "schema": {"type": "string", "minLength": 1},
        },
    ),
    "sort": (
        "order_by",
        {
            "name": "sort",
            "in": "query",
            "description": "Order: names of fields, each with `:asc` or `:desc` (the default), joined by commas, as in "
            "`status:asc,name`. Excludes `order_by`, `sort_key` and `sort_dir`.",
            "schema": {"type": "string"},
        },
    ),
    "sort_key": (
        "order_by",
        {
            "name": "sort_key",
            "in": "query",
            "description": "Order: the name of a field. Default `created_at`. Excludes `order_by` and `sort`.",
            "schema": {"type": "string"},
        },
    ),
    "sort_dir": (
        "order_by",
        {
            "name": "sort_dir",
            "in": "query",
            "description": "Direction of the order, default `desc`. Excludes `order_by` and `sort`.",
            "schema": {"$ref": f"#/components/schemas/{SORT_DIRECTION}"},
        },
    ),
}
"""SODA Delfin's parameters of lists: each with the field of the request that it stands for."""


def component_name(name: str) -> str:
    """The name under which a shared parameter stands in the components: `sort_key` as `SortKey`."""
    return "".join(part.capitalize() for part in name.replace("-", "_").split("_"))


class Parameters:
    """The parameters of one backend's bindings in one dialect."""

    def __init__(self, comments: Comments, schemas: Schemas) -> None:
        self._comments = comments
        self._schemas = schemas

    def path(self, binding: Binding, names: dict[str, str]) -> Iterator[Parameter]:
        """Those of the path.

        Args:
            binding: The binding.
            names: The path's parameters, each with the field that it sets or is a part of; empty: no field.
        """
        for name, path in names.items():
            field = find_field(binding.method.input_type, path) if path else None
            parameter: Parameter = {"name": name, "in": "path", "required": True}
            if field is None:
                parameter["schema"] = {"type": "string", "minLength": 1}
            else:
                described(parameter, self._comments.of(field.full_name))
                parameter["schema"] = _filled(self._schemas.single(field, sent=True))
            yield parameter

    def query(self, binding: Binding) -> Iterator[Parameter]:
        """Those of the query: the fields that neither path nor body set, and SODA Delfin's words for them."""
        if binding.body == WHOLE:
            return
        request = binding.method.input_type
        taken = binding.path_fields | ({binding.body} - {""}) | frozenset(binding.header_fields)
        delfin_list = binding.dialect.delfin and bool(binding.rest.list_key)
        own = {field.name for field in request.fields}
        if delfin_list:
            for name, (native, _) in LISTING.items():
                if native in own and native not in taken:
                    yield {"$ref": f"#/components/parameters/{component_name(name)}"}
        for name, field in _leaves(request, taken, binding.dialect.delfin):
            schema = self._schemas.single(field, sent=True)
            parameter: Parameter = {"name": name, "in": "query"}
            described(parameter, self._comments.of(field.full_name))
            if field.is_repeated:
                schema = {"type": "array", "items": schema}
                parameter |= {"style": "form", "explode": True}
            if is_required(field):
                parameter["required"] = True
            parameter["schema"] = schema
            yield parameter
        if delfin_list:
            yield from self._equalities(binding, own)

    def headers(self, binding: Binding) -> Iterator[Parameter]:
        """Those of the request's headers; not of headers that OpenAPI tells in other ways."""
        for name, header in binding.header_fields.items():
            if header not in _OTHERWISE_TOLD:
                field = binding.method.input_type.fields_by_name[name]
                parameter: Parameter = {
                    "name": header,
                    "in": "header",
                    "schema": self._schemas.single(field, sent=True),
                }
                yield described(parameter, self._comments.of(field.full_name))

    def _equalities(self, binding: Binding, own: set[str]) -> Iterator[Parameter]:
        """Those that keep the items in which a field equals the value."""
        items = binding.items.message_type if binding.items is not None else None
        for name in binding.rest.filter_fields:
            if name in own:
                continue
            field = items.fields_by_name.get(name) if items is not None else None
            single = field is not None and not field.is_repeated
            schema = self._schemas.single(field, sent=True) if field is not None and single else {"type": "string"}
            description = f"Only items in which `{name}` is this."
            yield {"name": name, "in": "query", "description": description, "schema": schema}


def _leaves(
    message: Descriptor, taken: frozenset[str], delfin: bool, prefix: tuple[str, ...] = (), keys: tuple[str, ...] = ()
) -> Iterator[tuple[str, FieldDescriptor]]:
    """The fields that a text can set, by their dotted names; those of a message that holds itself to some depth."""
    for field in message.fields:
        path = ".".join((*prefix, field.name))
        if path in taken or is_map(field):
            continue
        key = field.name if delfin else field.json_name
        if field.message_type is None or field.message_type.full_name in TEXTUAL:
            yield ".".join((*keys, key)), field
        elif not field.is_repeated and len(prefix) < _MAX_DEPTH and not _within(field, message):
            yield from _leaves(field.message_type, taken, delfin, (*prefix, field.name), (*keys, key))


def _within(field: FieldDescriptor, message: Descriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == message.full_name


def _filled(schema: Schema) -> Schema:
    """An empty segment is no value of a path's variable."""
    return {**schema, "minLength": 1} if schema.get("type") == "string" and "minLength" not in schema else schema
