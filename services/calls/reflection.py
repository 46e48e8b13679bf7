"""Server reflection over descriptors that still have their comments.

The stock servicer answers from the default pool, where comments are lost; ours answers from the image in the
delphis-protos wheel, so that what reads our reflection (the gateway, grpcurl) has the documentation too.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from grpc_reflection.v1alpha import reflection_pb2

from delphis import descriptors

REFLECTION_PATHS = (
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
)


class Reflection:
    """Answers what services, files and symbols there are."""

    def __init__(self, services: Iterable[str]) -> None:
        self._services = sorted({*services, "grpc.reflection.v1alpha.ServerReflection"})
        self._commented = {
            file.name: file.SerializeToString()
            for file in descriptor_pb2.FileDescriptorSet.FromString(descriptors.load()).file
        }
        self._pool = descriptor_pool.Default()

    def answer(self, request: reflection_pb2.ServerReflectionRequest) -> reflection_pb2.ServerReflectionResponse:
        """One answer to one question; an unknown name is an error inside the answer, as the protocol wants."""
        response = reflection_pb2.ServerReflectionResponse(valid_host=request.host, original_request=request)
        kind = request.WhichOneof("message_request")
        try:
            if kind == "list_services":
                for name in self._services:
                    response.list_services_response.service.add(name=name)
            elif kind == "file_by_filename":
                self._add_file(response, request.file_by_filename)
            elif kind == "file_containing_symbol":
                self._add_file(response, self._file_of(request.file_containing_symbol))
            elif kind == "file_containing_extension":
                asked = request.file_containing_extension
                message = self._pool.FindMessageTypeByName(asked.containing_type)
                extension = self._pool.FindExtensionByNumber(message, asked.extension_number)
                self._add_file(response, self._pool.FindFileContainingSymbol(extension.full_name).name)
            elif kind == "all_extension_numbers_of_type":
                message = self._pool.FindMessageTypeByName(request.all_extension_numbers_of_type)
                numbers = sorted(extension.number for extension in self._pool.FindAllExtensions(message))
                response.all_extension_numbers_response.base_type_name = message.full_name
                response.all_extension_numbers_response.extension_number.extend(numbers)
            else:
                response.error_response.error_code = grpc.StatusCode.INVALID_ARGUMENT.value[0]
                response.error_response.error_message = "The question is none that this server knows."
        except KeyError as error:
            response.error_response.error_code = grpc.StatusCode.NOT_FOUND.value[0]
            response.error_response.error_message = f"Not found: {error.args[0] if error.args else kind}"
        return response

    def _file_of(self, symbol: str) -> str:
        """The file that defines a symbol. The pool itself knows no methods and fields, which peers ask for too."""
        with contextlib.suppress(KeyError):
            return str(self._pool.FindFileContainingSymbol(symbol).name)
        with contextlib.suppress(KeyError):
            self._pool.FindMethodByName(symbol)
            return self._file_of(symbol.rpartition(".")[0])
        self._pool.FindFieldByName(symbol)
        return self._file_of(symbol.rpartition(".")[0])

    def _add_file(self, response: reflection_pb2.ServerReflectionResponse, name: str) -> None:
        commented = self._commented.get(name)
        if commented is None:
            commented = self._pool.FindFileByName(name).serialized_pb
        response.file_descriptor_response.file_descriptor_proto.append(commented)

    async def serve(
        self,
        requests: AsyncIterator[reflection_pb2.ServerReflectionRequest],
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        """The handler of ServerReflectionInfo."""
        async for request in requests:
            yield self.answer(request)


class ReflectionHandler(grpc.GenericRpcHandler):
    """Serves reflection as v1 and v1alpha; it is public, like health: it tells what there is, not what it holds."""

    def __init__(self, reflection: Reflection) -> None:
        self._handler: grpc.RpcMethodHandler[Any, Any] = grpc.stream_stream_rpc_method_handler(
            reflection.serve,
            request_deserializer=reflection_pb2.ServerReflectionRequest.FromString,
            response_serializer=reflection_pb2.ServerReflectionResponse.SerializeToString,
        )

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        """The handler for a path, or None."""
        return self._handler if handler_call_details.method in REFLECTION_PATHS else None
