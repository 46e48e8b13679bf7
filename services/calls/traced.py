"""Calls as parts of a trace, where traces are wanted."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from delphis.tracing import scope, spans

if TYPE_CHECKING:
    from delphis.tracing.exporting import Span

Answer = TypeVar("Answer")


async def unary(span: Span | None, call: Coroutine[Any, Any, Answer]) -> Answer:
    """The call's answer."""
    if span is None or spans.tracer is None:
        return await call
    with spans.tracer.run(span):
        return await call


async def stream(span: Span | None, answers: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """The call's answers."""
    try:
        while True:
            about = scope.current()
            # For each anew: whoever reads may ask for the next in another task.
            entered = scope.enter(about if span is None else about._replace(trace=span.trace))
            try:
                answer = await anext(answers)
            except StopAsyncIteration:
                return
            finally:
                scope.leave(entered)
            yield answer
    except BaseException as error:
        if span is not None:
            span.failed(error)
        raise
    finally:
        try:
            await answers.aclose()
        finally:
            if span is not None:
                span.end()
