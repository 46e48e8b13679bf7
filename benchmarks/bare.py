"""Limits: servers that do nothing but answer, on the same libraries as ours.

`python -m benchmarks.bare KIND SIZE [TO]` listens on a free port of 127.0.0.1, says which in its first line, and ends
when its input ends. `http` answers SIZE bytes from memory, `hop` asks the gRPC server at TO for each request, `echo`
answers gRPC calls with their own bytes, `relay` hands gRPC calls of any method to the server at TO, `stream` answers
each gRPC call with STREAMED messages of SIZE bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import grpc
import uvicorn
import uvloop

METHOD = "/bare.Echo/Echo"
STREAM = "/bare.Echo/Stream"
STREAMED = 20
"""Messages of a stream: batches of 500 make 10,000."""


@contextlib.contextmanager
def bare(kind: str, size: int = 0, to: str = "") -> Iterator[str]:
    """Runs one; its address."""
    command = [sys.executable, "-m", "benchmarks.bare", kind, str(size), *([to] if to else [])]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = process.stdout.readline().strip()
        if not port:
            raise AssertionError(f"{' '.join(command)} did not start")
        yield f"127.0.0.1:{port}"
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


async def _http(answer: Callable[[], Awaitable[bytes]]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = await answer()
        length = (b"content-length", str(len(body)).encode())
        headers = [(b"content-type", b"application/json"), length]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listening]))
    print(listening.getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await task


async def _grpc(answer: Callable[[bytes], Awaitable[bytes]]) -> None:
    async def serve(body: bytes, context: object) -> bytes:
        return await answer(body)

    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        METHOD.rpartition("/")[2]: grpc.unary_unary_rpc_method_handler(serve)
    }
    await _serve(grpc.method_handlers_generic_handler(METHOD.split("/")[1], handlers))


async def _stream(content: bytes) -> None:
    async def serve(body: bytes, context: Any) -> None:
        for _ in range(STREAMED):
            await context.write(content)

    handlers: dict[str, Any] = {STREAM.rpartition("/")[2]: grpc.unary_stream_rpc_method_handler(serve)}
    await _serve(grpc.method_handlers_generic_handler(METHOD.split("/")[1], handlers))


class _Relay(grpc.GenericRpcHandler):
    """Hands unary calls on."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._handlers: dict[str, Any] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method."""
        path = handler_call_details.method
        if path not in self._handlers:
            ask: Any = self._channel.unary_unary(path)

            async def serve(body: bytes, context: object) -> Any:
                return await ask(body, timeout=10)

            self._handlers[path] = grpc.unary_unary_rpc_method_handler(serve)
        return self._handlers[path]


async def _serve(handler: grpc.GenericRpcHandler) -> None:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


async def main(kind: str, size: int, to: str) -> None:
    """Serves until the input ends."""
    content = b"x" * size
    if kind == "stream":
        await _stream(content)
        return
    if kind in ("http", "echo"):

        async def same(body: bytes = content) -> bytes:
            return body

        await (_http(same) if kind == "http" else _grpc(same))
        return
    async with grpc.aio.insecure_channel(to) as channel:
        if kind == "relay":
            await _serve(_Relay(channel))
            return
        ask: Any = channel.unary_unary(METHOD)

        async def asked(body: bytes = content) -> bytes:
            answer: bytes = await ask(body, timeout=10)
            return answer

        await _http(asked)


if __name__ == "__main__":
    _kind, _size, *_to = sys.argv[1:]
    uvloop.run(main(_kind, int(_size), _to[0] if _to else ""))
