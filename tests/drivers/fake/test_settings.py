"""What an operator may set, and what he is told otherwise."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from delphis.sdk import Context, errors
from drivers.fake_storage.access_fields import ACCESS_FIELDS
from drivers.fake_storage.faults import PLACES, WORDS
from drivers.fake_storage.kinds import DEFAULT_COUNTS, KINDS
from drivers.fake_storage.settings import KNOWN
from tests.drivers.fake.arrays import connected, listed

README = Path(__file__).parents[3] / "drivers" / "fake_storage" / "README.md"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("volumes", "many"),
        ("volumes", "-1"),
        ("volumes", "1.5"),
        ("volumes", ""),
        ("volumes", "10000000"),
        ("volumes", "9" * 5000),
        ("volumes", "٣"),
        ("pools", "x"),
        ("latency_ms", "slow"),
        ("latency_ms", "-1"),
        ("latency_ms", "inf"),
        ("latency_ms.disks", "nan"),
        ("drift_period_s", "minute"),
    ],
)
def test_a_bad_value_is_named(key: str, value: str) -> None:
    with pytest.raises(errors.AccessInfoIncomplete) as refusal:
        connected(**{key: value})
    assert refusal.value.message.startswith(f"extra_attributes.{key}: ")
    assert refusal.value.metadata["field"] == f"extra_attributes.{key}"


@pytest.mark.parametrize(
    ("key", "hint"), [("volume", "'volumes'"), ("latency_ms.pool", "latency_ms"), ("zzz", "README")]
)
def test_an_unknown_attribute_is_named(key: str, hint: str) -> None:
    with pytest.raises(errors.AccessInfoIncomplete, match="no such attribute") as refusal:
        connected(**{key: "1"})
    assert hint in refusal.value.message


def test_spaces_do_no_harm() -> None:
    assert len(listed(connected(volumes=" 7 "), "volumes")) == 7


def test_pools_is_short_for_storage_pools() -> None:
    assert len(listed(connected(pools="7", storage_pools="4"), "storage_pools")) == 7


def test_defaults_may_be_filled_in() -> None:
    """The host gives an instance the declared default of what the operator left out."""
    defaults = {
        field.path.removeprefix("extra_attributes."): field.default_value
        for field in ACCESS_FIELDS
        if field.default_value
    }
    sampling = {"perf_interval_s": "60", "perf_retention_s": "86400"}
    assert defaults == {kind: str(count) for kind, count in DEFAULT_COUNTS.items()} | sampling
    assert len(listed(connected(**{**defaults, "pools": "9"}), "storage_pools")) == 9


def test_every_attribute_is_declared() -> None:
    declared = {
        field.path.removeprefix("extra_attributes."): field
        for field in ACCESS_FIELDS
        if field.path.startswith("extra_attributes.")
    }
    assert set(declared) == set(KNOWN)
    assert all(field.description.endswith(".") for field in ACCESS_FIELDS)
    assert [key for key, field in declared.items() if not field.plain] == ["token"]
    assert [key for key, field in declared.items() if field.selects_array] == ["array"]
    assert not any(field.required for field in ACCESS_FIELDS)


def test_every_attribute_and_word_is_documented() -> None:
    text = README.read_text(encoding="utf-8")
    names = {name for name in KNOWN if not name.startswith("latency_ms.")}
    assert [name for name in sorted(names | set(WORDS)) if f"`{name}`" not in text] == []
    assert all(f'"{place}"' in text for place in PLACES if place not in KINDS)


def test_latency_is_per_call_and_kind() -> None:
    driver = connected(**{"latency_ms": "0", "latency_ms.disks": "80", "latency_ms.storage": "80"})
    for call in (lambda: listed(driver, "disks"), lambda: [driver.get_storage(Context())]):
        begin = time.monotonic()
        assert call()
        assert time.monotonic() - begin >= 0.08


def test_a_slow_array_heeds_the_deadline() -> None:
    driver = connected(latency_ms="60000")
    begin = time.monotonic()
    with pytest.raises(errors.ArrayTimeout):
        listed(driver, "volumes", Context("s-1", timeout=0.05))
    assert time.monotonic() - begin < 50


@pytest.mark.slow
def test_a_million_volumes_take_no_memory() -> None:
    """Peak resident set of a process that lists them, above one that lists a hundred."""
    script = (
        "import resource, sys\n"
        "from delphis.sdk import Context\n"
        "from tests.drivers.fake.arrays import connected\n"
        "context = Context()\n"
        "assert sum(1 for _ in connected(volumes=sys.argv[1]).list_volumes(context)) == int(sys.argv[1])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    few, many = (
        int(
            subprocess.run(
                [sys.executable, "-c", script, count],
                cwd=README.parents[2],
                capture_output=True,
                text=True,
                check=True,
                timeout=60,
            ).stdout
        )
        for count in ("100", "1000000")
    )
    assert many - few < 4096  # KiB
