"""How lists are cut into messages, and what is checked on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk import Alert, Context, MetricBatch, StorageHost, StoragePool, Volume, errors
from delphis.sdk.host.batches import MOST_BYTES, MOST_ITEMS, batches
from delphis.sdk.host.contract import item_of, methods
from delphis.sdk.host.points import point_batches
from delphis.type.v1 import errors_pb2


def cut(items: Sequence[Any], method: str = "ListVolumes", context: Context | None = None) -> list[Any]:
    source: Iterator[Any] = iter(items)
    found = methods()[method]
    function = point_batches if method == "CollectPerfMetrics" else batches
    payloads = function(lambda count: list(islice(source, count)), found, context or Context(), lambda: None)
    messages = []
    for payload in payloads:
        assert len(payload) <= MOST_BYTES
        messages.append(found.response.FromString(payload))
    return messages


texts = st.text(max_size=20)
volumes = st.builds(
    Volume,
    native_volume_id=st.text(min_size=1, max_size=10),
    name=st.none() | texts,
    total_capacity=st.none() | st.integers(0, 2**60),
    native=st.dictionaries(texts, texts, max_size=4),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(volumes, max_size=30), st.integers(0, 60))
def test_everything_arrives_once_in_order(items: list[Volume], repeat: int) -> None:
    sent = items * repeat
    messages = cut(sent)
    assert [item for message in messages for item in message.items] == sent
    assert [message.complete for message in messages] == [False] * (len(messages) - 1) + [True]
    assert all(len(message.items) <= MOST_ITEMS for message in messages)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 400_000), max_size=30))
def test_messages_stay_below_a_mebibyte(sizes: list[int]) -> None:
    sent = [Volume(native_volume_id=str(number), description="x" * size) for number, size in enumerate(sizes)]
    messages = cut(sent)
    assert [item for message in messages for item in message.items] == sent
    assert messages[-1].complete


def test_equal_items_have_equal_bytes() -> None:
    """The core compares digests of bytes: maps must not be serialised in the order in which they were filled."""
    one, two = Volume(native_volume_id="1"), Volume(native_volume_id="1")
    keys = [f"key {number}" for number in range(30)]
    for key in keys:
        one.native[key] = key
    for key in reversed(keys):
        two.native[key] = key
    assert payload([one]) == payload([two])


def payload(items: Sequence[Volume]) -> bytes:
    source = iter(items)
    return b"".join(
        batches(lambda count: list(islice(source, count)), methods()["ListVolumes"], Context(), lambda: None)
    )


@pytest.mark.parametrize("name", [name for name, method in methods().items() if method.streams])
def test_every_list_has_its_item(name: str) -> None:
    item = item_of(methods()[name])
    if name in ("ListAlerts", "CollectPerfMetrics"):
        assert item.native_id is None
        return
    assert item.native_id is not None
    assert item.native_id.startswith("native_")
    assert {"id", "storage_id", "created_at", "updated_at"} <= set(item.core_owned)


@pytest.mark.parametrize("wrong", [{"native_volume_id": "1"}, None, 7, "1", StoragePool(native_storage_pool_id="1")])
@pytest.mark.parametrize("position", [0, 99, 350])
def test_items_of_another_type_break_the_contract(wrong: Any, position: int) -> None:
    items: list[Any] = [Volume(native_volume_id=str(number)) for number in range(400)]
    items.insert(position, wrong)
    with pytest.raises(errors.DriverBrokeContract, match=f"list_volumes must return Volume.*{type(wrong).__name__}"):
        cut(items)


def test_other_lists_are_typed_too() -> None:
    with pytest.raises(errors.DriverBrokeContract):
        cut([Volume(native_volume_id="1")], "ListAlerts")
    with pytest.raises(errors.DriverBrokeContract):
        cut([Volume(native_volume_id="1")], "CollectPerfMetrics")
    assert cut([Alert(alert_id="1")], "ListAlerts")[0].items
    [empty] = cut([], "CollectPerfMetrics")
    assert empty.complete
    [points] = cut(
        [MetricBatch(kind="volume", native_ids=["1"], metrics=["iops"], steps=1, values=[1])], "CollectPerfMetrics"
    )
    assert points.complete


def test_what_the_inventory_owns_is_stripped_and_the_drivers_own_objects_are_left_alone() -> None:
    items = [Volume(native_volume_id=str(number), name="x") for number in range(300)]
    items[250].id = "stolen"
    items[250].created_at.GetCurrentTime()
    items[250].missing = False
    messages = cut(items)
    assert all(
        not volume.HasField("id") and not volume.HasField("created_at") and not volume.HasField("missing")
        for message in messages
        for volume in message.items
    )
    assert sum(len(message.items) for message in messages) == 300
    assert items[250].id == "stolen"
    host = StorageHost(native_storage_host_id="1", storage_host_initiators=["x"])
    [message] = cut([host], "ListStorageHosts")
    assert not message.items[0].storage_host_initiators


def test_resources_without_an_id_are_left_out_and_the_list_is_not_complete() -> None:
    context = Context()
    items = [Volume(native_volume_id="1"), Volume(name="nameless"), Volume(native_volume_id="2")]
    [message] = cut(items, context=context)
    assert [volume.native_volume_id for volume in message.items] == ["1", "2"]
    assert not message.complete
    [warning] = message.warnings
    assert warning.reason == errors_pb2.REASON_DRIVER_BROKE_CONTRACT
    assert "nameless" in warning.message


def test_a_resource_that_fits_into_no_message_is_left_out() -> None:
    items = [Volume(native_volume_id=str(number)) for number in range(250)]
    items[120].description = "x" * (MOST_BYTES + 1)
    messages = cut(items)
    assert sum(len(message.items) for message in messages) == 249
    assert not messages[-1].complete
    assert messages[-1].warnings[0].native_id == "120"


def test_half_lists_are_not_complete() -> None:
    context = Context()
    context.incomplete("Page 2 was refused.", reason=errors.BadResponse)
    context.warn("Page 1 was slow.")
    [message] = cut([Volume(native_volume_id="1")], context=context)
    assert not message.complete
    assert [warning.message for warning in message.warnings] == ["Page 2 was refused.", "Page 1 was slow."]


def test_warnings_are_bounded() -> None:
    context = Context()
    for number in range(1000):
        context.warn(f"{number} " + "x" * 10_000)
    [message] = cut([], context=context)
    assert len(message.warnings) == 101
    assert message.warnings[-1].message == "900 more warnings were left out."
    assert message.complete
    assert isinstance(message, pb.ListVolumesResponse)


def test_a_driver_that_gives_way_is_asked_between_chunks() -> None:
    source = (Volume(native_volume_id=str(number)) for number in range(1050))
    turns: list[int] = []
    for _ in batches(
        lambda count: list(islice(source, count)), methods()["ListVolumes"], Context(), lambda: turns.append(1)
    ):
        pass
    assert len(turns) == 10


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.text(min_size=1, max_size=30), st.text(max_size=1500), max_size=60),
    st.randoms(use_true_random=False),
)
def test_the_vendors_own_words_are_bounded(words: dict[str, str], random: Any) -> None:
    shuffled = list(words.items())
    random.shuffle(shuffled)
    found: list[dict[str, str]] = []
    for each in (words, dict(shuffled)):
        context = Context()
        volume = Volume(native_volume_id="1", native=each)
        (message,) = cut([volume], context=context)
        (sent,) = message.items
        kept = dict(sent.native)
        assert len(kept) <= 32
        assert sum(len(key.encode()) + len(value.encode()) for key, value in kept.items()) <= 4096
        assert kept.items() <= words.items()
        assert dict(volume.native) == words, "the driver's own message is not touched"
        warned = [warning.message for warning in message.warnings]
        assert bool(warned) == (kept != words)
        assert message.complete
        found.append(kept)
    assert found[0] == found[1]


def test_words_that_fit_are_kept_beside_one_that_does_not() -> None:
    words = {"b": "x" * 5000, **{f"c{number:02}": "y" for number in range(40)}}
    context = Context()
    items = [Volume(native_volume_id=str(number), native=words) for number in range(3)]
    (message,) = cut(items, context=context)
    assert [sorted(item.native) for item in message.items] == [[f"c{number:02}" for number in range(32)]] * 3
    (warning,) = message.warnings
    assert warning.message.startswith("Volume.native has more than 32 keys or 4096 bytes")
    assert warning.reason == errors_pb2.REASON_DRIVER_BROKE_CONTRACT


@pytest.mark.parametrize("method", [each.name for each in methods().values() if each.streams])
def test_each_field_of_the_inventory_is_found_even_where_its_value_is_empty(method: str) -> None:
    """Found by its tag in the bytes, so a wrong tag would let it pass."""
    found = methods()[method]
    item = item_of(found)
    for name in (*item.core_owned, *item.core_owned_repeated):
        sent: Any = item.kind(**({item.native_id: "1"} if item.native_id else {}))
        clean = sent.SerializeToString()
        if name in item.core_owned_repeated:
            getattr(sent, name).append("x")
        elif sent.DESCRIPTOR.fields_by_name[name].message_type is not None:
            getattr(sent, name).SetInParent()
        else:
            setattr(sent, name, getattr(sent, name))
        assert sent.SerializeToString() != clean
        [message] = cut([sent], method)
        assert message.items[0].SerializeToString() == clean, name
        assert [warning.reason for warning in message.warnings] == [errors_pb2.REASON_DRIVER_BROKE_CONTRACT]


def test_bytes_that_look_like_a_field_of_the_inventory_are_left_alone() -> None:
    tags = item_of(methods()["ListVolumes"]).core_owned_tags
    # 1602 is the tag of field 200; as a number it has the same bytes.
    sent = [Volume(native_volume_id="1", total_capacity=1602, native={"tag": "\u0642"})]
    payload = pb.ListVolumesResponse(items=sent).SerializeToString()
    assert tags.search(payload)
    [message] = cut(sent)
    assert list(message.items) == sent
    assert not message.warnings
