"""Reflection, loaded when somebody asks for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc

# v1 is v1alpha under its final name: the messages are the same on the wire.
NAMES = ("grpc.reflection.v1alpha.ServerReflection", "grpc.reflection.v1.ServerReflection")
METHOD = "ServerReflectionInfo"


class Reflection(grpc.GenericRpcHandler):
    """Describes the services, with the comments of the contract."""

    def __init__(self, services: tuple[str, ...]) -> None:
        self._services = (*services, *NAMES)
        self._handler: Any = None

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        """The handler, where the call is about reflection."""
        _, service, method = handler_call_details.method.split("/", 2)
        if service not in NAMES or method != METHOD:
            return None
        if self._handler is None:
            self._handler = _handler(self._services)
        return self._handler


def _handler(services: tuple[str, ...]) -> Any:
    from google.protobuf import descriptor_pb2
    from grpc_reflection.v1alpha import reflection, reflection_pb2

    from delphis import descriptors

    with_comments = {
        file.name: file.SerializeToString()
        for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors.load()).file
    }
    servicer = reflection.aio.ReflectionServicer(services)

    async def info(requests: Any, context: Any) -> AsyncIterator[Any]:
        responses: Any = servicer.ServerReflectionInfo(requests, context)
        async for response in responses:
            files = response.file_descriptor_response.file_descriptor_proto
            for index, data in enumerate(files):
                name = descriptor_pb2.FileDescriptorProto.FromString(data).name
                files[index] = with_comments.get(name, data)
            yield response

    return grpc.stream_stream_rpc_method_handler(
        info,
        request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
        response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
    )
