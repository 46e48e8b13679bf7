"""Access infos: shown without secrets, changed only where the array agrees, and one at a time."""

from __future__ import annotations

from delphis.driver.v1 import storage_driver_pb2
from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.type.v1 import access_pb2, storage_pb2
from services.calls.errors import CallError
from tests.inventory.core import INVENTORY, Core, refusal, registration, rest


async def get(core: Core, storage_id: str) -> access_pb2.AccessInfo:
    return await core.call(
        INVENTORY + "GetAccessInfo", pb.GetAccessInfoRequest(storage_id=storage_id), access_pb2.AccessInfo
    )


async def change(core: Core, request: pb.UpdateAccessInfoRequest) -> access_pb2.AccessInfo:
    return await core.call(INVENTORY + "UpdateAccessInfo", request, access_pb2.AccessInfo)


async def refused(core: Core, request: pb.UpdateAccessInfoRequest) -> CallError:
    return await refusal(change(core, request))


async def reaches(core: Core, storage_id: str) -> str:
    """The serial number of the array that answers through the router."""
    answer = await core.router.unary("GetStorage", storage_id)
    return storage_driver_pb2.GetStorageResponse.FromString(answer).storage.serial_number


async def test_it_is_shown_without_secrets(delphis_on_both: Core) -> None:
    core = delphis_on_both
    request = registration(1, volumes="5", token="sentinel-token")
    request.storage_name = "east"
    request.rest.token = "sentinel-rest-token"
    request.cli.host, request.cli.username, request.cli.password = "127.9.0.2", "cli-user", "sentinel-cli"
    storage = await core.call(INVENTORY + "RegisterStorage", request, storage_pb2.Storage)
    shown = await get(core, storage.id)
    assert (shown.storage_id, shown.storage_name) == (storage.id, "east")
    assert (shown.vendor, shown.model) == ("fake_storage", "fake_driver")
    assert (shown.rest.host, shown.rest.port, shown.rest.username) == ("127.9.0.1", 1, "operator")
    assert shown.cli.username == "cli-user"
    assert dict(shown.extra_attributes) == {"volumes": "5"}
    assert shown.revision == 1
    assert shown.created_at == storage.created_at or shown.HasField("created_at")
    assert not shown.HasField("updated_at")
    assert "sentinel" not in str(shown)
    page = await core.call(INVENTORY + "ListAccessInfos", pb.ListAccessInfosRequest(), pb.ListAccessInfosResponse)
    assert list(page.access_infos) == [shown]


async def test_a_change_is_stored_once_the_array_agreed_and_used_from_then_on(delphis_on_both: Core) -> None:
    core = delphis_on_both
    storage = await core.synced(1, volumes="5")
    assert await reaches(core, storage.id) == storage.serial_number
    shown = await change(core, pb.UpdateAccessInfoRequest(storage_id=storage.id, rest=rest(1, password="new-one")))
    assert shown.revision == 2
    assert shown.HasField("updated_at")
    assert shown.rest.HasField("username")
    assert not shown.rest.HasField("password")
    assert shown == await get(core, storage.id)
    resolved = await core.access.resolve(storage.id, with_access=True)
    assert resolved.access_info is not None
    assert resolved.access_info.rest.password == "new-one"
    assert resolved.access_revision == 2
    assert await reaches(core, storage.id) == storage.serial_number
    await core.ended(await core.sync(storage.id))
    assert (await core.get(storage.id)).sync_outcome == storage_pb2.SYNC_OUTCOME_OK


async def test_what_the_array_refuses_is_not_stored(delphis: Core) -> None:
    storage = await delphis.synced(1)
    before = await get(delphis, storage.id)
    for request, reason in (
        (pb.UpdateAccessInfoRequest(rest=rest(1, password="wrong")), "INVALID_USERNAME_OR_PASSWORD"),
        (pb.UpdateAccessInfoRequest(rest=rest(2)), "STORAGE_SERIAL_NUMBER_MISMATCH"),
        (pb.UpdateAccessInfoRequest(extra_attributes={"fail": "storage:no_serial"}), "INVALID_RESULTS"),
        (pb.UpdateAccessInfoRequest(extra_attributes={"volumes": "many"}), "ACCESS_INFO_INCOMPLETE"),
        (pb.UpdateAccessInfoRequest(rest=access_pb2.RestAccess(host="h")), "INVALID_INPUT"),
        (pb.UpdateAccessInfoRequest(), "INVALID_INPUT"),
    ):
        request.storage_id = storage.id
        error = await refused(delphis, request)
        assert error.reason == reason
        assert await get(delphis, storage.id) == before
        assert await reaches(delphis, storage.id) == storage.serial_number
    # A session of the refused address must not be taken for the next try.
    await change(delphis, pb.UpdateAccessInfoRequest(storage_id=storage.id, rest=rest(1, password="right")))
    assert await reaches(delphis, storage.id) == storage.serial_number


async def test_no_sibling_is_touched(delphis: Core) -> None:
    one, two = await delphis.synced(1), await delphis.synced(2)
    before = await get(delphis, two.id)
    await change(delphis, pb.UpdateAccessInfoRequest(storage_id=one.id, rest=rest(1, password="new-one")))
    assert await get(delphis, two.id) == before
    assert await reaches(delphis, two.id) == two.serial_number
    error = await refused(delphis, pb.UpdateAccessInfoRequest(storage_id=one.id, rest=rest(2)))
    assert error.reason == "STORAGE_ALREADY_EXISTS"
    assert error.metadata["storage_id"] == two.id


async def test_a_block_and_attributes_can_be_added(delphis: Core) -> None:
    storage = await delphis.synced(1, volumes="5")
    ssh = access_pb2.SshAccess(host="127.9.0.3", port=22, username="u", private_key="sentinel")
    shown = await change(delphis, pb.UpdateAccessInfoRequest(storage_id=storage.id, ssh=ssh))
    assert shown.rest.host == "127.9.0.1"
    assert shown.ssh.host == "127.9.0.3"
    assert dict(shown.extra_attributes) == {"volumes": "5"}
    shown = await change(delphis, pb.UpdateAccessInfoRequest(storage_id=storage.id, extra_attributes={"volumes": "7"}))
    assert dict(shown.extra_attributes) == {"volumes": "7"}
    await delphis.ended(await delphis.sync(storage.id))
    assert (await delphis.kind(storage.id, "volume")).total == 7


async def test_unknown_storages(delphis: Core) -> None:
    for storage_id in ("", "x", "11111111-1111-1111-1111-111111111111"):
        assert (await refusal(get(delphis, storage_id))).reason == "ACCESS_INFO_NOT_FOUND"
        error = await refused(delphis, pb.UpdateAccessInfoRequest(storage_id=storage_id, rest=rest(1)))
        assert error.reason == "STORAGE_NOT_FOUND"
