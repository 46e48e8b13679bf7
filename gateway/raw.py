"""Methods that answer `google.api.HttpBody`: bytes of a type of their own, such as a page or a text format."""

from __future__ import annotations

from google.api import httpbody_pb2
from google.protobuf.message import DecodeError

from gateway.bindings import Binding
from gateway.operation import Headers, HttpAnswer
from services.calls.errors import CallError

_UNKNOWN = b"application/octet-stream"


def read(data: bytes) -> httpbody_pb2.HttpBody:
    """A message of such an answer."""
    try:
        return httpbody_pb2.HttpBody.FromString(data)
    except DecodeError:
        raise CallError("INTERNAL", "The service's answer can't be read.") from None


def headers(body: httpbody_pb2.HttpBody) -> Headers:
    """What its message says of an answer; of a stream's messages, the first."""
    kind = body.content_type
    sound = kind and kind.isascii() and kind.isprintable()
    return [(b"content-type", kind.encode("ascii") if sound else _UNKNOWN)]


def answer(binding: Binding, data: bytes) -> HttpAnswer:
    """The answer of a call that answers one message."""
    body = read(data)
    return HttpAnswer(binding.rest.success_status or 200, headers(body), body.data)
