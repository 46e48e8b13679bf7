"""What changes from sync to sync."""

from __future__ import annotations

from typing import Any

import pytest

from delphis.sdk import Context, errors
from drivers.fake_storage.drift import Clock
from drivers.fake_storage.driver import FakeStorageDriver
from tests.drivers.fake.arrays import connected, dump, everything, listed


def volumes(driver: FakeStorageDriver) -> list[Any]:
    return listed(driver, "volumes")


def changed(before: list[Any], after: list[Any]) -> int:
    return sum(old != new for old, new in zip(before, after, strict=True))


def test_the_first_sync_shows_the_array_without_drift() -> None:
    assert dump(connected(drift="all, renamed=3, added=2")) == dump(connected())


@pytest.mark.parametrize(
    ("drift", "expected"),
    [("all", 1000), ("100%", 1000), ("10%", 100), ("0.25", 250), ("0.01%", 1), ("0", 0), ("", 0), ("1", 1000)],
)
def test_a_share_of_the_volumes_moves_with_each_listing(drift: str, expected: int) -> None:
    driver = connected(volumes="1000", drift=drift)
    before = volumes(driver)
    for _ in range(25):
        after = volumes(driver)
        assert changed(before, after) == expected
        assert [volume.native_volume_id for volume in after] == [volume.native_volume_id for volume in before]
        before = after


def test_a_volume_moves_for_ever() -> None:
    driver = connected(volumes="40", drift="all")
    before = volumes(driver)
    for _ in range(1400):
        after = volumes(driver)
        assert changed(before, after) == 40
        before = after


def test_one_sync_shows_one_state() -> None:
    driver = connected(drift="all, added=1")
    for sync in range(3):
        driver.get_storage(Context())
        array = everything(driver)
        assert len(array["volumes"]) == 120 + sync
        used = sum(item.used_capacity for item in [*array["volumes"], *array["filesystems"]])
        assert sum(pool.used_capacity for pool in array["storage_pools"]) == used


def test_renamed_volumes_keep_their_ids() -> None:
    driver = connected(drift="renamed=3")
    before, after = volumes(driver), volumes(driver)
    assert changed(before, after) == 3
    assert [volume.wwn for volume in after] == [volume.wwn for volume in before]
    assert after[0].name == f"{before[0].name}-r1"


def test_renumbered_volumes_say_who_they_were() -> None:
    driver = connected(drift="renumbered=2")
    first, second, third = volumes(driver), volumes(driver), volumes(driver)
    for before, after in ((first, second), (second, third)):
        assert changed(before, after) == 2
        for index in (0, 1):
            assert after[index].native_volume_id != before[index].native_volume_id
            assert before[index].native_volume_id in after[index].previous_native_ids
            assert after[index].wwn == before[index].wwn


def test_replaced_volumes_are_others() -> None:
    driver = connected(drift="replaced=2")
    before, after, later = volumes(driver), volumes(driver), volumes(driver)
    assert changed(before, after) == changed(after, later) == 2
    assert after[0].native_volume_id == before[0].native_volume_id
    assert len({before[0].wwn, after[0].wwn, later[0].wwn}) == 3


def test_volumes_come_and_go() -> None:
    driver = connected(volumes="10", drift="removed=2, added=2")
    ids = [[volume.native_volume_id for volume in volumes(driver)] for _ in range(3)]
    assert ids[0][2:] == ids[1][:-2]
    assert ids[1][2:] == ids[2][:-2]
    assert len(ids[2]) == 10


def test_all_volumes_may_go() -> None:
    driver = connected(volumes="5", drift="all, removed=3")
    assert [len(volumes(driver)) for _ in range(4)] == [5, 2, 0, 0]


def test_with_a_period_time_is_what_counts() -> None:
    times = iter([0.0, 59.9, 60.0, 600.0])
    clock = Clock(60.0, now=lambda: next(times))
    assert [clock.read("volumes") for _ in range(4)] == [0, 0, 1, 10]


def test_with_a_period_all_processes_agree() -> None:
    one, other = (connected(drift="all", drift_period_s="1e8") for _ in range(2))
    assert dump(one) == dump(one) == dump(other)
    assert dump(one) != dump(connected())


@pytest.mark.parametrize(
    ("drift", "named"),
    [
        ("some", "some"),
        ("120%", "120%"),
        ("-1", "-1"),
        ("nan", "nan"),
        ("1/0", "1/0"),
        ("renamed=x", "renamed"),
        ("renamed=-1", "-1"),
        ("shrunk=1", "shrunk"),
        ("renamed", "renamed"),
    ],
)
def test_nonsense_is_refused_by_name(drift: str, named: str) -> None:
    with pytest.raises(errors.AccessInfoIncomplete, match=r"extra_attributes\.drift: ") as refusal:
        connected(drift=drift)
    assert named in refusal.value.message


def test_population_and_period_exclude_each_other() -> None:
    with pytest.raises(errors.AccessInfoIncomplete, match="drift_period_s"):
        connected(drift="removed=1", drift_period_s="5")
