"""The services beside StorageDriver: health and reflection."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import demands
from delphis.sdk.conformance.report import Problem
from delphis.sdk.host.contract import SERVICE


@demands("service.ready", "The host serves within 20 s of its start, and says so by grpc.health.v1.")
def ready(bench: Bench) -> Iterator[Problem]:
    if bench.start_problem:
        where = bench.subject.endpoint or "$DELPHIS_DRIVER_ENDPOINT"
        yield Problem(bench.start_problem, where, "Serve StorageDriver and grpc.health.v1 there; see the log.")


@demands("service.health", "grpc.health.v1 answers SERVING for the host and for StorageDriver.")
def health(bench: Bench) -> Iterator[Problem]:
    _ = bench.announced
    for service in ("", SERVICE.full_name):
        state = bench.client.health(service)
        if state != "SERVING":
            yield Problem(
                f"The health of {service or 'the host'!r} is {state}.",
                "grpc.health.v1.Health/Check",
                "Register the health service of your gRPC library, and set both names.",
            )


@demands("service.reflection", "grpc.reflection.v1 and v1alpha name StorageDriver and describe it.")
def reflection(bench: Bench) -> Iterator[Problem]:
    for version in ("v1", "v1alpha"):
        path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
        names = reflection_pb2.ServerReflectionRequest(list_services="*")
        file = reflection_pb2.ServerReflectionRequest(file_containing_symbol=SERVICE.full_name)
        try:
            found = bench.client.stream(path, [names.SerializeToString(), file.SerializeToString()], bench.timeout)
        except grpc.RpcError as error:
            code = error.code().name if isinstance(error, grpc.Call) else "an error"
            yield Problem(f"It fails with {code}.", path, "Register the reflection service of your gRPC library.")
            continue
        answers = [reflection_pb2.ServerReflectionResponse.FromString(answer) for answer in found]
        listed = {service.name for answer in answers for service in answer.list_services_response.service}
        if SERVICE.full_name not in listed:
            yield Problem(f"It doesn't name {SERVICE.full_name}.", path, "Give the service's name to reflection.")
        files = [
            descriptor_pb2.FileDescriptorProto.FromString(data)
            for answer in answers
            for data in answer.file_descriptor_response.file_descriptor_proto
        ]
        if not any(service.name == SERVICE.name for each in files for service in each.service):
            yield Problem(f"It has no description of {SERVICE.full_name}.", path)
