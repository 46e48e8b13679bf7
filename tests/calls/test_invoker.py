"""Reflection over a hop, at peers that know one form of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_reflection.v1alpha import reflection_pb2

from services.calls.errors import CallError
from services.calls.invoker import ChannelInvoker
from services.calls.reflection import REFLECTION_PATHS, Reflection, ReflectionHandler

QUESTIONS = [reflection_pb2.ServerReflectionRequest(list_services="*")] * 50


class Only(ReflectionHandler):
    """Serves one path, and keeps what was asked for."""

    def __init__(self, path: str) -> None:
        super().__init__(Reflection(["a.B"]))
        self.path = path
        self.asked: list[str] = []

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        self.asked.append(handler_call_details.method)
        return super().service(handler_call_details) if handler_call_details.method == self.path else None


@contextlib.asynccontextmanager
async def invoker(handler: Only, folder: Path) -> AsyncIterator[ChannelInvoker]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    address = f"unix:{folder}/peer.sock"
    server.add_insecure_port(address)
    await server.start()
    async with grpc.aio.insecure_channel(address) as channel:
        yield ChannelInvoker(channel)
    await server.stop(None)


@pytest.mark.parametrize("path", REFLECTION_PATHS)
async def test_the_form_that_the_peer_knows_is_found_and_kept(tmp_path: Path, path: str) -> None:
    handler = Only(path)
    async with invoker(handler, tmp_path) as peer:
        for _ in range(20):
            assert len(await peer.reflect(QUESTIONS)) == len(QUESTIONS)
        assert handler.asked[-20:] == [path] * 20
        assert len(handler.asked) <= 21


async def test_a_peer_without_reflection(tmp_path: Path) -> None:
    async with invoker(Only("none"), tmp_path) as peer:
        with pytest.raises(CallError) as caught:
            await peer.reflect(QUESTIONS)
    assert caught.value.code in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL)
