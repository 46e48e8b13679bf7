"""Lists of resources: paging, order, filters, plans."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from delphis.type.v1 import block_pb2, file_pb2, hardware_pb2, host_pb2
from services.calls.errors import CallError
from services.listing.values import enum_text
from services.store.engine import Store
from tests.store.resources import Services, array_of
from tests.sync.arrays import Array, mark_deleted

STATUSES = [block_pb2.VOLUME_STATUS_AVAILABLE, block_pb2.VOLUME_STATUS_ERROR, block_pb2.VOLUME_STATUS_NORMAL]


def volume(array: int, number: int) -> block_pb2.Volume:
    return block_pb2.Volume(
        native_volume_id=f"v{number}",
        name=f"name {number % 5}",
        wwn=f"w{array}-{number}",
        status=STATUSES[number % 3],
        type=block_pb2.VOLUME_TYPE_THIN if number % 2 else None,
        native_storage_pool_id=f"p{number % 4}",
    )


@pytest.fixture
async def arrays(store: Store) -> list[Array]:
    return [await array_of(store, "volume", [volume(array, number) for number in range(23)]) for array in range(3)]


@pytest.fixture
async def services(store: Store, arrays: list[Array]) -> Services:
    return Services(store)


def _text(array: Array) -> str:
    return str(uuid.UUID(bytes=array.id))


async def test_one_by_id(services: Services) -> None:
    (first, *_), _ = await services.page("volume", page_size=1)
    assert await services.get("volume", first.id) == first
    assert await services.get("volume", first.id.upper()) == first
    for id_ in ("", "nonsense", str(uuid.uuid4()), "é" * 36):
        with pytest.raises(CallError) as refused:
            await services.get("volume", id_)
        assert refused.value.reason == "VOLUME_NOT_FOUND"
    with pytest.raises(CallError) as refused:
        await services.get("disk", first.id)
    assert refused.value.reason == "DISK_NOT_FOUND"


ORDERS = [
    "",
    "created_at",
    "created_at desc",
    "id",
    "id desc",
    "name",
    "name desc",
    "native_volume_id",
    "wwn desc",
    "status",
    "type desc",
    "updated_at",
    "native_storage_pool_id,name desc",
    "status desc, created_at",
    "storage_id",
    " name  asc , wwn DESC",
]


@pytest.mark.parametrize("scoped", [False, True])
@pytest.mark.parametrize("order_by", ORDERS)
async def test_pages_make_the_whole_list_in_order(
    services: Services, arrays: list[Array], order_by: str, scoped: bool
) -> None:
    fields: dict[str, Any] = {"order_by": order_by}
    if scoped:
        fields["storage_id"] = _text(arrays[1])
    whole, token = await services.page("volume", **fields)
    assert not token
    assert len({item.id for item in whole}) == len(whole) == (23 if scoped else 69)
    for size in (1, 7, 23):
        if size > 1 or scoped:
            assert await services.walk("volume", page_size=size, **fields) == whole
    # Behind any item by its id, and some further.
    after, _ = await services.page("volume", page_token=f"after:{whole[5].id}", **fields)
    assert after == whole[6:]
    after, _ = await services.page("volume", page_token=f"after:{whole[5].id}", skip=2, page_size=3, **fields)
    assert after == whole[8:11]
    keys = [part.split() for part in order_by.split(",") if part.strip()] or [["created_at", "desc"]]
    if keys[0][0] in {"storage_id", "id"}:
        return
    values = [_sort_value(item, keys) for item in whole]
    if len({key[1:] == ["desc"] or key[1:] == ["DESC"] for key in keys}) == 1:
        assert values == sorted(values, reverse=keys[0][-1].lower() == "desc")


def _sort_value(item: Any, keys: list[list[str]]) -> list[Any]:
    values = []
    for key in keys:
        value = getattr(item, key[0])
        values.append(value.ToMicroseconds() if key[0].endswith("_at") else value)
    return values


async def test_the_newest_come_first_and_times_do_not_tie(services: Services) -> None:
    whole = await services.walk("volume", page_size=10)
    times = [item.created_at.ToMicroseconds() for item in whole]
    assert times == sorted(times, reverse=True)
    assert len(set(times)) == len(times)


async def test_skip_is_for_the_first_page(services: Services) -> None:
    whole, _ = await services.page("volume")
    assert await services.walk("volume", skip=10, page_size=9) == whole[10:]
    assert (await services.page("volume", skip=1000))[0] == []


@pytest.mark.parametrize(
    ("filter_", "count"),
    [
        ('name = "name 1"', 15),
        ("name='name 1'", 15),
        ('status="available"', 24),
        ("status = Available AND native_storage_pool_id = p0", 6),
        ("type=thin", 33),
        ('wwn = "w1-4"', 1),
        ('native_volume_id = "v3"', 3),
        ('name = "no such"', 0),
        ('name = "it\\"s"', 0),
        ("id = nonsense", 0),
        ("status=available AND status=error", 0),
        ('created_at = "2001-01-01T00:00:00Z"', 0),
        (" ", 69),
    ],
)
async def test_filters(services: Services, filter_: str, count: int) -> None:
    found = await services.walk("volume", filter=filter_, page_size=4)
    assert len(found) == count


async def test_filters_by_what_the_core_set(services: Services, arrays: list[Array]) -> None:
    whole, _ = await services.page("volume")
    item = whole[30]
    for text in (
        f"id={item.id}",
        f'created_at="{item.created_at.ToJsonString()}"',
        f'created_at="{item.created_at.ToJsonString().rstrip("Z")}"',
    ):
        assert (await services.page("volume", filter=text))[0] == [item]
    one, _ = await services.page("volume", filter=f'storage_id = "{_text(arrays[2])}"')
    assert len(one) == 23
    # Both conditions hold: neither overrides the other.
    both, _ = await services.page("volume", filter=f"storage_id={_text(arrays[2])}", storage_id=_text(arrays[1]))
    assert both == []


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"filter": "nonsense=1"}, "nonsense"),
        ({"filter": "description=x"}, "description"),
        ({"filter": "status=sleepy"}, "status"),
        ({"filter": "created_at=yesterday"}, "created_at"),
        ({"filter": "name"}, "filter"),
        ({"filter": "status>normal"}, "status"),
        ({"filter": "name=1 name=2"}, "filter"),
        ({"filter": "(name=1"}, "filter"),
        ({"filter": 'name="open'}, "filter"),
        ({"filter": "=1"}, "filter"),
        ({"filter": "name="}, "filter"),
        ({"filter": "name=x AND"}, "filter"),
        ({"filter": "name=x" + " AND name=x" * 64}, "filter"),
        ({"filter": "x" * 10_000}, "filter"),
        ({"order_by": "nonsense"}, "nonsense"),
        ({"order_by": "name sideways"}, "order_by"),
        ({"order_by": "name,,id"}, "order_by"),
        ({"page_size": -1}, "page_size"),
        ({"skip": -1}, "skip"),
    ],
)
async def test_what_is_wrong_is_named(services: Services, fields: dict[str, Any], named: str) -> None:
    with pytest.raises(CallError) as refused:
        await services.page("volume", **fields)
    assert refused.value.reason == "INVALID_INPUT"
    assert refused.value.metadata["field"] == named


async def test_page_tokens_belong_to_their_query(services: Services, arrays: list[Array]) -> None:
    _, token = await services.page("volume", page_size=2, order_by="name")
    assert (await services.page("volume", page_size=5, order_by="name", page_token=token))[0]
    others: list[tuple[str, dict[str, Any]]] = [
        ("volume", {"order_by": "wwn"}),
        ("volume", {"order_by": "name", "filter": "status=error"}),
        ("volume", {"order_by": "name", "storage_id": _text(arrays[0])}),
        ("disk", {"order_by": "name"}),
    ]
    for kind, fields in others:
        with pytest.raises(CallError) as refused:
            await services.page(kind, page_token=token, **fields)
        assert refused.value.reason == "INVALID_PAGE_TOKEN"
    for nonsense in ("x", "☃", "W10", token[:-4], token + "AAAA"):
        with pytest.raises(CallError) as refused:
            await services.page("volume", order_by="name", page_token=nonsense)
        assert refused.value.reason == "INVALID_PAGE_TOKEN"
    with pytest.raises(CallError) as refused:
        await services.page("volume", page_token=f"after:{uuid.uuid4()}")
    assert refused.value.reason == "VOLUME_NOT_FOUND"


async def test_a_page_has_at_most_a_thousand(store: Store) -> None:
    await array_of(store, "volume", [volume(0, number) for number in range(1005)])
    services = Services(store)
    assert len((await services.page("volume"))[0]) == 1000
    assert len((await services.page("volume", page_size=5000))[0]) == 1000
    assert len(await services.walk("volume")) == 1005


async def test_a_walk_stays_right_while_rows_come_and_go(services: Services, arrays: list[Array]) -> None:
    whole, _ = await services.page("volume", order_by="name")
    first, token = await services.page("volume", order_by="name", page_size=30)
    array = arrays[0]
    await array.sync([volume(0, number) for number in range(2, 26)])
    rest: list[Any] = []
    while token:
        more, token = await services.page("volume", order_by="name", page_size=30, page_token=token)
        rest += more
    seen = [item.id for item in (*first, *rest)]
    assert len(set(seen)) == len(seen)
    left = {item.id for item in await services.walk("volume")}
    assert {item.id for item in whole} & left <= set(seen)


async def test_unknown_and_removed_storages(services: Services, arrays: list[Array], store: Store) -> None:
    for id_ in ("nonsense", str(uuid.uuid4())):
        with pytest.raises(CallError) as refused:
            await services.page("volume", storage_id=id_)
        assert refused.value.reason == "STORAGE_NOT_FOUND"
    (item, *_), _ = await services.page("volume", storage_id=_text(arrays[1]))
    await mark_deleted(store, arrays[1].id)
    assert len(await services.walk("volume", page_size=20)) == 46
    assert len(await services.walk("volume", page_size=20, order_by="name")) == 46
    assert await services.walk("volume", filter=f"wwn={item.wwn}") == []
    with pytest.raises(CallError):
        await services.page("volume", storage_id=_text(arrays[1]))
    with pytest.raises(CallError):
        await services.get("volume", item.id)


async def test_hosts_name_their_initiators(store: Store) -> None:
    hosts = [host_pb2.StorageHost(native_storage_host_id=f"h{n}", name=f"host {n}") for n in range(3)]
    array = await array_of(store, "storage_host", hosts)
    other = await array_of(store, "storage_host", hosts[:1])
    for one, initiators in ((array, "abc"), (other, "x")):
        one.kind = "storage_host_initiator"
        await one.sync(
            [
                host_pb2.StorageHostInitiator(
                    native_storage_host_initiator_id=name, native_storage_host_id=f"h{place // 2}"
                )
                for place, name in enumerate(initiators)
            ]
        )
    services = Services(store)
    found = await services.walk("storage_host", page_size=2)
    assert sorted("".join(host.storage_host_initiators) for host in found) == ["", "ab", "c", "x"]
    for host in found:
        assert await services.get("storage_host", host.id) == host


async def test_aliases_mean_their_fields(store: Store) -> None:
    ports = [
        hardware_pb2.Port(
            native_port_id=f"p{n}",
            native_parent_id=f"c{n % 2}",
            health_status=hardware_pb2.PORT_HEALTH_STATUS_NORMAL if n else hardware_pb2.PORT_HEALTH_STATUS_ABNORMAL,
        )
        for n in range(4)
    ]
    await array_of(store, "port", ports)
    await array_of(
        store,
        "masking_view",
        [host_pb2.MaskingView(native_masking_view_id="m", native_port_group_id="pg", native_volume_group_id="vg")],
    )
    services = Services(store)
    assert len((await services.page("port", filter="status=normal"))[0]) == 3
    assert len((await services.page("port", filter="native_controller_id=c1", order_by="status"))[0]) == 2
    text = "native_storage_port_group_id=pg AND native_storage_volume_group_id=vg"
    assert len((await services.page("masking_view", filter=text))[0]) == 1


async def test_enums_are_named_by_their_texts(store: Store) -> None:
    numbers = [hardware_pb2.DiskPhysicalType.ValueType(number) for number in (*range(1, 16), 99)]
    disks = [hardware_pb2.Disk(native_disk_id=f"d{number}", physical_type=number) for number in numbers]
    await array_of(store, "disk", disks)
    services = Services(store)
    for value in hardware_pb2.DiskPhysicalType.DESCRIPTOR.values[2:]:
        (found,) = (await services.page("disk", filter=f'physical_type="{enum_text(value).upper()}"'))[0]
        assert found.physical_type == value.number
    # What this version does not know is shown as unknown, and found as that.
    unknown, _ = await services.page("disk", filter="physical_type=unknown")
    assert {disk.physical_type for disk in unknown} == {1, 99}


async def test_quotas_without_names_page_well(store: Store) -> None:
    quotas = [file_pb2.Quota(native_quota_id=f"q{number}", user_group_name="all") for number in range(50)]
    await array_of(store, "quota", quotas)
    services = Services(store)
    assert len({quota.id for quota in await services.walk("quota", order_by="name", page_size=6)}) == 50
