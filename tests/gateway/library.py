"""A service that Delphis knows nothing of, defined while the tests run, with grpc-gateway's conventions."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import grpc
from google.api import annotations_pb2, http_pb2, httpbody_pb2
from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, field_mask_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.message_factory import GetMessageClass
from google.rpc import status_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from delphis.type.v1 import options_pb2

PACKAGE = "acme.library.v1"
STREAMS = ("Follow", "Lend", "FollowTitles", "ReadAloud")
_TYPES = {
    "string": Field.TYPE_STRING,
    "int32": Field.TYPE_INT32,
    "int64": Field.TYPE_INT64,
    "bool": Field.TYPE_BOOL,
    "double": Field.TYPE_DOUBLE,
    "bytes": Field.TYPE_BYTES,
}


def _field(message: Any, number: int, spec: str) -> None:
    """Adds a field from `[repeated|optional] TYPE NAME`."""
    *labels, kind, name = spec.split()
    field = message.field.add(name=name, number=number, label=Field.LABEL_OPTIONAL)
    if "repeated" in labels:
        field.label = Field.LABEL_REPEATED
    if kind in _TYPES:
        field.type = _TYPES[kind]
    else:
        field.type = Field.TYPE_ENUM if kind == "Genre" else Field.TYPE_MESSAGE
        field.type_name = f".{kind}" if "." in kind else f".{PACKAGE}.{kind}"
    if "optional" in labels:
        field.proto3_optional = True
        field.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{name}")
    if "oneof" in labels:
        if not message.oneof_decl:
            message.oneof_decl.add(name="cover")
        field.oneof_index = 0


def file(*, more_paths: bool = False) -> descriptor_pb2.FileDescriptorProto:
    """The service's file; `more_paths`: a later version, with one more method."""
    proto = descriptor_pb2.FileDescriptorProto(name="acme/library/v1/library.proto", package=PACKAGE, syntax="proto3")
    proto.dependency.extend(
        [
            "google/api/annotations.proto",
            "google/api/httpbody.proto",
            "google/protobuf/timestamp.proto",
            "google/protobuf/field_mask.proto",
            "google/protobuf/wrappers.proto",
        ]
    )
    genre = proto.enum_type.add(name="Genre")
    for number, name in enumerate(("GENRE_UNSPECIFIED", "GENRE_CRIME", "GENRE_POETRY")):
        genre.value.add(name=name, number=number)
    messages = {
        "ReadBookRequest": ["string name", "string format", "string seal"],
        "Author": ["string full_name", "Author teacher"],
        "Book": [
            "oneof string cover_text",
            "oneof bytes cover_image",
            "string name",
            "int64 page_count",
            "bool lent",
            "Genre genre",
            "Author author",
            "google.protobuf.Timestamp bought_at",
            "repeated string key_words",
            "optional int32 rating",
            "google.protobuf.Int64Value copies",
            "string class",
        ],
        "GetBookRequest": ["string name", "int32 edition"],
        "ListBooksRequest": ["Book like", "repeated Genre genres", "int32 page_size", "double price"],
        "ListBooksResponse": ["repeated Book books", "string next_page_token"],
        "CreateBookRequest": ["Book book", "string request_id"],
        "UpdateBookRequest": ["Book book", "google.protobuf.FieldMask update_mask"],
    }
    for name, fields in messages.items():
        message = proto.message_type.add(name=name)
        for number, spec in enumerate(fields, 1):
            _field(message, number, spec)
        if name == "ReadBookRequest":
            for field, header in ((message.field[1], "Accept"), (message.field[2], "X-Seal")):
                field_options: Any = field.options
                field_options.Extensions[options_pb2.request_header] = header
    service = proto.service.add(name="Library")
    rules = {
        "GetBook": ("GetBookRequest", "Book", http_pb2.HttpRule(get="/library/{name=shelves/*/books/*}")),
        "ListBooks": ("ListBooksRequest", "ListBooksResponse", http_pb2.HttpRule(get="/library/books")),
        "CreateBook": ("CreateBookRequest", "Book", http_pb2.HttpRule(post="/library/books", body="book")),
        "UpdateBook": (
            "UpdateBookRequest",
            "Book",
            http_pb2.HttpRule(patch="/library/{book.name=shelves/*/books/*}", body="book"),
        ),
        "Titles": (
            "ListBooksRequest",
            "ListBooksResponse",
            http_pb2.HttpRule(get="/library/only-books", response_body="books"),
        ),
        "Broken": ("GetBookRequest", "Book", http_pb2.HttpRule(get="/library/{no_such_field}")),
        "Follow": ("ListBooksRequest", "Book", http_pb2.HttpRule(get="/library/books:follow")),
        "Lend": ("CreateBookRequest", "Book", http_pb2.HttpRule(post="/library/books:lend", body="*")),
        "FollowTitles": (
            "ListBooksRequest",
            "ListBooksResponse",
            http_pb2.HttpRule(get="/library/titles:follow", response_body="books"),
        ),
        "ReadBook": ("ReadBookRequest", ".google.api.HttpBody", http_pb2.HttpRule(get="/library/text/{name}")),
        "ReadAloud": ("ReadBookRequest", ".google.api.HttpBody", http_pb2.HttpRule(get="/library/voice/{name}")),
        "Plain": ("GetBookRequest", "Book", None),
    }
    if more_paths:
        rules["Burn"] = ("GetBookRequest", "Book", http_pb2.HttpRule(post="/library/{name=shelves/*}:burn", body="*"))
    for name, (request, answer, rule) in rules.items():
        method = service.method.add(name=name, input_type=f".{PACKAGE}.{request}", output_type=f".{PACKAGE}.{answer}")
        if answer.startswith("."):
            method.output_type = answer
        method.server_streaming = name in STREAMS
        if rule is not None:
            options: Any = method.options
            options.Extensions[annotations_pb2.http].CopyFrom(rule)
    return proto


