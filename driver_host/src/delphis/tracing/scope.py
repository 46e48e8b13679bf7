"""What the work at hand is about. It follows a call through everything that is awaited or begun for it."""

from __future__ import annotations

import re
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

if TYPE_CHECKING:
    import asyncio

_T = TypeVar("_T")

TRACEPARENT, TRACESTATE = "traceparent", "tracestate"
# As W3C's Trace Context has it. Versions to come begin so, too, and go on behind another hyphen.
_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-[\x21-\x7e]*)?")
_STATE = re.compile(r"[\x20-\x7e]{1,512}")


class TraceContext(NamedTuple):
    """Whose part the work is, as W3C's Trace Context says it."""

    parent: str
    """`00-<trace id>-<span id>-<flags>`"""
    state: str = ""
    """`tracestate`; empty: there is none."""
    span: Any = None
    """OpenTelemetry's span, where this process made it."""

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        return self.parent[3:35]

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """For a call to somebody else."""
        if self.state:
            return (TRACEPARENT, self.parent), (TRACESTATE, self.state)
        return ((TRACEPARENT, self.parent),)


def trace_of(parent: str, state: str = "") -> TraceContext | None:
    """What a caller says of his trace; None where that is no trace context, which is then ignored, as W3C wants it."""
    found = _PARENT.fullmatch(parent)
    if found is None or (parent.startswith("00") and found[4]):
        return None
    return TraceContext("00-" + "-".join(found.group(1, 2, 3)), state if _STATE.fullmatch(state) else "")


class Scope(NamedTuple):
    """What is known of the work at hand; empty where nothing is."""

    request_id: str = ""
    storage_id: str = ""
    driver: str = ""
    trace: TraceContext | None = None

    def fields(self) -> Iterator[tuple[str, str]]:
        """What a line of the log says of it."""
        if self.request_id:
            yield "request_id", self.request_id
        if self.storage_id:
            yield "storage_id", self.storage_id
        if self.driver:
            yield "driver", self.driver
        if self.trace is not None:
            yield "trace_id", self.trace.trace_id


FIELDS = ("request_id", "storage_id", "driver", "trace_id")
"""The names of those, in the order in which they are told."""

_scope: ContextVar[Scope] = ContextVar("delphis.scope", default=Scope())  # noqa: B039 - nobody can change it

current = _scope.get
enter = _scope.set
"""In a generator, leave before each `yield`: it may go on in another context, where what was entered isn't."""
leave = _scope.reset


@contextmanager
def within(**known: Any) -> Iterator[None]:
    """Adds to what is known, for a block that does not yield."""
    token = enter(current()._replace(**known))
    try:
        yield
    finally:
        leave(token)


def detached(work: Coroutine[Any, Any, _T], *, name: str | None = None) -> asyncio.Task[_T]:
    """A task that outlives what began it, and is not about that."""
    import asyncio  # who only logs starts without it

    return asyncio.get_running_loop().create_task(work, name=name, context=Context())


def outside() -> Context:
    """For callbacks that outlive what asks for them: `outside().run(loop.add_reader, …)`."""
    return Context()
