"""One binding, compiled: an HTTP request into a call's bytes, the call's answer into an HTTP answer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import orjson
from google.protobuf import empty_pb2
from google.protobuf.message import DecodeError, EncodeError, Message
from google.protobuf.message_factory import GetMessageClass

from delphis.type.v1 import options_pb2
from gateway import fragments, jsontext, query
from gateway.bindings import WHOLE, Binding, find_field
from gateway.codecs import Codecs
from gateway.dialect import exact
from gateway.listing import Listing
from gateway.projection import PARAMETER, Projection, Projections
from gateway.records import RecordWriter
from gateway.wellknown import Encode
from services.calls.errors import CallError, invalid

Headers = list[tuple[bytes, bytes]]

_MASK = "update_mask"
JSON = (b"content-type", b"application/json")
JSON_EXACT = (b"content-type", b"application/json;int64=string")


class HttpAnswer(NamedTuple):
    """What goes out."""

    status: int
    headers: Headers
    body: bytes


class HttpRequest(NamedTuple):
    """What a binding reads of a request; `body` is complete."""

    variables: dict[str, str]
    query: bytes
    body: bytes
    headers: Mapping[bytes, bytes]
    """By their names in lower case."""


class Reading(NamedTuple):
    """What was read of a request."""

    message: bytes
    """The call's request, serialised."""
    empty: bool
    """An empty list is to be answered (`limit=0`)."""
    projection: Projection | None
    """What the answer is to have; None: everything."""


class Operation:
    """What one binding does. Its parts are made when it is first called."""

    def __init__(self, binding: Binding, codecs: Codecs) -> None:
        self.binding = binding
        self.path = binding.path
        self.dialect = binding.dialect
        self.deadline = binding.deadline
        self.streams = binding.streams
        self.raw = binding.raw
        self.codecs = codecs

    @cached_property
    def reader(self) -> Reader:
        """Reads requests."""
        return Reader(self.binding, self.codecs)

    @cached_property
    def writer(self) -> Writer:
        """Writes answers."""
        return Writer(self.binding, self.codecs)

    @cached_property
    def exact_writer(self) -> Writer:
        """Writes answers with 64-bit integers as strings."""
        return Writer(self.binding, self.codecs, int64_text=True)

    @cached_property
    def record_writer(self) -> RecordWriter:
        """Writes messages of a stream."""
        return RecordWriter(self.binding, self.codecs)

    @cached_property
    def exact_record_writer(self) -> RecordWriter:
        """Writes them with 64-bit integers as strings."""
        return RecordWriter(self.binding, self.codecs, int64_text=True)


