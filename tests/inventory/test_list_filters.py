"""Filters, orders and totals of the lists that are no resources: storages, access infos, jobs, the audit log."""

from __future__ import annotations

from functools import partial
from typing import Any

from delphis.auth.v1 import auth_pb2
from delphis.inventory.v1 import inventory_pb2 as pb
from delphis.inventory.v1 import job_pb2, resource_pb2
from tests.inventory.core import INVENTORY, JOBS, RESOURCES, Core, refusal, until

AUDIT = "/delphis.auth.v1.AuthService/ListAuditEntries"
SMALL = {"volumes": "5", "disks": "2"}
LABELS: tuple[dict[str, str], ...] = ({"env": "prod", "k8s.io/site": "b7"}, {"env": "test"}, {})


async def three(core: Core) -> list[str]:
    """Ids of three storages: one, two and three, with labels but for the last."""
    ids: list[str] = []
    for port, labels in enumerate(LABELS, 1):
        storage = await core.synced(port, **SMALL)
        name = ("one", "two", "three")[port - 1]
        await core.update(storage.id, pb.StorageSettings(display_name=name, labels=labels))
        ids.append(storage.id)
    return ids


STORAGES = {
    "": "one two three",
    "labels.env = prod": "one",
    'labels.env = "pr*"': "one",
    "labels.env:prod": "one",
    "labels.env != prod": "two three",
    "labels.env:*": "one two",
    "labels:env": "one two",
    "labels:*": "one two",
    "NOT labels:*": "three",
    "labels.env > prod": "two",
    "labels.k8s.io/site = b7": "one",
    'labels."k8s.io/site" = b7': "one",
    "labels.env = prod OR display_name = three": "one three",
    "labels.env = prod AND display_name = three": "",
    "display_name:o": "one two",
    'display_name = "t*"': "two three",
    "-display_name:o": "three",
    "display_name >= three": "two three",
    "sync_outcome = OK AND created_at > 2020-01-01T00:00:00Z": "one two three",
    "last_success_at:* AND next_sync_at > 2020-01-01": "one two three",
    "sync_status = syncing": "",
    "updated_at < 2020-01-01": "",
}


async def test_storages_access_infos_jobs_and_the_audit_log(delphis_on_both: Core) -> None:
    core = delphis_on_both
    ids = await three(core)
    for text, names in STORAGES.items():
        found = await core.storages(text, order_by="created_at", include_total=True)
        assert [storage.display_name for storage in found.storages] == names.split(), text
        assert found.total_size == len(found.storages)
        assert not (await core.storages(text)).HasField("total_size")
    page = await core.storages("labels:env", page_size=1, order_by="display_name desc", include_total=True)
    assert (page.storages[0].display_name, page.total_size) == ("two", 2)
    rest = await core.storages("labels:env", page_token=page.next_page_token, order_by="display_name desc")
    assert [storage.display_name for storage in rest.storages] == ["one"]
    error = await refusal(core.storages("labels:*", page_token=page.next_page_token, order_by="display_name desc"))
    assert error.reason == "INVALID_PAGE_TOKEN"
    assert (await refusal(core.storages("labels = x"))).metadata["field"] == "labels"
    assert (await refusal(core.storages("status < normal"))).metadata["field"] == "status"
    assert (await refusal(core.storages(order_by="labels.env"))).metadata["field"] == "labels.env"

    async def infos(**fields: Any) -> list[str]:
        request = pb.ListAccessInfosRequest(include_total=True, **fields)
        answer = await core.call(INVENTORY + "ListAccessInfos", request, pb.ListAccessInfosResponse)
        assert answer.total_size == len(answer.access_infos) + fields.get("skip", 0)
        return [info.storage_id for info in answer.access_infos]

    assert await infos(order_by="created_at") == ids
    assert await infos(order_by="created_at", skip=2) == ids[2:]
    assert await infos(filter=f"vendor = fake_storage AND NOT storage_id = {ids[0]}", order_by="created_at") == ids[1:]

    async def jobs(text: str, **fields: Any) -> list[str]:
        request = job_pb2.ListJobsRequest(filter=text, include_total=True, **fields)
        answer = await core.call(JOBS + "ListJobs", request, job_pb2.ListJobsResponse)
        assert answer.total_size == len(answer.jobs)
        return [job.storage_id for job in answer.jobs]

    assert await jobs("type = sync AND attempt >= 1", order_by="created_at") == ids
    assert await jobs("attempt > 1 OR requested_by = nobody") == []
    assert await jobs(f"storage_id = {ids[1]} AND ended_at:*") == [ids[1]]
    assert await jobs(f"NOT storage_id = {ids[1]}", order_by="storage_id") == sorted([ids[0], ids[2]])
    assert sorted(await jobs("storage_id != 01234567-89ab-cdef-0123-456789abcdef")) == sorted(ids)

    async def audited(text: str) -> list[str]:
        request = auth_pb2.ListAuditEntriesRequest(filter=text, include_total=True)
        answer = await core.call(AUDIT, request, auth_pb2.ListAuditEntriesResponse)
        assert answer.total_size == len(answer.audit_entries)
        return [entry.method.rpartition("/")[2] for entry in answer.audit_entries]

    # Entries are written a little later than their calls are answered.
    updates = partial(audited, "method:UpdateStorage AND code = OK AND at > 2020-01-01")
    await until(updates, lambda found: found == ["UpdateStorage"] * 3)
    assert await audited(f"resource_id = {ids[0]} AND method:Register") == ["RegisterStorage"]

    async def volumes(text: str) -> set[str]:
        request = resource_pb2.ListVolumesRequest(filter=text, include_total=True)
        answer = await core.call(RESOURCES + "ListVolumes", request, resource_pb2.ListVolumesResponse)
        assert answer.total_size == len(answer.volumes)
        return {volume.storage_id for volume in answer.volumes}

    assert await volumes("storage.labels.env = prod") == {ids[0]}
    assert await volumes("NOT storage.labels:env AND storage.display_name = three") == {ids[2]}
    assert await volumes("storage.labels:env OR storage.display_name = three") == set(ids)
    assert await volumes(f"storage.labels:env AND storage_id = {ids[2]}") == set()