class Library:
    """The running service: its last request, and what it answers."""

    def __init__(self, *, more_paths: bool = False) -> None:
        self.pool = descriptor_pool.DescriptorPool()
        wellknown = (descriptor_pb2, timestamp_pb2, field_mask_pb2, wrappers_pb2, any_pb2)
        needed = (*wellknown, http_pb2, annotations_pb2, httpbody_pb2)
        for module in needed:
            self.pool.AddSerializedFile(module.DESCRIPTOR.serialized_pb)
        self.pool.AddSerializedFile(file(more_paths=more_paths).SerializeToString())
        self.requests: list[Any] = []
        self.answer: Callable[[Any], Any] = lambda request: self.make("Book")
        self.answers: list[Any] = []
        """What a stream answers."""
        self.fails: status_pb2.Status | None = None

    def make(self, message: str, **fields: Any) -> Any:
        """A message of the service."""
        return GetMessageClass(self.pool.FindMessageTypeByName(f"{PACKAGE}.{message}"))(**fields)

    async def serve(self, address: str = "127.0.0.1:0") -> tuple[grpc.aio.Server, int]:
        """Starts it; answers the server and its port."""
        server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
        service = self.pool.FindServiceByName(f"{PACKAGE}.Library")
        handlers = {method.name: self._handler(method) for method in service.methods}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service.full_name, handlers),))
        names = (service.full_name, reflection.SERVICE_NAME)
        servicer = reflection.aio.ReflectionServicer(names, pool=self.pool)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(servicer, server)
        port = server.add_insecure_port(address)
        await server.start()
        return server, port

    def _handler(self, method: Any) -> grpc.RpcMethodHandler[Any, Any]:
        async def handle(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            self.requests.append(request)
            answer = self.fails or self.answer(request)
            if isinstance(answer, status_pb2.Status):
                code = next(code for code in grpc.StatusCode if code.value[0] == answer.code)
                trailing = (("grpc-status-details-bin", answer.SerializeToString()),)
                await context.abort(code, answer.message, trailing)
            return answer

        async def follow(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            self.requests.append(request)
            for answer in self.answers:
                yield answer
            if self.fails is not None:
                await handle(request, context)

        codecs: dict[str, Any] = {
            "request_deserializer": GetMessageClass(method.input_type).FromString,
            "response_serializer": lambda message: message.SerializeToString(),
        }
        if method.name in STREAMS:
            return grpc.unary_stream_rpc_method_handler(follow, **codecs)
        return grpc.unary_unary_rpc_method_handler(handle, **codecs)


async def _run(address: str, *, more_paths: bool) -> None:
    library = Library(more_paths=more_paths)
    book = library.make("Book", name="n")
    details = [any_pb2.Any(type_url="type.googleapis.com/acme.Unknown", value=b"\x01")]
    library.answers = [book, book]

    def answer(request: Any) -> Any:
        if request.DESCRIPTOR.name == "GetBookRequest" and request.name.endswith("/burnt"):
            return status_pb2.Status(code=9, message="It burnt.", details=details)
        return book

    library.answer = answer
    _, port = await library.serve(address)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":  # a process of its own: ADDRESS [more]
    asyncio.run(_run(sys.argv[1], more_paths=len(sys.argv) > 2))
