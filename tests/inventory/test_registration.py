"""Arrays are registered: once, with login, serial number and first sync, or not at all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration

from delphis.inventory.v1 import change_pb2
from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.type.v1 import storage_pb2
from services.calls.errors import CallError
from services.inventory.storages import rows
from services.store.connection import Connection
from tests.inventory.core import INVENTORY, Core, refusal, registration, rest


async def register(core: Core, request: pb.RegisterStorageRequest) -> storage_pb2.Storage:
    return await core.call(INVENTORY + "RegisterStorage", request, storage_pb2.Storage)


async def listed(core: Core) -> list[str]:
    return [storage.id for storage in (await core.storages()).storages]


async def refused(core: Core, request: pb.RegisterStorageRequest) -> CallError:
    return await refusal(register(core, request))


async def test_the_answer_shows_the_array_and_that_its_sync_began(delphis_on_both: Core) -> None:
    core = delphis_on_both
    request = registration(1, volumes="30")
    request.storage_name = "east"
    request.labels["site"] = "b7"
    request.sync_interval.CopyFrom(Duration(seconds=3600))
    storage = await register(core, request)
    assert storage.sync_status == storage_pb2.SYNC_STATUS_SYNCING
    assert storage.sync_outcome == storage_pb2.SYNC_OUTCOME_NEVER
    assert (storage.vendor, storage.model) == ("fake_vendor", "fake_model")
    assert (storage.driver_vendor, storage.driver_model) == ("fake_storage", "fake_driver")
    assert storage.display_name == "east"
    assert dict(storage.labels) == {"site": "b7"}
    assert storage.sync_interval.seconds == 3600
    assert storage.HasField("created_at")
    assert not storage.HasField("updated_at")
    assert storage.HasField("deleted")
    assert not storage.deleted
    synced = await core.wait_synced(storage.id)
    assert synced.sync_outcome == storage_pb2.SYNC_OUTCOME_OK
    assert synced.HasField("last_success_at")
    assert not synced.HasField("updated_at")
    assert await core.volumes(storage.id) == 30
    changes = await core.call(
        "/delphis.inventory.v1.ChangeService/ListChanges",
        change_pb2.ListChangesRequest(storage_id=storage.id, kind="storage"),
        change_pb2.ListChangesResponse,
    )
    assert [change.type for change in changes.changes] == [change_pb2.CHANGE_TYPE_REGISTERED]
    assert changes.changes[0].id == storage.id


async def test_the_guides_body_names_vendor_and_model_inside(delphis: Core) -> None:
    body = {"rest": {"host": "127.0.0.1", "port": 22, "username": "username", "password": "password",
                     "vendor": "sample_vendor", "model": "sample_model"}}  # fmt: skip
    storage = await register(delphis, json_format.ParseDict(body, pb.RegisterStorageRequest()))
    assert (storage.serial_number, storage.name) == ("123", "sample")
    assert (await delphis.wait_synced(storage.id)).sync_outcome == storage_pb2.SYNC_OUTCOME_OK
    body["rest"]["vendor"] = "other"
    assert (
        await refused(delphis, json_format.ParseDict({**body, "vendor": "sample_vendor"}, pb.RegisterStorageRequest()))
    ).metadata["field"] == "rest.vendor"


async def test_an_array_is_registered_once(delphis_on_both: Core) -> None:
    core = delphis_on_both
    first = await core.register(1)
    named = registration(1)
    named.storage_name = "another name"
    by_ssh = registration(1)
    by_ssh.ssh.host, by_ssh.ssh.port, by_ssh.ssh.username, by_ssh.ssh.private_key = "127.9.0.9", 22, "u", "k"
    upper = registration(1)
    other_block = registration(1)
    other_block.cli.host, other_block.cli.port = "127.9.0.1", 1
    other_block.cli.username, other_block.cli.password = "u", "p"
    other_block.ClearField("rest")
    for request in (registration(1), named, by_ssh, upper, registration(1, volumes="5"), other_block):
        error = await refused(core, request)
        assert error.reason == "STORAGE_ALREADY_EXISTS"
        assert error.metadata == {"storage_id": first.id}
        assert first.id in error.message
    chosen = await core.register(1, array="second")
    assert chosen.serial_number != first.serial_number
    assert (await refused(core, registration(1, array="second"))).metadata["storage_id"] == chosen.id
    assert sorted(await listed(core)) == sorted([first.id, chosen.id])


async def test_of_many_at_once_one_wins(delphis_on_both: Core) -> None:
    core = delphis_on_both
    results = await asyncio.gather(
        *(core.register(1, **{"latency_ms.storage": "20"}) for _ in range(12)), return_exceptions=True
    )
    made = [result for result in results if isinstance(result, storage_pb2.Storage)]
    refused = [result for result in results if isinstance(result, CallError)]
    assert (len(made), len(refused)) == (1, 11)
    assert {error.reason for error in refused} == {"STORAGE_ALREADY_EXISTS"}
    assert {error.metadata["storage_id"] for error in refused} == {made[0].id}
    assert await listed(core) == [made[0].id]


async def test_a_repeat_with_the_same_request_id_answers_the_same_storage(delphis_on_both: Core) -> None:
    core = delphis_on_both
    request = registration(1, **{"latency_ms.storage": "20"})
    request.request_id = "order-4711"
    answers = await asyncio.gather(*(register(core, request) for _ in range(5)))
    assert len({storage.id for storage in answers}) == 1
    assert (await register(core, request)).id == answers[0].id
    other = registration(2)
    other.request_id = "order-4711"
    assert (await refused(core, other)).reason == "REQUEST_ID_REUSED"
    password = registration(1, **{"latency_ms.storage": "20"})
    password.request_id, password.rest.password = "order-4711", "another"
    assert (await refused(core, password)).reason == "REQUEST_ID_REUSED"
    await core.delete(answers[0].id)
    assert (await refused(core, request)).reason == "STORAGE_NOT_FOUND"
    assert await listed(core) == []


async def test_a_failed_registration_does_not_use_up_its_request_id(delphis: Core) -> None:
    request = registration(1, fail="storage:unavailable*1")
    request.request_id = "order-1"
    assert (await refused(delphis, request)).reason == "ARRAY_UNREACHABLE"
    # The array's sessions count their calls anew, so it fails again; what matters is that it was asked.
    assert (await refused(delphis, request)).reason == "ARRAY_UNREACHABLE"
    request.extra_attributes.clear()
    assert (await register(delphis, request)).id


async def test_validate_only_logs_in_and_stores_nothing(delphis: Core) -> None:
    request = registration(1)
    request.validate_only = True
    request.storage_name = "east"
    answer = await register(delphis, request)
    assert answer.serial_number
    assert answer.display_name == "east"
    assert not answer.HasField("id")
    assert not answer.HasField("created_at")
    assert await listed(delphis) == []
    request.rest.password = "wrong"
    assert (await refused(delphis, request)).reason == "INVALID_USERNAME_OR_PASSWORD"
    first = await delphis.register(1)
    request.rest.password = "right"
    assert (await refused(delphis, request)).metadata["storage_id"] == first.id


FAULTS = {
    "password": "INVALID_USERNAME_OR_PASSWORD",
    "address": "INVALID_IP_OR_PORT",
    "certificate": "SSL_CERTIFICATE_FAILED",
    "unavailable": "ARRAY_UNREACHABLE",
    "not_found": "STORAGE_BACKEND_NOT_FOUND",
    "bad_response": "BAD_RESPONSE",
    "error": "STORAGE_BACKEND_EXCEPTION",
    "bug": "DRIVER_FAULT",
    "storage:no_serial": "INVALID_RESULTS",
    "exit": "DRIVER_HOST_UNAVAILABLE",
}


async def test_what_the_array_says_is_the_answer_and_nothing_is_stored(delphis: Core) -> None:
    for fail, reason in FAULTS.items():
        assert (await refused(delphis, registration(1, fail=fail))).reason == reason
        assert await listed(delphis) == []
    assert (await delphis.synced(2)).sync_outcome == storage_pb2.SYNC_OUTCOME_OK


async def test_an_array_that_hangs_ends_at_the_callers_deadline(delphis: Core) -> None:
    hanging = registration(1, fail="storage:hang")
    call = delphis.call(INVENTORY + "RegisterStorage", hanging, storage_pb2.Storage, timeout=4.0)
    assert (await refusal(call)).reason == "ARRAY_TIMEOUT"
    assert await listed(delphis) == []


def spoilt(change: Callable[[pb.RegisterStorageRequest], object]) -> pb.RegisterStorageRequest:
    request = registration(1)
    change(request)
    return request


BAD: list[tuple[pb.RegisterStorageRequest, str, str]] = [
    (spoilt(lambda r: r.ClearField("vendor")), "INVALID_INPUT", "vendor"),
    (spoilt(lambda r: r.ClearField("model")), "INVALID_INPUT", "model"),
    (spoilt(lambda r: setattr(r, "vendor", "v" * 256)), "INVALID_INPUT", "vendor"),
    (spoilt(lambda r: setattr(r, "model", "a\0b")), "INVALID_INPUT", "model"),
    (spoilt(lambda r: setattr(r, "storage_name", "")), "INVALID_INPUT", "storage_name"),
    (spoilt(lambda r: setattr(r, "storage_name", "n" * 256)), "INVALID_INPUT", "storage_name"),
    (spoilt(lambda r: r.ClearField("rest")), "INVALID_INPUT", "access_info"),
    (spoilt(lambda r: r.rest.ClearField("port")), "INVALID_INPUT", "rest.port"),
    (spoilt(lambda r: setattr(r.rest, "port", 65536)), "INVALID_INPUT", "rest.port"),
    (spoilt(lambda r: setattr(r.rest, "host", "a b")), "INVALID_INPUT", "rest.host"),
    (spoilt(lambda r: r.extra_attributes.update({"a/b": "c"})), "INVALID_INPUT", "extra_attributes"),
    (spoilt(lambda r: r.labels.update({"a b": "c"})), "INVALID_INPUT", "labels"),
    (spoilt(lambda r: r.labels.update({"a": "c" * 256})), "INVALID_INPUT", "labels.a"),
    (spoilt(lambda r: r.sync_interval.FromSeconds(9)), "INVALID_INPUT", "sync_interval"),
    (spoilt(lambda r: r.sync_interval.FromSeconds(31 * 86400)), "INVALID_INPUT", "sync_interval"),
    (spoilt(lambda r: setattr(r, "request_id", "x" * 129)), "INVALID_INPUT", "request_id"),
    (spoilt(lambda r: setattr(r, "vendor", "nobody")), "STORAGE_DRIVER_NOT_FOUND", ""),
    (spoilt(lambda r: setattr(r, "model", "Fake_Driver")), "STORAGE_DRIVER_NOT_FOUND", ""),
]


async def test_bad_input_is_named_before_anybody_logs_in(delphis: Core) -> None:
    for request, reason, field in BAD:
        error = await refused(delphis, request)
        assert (error.reason, error.metadata.get("field", "")) == (reason, field)
    assert await listed(delphis) == []
    for info in delphis.registry.supervisor.known():
        assert info.main.current is None, "a host was started"


async def test_a_caller_who_gives_up_leaves_a_whole_storage_or_none(delphis: Core) -> None:
    await delphis.register(100)
    for port in range(1, 16):
        call = asyncio.create_task(delphis.register(port))
        await asyncio.sleep(port / 1000)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
    for storage_id in await listed(delphis):
        assert (await delphis.wait_synced(storage_id)).sync_outcome == storage_pb2.SYNC_OUTCOME_OK


async def test_a_repeat_waits_for_what_a_caller_who_gave_up_left_behind(
    delphis_on_both: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    core = delphis_on_both
    lock, inside, go_on = rows.lock_registration, threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        inside.set()
        assert go_on.wait(60)
        lock(connection)

    monkeypatch.setattr(rows, "lock_registration", slow)
    request = registration(1)
    request.request_id = "order-4711"
    first = asyncio.create_task(register(core, request))
    assert await asyncio.to_thread(inside.wait, 20.0)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    repeat = asyncio.create_task(register(core, request))
    # Where it does not wait it has logged in by the time another array has.
    other = registration(2)
    other.validate_only = True
    assert (await register(core, other)).serial_number
    go_on.set()
    assert [(await repeat).id] == await listed(core)


async def test_addresses_differ_by_case_only_are_one(delphis: Core) -> None:
    first = registration(1)
    first.rest.CopyFrom(rest(1, host="localhost"))
    storage = await register(delphis, first)
    first.rest.host = "LOCALHOST"
    assert (await refused(delphis, first)).metadata["storage_id"] == storage.id
