"""Rows are read by columns where they can be; that must give what each row gives alone."""

from __future__ import annotations

from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delphis.delfin.notes import Notes
from delphis.delfin.rows import Rows
from delphis.sdk import Context, Volume, VolumeStatus, VolumeType

VOLUMES: Rows[Volume] = Rows(Volume)


class Health(Enum):
    OK = "normal"


VALUES: dict[str, list[Any]] = {
    "native_volume_id": ["v1", "v2", 7, ("v3",), " v4 ", 1.0, None],
    "name": ["first", "", "line\nbreak", b"bytes", True, None],
    "status": ["normal", "NORMAL", Health.OK, "Fine", "", " - ", 3, None],
    "type": ["thin", "Thin", "base", None],
    "total_capacity": [10, 12.7, -1, -7, "1.5 GB", "many", float("nan"), float("inf"), 2**70, True, None],
    "free_capacit": [3, "4", None],
    "free_capacity": [5, None],
    "wwn": ["6006016a", "60:06:01:6A", "no wwn", None],
    "compressed": [True, "yes", 0, None],
    "blocks": [1, "x", None],
    "password": ["secret", None],
    "storage_id": ["s", None],
}


def read(rows: list[dict[str, Any]], *, alone: bool) -> tuple[list[Volume], list[str]]:
    context = Context("s")
    notes = Notes(context, "Volume")
    found = [VOLUMES.message(row, notes) for row in rows] if alone else list(VOLUMES.messages(rows, notes))
    if alone:
        notes.tell()
    return found, sorted(warning.message for warning in context.warnings)


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_columns_say_what_rows_say(data: st.DataObject) -> None:
    keys = data.draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, unique=True))
    row = st.fixed_dictionaries({key: st.sampled_from(VALUES[key]) for key in keys})
    rows = data.draw(st.lists(row, min_size=1, max_size=6))
    columns, told = read(rows, alone=False)
    each, said = read(rows, alone=True)
    assert columns == each
    # Which value is the example, and in which order they are told, may differ.
    assert [text.partition(", such as")[0] for text in told] == [text.partition(", such as")[0] for text in said]


@pytest.mark.parametrize("count", [1, 250, 251, 600])
def test_one_odd_row_among_many(count: int) -> None:
    rows: list[dict[str, Any]] = [{"native_volume_id": str(number), "type": "thin"} for number in range(count)]
    rows[-1] |= {"type": "base", "total_capacity": 1}
    found, told = read(rows, alone=False)
    assert [volume.native_volume_id for volume in found] == [str(number) for number in range(count)]
    assert found[-1].type == VolumeType.VOLUME_TYPE_UNKNOWN
    assert found[-1].native == {"type": "base"}
    assert found[-1].total_capacity == 1
    assert not any(volume.native for volume in found[:-1])
    assert len(told) == 1


def test_a_misspelt_key_gives_way_to_the_right_one() -> None:
    rows: list[dict[str, Any]] = [{"free_capacity": None, "free_capacit": 1}, {"free_capacity": 2, "free_capacit": 1}]
    found, _ = read(rows, alone=False)
    assert [volume.free_capacity for volume in found] == [1, 2]
    found, told = read([{"free_capacit": 1}, {"free_capacit": 2}], alone=False)
    assert [volume.free_capacity for volume in found] == [1, 2]
    assert told == ["Volume.free_capacit is read as free_capacity (2 times)."]
    statuses: list[dict[str, Any]] = [{"status": word} for word in ("NORMAL", "normal", None)]
    found, _ = read(statuses, alone=False)
    assert [volume.status for volume in found] == [*[VolumeStatus.VOLUME_STATUS_NORMAL] * 2, 0]
