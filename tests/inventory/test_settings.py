"""What an operator decides about a storage, and the list of storages by it."""

from __future__ import annotations

import asyncio
import time

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.inventory.v1 import job_pb2
from delphis.type.v1 import storage_pb2
from services.calls.errors import CallError
from services.inventory.storages import settings as settings_module
from tests.inventory.core import Core, refusal, registration, until


def at(seconds: float) -> Timestamp:
    stamp = Timestamp()
    stamp.FromNanoseconds(int((time.time() + seconds) * 1e9))
    return stamp


async def test_what_is_set_changes_and_the_rest_stays(delphis_on_both: Core) -> None:
    core = delphis_on_both
    storage = await core.synced(1)
    changed = await core.update(storage.id, pb.StorageSettings(display_name="east", labels={"a": "1", "b": "2"}))
    assert (changed.display_name, dict(changed.labels)) == ("east", {"a": "1", "b": "2"})
    assert changed.HasField("updated_at")
    assert changed.serial_number == storage.serial_number
    changed = await core.update(storage.id, pb.StorageSettings(labels={"b": "3"}))
    assert (changed.display_name, dict(changed.labels)) == ("east", {"b": "3"})
    changed = await core.update(storage.id, pb.StorageSettings(sync_interval=Duration(seconds=60)))
    assert changed.sync_interval.seconds == 60
    due = (await core.state(storage.id)).next_sync_at.ToMicroseconds() / 1e6
    assert time.time() + 20 < due < time.time() + 91
    changed = await core.update(storage.id, pb.StorageSettings(), "labels", "display_name", "sync_interval")
    assert not changed.labels
    assert not changed.HasField("display_name")
    assert not changed.HasField("sync_interval")
    assert changed == await core.get(storage.id)
    unchanged = await core.update(storage.id, pb.StorageSettings())
    assert unchanged.updated_at == changed.updated_at


async def test_bad_settings_are_named_and_change_nothing(delphis: Core) -> None:
    storage = await delphis.synced(1)
    for settings, paths, field in (
        (pb.StorageSettings(display_name="n" * 256), (), "display_name"),
        (pb.StorageSettings(display_name="a\nb"), (), "display_name"),
        (pb.StorageSettings(labels={"a b": ""}), (), "labels"),
        (pb.StorageSettings(labels={str(number): "" for number in range(65)}), (), "labels"),
        (pb.StorageSettings(sync_interval=Duration(seconds=9)), (), "sync_interval"),
        (pb.StorageSettings(pause=storage_pb2.Pause(until=at(-5))), (), "pause.until"),
        (pb.StorageSettings(pause=storage_pb2.Pause(reason="r" * 256)), (), "pause.reason"),
        (pb.StorageSettings(), ("colour",), "update_mask"),
        (pb.StorageSettings(), ("pause.reason",), "update_mask"),
    ):
        error = await refusal(delphis.update(storage.id, settings, *paths))
        assert (error.reason, error.metadata["field"]) == ("INVALID_INPUT", field)
    assert await delphis.get(storage.id) == storage
    error = await refusal(delphis.update("x", pb.StorageSettings(display_name="n")))
    assert error.reason == "STORAGE_NOT_FOUND"


async def test_a_pause_stops_all_calls_until_it_is_ended(delphis: Core) -> None:
    storage = await delphis.register(1, **{"latency_ms.volumes": "60000"})
    job_id = (await delphis.state(storage.id)).job_id
    await until(lambda: delphis.job(job_id), lambda job: len(job.kinds) > 1)
    paused = await delphis.update(storage.id, pb.StorageSettings(pause=storage_pb2.Pause(reason="move")))
    assert paused.pause.reason == "move"
    assert paused.pause.HasField("since")
    assert not paused.pause.HasField("until")
    assert paused.sync_status == storage_pb2.SYNC_STATUS_SYNCED
    assert (await delphis.job(job_id)).state == job_pb2.JOB_STATE_CANCELLED
    assert not (await delphis.state(storage.id)).HasField("next_sync_at")
    assert (await refusal(delphis.sync(storage.id))).reason == "STORAGE_IS_PAUSED"
    longer = await delphis.update(
        storage.id, pb.StorageSettings(pause=storage_pb2.Pause(reason="still", until=at(3600)))
    )
    assert longer.pause.since == paused.pause.since
    assert longer.pause.HasField("until")
    resumed = await delphis.update(storage.id, pb.StorageSettings(), "pause")
    assert not resumed.HasField("pause")
    assert (await delphis.state(storage.id)).HasField("next_sync_at")
    await delphis.sync(storage.id)


