"""What can be called: each method with its handler and what the contract's options say about it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from google.protobuf import descriptor as descriptor_module
from google.protobuf import descriptor_pb2
from google.protobuf.message import DecodeError, Message

from delphis.type.v1 import options_pb2
from services.calls.errors import CallError

Request = TypeVar("Request", bound=Message)
Handled = TypeVar("Handled", bound=Message, contravariant=True)


@dataclass(frozen=True, slots=True)
class DriverLimits:
    """A driver, and the vendors and models that its hosts may serve."""

    name: str
    serves: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the name of a token, or `anonymous`. `scopes` are values of delphis.type.v1.Scope."""

    name: str
    scopes: frozenset[int]
    driver: DriverLimits | None = None
    """Whose hosts the caller may announce, where that is all he may."""

    def may(self, scope: int) -> bool:
        """Whether the caller has the scope or one that includes it."""
        if scope == options_pb2.SCOPE_DRIVER:
            return not self.scopes.isdisjoint((options_pb2.SCOPE_DRIVER, options_pb2.SCOPE_SERVICE))
        return scope == options_pb2.SCOPE_PUBLIC or any(
            have >= scope for have in self.scopes if have != options_pb2.SCOPE_DRIVER
        )


@dataclass(slots=True)
class Call:
    """One call on its way through the pipeline. Handlers read it, and may add `headers` to the answer."""

    method: Method
    caller: Caller
    request_id: str
    deadline: float
    """Event loop time at which the call ends."""
    peer: str
    headers: dict[str, str] = field(default_factory=dict)
    resource_id: str = ""
    """What the call is about, for the audit log; set by handlers of changing methods."""


Unary = Callable[[bytes, Call], Awaitable[bytes]]
Stream = Callable[[bytes, Call], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class Method:
    """A method as served. Exactly one of `unary` and `stream` is set."""

    path: str
    """`/package.Service/Method`."""
    scope: int
    read_only: bool
    default_deadline: float
    """Seconds."""
    unary: Unary | None = None
    stream: Stream | None = None
    watch: bool = False
    """It streams until its caller leaves."""


class TypedUnary(Protocol[Handled]):
    """A handler of parsed requests. It may answer a message, or bytes that are one already."""

    def __call__(self, request: Handled, call: Call, /) -> Awaitable[Message | bytes]: ...


class TypedStream(Protocol[Handled]):
    """A handler that answers several messages."""

    def __call__(self, request: Handled, call: Call, /) -> AsyncIterator[Message | bytes]: ...


def parse(request_class: type[Request], body: bytes) -> Request:
    """The request, or INVALID_INPUT where the bytes are none."""
    try:
        return request_class.FromString(body)
    except DecodeError:
        name = request_class.DESCRIPTOR.full_name
        raise CallError("INVALID_INPUT", f"The request is not a serialised {name}.") from None


def unary(request_class: type[Request], handler: TypedUnary[Request]) -> Unary:
    """The handler at the level of bytes."""

    async def call_it(body: bytes, call: Call) -> bytes:
        answer = await handler(parse(request_class, body), call)
        return answer if isinstance(answer, bytes) else answer.SerializeToString()

    return call_it


def stream(request_class: type[Request], handler: TypedStream[Request]) -> Stream:
    """The streaming handler at the level of bytes."""

    async def call_it(body: bytes, call: Call) -> AsyncIterator[bytes]:
        async for answer in handler(parse(request_class, body), call):
            yield answer if isinstance(answer, bytes) else answer.SerializeToString()

    return call_it


@dataclass(frozen=True, slots=True)
class MethodOptions:
    """What the contract says about a method."""

    path: str
    scope: int
    needs_array: bool
    read_only: bool
    default_deadline: float
    streaming: bool
    watch: bool


def options_of(method: descriptor_module.MethodDescriptor) -> MethodOptions:
    """The options of a method of the contract. A method without scope or deadline is a fault of ours."""
    options = method.GetOptions()
    scope = options.Extensions[options_pb2.scope]
    deadline = options.Extensions[options_pb2.default_deadline]
    if scope == options_pb2.SCOPE_UNSPECIFIED or not options.HasExtension(options_pb2.default_deadline):
        raise ValueError(f"{method.full_name} has no scope or no default deadline")
    return MethodOptions(
        path=f"/{method.containing_service.full_name}/{method.name}",
        scope=scope,
        needs_array=options.Extensions[options_pb2.needs_array],
        read_only=options.idempotency_level == descriptor_pb2.MethodOptions.NO_SIDE_EFFECTS,
        default_deadline=deadline.seconds + deadline.nanos / 1e9,
        streaming=method.server_streaming,
        watch=method.server_streaming and bool(options.Extensions[options_pb2.rest].resume_field),
    )


def methods_of(service: descriptor_module.ServiceDescriptor, handlers: dict[str, Unary | Stream]) -> Iterator[Method]:
    """The service's methods joined with their handlers by name; each must have one, and no handler may be left."""
    names = {method.name for method in service.methods}
    if names != set(handlers):
        raise ValueError(f"{service.full_name}: handlers differ from methods: {sorted(names ^ set(handlers))}")
    for method in service.methods:
        options = options_of(method)
        handler = handlers[method.name]
        yield Method(
            path=options.path,
            scope=options.scope,
            read_only=options.read_only,
            default_deadline=options.default_deadline,
            unary=None if options.streaming else handler,  # type: ignore[arg-type]
            stream=handler if options.streaming else None,  # type: ignore[arg-type]
            watch=options.watch,
        )


class MethodTable:
    """All methods of a process by path."""

    def __init__(self, methods: Iterable[Method]) -> None:
        self._methods = {method.path: method for method in methods}

    def find(self, path: str) -> Method:
        """The method, or UNIMPLEMENTED."""
        method = self._methods.get(path)
        if method is None:
            raise CallError("PROTOCOL_TOO_OLD", f"No method {path} is served here.", metadata={"method": path})
        return method

    def __iter__(self) -> Iterator[Method]:
        return iter(self._methods.values())

    def services(self) -> list[str]:
        """Full names of the services, sorted."""
        return sorted({method.path.split("/")[1] for method in self})