class Reader:
    """Makes the call's request of an HTTP request."""

    def __init__(self, binding: Binding, codecs: Codecs) -> None:
        self._message = binding.method.input_type
        self._class = GetMessageClass(self._message)
        self._decoders = codecs.decoders(binding.dialect)
        self._name = binding.method.name
        self._body = binding.body
        self._delfin = binding.dialect.delfin
        self._path_fields: dict[str, query.TextField] = {}
        for path in binding.path_fields:
            field = find_field(self._message, path)
            assert field is not None
            self._path_fields[path] = query.TextField(path, field, self._decoders)
        self._header_fields = {name: header.encode("ascii") for name, header in binding.header_fields.items()}
        taken = binding.path_fields | ({self._body} - {WHOLE, ""}) | frozenset(self._header_fields)
        self._query = query.TextFields(self._message, self._decoders, taken)
        listed = self._delfin and binding.rest.list_key
        self._listing = Listing(self._message, binding.path_fields) if listed else None
        self._projections = None if PARAMETER in self._message.fields_by_name else _projections(binding)
        self._resume_field = binding.resume_field
        # An action (POST …:verb) may come without a body where it needs none; what is created or replaced may not.
        self._body_needed = self._delfin and not binding.template.verb
        mask = self._message.fields_by_name.get(_MASK)
        masked = binding.http_method == "PATCH" and mask is not None and mask.message_type is not None
        self._mask = masked and mask.message_type.full_name == "google.protobuf.FieldMask"  # type: ignore[union-attr]

    def read(self, request: HttpRequest) -> Reading:
        """What the request says. CallError where it is wrong."""
        message: Any = self._class()
        for path, text in request.variables.items():
            self._path_fields[path].set(message, text, path)
        empty = False
        projection: Projection | None = None
        if request.query:
            pairs = query.parse(request.query)
            if self._projections is not None and PARAMETER.encode() in request.query:
                pairs, projection = _chosen(pairs, self._projections)
            if self._body == WHOLE and pairs:
                raise invalid(
                    jsontext.shown(pairs[0][0]), f"{self._name} takes its fields in the body, not in the query."
                )
            if self._listing is not None:
                pairs, empty = self._listing.translate(pairs)
            self._query.fill(message, pairs)
        if request.body or self._body:
            self._read_body(message, request)
        for name, header in self._header_fields.items():
            setattr(message, name, request.headers.get(header, b"").decode("latin-1"))
        if self._resume_field and (resume := request.headers.get(b"last-event-id")):
            setattr(message, self._resume_field, resume.decode("latin-1"))
        try:
            return Reading(message.SerializeToString(), empty, projection)
        except EncodeError:  # a message of the old kind, proto2, lacks a required field
            raise invalid(", ".join(message.FindInitializationErrors()), "It is missing.") from None

    def _read_body(self, message: Message, request: HttpRequest) -> None:
        if not self._body:
            raise CallError("BAD_REQUEST", f"{self._name} takes no body. Send none.")
        if not request.body:
            if self._body_needed:
                raise CallError(
                    "MALFORMED_REQUEST_BODY", f"There is no body. {self._name} takes a JSON object.", metadata={}
                )
            return
        _check_content_type(request.headers.get(b"content-type", b""))
        value = jsontext.parse(request.body)
        if self._body == WHOLE:
            for path in (*self._path_fields, *self._header_fields):
                if isinstance(value, dict) and path in value:
                    raise invalid(path, "The path or a header gives it already.")
            message.MergeFrom(self._decoders.read(self._message)(value, ""))
        else:
            field = self._message.fields_by_name[self._body]
            if field.message_type is not None and not field.is_repeated:
                inner = getattr(message, field.name)
                inner.SetInParent()
                inner.MergeFrom(self._decoders.read(field.message_type)(value, ""))
            else:
                self._decoders.field(field)(message, value, self._body)
        if self._mask and isinstance(value, dict) and not message.HasField(_MASK):
            getattr(message, _MASK).paths.extend(self._mask_paths(value))

    def _mask_paths(self, value: dict[str, object]) -> list[str]:
        """The body's keys, as the proto names them."""
        target = self._message if self._body == WHOLE else self._message.fields_by_name[self._body].message_type
        assert target is not None
        names = {field.json_name: field.name for field in target.fields}
        return [names.get(key, key) for key in value if key != _MASK]


def _projections(binding: Binding) -> Projections:
    """What can be chosen: of a list, fields of its items."""
    message = binding.method.output_type
    shown = binding.items or message.fields_by_name.get(binding.response_body)
    if shown is not None:
        message = shown.message_type or empty_pb2.Empty.DESCRIPTOR
    return Projections(message, binding.dialect)


def _chosen(pairs: query.Pairs, projections: Projections) -> tuple[query.Pairs, Projection | None]:
    """The other parameters, and the choice."""
    given = [text for name, text in pairs if name == PARAMETER]
    if len(given) > 1:
        raise invalid(PARAMETER, "It is given twice.")
    rest = [pair for pair in pairs if pair[0] != PARAMETER]
    return rest, projections.of(given[0]) if given else None


