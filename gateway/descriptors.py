"""What a service says of itself, imported whole by reflection."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from google.api import annotations_pb2, field_behavior_pb2, http_pb2
from google.protobuf import (
    any_pb2,
    descriptor_pb2,
    descriptor_pool,
    duration_pb2,
    empty_pb2,
    field_mask_pb2,
    struct_pb2,
    timestamp_pb2,
    wrappers_pb2,
)
from google.protobuf.descriptor import EnumDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha import reflection_pb2

from services.calls.invoker import Invoker

Request = reflection_pb2.ServerReflectionRequest
Response = reflection_pb2.ServerReflectionResponse

REASONS = "delphis.type.v1.Reason"
_MAX_FILES = 5000
# gRPC's own services describe themselves incompletely in places, and have no bindings.
_INFRASTRUCTURE = "grpc."
# Some servers don't serve the files that every protobuf runtime has; those are the same everywhere.
_UNIVERSAL: dict[str, bytes] = {
    module.DESCRIPTOR.name: module.DESCRIPTOR.serialized_pb
    for module in (
        any_pb2,
        descriptor_pb2,
        duration_pb2,
        empty_pb2,
        field_mask_pb2,
        struct_pb2,
        timestamp_pb2,
        wrappers_pb2,
        annotations_pb2,
        http_pb2,
        field_behavior_pb2,
        error_details_pb2,
        status_pb2,
    )
}


class ImportRefused(Exception):
    """A service's description is incomplete or contradicts itself; nothing of it is used."""


@dataclass(frozen=True, slots=True)
class DescriptorSet:
    """All services of a backend with all files that they need."""

    digest: str
    """Equal digests: nothing changed."""
    files: dict[str, descriptor_pb2.FileDescriptorProto]
    """By name, with comments where the backend has them."""
    pool: DescriptorPool
    """Its own: two backends may have different files of one name."""
    services: tuple[ServiceDescriptor, ...]
    reasons: EnumDescriptor | None
    """delphis.type.v1.Reason as the backend has it."""


async def fetch(invoker: Invoker, known: DescriptorSet | None = None) -> DescriptorSet:
    """Imports everything, or raises ImportRefused; CallError where nobody answers.

    `known` comes back where it still holds.
    """
    [listed] = await _ask(invoker, [Request(list_services="*")])
    if listed.WhichOneof("message_response") != "list_services_response":
        raise ImportRefused(f"listing the services failed: {listed.error_response.error_message}")
    names = sorted(service.name for service in listed.list_services_response.service)
    wanted = [name for name in names if not name.startswith(_INFRASTRUCTURE)]
    raw = await _files(invoker, wanted)
    digest = _digest(wanted, raw)
    if known is not None and known.digest == digest:
        return known
    return _build(digest, wanted, raw)


async def _files(invoker: Invoker, services: Sequence[str]) -> dict[str, bytes]:
    """The serialised files by name: those of the services, and what they import."""
    raw: dict[str, bytes] = {}
    answers = await _ask(invoker, [Request(file_containing_symbol=name) for name in [*services, REASONS]])
    for name, answer in zip([*services, REASONS], answers, strict=True):
        if not _take(answer, raw) and name != REASONS:
            raise ImportRefused(f"no file has the service {name}: {answer.error_response.error_message}")
    while missing := sorted(_imports(raw) - raw.keys()):
        if len(raw) + len(missing) > _MAX_FILES:
            raise ImportRefused(f"more than {_MAX_FILES} files")
        answers = await _ask(invoker, [Request(file_by_filename=name) for name in missing])
        for name, answer in zip(missing, answers, strict=True):
            if not _take(answer, raw):
                raw[name] = _universal(name, answer.error_response.error_message)
            elif name not in raw:
                raise ImportRefused(f"asked for the file {name}, another one came")
    return raw


async def _ask(invoker: Invoker, requests: Sequence[Request]) -> list[Response]:
    if not requests:
        return []
    answers = await invoker.reflect(requests)
    if len(answers) != len(requests):
        raise ImportRefused(f"{len(requests)} questions were asked, {len(answers)} answered")
    return answers


def _take(answer: Response, raw: dict[str, bytes]) -> bool:
    if answer.WhichOneof("message_response") != "file_descriptor_response":
        return False
    for content in answer.file_descriptor_response.file_descriptor_proto:
        raw.setdefault(_parsed(content).name, content)
    return True


def _parsed(content: bytes) -> descriptor_pb2.FileDescriptorProto:
    try:
        return descriptor_pb2.FileDescriptorProto.FromString(content)
    except DecodeError:
        raise ImportRefused("a file is none") from None


def _imports(raw: dict[str, bytes]) -> set[str]:
    return {name for content in raw.values() for name in _parsed(content).dependency}


def _universal(name: str, why: str) -> bytes:
    content = _UNIVERSAL.get(name)
    if content is None:
        raise ImportRefused(f"the file {name} is imported and not served: {why}")
    return content


def _digest(services: Iterable[str], raw: dict[str, bytes]) -> str:
    digest = hashlib.sha256()
    for part in (*(name.encode() for name in services), *(raw[name] for name in sorted(raw))):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.hexdigest()


def _build(digest: str, services: Sequence[str], raw: dict[str, bytes]) -> DescriptorSet:
    files = {name: _parsed(content) for name, content in raw.items()}
    pool = descriptor_pool.DescriptorPool()
    for name in _ordered(files):
        try:
            pool.AddSerializedFile(raw[name])
        except TypeError as error:  # what the pool says of a file that it doesn't take
            raise ImportRefused(f"the file {name} can't be used: {error}") from None
    try:
        found = tuple(pool.FindServiceByName(name) for name in services)
    except KeyError as error:
        raise ImportRefused(f"no file has the service {error}") from None
    try:
        reasons: EnumDescriptor | None = pool.FindEnumTypeByName(REASONS)
    except KeyError:
        reasons = None
    return DescriptorSet(digest, files, pool, found, reasons)


def _ordered(files: dict[str, descriptor_pb2.FileDescriptorProto]) -> list[str]:
    """Names of the files, each after those that it imports."""
    ordered: dict[str, None] = {}
    open_: set[str] = set()
    # An explicit stack: how deep imports go is the backend's to say.
    stack = [(name, False) for name in sorted(files, reverse=True)]
    while stack:
        name, done = stack.pop()
        if done:
            open_.discard(name)
            ordered[name] = None
        elif name not in ordered:
            if name in open_:
                raise ImportRefused(f"the file {name} imports itself")
            open_.add(name)
            stack.append((name, True))
            stack += [(import_, False) for import_ in files[name].dependency if import_ not in ordered]
    return list(ordered)
