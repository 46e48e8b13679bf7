"""Calls relayed to real hosts: what passes, what is rewritten, what is repeated."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.driver.v1 import storage_driver_pb2_grpc
from delphis.type.v1 import access_pb2, alert_pb2
from services.calls.errors import CallError
from services.calls.grpc_server import PipelineHandler
from services.calls.method import MethodTable
from services.calls.pipeline import AnonymousAdmin, Ingress, Pipeline
from services.registry.manifest import Pair
from services.router import service
from tests.registry.support import PAIR, House, deadline, failure, house, until, write_manifest


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[House]:
    write_manifest(tmp_path / "drivers")
    async with house(tmp_path) as found:
        yield found


async def error_of(home: House, do: str, method: str = "GetStorage") -> CallError:
    return await failure(home.router.unary(method, home.arrays.add("a1", do)))


async def test_access_info_goes_to_methods_that_need_the_array_only(home: House) -> None:
    array = home.arrays.add("a1")
    answer = pb.GetStorageResponse.FromString(await home.router.unary("GetStorage", array))
    assert answer.storage.serial_number == "a1"
    body = pb.ParseAlertRequest(traps=[alert_pb2.Trap(), alert_pb2.Trap()]).SerializeToString()
    # The host asserts that there is no access info.
    assert len(pb.ParseAlertResponse.FromString(await home.router.unary("ParseAlert", array, body)).results) == 2


async def test_a_storage_nobody_knows(home: House) -> None:
    assert (await failure(home.router.unary("GetStorage", "nobody"))).reason == "STORAGE_NOT_FOUND"


async def test_a_call_before_registration(home: House) -> None:
    access = access_pb2.AccessInfo()
    access.extra_attributes["serial"] = "S-1"
    answer = await home.router.unary_to(PAIR, "new-one", access, 1, "GetStorage")
    assert pb.GetStorageResponse.FromString(answer).storage.serial_number == "S-1"
    error = await failure(home.router.unary_to(Pair("acme", "BOX"), "new-one", access, 1, "GetStorage"))
    assert error.reason == "STORAGE_DRIVER_NOT_FOUND"
    with pytest.raises(ValueError, match="storage id"):
        await home.router.unary_to(PAIR, "", access, 1, "GetStorage")
    info = await home.router.driver_info(PAIR)
    assert (info.name, info.access_fields[0].path) == ("dev.acme.box", "extra_attributes.do")


async def test_errors_pass_with_reason_metadata_and_details(home: House) -> None:
    error = await error_of(
        home,
        """details=code: 14 message: "busy"
        details { [type.googleapis.com/google.rpc.ErrorInfo] {
          reason: "ARRAY_BUSY" domain: "delphis.dev" metadata { key: "k" value: "v" } } }
        details { [type.googleapis.com/google.rpc.RetryInfo] { retry_delay { seconds: 7 } } }
        details { [type.googleapis.com/google.rpc.Help] { links { url: "x" } } }""",
    )
    assert (error.reason, error.message, error.metadata, error.retry_after) == ("ARRAY_BUSY", "busy", {"k": "v"}, 7.0)
    assert error.code is grpc.StatusCode.UNAVAILABLE
    assert len(error.details) == 1
    assert home.registry.distrusted() == []


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED])
async def test_a_driver_does_not_speak_of_the_caller(home: House, code: grpc.StatusCode) -> None:
    error = await error_of(home, f"abort={code.name},array says no")
    assert error.reason == "DRIVER_BROKE_CONTRACT"
    assert error.code is grpc.StatusCode.INTERNAL
    assert "array says no" in error.message


async def test_what_no_store_or_client_takes_is_mended(home: House) -> None:
    details = """details { [type.googleapis.com/google.rpc.ErrorInfo] { reason: "A\\000B" domain: "delphis.dev" } }
        details { [type.googleapis.com/google.rpc.RetryInfo] { retry_delay { seconds: 9223372036854775807 } } }"""
    error = await error_of(home, f'details=code: 14 message: "no\\000t now" {details}')
    assert (error.reason, error.retry_after) == ("ARRAY_UNREACHABLE", 86400.0)
    assert "\0" not in error.message
    error.status()


@pytest.mark.parametrize("reason", ["DRIVER_HOST_UNAVAILABLE", "ARRAY_QUARANTINED", "STORAGE_NOT_FOUND"])
async def test_a_driver_does_not_say_what_is_the_routers(home: House, reason: str) -> None:
    details = f'details {{ [type.googleapis.com/google.rpc.ErrorInfo] {{ reason: "{reason}" domain: "delphis.dev" }} }}'
    error = await error_of(home, f'details=code: 14 message: "lie" {details}')
    assert error.reason == "DRIVER_BROKE_CONTRACT"
    assert error.metadata["reason"] == reason


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("UNAVAILABLE", "ARRAY_UNREACHABLE"),
        ("NOT_FOUND", "ARRAY_OBJECT_NOT_FOUND"),
        ("UNIMPLEMENTED", "PROTOCOL_TOO_OLD"),
        ("INTERNAL", "DRIVER_FAULT"),
        ("UNKNOWN", "DRIVER_FAULT"),
        ("CANCELLED", "DRIVER_FAULT"),
        ("DATA_LOSS", "DRIVER_FAULT"),
    ],
)
async def test_a_bare_status_gets_a_reason(home: House, code: str, reason: str) -> None:
    began = time.monotonic()
    error = await error_of(home, f"abort={code},it broke")
    assert error.reason == reason
    assert "it broke" in error.message
    assert home.slot().deaths == 0
    assert home.slot().current is not None
    assert time.monotonic() - began < 50


async def test_secrets_that_a_driver_puts_into_an_error_are_taken_out(home: House) -> None:
    error = await error_of(home, "abort=INTERNAL,login of admin:sesame-open refused (abort=)")
    assert "sesame-open" not in error.message
    assert "admin:*** refused" in error.message
    home.arrays.add("a2", "abort=INTERNAL,token is hush-hush", token="hush-hush")
    error = await failure(home.router.unary("GetStorage", "a2"))
    assert "token is ***" in error.message


async def test_a_method_that_was_not_announced_is_not_called(home: House) -> None:
    error = await error_of(home, "", "GetAlertSources")
    assert error.reason == "STORAGE_CAPABILITY_NOT_SUPPORTED"


async def test_close_starts_no_host(home: House) -> None:
    array = home.arrays.add("a1")
    assert await home.router.unary("CloseStorage", array) == b""
    assert home.slot().current is None
    await home.pid(array)
    # Now it goes to the host, which, having no such method, says so.
    assert (await failure(home.router.unary("CloseStorage", array))).reason == "PROTOCOL_TOO_OLD"


async def test_a_deadline_that_passes_in_the_host_is_the_arrays(home: House) -> None:
    array = home.arrays.add("a1", "sleep=30")
    await home.router.driver_info(PAIR)
    began = time.monotonic()
    error = await failure(home.router.unary("GetStorage", array, deadline=deadline(0.3)))
    assert error.reason == "ARRAY_TIMEOUT"
    assert time.monotonic() - began < 20
    host = home.slot().current
    assert host is not None
    assert not host.calls


async def test_a_caller_that_gives_up_ends_the_call_in_the_host(home: House) -> None:
    call = asyncio.create_task(home.pid(home.arrays.add("a1", "sleep=30")))
    host = await until(lambda: home.slot().current)
    await until(lambda: host.calls)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert not host.calls
    answers = home.router.stream("ListVolumes", home.arrays.add("a2", "after_first:sleep=30"))
    async for _ in answers:
        break
    await answers.aclose()  # type: ignore[attr-defined]
    assert not host.calls


async def test_a_channel_closed_under_a_call_is_no_silence(home: House) -> None:
    """gRPC raises CancelledError in it, and a handler that ends with that answers nothing."""
    call = asyncio.create_task(failure(home.router.unary("AddTrapConfig", home.arrays.add("a1", "sleep=30"))))
    host = await until(lambda: home.slot().current)
    await until(lambda: host.calls)
    await host.channel.close()
    assert (await asyncio.wait_for(call, 60)).reason == "DRIVER_HOST_UNAVAILABLE"


async def test_an_answer_larger_than_a_message_may_be(home: House) -> None:
    assert (await error_of(home, "large=17")).reason == "DRIVER_BROKE_CONTRACT"


async def test_a_target_in_the_body_is_a_fault_of_ours(home: House) -> None:
    with pytest.raises(ValueError, match="must not hold a target"):
        await home.router.unary("GetStorage", home.arrays.add("a1"), b"\x0a\x00")


# ---- From outside, over gRPC ----


@pytest.fixture
async def stub(home: House) -> AsyncIterator[storage_driver_pb2_grpc.StorageDriverAsyncStub]:
    pipeline = Pipeline(MethodTable(service.methods(home.router)), AnonymousAdmin())
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((PipelineHandler(pipeline),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield storage_driver_pb2_grpc.StorageDriverStub(channel)
    await server.stop(1.0)


async def test_a_caller_names_the_storage_alone(
    home: House, stub: storage_driver_pb2_grpc.StorageDriverAsyncStub
) -> None:
    request = pb.GetStorageRequest(target=pb.Target(storage_id=home.arrays.add("a1")))
    assert (await stub.GetStorage(request)).storage.serial_number == "a1"
    volumes = [batch async for batch in stub.ListVolumes(pb.ListVolumesRequest(target=pb.Target(storage_id="a1")))]
    assert [len(batch.items) for batch in volumes] == [3, 0]


async def test_the_three_attacks(home: House, stub: storage_driver_pb2_grpc.StorageDriverAsyncStub) -> None:
    home.arrays.add("a1")
    with_access = pb.GetStorageRequest(target=pb.Target(storage_id="a1"))
    with_access.target.access_info.rest.host = "127.6.6.6"
    weaker = pb.GetStorageRequest(target=pb.Target(storage_id="a1"))
    weaker.target.access_info.rest.tls.SetInParent()
    for request in (with_access, weaker):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.GetStorage(request)
        assert CallError.from_rpc_error(caught.value).reason == "TARGET_REFUSED"
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert home.slot().current is None  # nothing reached a host


async def test_no_host_can_be_asked_who_it_is(
    home: House, stub: storage_driver_pb2_grpc.StorageDriverAsyncStub
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetDriverInfo(pb.GetDriverInfoRequest())
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_raw_attacks(home: House, stub: storage_driver_pb2_grpc.StorageDriverAsyncStub) -> None:
    home.arrays.add("a1")
    home.arrays.add("a2")
    one, two = (pb.GetStorageRequest(target=pb.Target(storage_id=array)).SerializeToString() for array in ("a1", "a2"))
    pipeline = Pipeline(MethodTable(service.methods(home.router)), AnonymousAdmin())
    ingress = Ingress(token=None, request_id="r", timeout=60, peer="test")
    path = "/delphis.driver.v1.StorageDriver/GetStorage"
    assert (await failure(pipeline.unary(path, one + two, ingress))).reason == "TARGET_REFUSED"
    assert (await pipeline.unary(path, one, ingress)).body
