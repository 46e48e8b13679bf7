"""Importing a service's description: whole, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pb2
from grpc_reflection.v1alpha import reflection_pb2

from gateway import backend as backend_module
from gateway import descriptors
from gateway.backend import Backend
from gateway.descriptors import ImportRefused
from services.calls.errors import CallError
from services.calls.invoker import Invoker
from services.calls.reflection import Reflection
from tests.gateway.library import file
from tests.gateway.support import SERVICES

NAMES = [service.full_name for service in SERVICES]
Response = reflection_pb2.ServerReflectionResponse


class Scripted:
    """An invoker that only reflects; `twist` changes its answers."""

    def __init__(self, twist: Callable[[Any, Response], Response] | None = None) -> None:
        self.reflection = Reflection(NAMES)
        self.twist = twist
        self.fails: Exception | None = None
        self.asked = 0
        self.connection_lost = asyncio.Event()

    async def lost(self) -> None:
        await self.connection_lost.wait()

    async def reflect(self, requests: Sequence[Any]) -> list[Response]:
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        answers = [self.reflection.answer(request) for request in requests]
        return [self.twist(*pair) for pair in zip(requests, answers, strict=True)] if self.twist else answers


def as_invoker(scripted: Scripted) -> Invoker:
    invoker: Any = scripted
    return invoker  # type: ignore[no-any-return]


async def test_whole_contract_with_comments() -> None:
    found = await descriptors.fetch(as_invoker(Scripted()))
    assert [service.full_name for service in found.services] == sorted(NAMES)
    assert "google/protobuf/timestamp.proto" in found.files
    comments = found.files["delphis/inventory/v1/inventory.proto"].source_code_info.location
    assert any("Registers an array" in location.leading_comments for location in comments)
    assert found.reasons is not None
    assert found.services[0].file.pool is found.pool, "a pool of its own"


async def test_nothing_changed() -> None:
    invoker = as_invoker(Scripted())
    first = await descriptors.fetch(invoker)
    assert await descriptors.fetch(invoker, first) is first
    assert (await descriptors.fetch(invoker)).digest == first.digest


def answers_error(request: Any, answer: Response) -> Response:
    broken = Response(original_request=request)
    broken.error_response.error_code = 5
    broken.error_response.error_message = "not here"
    return broken


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("list_services", "listing the services failed: not here"),
        ("file_containing_symbol", "no file has the service delphis.auth.v1.AuthService: not here"),
        ("file_by_filename", "the file delphis/.* is imported and not served: not here"),
    ],
)
async def test_incomplete(asked: str, says: str) -> None:
    def twist(request: Any, answer: Response) -> Response:
        return answers_error(request, answer) if request.WhichOneof("message_request") == asked else answer

    with pytest.raises(ImportRefused, match=says):
        await descriptors.fetch(as_invoker(Scripted(twist)))


async def test_universal_files_need_not_be_served() -> None:
    def twist(request: Any, answer: Response) -> Response:
        return answers_error(request, answer) if request.file_by_filename.startswith("google/") else answer

    assert len((await descriptors.fetch(as_invoker(Scripted(twist)))).services) == len(NAMES)


def swapped(content: bytes) -> Callable[[Any, Response], Response]:
    """Other bytes in place of the first file asked for by its name."""

    def twist(request: Any, answer: Response) -> Response:
        if request.file_by_filename == "delphis/type/v1/access.proto":
            changed = Response(original_request=request)
            changed.file_descriptor_response.file_descriptor_proto.append(content)
            return changed
        return answer

    return twist


def file_bytes(name: str, **fields: Any) -> bytes:
    return descriptor_pb2.FileDescriptorProto(name=name, syntax="proto3", **fields).SerializeToString()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xff", "a file is none"),
        (file_bytes("other.proto"), "another one came"),
        (file_bytes("delphis/type/v1/access.proto"), "can't be used"),
        (
            file_bytes("delphis/type/v1/access.proto", dependency=["delphis/inventory/v1/inventory.proto"]),
            "imports itself",
        ),
        (file_bytes("delphis/type/v1/access.proto", dependency=["nowhere.proto"]), "nowhere.proto is imported and not"),
    ],
)
async def test_files_that_are_wrong(content: bytes, says: str) -> None:
    with pytest.raises(ImportRefused, match=says):
        await descriptors.fetch(as_invoker(Scripted(swapped(content))))


async def test_fewer_answers_than_questions() -> None:
    class Short(Scripted):
        async def reflect(self, requests: Sequence[Any]) -> list[Response]:
            answers = await super().reflect(requests)
            return answers if len(answers) == 1 else answers[1:]

    with pytest.raises(ImportRefused, match="questions were asked"):
        await descriptors.fetch(as_invoker(Short()))


async def test_last_good_description_stays() -> None:
    scripted = Scripted()
    changes: list[int] = []
    backend = Backend("b", as_invoker(scripted), refresh=60, changed=lambda: changes.append(1))
    assert await backend.refresh()
    good, operations = backend.descriptors, backend.operations
    assert operations
    for fault in (CallError("SERVICE_UNAVAILABLE", "away"), RuntimeError("odd")):
        scripted.fails = fault
        assert not await backend.refresh()
    scripted.fails, scripted.twist = None, swapped(b"\xff\xff")
    assert not await backend.refresh()
    assert (backend.descriptors, backend.operations, len(changes)) == (good, operations, 1)
    scripted.twist = None
    assert await backend.refresh()
    assert backend.operations is operations, "nothing changed, nothing is made anew"


async def test_call_that_nobody_knows_makes_it_look_again() -> None:
    scripted = Scripted()
    backend = Backend("b", as_invoker(scripted), refresh=3600, changed=lambda: None)
    await backend.start()
    asked = scripted.asked
    backend.saw(CallError("INVALID_INPUT", "no reason to look"))
    await asyncio.sleep(0)
    assert scripted.asked == asked
    for _ in range(10):
        backend.saw(CallError("", "unknown method", code=grpc.StatusCode.UNIMPLEMENTED))
    await _until(lambda: scripted.asked > asked)
    scripted.fails = CallError("SERVICE_UNAVAILABLE", "away")
    backend.saw(CallError("SERVICE_UNAVAILABLE", "away"))
    asked = scripted.asked
    await _until(lambda: scripted.asked > asked + 2)
    await backend.stop()


async def test_connection_that_ends_makes_it_look_again() -> None:
    scripted = Scripted()
    changes: list[int] = []
    backend = Backend("b", as_invoker(scripted), refresh=3600, changed=lambda: changes.append(1))
    await backend.start()
    assert changes == [1]
    asked = scripted.asked
    scripted.connection_lost.set()
    await _until(lambda: scripted.asked > asked)
    assert changes == [1], "the same came back"
    await backend.stop()


async def test_a_start_does_not_wait_for_a_backend_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend_module, "_FIRST_SECONDS", 0.05)
    scripted = Scripted()
    go = asyncio.Event()
    reflect = scripted.reflect

    async def hangs(requests: Sequence[Any]) -> list[Response]:
        await go.wait()
        return await reflect(requests)

    monkeypatch.setattr(scripted, "reflect", hangs)
    backend = Backend("b", as_invoker(scripted), refresh=3600, changed=lambda: None)
    await asyncio.wait_for(backend.start(), 60)
    assert backend.descriptors is None
    go.set()
    await _until(lambda: backend.descriptors is not None)
    await backend.stop()


async def _until(holds: Callable[[], bool]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come about within 10 seconds")


def test_library_is_really_unknown() -> None:
    assert file().package not in {service.file.package for service in SERVICES}
