"""What depends on what a driver announces and does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.inventory.v1 import job_pb2
from delphis.type.v1 import access_pb2, storage_pb2
from tests.inventory.core import DRIVERS, INVENTORY, Core, core, refusal, rest


@pytest.fixture
async def delphis(tmp_path: Path) -> AsyncIterator[Core]:
    """A core with a driver of this folder's as well."""
    async with core(tmp_path, drivers=(DRIVERS, Path(__file__).parent / "drivers")) as running:
        yield running


async def register(core: Core, vendor: str, model: str) -> storage_pb2.Storage:
    request = pb.RegisterStorageRequest(vendor=vendor, model=model, rest=rest(7))
    return await core.call(INVENTORY + "RegisterStorage", request, storage_pb2.Storage)


async def capabilities(core: Core, storage_id: str) -> pb.StorageCapabilities:
    request = pb.GetStorageCapabilitiesRequest(storage_id=storage_id)
    return await core.call(INVENTORY + "GetStorageCapabilities", request, pb.StorageCapabilities)


async def change(core: Core, storage_id: str, username: str) -> access_pb2.AccessInfo:
    request = pb.UpdateAccessInfoRequest(storage_id=storage_id, rest=rest(7))
    request.rest.username = username
    return await core.call(INVENTORY + "UpdateAccessInfo", request, access_pb2.AccessInfo)


async def test_capabilities_come_from_the_array_or_not_at_all(delphis: Core) -> None:
    measuring = await register(delphis, "test", "measuring")
    answer = await capabilities(delphis, measuring.id)
    assert answer.spec["is_historic"] is True
    assert (answer.metadata.vendor, answer.metadata.model) == ("v", "m")
    sample = await register(delphis, "sample_vendor", "sample_model")
    assert (await refusal(capabilities(delphis, sample.id))).reason == "STORAGE_CAPABILITY_NOT_SUPPORTED"
    assert (await refusal(capabilities(delphis, "x"))).reason == "STORAGE_NOT_FOUND"


async def test_only_what_a_driver_announces_is_read(delphis: Core) -> None:
    sample = await register(delphis, "sample_vendor", "sample_model")
    job = await delphis.ended((await delphis.state(sample.id)).job_id)
    assert {kind.kind for kind in job.kinds} == {"storage", "storage_pool", "volume"}
    measuring = await register(delphis, "test", "measuring")
    job = await delphis.ended((await delphis.state(measuring.id)).job_id)
    assert (job.state, [kind.kind for kind in job.kinds]) == (job_pb2.JOB_STATE_SUCCEEDED, ["storage"])
    assert (await delphis.get(measuring.id)).sync_outcome == storage_pb2.SYNC_OUTCOME_OK


async def choosy(core: Core, kinds: str, port: int = 7) -> tuple[storage_pb2.Storage, dict[str, job_pb2.KindState]]:
    request = pb.RegisterStorageRequest(
        vendor="test", model="choosy", rest=rest(port), extra_attributes={"kinds": kinds}
    )
    storage = await core.call(INVENTORY + "RegisterStorage", request, storage_pb2.Storage)
    job = await core.ended((await core.state(storage.id)).job_id)
    return await core.wait_synced(storage.id), {kind.kind: kind for kind in job.kinds}


async def test_an_array_is_not_asked_for_kinds_that_it_has_not(delphis: Core) -> None:
    storage, kinds = await choosy(delphis, "storage,volume,controller")
    assert storage.sync_outcome == storage_pb2.SYNC_OUTCOME_OK
    assert set(kinds) == {"storage", "volume", "disk"}
    assert kinds["volume"].outcome == job_pb2.KIND_OUTCOME_OK
    assert (kinds["volume"].total, await delphis.volumes(storage.id)) == (1, 1)
    disks = kinds["disk"]
    assert (disks.outcome, disks.error_code) == (job_pb2.KIND_OUTCOME_UNSUPPORTED, "StorageCapabilityNotSupported")
    assert "no disks" in disks.error_msg
    assert (await delphis.kind(storage.id, "disk")).outcome == job_pb2.KIND_OUTCOME_UNSUPPORTED
    assert not kinds["storage"].warnings


async def test_an_array_that_names_no_kinds_is_asked_for_all(delphis: Core) -> None:
    storage, kinds = await choosy(delphis, "")
    assert storage.sync_outcome == storage_pb2.SYNC_OUTCOME_PARTIAL
    assert kinds["disk"].outcome == job_pb2.KIND_OUTCOME_FAILED
    assert kinds["volume"].total == 1


async def test_an_array_that_cannot_say_what_it_has_is_asked_for_all_with_a_warning(delphis: Core) -> None:
    _, kinds = await choosy(delphis, "broken")
    assert kinds["disk"].outcome == job_pb2.KIND_OUTCOME_FAILED
    assert "all are read" in kinds["storage"].warnings[0]
    _, kinds = await choosy(delphis, "volume,floppy", 8)
    assert kinds["disk"].outcome == job_pb2.KIND_OUTCOME_UNSUPPORTED
    assert "'floppy'" in kinds["storage"].warnings[0]


async def test_a_changed_access_info_resets_the_session_and_a_failing_reset_is_no_failure(
    delphis: Core, caplog: pytest.LogCaptureFixture
) -> None:
    measuring = await register(delphis, "test", "measuring")
    await delphis.wait_synced(measuring.id)

    async def resets() -> str:
        await delphis.ended(await delphis.sync(measuring.id))
        return (await delphis.get(measuring.id)).firmware_version

    assert await resets() == "0 resets"
    assert (await change(delphis, measuring.id, "lucky")).revision == 2
    assert await resets() == "1 resets"
    assert (await change(delphis, measuring.id, "unlucky")).rest.username == "unlucky"
    assert "was not reset" in caplog.text
    assert await resets() == "2 resets"