def _check_content_type(content_type: bytes) -> None:
    kind, _, parameters = content_type.decode("latin-1").lower().partition(";")
    kind = kind.strip()
    charset = [part.partition("=")[2].strip(' "') for part in parameters.split(";") if "charset" in part]
    json = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    if json and all(name in ("utf-8", "utf8") for name in charset):
        return
    sent = f"says {jsontext.shown(kind)}" if not json and kind else "has another charset" if json else "is missing"
    raise CallError(
        "BAD_REQUEST",
        f"The body must be JSON, but its Content-Type {sent}. Send Content-Type: application/json.",
        metadata={"content_type": jsontext.shown(kind)},
    )


class Writer:
    """Makes the HTTP answer of a call's answer."""

    def __init__(self, binding: Binding, codecs: Codecs, *, int64_text: bool = False) -> None:
        message = binding.method.output_type
        dialect = exact(binding.dialect) if int64_text else binding.dialect
        rest = binding.rest
        encoders = codecs.encoders(dialect)
        self._class = GetMessageClass(message)
        self._encode: Encode = encoders.of(message)
        self._status = rest.success_status or 200
        self._headers: Headers = [JSON_EXACT if int64_text and binding.dialect.delfin else JSON]
        self._empty_body = rest.empty_body
        self._response_key = dialect.key(message.fields_by_name[binding.response_body]) if binding.response_body else ""
        self._header_fields: list[tuple[str, bytes]] = []
        for field in message.fields:
            header = field.GetOptions().Extensions[options_pb2.response_header]
            if header:
                self._header_fields.append((dialect.key(field), header.lower().encode("ascii")))
        self._list_key = rest.list_key if binding.dialect.delfin else ""
        self._items_key = ""
        self._list: fragments.ListEncoder | None = None
        whole = not (self._header_fields or self._empty_body or rest.list_key or self._response_key)
        kept = whole and binding.http_method == "GET"
        self._kept = fragments.Fragments(message, encoders, codecs.budget) if kept else None
        items = binding.items
        if items is not None:
            self._items_key = dialect.key(items)
            if fragments.suits(message, items):
                self._list = fragments.ListEncoder(message, items, encoders, codecs.budget)

    def write(self, data: bytes, *, empty_list: bool = False, projection: Projection | None = None) -> HttpAnswer:
        """The answer; `empty_list`: without its items; `projection`: with the chosen fields only."""
        try:
            if projection is not None:
                value = self._encode(self._class.FromString(data))
            elif self._kept is not None and len(data) <= fragments.MAX_ITEM_BYTES:
                return HttpAnswer(self._status, self._headers, orjson.dumps(self._kept[data]))
            elif self._list is not None:
                value = self._list.encode(data)
            else:
                value = self._encode(self._class.FromString(data))
        except DecodeError:
            raise CallError("INTERNAL", "The service's answer can't be read.") from None
        headers = self._headers
        if self._header_fields:
            headers = [*headers, *self._taken_headers(value)]
        if self._empty_body:
            return HttpAnswer(self._status, headers[1:], b"")
        if self._items_key:
            value = self._envelope(value, empty_list=empty_list)
            if projection is not None:
                value = projection.apply_to_list(value, self._list_key)
        else:
            if self._response_key:
                value = value.get(self._response_key)
            if projection is not None:
                value = projection.apply(value)
        return HttpAnswer(self._status, headers, orjson.dumps(value))

    def _taken_headers(self, value: dict[str, Any]) -> Headers:
        taken: Headers = []
        for key, header in self._header_fields:
            item = value.pop(key, None)
            text = "" if item is None else str(item)
            if text and text.isascii() and text.isprintable():
                taken.append((header, text.encode("ascii")))
        return taken

    def _envelope(self, value: dict[str, Any], *, empty_list: bool) -> dict[str, Any]:
        items = value.pop(self._items_key)
        token = value.pop("next_page_token", None)
        envelope: dict[str, Any] = {self._list_key: [] if empty_list else items}
        if token and not empty_list:
            envelope["next_page_token"] = token
        total = value.pop("total_size", None)
        if total is not None:
            envelope["total_size"] = total
        envelope.update(value)
        return envelope
