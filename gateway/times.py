"""Times and durations as texts, and back."""

from __future__ import annotations

import datetime
import re

_EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - protobuf times are UTC; no zone is carried along
_MAX_CACHED = 50_000
_MAX_DURATION = 315_576_000_000

_TIMESTAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|z|[+-]\d\d:\d\d)?", re.ASCII)
_DURATION = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s", re.ASCII)


class TimestampTexts(dict[tuple[int, int], str | None]):
    """Texts of (seconds, nanos), kept: what one sync wrote carries few different times."""

    def __init__(self, *, naive: bool) -> None:
        super().__init__()
        self._naive = naive

    def __missing__(self, key: tuple[int, int]) -> str | None:
        if len(self) >= _MAX_CACHED:
            self.clear()
        text = self[key] = self._text(*key)
        return text

    def _text(self, seconds: int, nanos: int) -> str | None:
        try:
            moment = _EPOCH + datetime.timedelta(seconds=seconds)
        except OverflowError:
            return None  # no such date: one such field must not cost the whole answer
        if not 0 <= nanos <= 999_999_999:
            return None
        text = moment.isoformat()
        return f"{text}.{nanos // 1000:06}" if self._naive else f"{text}{_fraction(nanos)}Z"


def _fraction(nanos: int) -> str:
    if not nanos:
        return ""
    if nanos % 1_000_000 == 0:
        return f".{nanos // 1_000_000:03}"
    return f".{nanos // 1000:06}" if nanos % 1000 == 0 else f".{nanos:09}"


def duration_text(seconds: int, nanos: int) -> str:
    """`900s`, `-0.500s`."""
    sign = "-" if seconds < 0 or nanos < 0 else ""
    return f"{sign}{abs(seconds)}{_fraction(abs(nanos))}s"


def parse_timestamp(text: str, *, naive: bool) -> tuple[int, int] | None:
    """Seconds and nanos of an RFC 3339 time; None if it is none. `naive`: the zone may be missing and is UTC then."""
    match = _TIMESTAMP.fullmatch(text)
    if match is None or (match[3] is None and not naive):
        return None
    try:
        moment = datetime.datetime.fromisoformat(match[1])
    except ValueError:
        return None
    seconds = (moment - _EPOCH) // datetime.timedelta(seconds=1)
    if match[3] and match[3] not in "Zz":
        hours, minutes = int(match[3][1:3]), int(match[3][4:])
        if hours > 23 or minutes > 59:
            return None
        offset = hours * 3600 + minutes * 60
        seconds += offset if match[3][0] == "-" else -offset
    if not -62_135_596_800 <= seconds <= 253_402_300_799:
        return None
    return seconds, int((match[2] or "").ljust(9, "0"))


def parse_duration(text: str) -> tuple[int, int] | None:
    """Seconds and nanos of `900s` or `0.5s`; None if it is none."""
    match = _DURATION.fullmatch(text)
    if match is None or int(match[2]) > _MAX_DURATION:
        return None
    sign = -1 if match[1] else 1
    return sign * int(match[2]), sign * int((match[3] or "").ljust(9, "0"))
