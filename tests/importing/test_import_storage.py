"""ImportStorage: a storage is taken over under its id, without a login, once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable

from delphis.inventory.v1 import change_pb2, inventory_pb2
from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.type.v1 import access_pb2, storage_pb2
from services.calls.errors import CallError
from services.inventory.storages import rows
from tests.inventory.core import INVENTORY, PASSWORD, Core, refusal, rest

ID = "6f9b1f0e-4c3a-4f5e-9d55-0d6c7a1c2b3a"
NEVER, OK, FAILED = storage_pb2.SYNC_OUTCOME_NEVER, storage_pb2.SYNC_OUTCOME_OK, storage_pb2.SYNC_OUTCOME_FAILED


def wanted(port: int = 1, storage_id: str = ID, **attributes: str) -> pb.ImportStorageRequest:
    return pb.ImportStorageRequest(
        storage_id=storage_id,
        vendor="fake_storage",
        model="fake_driver",
        rest=rest(port),
        extra_attributes=attributes,
        array=storage_pb2.Storage(name="old name", vendor="fake_vendor"),
    )


async def take(core: Core, request: pb.ImportStorageRequest) -> pb.ImportStorageResponse:
    return await core.call(INVENTORY + "ImportStorage", request, pb.ImportStorageResponse)


async def refused(core: Core, request: pb.ImportStorageRequest) -> CallError:
    return await refusal(take(core, request))


async def access_of(core: Core, storage_id: str) -> access_pb2.AccessInfo:
    request = pb.GetAccessInfoRequest(storage_id=storage_id)
    return await core.call(INVENTORY + "GetAccessInfo", request, access_pb2.AccessInfo)


async def test_a_storage_comes_with_its_id_and_waits_for_its_first_sync(delphis_on_both: Core) -> None:
    core = delphis_on_both
    request = wanted(volumes="12")
    request.storage_name = "east"
    request.labels["site"] = "b7"
    request.sync_interval.seconds = 3600
    taken = await take(core, request)
    assert taken.imported
    assert not taken.warnings
    stored = await core.get(ID)
    assert stored == taken.storage
    assert (stored.id, stored.name, stored.vendor, stored.display_name) == (ID, "old name", "fake_vendor", "east")
    assert (stored.driver_vendor, stored.driver_model) == ("fake_storage", "fake_driver")
    assert (stored.sync_status, stored.sync_outcome) == (storage_pb2.SYNC_STATUS_SYNCED, NEVER)
    assert not stored.HasField("serial_number")
    assert not stored.HasField("last_success_at")
    assert (dict(stored.labels), stored.sync_interval.seconds) == ({"site": "b7"}, 3600)
    assert not (await core.jobs()).jobs
    state = await core.state(ID)
    assert state.next_sync_at.ToDatetime() > stored.created_at.ToDatetime()
    changes = await core.call(
        "/delphis.inventory.v1.ChangeService/ListChanges",
        change_pb2.ListChangesRequest(storage_id=ID, kind="storage"),
        change_pb2.ListChangesResponse,
    )
    assert [change.type for change in changes.changes] == [change_pb2.CHANGE_TYPE_REGISTERED]
    access = await access_of(core, ID)
    assert (access.rest.host, access.rest.username, access.rest.password) == ("127.9.0.1", "operator", "")
    assert (await core.access.load(ID)).message.rest.password == PASSWORD

    await core.sync(ID)
    synced = await core.wait_synced(ID)
    assert synced.sync_outcome == OK
    assert synced.serial_number.startswith("FAKE")
    assert synced.name != "old name"
    assert await core.volumes(ID) == 12


async def test_no_array_is_asked(delphis: Core) -> None:
    request = wanted()
    request.rest.password = "wrong"  # which generated arrays refuse
    assert (await take(delphis, request)).imported
    await delphis.sync(ID)
    failed = await delphis.wait_synced(ID)
    assert failed.sync_outcome == FAILED
    assert "refused the user" in failed.sync_error


async def test_what_is_there_stays_as_it_is(delphis: Core) -> None:
    assert (await take(delphis, wanted(volumes="3"))).imported
    await delphis.sync(ID)
    synced = await delphis.wait_synced(ID)
    again = await take(delphis, wanted(2, storage_id=ID.upper(), volumes="9"))
    assert not again.imported
    assert again.storage == synced
    assert (await access_of(delphis, ID)).rest.port == 1
    assert len((await delphis.storages()).storages) == 1


async def test_of_many_imports_at_once_one_does_it(delphis: Core) -> None:
    answers = await asyncio.gather(*(take(delphis, wanted()) for _ in range(8)))
    assert sum(answer.imported for answer in answers) == 1


async def test_validate_only_stores_nothing(delphis: Core) -> None:
    request = wanted()
    request.validate_only = True
    answer = await take(delphis, request)
    assert answer.imported
    assert answer.storage.id == ID
    assert not answer.storage.HasField("created_at")
    assert not (await delphis.storages()).storages


async def test_a_known_serial_number_must_be_the_arrays(delphis: Core) -> None:
    request = wanted()
    request.array.serial_number = "FROM-DELFIN"
    await take(delphis, request)
    await delphis.sync(ID)
    synced = await delphis.wait_synced(ID)
    assert synced.sync_outcome == FAILED
    assert synced.serial_number == "FROM-DELFIN"
    assert synced.pending_serial_number.startswith("FAKE")
    accept = pb.AcceptSerialRequest(storage_id=ID, serial_number=synced.pending_serial_number)
    await delphis.call(INVENTORY + "AcceptSerial", accept, storage_pb2.Storage)
    accepted = await delphis.wait_synced(ID)
    assert (accepted.sync_outcome, accepted.serial_number) == (OK, synced.pending_serial_number)


async def test_an_access_update_brings_the_serial_number_that_was_not_known(delphis: Core) -> None:
    await take(delphis, wanted(1))
    update = pb.UpdateAccessInfoRequest(storage_id=ID, rest=rest(2))
    await delphis.call(INVENTORY + "UpdateAccessInfo", update, access_pb2.AccessInfo)
    stored = await delphis.get(ID)
    assert stored.serial_number.startswith("FAKE")
    await delphis.sync(ID)
    assert (await delphis.wait_synced(ID)).serial_number == stored.serial_number


async def test_two_imported_storages_do_not_become_one_array(delphis: Core) -> None:
    second = str(uuid.uuid4())
    for storage_id, port in ((ID, 1), (second, 2)):  # the tutorial's array has one serial number at every address
        request = wanted(port, storage_id)
        request.vendor, request.model = "sample_vendor", "sample_model"
        await take(delphis, request)
    await delphis.sync(ID)
    assert (await delphis.wait_synced(ID)).sync_outcome == OK
    await delphis.sync(second)
    failed = await delphis.wait_synced(second)
    assert failed.sync_outcome == FAILED
    assert f"use the storage {ID}" in failed.sync_error
    assert not failed.serial_number


BAD: dict[str, tuple[Callable[[pb.ImportStorageRequest], object], str]] = {
    "no-uuid": (lambda request: setattr(request, "storage_id", "array-1"), "storage_id"),
    "no-dashes": (lambda request: setattr(request, "storage_id", ID.replace("-", "")), "storage_id"),
    "no-vendor": (lambda request: request.ClearField("vendor"), "vendor"),
    "no-block": (lambda request: request.ClearField("rest"), "access_info"),
    "no-port": (lambda request: request.rest.ClearField("port"), "rest.port"),
    "no-password": (lambda request: request.rest.ClearField("password"), "rest.password"),
    "bad-host": (lambda request: setattr(request.rest, "host", "a b"), "rest.host"),
    "bad-name": (lambda request: setattr(request, "storage_name", "a\nb"), "storage_name"),
    "bad-label": (lambda request: request.labels.update({"a b": ""}), "labels"),
    "short-interval": (lambda request: setattr(request.sync_interval, "seconds", 1), "sync_interval"),
    "bad-attribute": (lambda request: request.extra_attributes.update({"a/b": ""}), "extra_attributes"),
    "core-field": (lambda request: setattr(request.array, "id", ID), "array.id"),
    "core-state": (lambda request: setattr(request.array, "sync_outcome", OK), "array.sync_outcome"),
    "blank-serial": (lambda request: setattr(request.array, "serial_number", " "), "array.serial_number"),
    "long-serial": (lambda request: setattr(request.array, "serial_number", "x" * 256), "array.serial_number"),
    "long-password": (lambda request: setattr(request.rest, "password", PASSWORD * 100), "rest.password"),
    "long-attribute": (lambda request: request.extra_attributes.update(a=PASSWORD * 100), "extra_attributes.a"),
    "large-array": (lambda request: setattr(request.array, "description", "x" * 70_000), "array"),
}


async def test_what_a_registration_refuses_is_refused(delphis: Core) -> None:
    for name, (spoil, field) in BAD.items():
        request = wanted()
        spoil(request)
        error = await refused(delphis, request)
        assert (error.reason, error.metadata["field"]) == ("INVALID_INPUT", field), name
    assert not (await delphis.storages()).storages


async def test_an_id_stands_for_one_array_and_an_array_for_one_id(delphis_on_both: Core) -> None:
    core = delphis_on_both
    registered = await core.synced(1)
    other = wanted(2, registered.id)
    other.vendor, other.model = "sample_vendor", "sample_model"
    same_address, same_serial = wanted(1), wanted(3)
    same_serial.array.serial_number = registered.serial_number
    for request in (other, same_address, same_serial):
        for dry in (True, False):
            request.validate_only = dry
            error = await refused(core, request)
            assert error.reason == "STORAGE_ALREADY_EXISTS"
            assert error.metadata["storage_id"] == registered.id
    found = await core.get(registered.id)
    assert found == registered
    no = await core.store.read(lambda connection: rows.get(connection, registered.id).no)
    await core.store.write(lambda connection: rows.mark_deleted(connection, no))
    error = await refused(core, wanted(1, registered.id))
    assert "is being removed" in error.message


async def test_a_driver_may_come_later(delphis: Core) -> None:
    def unknown(storage_id: str, **attributes: str) -> inventory_pb2.ImportStorageRequest:
        request = wanted(1, storage_id, **attributes)
        request.vendor, request.model = "dell_emc", "vmax"
        return request

    answer = await take(delphis, unknown(ID, array_id="0001"))
    assert answer.imported
    assert ["No driver serves vendor 'dell_emc', model 'vmax'" in warning for warning in answer.warnings] == [True]
    # Behind one management address stand several arrays; nobody can say yet which attribute chooses.
    second = str(uuid.uuid4())
    assert (await take(delphis, unknown(second, array_id="0002"))).imported
    error = await refused(delphis, unknown(str(uuid.uuid4()), array_id="0002"))
    assert error.metadata["storage_id"] == second
    assert not (await access_of(delphis, ID)).extra_attributes
    assert dict((await delphis.access.load(ID)).message.extra_attributes) == {"array_id": "0001"}
    await delphis.sync(ID)
    failed = await delphis.wait_synced(ID)
    assert failed.sync_outcome == FAILED
    assert "No driver serves" in failed.sync_error
    await delphis.ended(await delphis.delete(ID))
    assert (await take(delphis, unknown(ID, array_id="0001"))).imported
