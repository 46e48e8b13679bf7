"""Times and lengths of time as arrays print them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from delphis.sdk import errors
from delphis.sdk.text import duration, timestamp

NOON = datetime(2026, 11, 22, 12, 4, 5, tzinfo=UTC)
SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T12:04:05Z",
        "2026-11-22 12:04:05 UTC",
        "2026/11/22 14:04:05 +02:00",
        "2026-11-22 20:04:05 CST",
        "2026-11-22 20:04:05 UTC+8",
        "Sun Nov 22 12:04:05 UTC 2026",
        "Nov 22 2026 12:04:05 PM GMT",
        "22-Nov-2026 12:04:05 GMT",
        "Sunday, 22 November 2026 12:04:05 +0000",
        "20261122120405Z",
        "20261122T120405Z",
        "2026-11-22 20:04:05",
        "11/22/26 20:04:05",
    ],
)
def test_dialects(text: str) -> None:
    found = timestamp(text, zone=SHANGHAI, zones={"CST": SHANGHAI}, formats=["%m/%d/%y %H:%M:%S"])
    assert found == NOON


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-11-22",
        "2026-13-22 12:00:00Z",
        "11/22/26 20:04:05",
        "2026-11-22 12:04:05 CST",
        "2026-11-22 12:04:05",
        "2026-02-30 12:04:05Z",
        "2026-11-22 13:04:05 PM UTC",
        "2026-11-22 12:04:05 +99:00",
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(errors.BadResponse, match="The array says"):
        timestamp(text)


@settings(max_examples=60, deadline=None)
@given(
    st.datetimes(min_value=datetime(1000, 1, 1)),  # noqa: DTZ001 - the zone is drawn too
    st.integers(-14 * 60, 14 * 60),
)
def test_iso_is_read_again(local: datetime, minutes: int) -> None:
    moment = local.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert timestamp(moment.isoformat()) == moment
    assert timestamp(moment.strftime("%Y%m%d%H%M%S%z")) == moment.replace(microsecond=0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 days, 3:04:05", timedelta(days=12, hours=3, minutes=4, seconds=5)),
        ("up 12 days, 3:04", timedelta(days=12, hours=3, minutes=4)),
        ("1d 2h 3m 4s", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("1d2h", timedelta(days=1, hours=2)),
        ("3:04:05.25", timedelta(hours=3, minutes=4, seconds=5.25)),
        ("45 seconds", timedelta(seconds=45)),
        ("2 week(s) 1 day(s)", timedelta(days=15)),
        ("1 hour and 5 minutes", timedelta(hours=1, minutes=5)),
        ("P1DT2H", timedelta(days=1, hours=2)),
    ],
)
def test_lengths(text: str, expected: timedelta) -> None:
    assert duration(text) == expected


@pytest.mark.parametrize("text", ["", "5", "up", "5 apples", "1h 1h", "1:75", "P", "PT", "999999999 weeks", "1.5 h"])
def test_what_is_no_length_is_refused(text: str) -> None:
    with pytest.raises(errors.BadResponse):
        duration(text)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 9999), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_lengths_are_read_again(days: int, hours: int, minutes: int, seconds: int) -> None:
    expected = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    assert duration(f"{days} days, {hours}:{minutes:02}:{seconds:02}") == expected
    assert duration(f"{days}d {hours}h {minutes}m {seconds}s") == expected
    assert duration(f"P{days}DT{hours}H{minutes}M{seconds}S") == expected


@settings(max_examples=60, deadline=None)
@given(st.text() | st.text("0123456789:.,-/ dhmsTZPw+", max_size=40))
def test_garbage_raises_one_error(text: str) -> None:
    for read in (duration, lambda text: timestamp(text, zone=UTC)):
        try:
            read(text)
        except errors.BadResponse as error:
            said = str(error)
        else:
            said = ""
        assert len(said) < 500
