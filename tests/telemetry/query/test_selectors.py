"""Selectors: whatever stands in an id stays a value."""

from __future__ import annotations

import pytest

from services.telemetry.query.selectors import selector

CASES = {
    "plain": (["a"], r'm{storage_id="s",resource_id="a"}'),
    "several": (["a.b", "c|d"], r'm{storage_id="s",resource_id=~"a\\.b|c\\|d"}'),
    "quote": (['x"} or up{a="'], r'm{storage_id="s",resource_id="x\"} or up{a=\""}'),
    "backslash": (["a\\"], r'm{storage_id="s",resource_id="a\\"}'),
    "backslashes": (["a\\", "b"], r'm{storage_id="s",resource_id=~"a\\\\|b"}'),
    "newline": (["a\nb\x00"], r'm{storage_id="s",resource_id="a\x0ab\x00"}'),
    "no text": (["a\udc80"], r'm{storage_id="s",resource_id="a?"}'),
    "empty": ([""], r'm{storage_id="s",resource_id=""}'),
}


@pytest.mark.parametrize("case", CASES)
def test_ids_are_written_as_values(case: str) -> None:
    ids, expected = CASES[case]
    assert selector("m", storage_ids=["s"], native_ids=ids) == expected


def test_all_resources_of_several_storages() -> None:
    assert selector("m", storage_ids=["s-1", "s-2"]) == 'm{storage_id=~"s-1|s-2"}'