async def test_a_pause_ends_by_itself(delphis: Core) -> None:
    storage = await delphis.synced(1)
    await delphis.update(storage.id, pb.StorageSettings(pause=storage_pb2.Pause(until=at(0.4))))
    assert (await refusal(delphis.sync(storage.id))).reason == "STORAGE_IS_PAUSED"
    await until(lambda: delphis.get(storage.id), lambda now: not now.HasField("pause"))
    await until(lambda: delphis.state(storage.id), lambda now: now.HasField("next_sync_at"))
    assert await delphis.sync(storage.id)


async def test_storages_are_synced_again_without_being_asked(delphis: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings_module, "LEAST_INTERVAL", 1)
    storage = await delphis.synced(1)
    await delphis.update(storage.id, pb.StorageSettings(sync_interval=Duration(seconds=1)))
    first = (await delphis.state(storage.id)).job_id
    state = await until(lambda: delphis.state(storage.id), lambda state: state.job_id != first)
    job = await delphis.ended(state.job_id)
    assert job.requested_by == "schedule"
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED


async def test_lists_filter_order_and_page(delphis_on_both: Core) -> None:
    core = delphis_on_both
    made: list[storage_pb2.Storage] = []
    for port in range(1, 6):
        request = registration(port, volumes="1", **({"fail": "volumes:error"} if port == 5 else {}))
        request.storage_name = f"array-{6 - port}"
        request.labels.update({"site": "b7" if port < 3 else "b8", "tier/level": str(port)})
        path = "/delphis.inventory.v1.InventoryService/RegisterStorage"
        made.append(await core.call(path, request, storage_pb2.Storage))
    storages = [await core.wait_synced(storage.id) for storage in made]
    ids = [storage.id for storage in storages]

    async def found(text: str = "", **fields: object) -> list[str]:
        return [storage.id for storage in (await core.storages(text, **fields)).storages]

    assert await found() == ids[::-1]
    assert [storage.id for storage in (await core.storages()).storages if storage not in storages] == []
    assert await found(order_by="display_name") == ids[::-1]
    assert await found(order_by="created_at") == ids
    assert await found('labels.site = "b7"', order_by="created_at") == ids[:2]
    assert await found('labels.site = b8 AND labels.tier/level = "4"') == [ids[3]]
    assert await found("sync_outcome = partial") == [ids[4]]
    assert await found('sync_status = "SYNCED" AND vendor = fake_vendor AND driver_model = fake_driver') == ids[::-1]
    assert await found("vendor = fake_storage") == []
    assert await found(f'serial_number = "{storages[2].serial_number}"') == [ids[2]]
    assert await found(f'id = "{ids[1]}"') == [ids[1]]
    assert await found(f'name = "{storages[0].name}" AND status = normal AND id = {ids[0]}') == [ids[0]]
    pages, token = [], ""
    while True:
        page = await core.storages(page_size=2, page_token=token, order_by="created_at")
        pages.append([storage.id for storage in page.storages])
        token = page.next_page_token
        if not token:
            break
    assert pages == [ids[:2], ids[2:4], ids[4:]]
    assert await found(skip=3, order_by="created_at") == ids[3:]
    assert await found(page_token=f"after:{ids[1]}", order_by="created_at") == ids[2:]
    for text, fields, reason in (
        ("colour = red", {}, "INVALID_INPUT"),
        ("status = purple", {}, "INVALID_INPUT"),
        ("labels. = x", {}, "INVALID_INPUT"),
        ("", {"order_by": "labels.site"}, "INVALID_INPUT"),
        ("", {"page_size": -1}, "INVALID_INPUT"),
        ("", {"page_token": "nonsense"}, "INVALID_PAGE_TOKEN"),
        ("", {"page_token": "after:11111111-1111-1111-1111-111111111111"}, "STORAGE_NOT_FOUND"),
    ):
        error: CallError = await refusal(core.storages(text, **fields))
        assert error.reason == reason, (text, fields)


async def test_a_changing_list_does_not_disturb_syncs(delphis: Core) -> None:
    storage = await delphis.register(1, **{"latency_ms.volumes": "200"})
    while (await delphis.get(storage.id)).sync_status == storage_pb2.SYNC_STATUS_SYNCING:
        await delphis.update(storage.id, pb.StorageSettings(labels={"at": str(time.monotonic_ns())}))
        await asyncio.sleep(0.01)
    assert (await delphis.get(storage.id)).sync_outcome == storage_pb2.SYNC_OUTCOME_OK
