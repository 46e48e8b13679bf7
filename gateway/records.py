"""Messages of a stream as JSON records."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from gateway.bindings import Binding
from gateway.codecs import Codecs
from gateway.dialect import exact
from gateway.projection import Projection
from services.calls.errors import CallError


class Record(NamedTuple):
    """One message."""

    body: bytes
    """Its JSON, without line breaks."""
    position: str
    """Where to resume after it; empty: the method does not say."""
    quiet: bool
    """It has no items: it says that we live, and the position."""


class RecordWriter:
    """Makes records. SODA Delfin's dialect has the message itself, grpc-gateway's has it under `result`."""

    def __init__(self, binding: Binding, codecs: Codecs, *, int64_text: bool = False) -> None:
        message = binding.method.output_type
        dialect = exact(binding.dialect) if int64_text else binding.dialect
        self._class = GetMessageClass(message)
        self._encode = codecs.encoders(dialect).of(message)
        self._wrapped = not binding.dialect.delfin
        field = message.fields_by_name.get(binding.response_body)
        self._response_key = dialect.key(field) if field is not None else ""
        self._items_key = dialect.key(binding.items) if binding.items is not None else ""
        self._resume_field = binding.resume_field

    def write(self, data: bytes, projection: Projection | None = None) -> Record:
        """A record."""
        try:
            message: Any = self._class.FromString(data)
        except DecodeError:
            raise CallError("INTERNAL", "The service's answer can't be read.") from None
        value = self._encode(message)
        quiet = bool(self._items_key) and not value[self._items_key]
        if self._response_key:
            value = value.get(self._response_key)
        if projection is not None:
            value = projection.apply_to_list(value, self._items_key) if self._items_key else projection.apply(value)
        position = getattr(message, self._resume_field) if self._resume_field else ""
        return Record(orjson.dumps({"result": value} if self._wrapped else value), position, quiet)
