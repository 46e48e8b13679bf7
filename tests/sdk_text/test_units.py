"""Quantities as arrays print them: exact, or refused in one way."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delphis.sdk import errors, units
from delphis.sdk.units import Prefixes


@pytest.mark.parametrize(
    ("text", "options", "bytes_"),
    [
        ("1.5 TB", {}, 1_500_000_000_000),
        ("1.5 TiB", {}, 1_649_267_441_664),
        ("1.5 TB", {"prefixes": Prefixes.BINARY}, 1_649_267_441_664),
        ("10GB", {}, 10**10),
        ("10G", {"prefixes": Prefixes.BINARY}, 10 * 2**30),
        ("1,024.5 MB", {"prefixes": Prefixes.BINARY}, 1024 * 2**20 + 2**19),
        ("512", {"unit": "MiB"}, 512 * 2**20),
        ("2097152 sectors", {"block_size": 512}, 2**30),
        ("8", {"unit": "blocks", "block_size": 4096}, 32768),
        ("0.1 B", {}, 0),
        ("0.5 B", {}, 1),
        ("1 Byte(s)", {}, 1),
        ("123456789012345678901234567 B", {}, 123456789012345678901234567),
        ("9007199254740993 KiB", {}, 9007199254740993 * 1024),
    ],
)
def test_sizes(text: str, options: dict[str, object], bytes_: int) -> None:
    assert units.size(text, **options) == bytes_  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text", ["", "512", "1,5 TB", "TB", "1 T B", "-5 GB", "1 iB", "8 blocks", "٣ GB", "1e3 GB", "nan GB"]
)
def test_sizes_refused(text: str) -> None:
    with pytest.raises(errors.BadResponse, match="The array says"):
        units.size(text)


def test_own_mistakes_are_told_apart() -> None:
    calls: list[Callable[[], int]] = [
        lambda: units.size("1", unit="apples"),
        lambda: units.size("1", unit="blocks"),
        lambda: units.size("1 B", block_size=0),
        lambda: units.speed("1", unit="rpm"),
    ]
    for call in calls:
        with pytest.raises(ValueError, match=r"unit|block_size"):
            call()


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("16Gbps", 16 * 10**9),
        ("10 Gb/s", 10**10),
        ("8 Gbit", 8 * 10**9),
        ("12.0 Gbit/s", 12 * 10**9),
        ("25GbE", 25 * 10**9),
        ("32G", 32 * 10**9),
        ("100 MB/s", 800 * 10**6),
        ("2.5 Gigabit", None),
        ("7200 rpm", None),
        ("10", None),
        ("auto", None),
    ],
)
def test_speeds(text: str, bits: int | None) -> None:
    if bits is None:
        with pytest.raises(errors.BadResponse):
            units.speed(text)
    else:
        assert units.speed(text) == bits


@pytest.mark.parametrize(
    ("text", "turns"), [("7200", 7200), ("10K", 10_000), ("15k rpm", 15_000), ("10,000 RPM", 10_000)]
)
def test_rotation(text: str, turns: int) -> None:
    assert units.rotation(text) == turns


def test_ratio_and_integer() -> None:
    assert [units.ratio(text) for text in ("45.3%", "45.3 %", "150", "0")] == [0.453, 0.453, 1.5, 0.0]
    assert [units.integer(text) for text in ("1,024", "-5", " 7 ")] == [1024, -5, 7]
    for text in ("<1%", "%", "-1%", "inf"):
        with pytest.raises(errors.BadResponse):
            units.ratio(text)
    for text in ("1,02", "1.0", "", "0x10", "9" * 41):
        with pytest.raises(errors.BadResponse):
            units.integer(text)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**70),
    st.sampled_from(["K", "M", "G", "T", "P"]),
    st.sampled_from(list(Prefixes)),
    st.sampled_from(["", " "]),
)
def test_what_was_formatted_is_read_again(count: int, prefix: str, prefixes: Prefixes, blank: str) -> None:
    power = "KMGTP".index(prefix) + 1
    for unit, factor in ((f"{prefix}iB", 1024**power), (f"{prefix}B", prefixes.value**power), ("B", 1)):
        assert units.size(f"{count}{blank}{unit}", prefixes=prefixes) == count * factor
        assert units.size(f"{count:,}", unit=unit, prefixes=prefixes) == count * factor
    exact = format(Decimal(count).scaleb(-3), "f")
    assert units.size(f"{exact} kB") == count
    assert units.speed(f"{exact} Kbit/s") == count


@settings(max_examples=60, deadline=None)
@given(st.text() | st.from_regex(re.compile(r"[0-9.,]{1,9} ?[a-zA-Z/()%]{0,8}"), fullmatch=True))
def test_garbage_raises_one_error(text: str) -> None:
    for read in (units.size, units.speed, units.rotation, units.ratio, units.integer):
        try:
            assert read(text) == read(text)
        except errors.BadResponse as error:
            said = str(error)
        else:
            said = ""
        assert len(said) < 500
