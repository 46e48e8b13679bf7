"""Times as arrays print them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo

from delphis.sdk import errors
from delphis.sdk.text.lines import shortened

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<month>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_CLOCK = r"(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
_HALF = r"(?:\s*(?P<half>[ap]m))?"
_ZONE = r"(?:\s*(?P<zone>z|[+-][0-9]{2}:?[0-9]{2}|(?!(?:am|pm)\b)[a-z]{2,6}(?:[+-][0-9]{1,2}(?::?[0-9]{2})?)?))?"
_COMPACT = (
    r"(?P<year>[0-9]{4})(?P<number>[0-9]{2})(?P<day>[0-9]{2})T?"
    r"(?P<hour>[0-9]{2})(?P<minute>[0-9]{2})(?P<second>[0-9]{2})"
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]{0,6}\.?,?\s+)?"
_DIALECTS = tuple(
    re.compile(pattern, re.IGNORECASE | re.ASCII)
    for pattern in (
        # 2026-11-22T20:14:24.5+02:00, 2026/11/22 20:14:24 UTC
        rf"(?P<year>[0-9]{{4}})([-/.])(?P<number>[0-9]{{1,2}})\2(?P<day>[0-9]{{1,2}})[T,\s]\s*{_CLOCK}{_HALF}{_ZONE}",
        # Sun Nov 22 20:14:24 UTC 2026, Nov 22 2026 20:14:24
        rf"{_WEEKDAY}{_MONTH}\s+(?P<day>[0-9]{{1,2}}),?\s+{_CLOCK}{_HALF}{_ZONE}\s+(?P<year>[0-9]{{4}})",
        rf"{_WEEKDAY}{_MONTH}\s+(?P<day>[0-9]{{1,2}}),?\s+(?P<year>[0-9]{{4}}),?\s+{_CLOCK}{_HALF}{_ZONE}",
        # 22 Nov 2026 20:14:24 +0000, 22-Nov-2026 20:14:24
        rf"{_WEEKDAY}(?P<day>[0-9]{{1,2}})[-\s]{_MONTH}[-\s](?P<year>[0-9]{{4}}),?\s+{_CLOCK}{_HALF}{_ZONE}",
        # 20261122T201424Z, 20261122201424
        rf"{_COMPACT}{_ZONE}",
    )
)
_OFFSET = re.compile(r"(?:utc|gmt)?([+-])([0-9]{1,2})(?::?([0-9]{2}))?", re.IGNORECASE | re.ASCII)

_SECONDS = {"w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1}
_UNITS = {
    **dict.fromkeys(("w", "wk", "wks", "week", "weeks", "week(s)"), "w"),
    **dict.fromkeys(("d", "day", "days", "day(s)"), "d"),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours", "hour(s)"), "h"),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes", "minute(s)", "min(s)"), "m"),
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds", "second(s)", "sec(s)"), "s"),
}
_ISO = re.compile(
    r"P(?:([0-9]{1,6})W)?(?:([0-9]{1,9})D)?(?:T(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,9})(?:\.([0-9]{1,6}))?S)?)?",
    re.IGNORECASE,
)
_PIECE = re.compile(r"\s*(?:,|and\b)?\s*([0-9]{1,9})(?:\.([0-9]{1,6}))?\s*([a-z]+(?:\(s\))?)\.?", re.IGNORECASE)
_TIME = re.compile(
    r"\s*,?\s*([0-9]{1,9}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]{1,6}))?)?\s*(?:h|hrs|hours)?", re.IGNORECASE
)
_LONGEST = timedelta(days=36525 * 10)


def timestamp(
    text: str,
    *,
    zone: tzinfo | None = None,
    zones: Mapping[str, tzinfo] | None = None,
    formats: Sequence[str] = (),
) -> datetime:
    """A point in time.

    Args:
        text: In a dialect where year, month and day can't be confused: ISO 8601 and its relatives
            (`2026-11-22 20:14:24`, `2026/11/22 20:14:24.5 +02:00`, `20261122201424`), `Sun Nov 22 20:14:24 UTC 2026`,
            `22 Nov 2026 08:14:24 PM`. All other dialects (`11/22/26`) need `formats`.
        zone: Of texts that name none. None: such texts are refused.
        zones: What abbreviations stand for on this array: CST is three zones. UTC, GMT and Z are known.
        formats: Of `datetime.strptime`, tried first.

    Returns:
        A time with its zone, exact to a microsecond.

    Raises:
        errors.BadResponse: It is no time, or its zone isn't known.
    """
    stripped = text.strip()
    if len(stripped) > 100:
        raise _unreadable(text, "a time")
    for form in formats:
        try:
            found = datetime.strptime(stripped, form)  # noqa: DTZ007 - the zone is put in below
        except ValueError:
            continue
        return found if found.tzinfo is not None else _placed(found, zone, text)
    for dialect in _DIALECTS:
        match = dialect.fullmatch(stripped)
        if match is None:
            continue
        parts = match.groupdict()
        try:
            local = datetime(  # noqa: DTZ001 - the zone is put in below
                int(parts["year"]),
                int(parts["number"]) if parts.get("number") else _MONTHS.index(parts["month"].lower()) + 1,
                int(parts["day"]),
                _hour(int(parts["hour"]), parts.get("half")),
                int(parts["minute"]),
                int(parts["second"] or 0),
                int((parts.get("fraction") or "0").ljust(6, "0")[:6]),
            )
        except ValueError:
            raise _unreadable(text, "a time") from None
        return _placed(local, _zone(parts["zone"], zones or {}, text) if parts["zone"] else zone, text)
    raise _unreadable(text, "a time; where its dialect is known, give it in `formats`")


def duration(text: str) -> timedelta:
    """A length of time, such as an uptime.

    Args:
        text: Such as `"12 days, 3:04:05"`, `"1d 2h 3m 4s"`, `"3:04:05"`, `"45 seconds"`, `"2 week(s) 1 day(s)"`,
            `"up 12 days, 3:04"`, `"P1DT2H"`. Two figures with a colon are hours and minutes; m is minutes.

    Returns:
        The sum of its parts, exact to a microsecond.

    Raises:
        errors.BadResponse: It is none, names a unit twice, or is longer than 1,000 years.
    """
    stripped = re.sub(r"^up\s+", "", text.strip(), flags=re.IGNORECASE) if text.isascii() else ""
    iso = _ISO.fullmatch(stripped)
    if iso is not None and any(iso.groups()):
        return _bounded(
            sum(int(part or 0) * unit for part, unit in zip(iso.groups()[:5], _SECONDS.values(), strict=True)),
            iso[6],
            text,
        )
    place, seconds, fraction, seen = 0, 0, None, set[str]()
    while place < len(stripped):
        piece = _PIECE.match(stripped, place)
        clock = _TIME.fullmatch(stripped, place)
        if piece is not None and (unit := _UNITS.get(piece[3].lower())) is not None and unit not in seen:
            if piece[2] and unit != "s":
                break
            seen.add(unit)
            seconds += int(piece[1]) * _SECONDS[unit]
            fraction = piece[2] or fraction
            place = piece.end()
        elif clock is not None and not seen & {"h", "m", "s"} and int(clock[2]) < 60 and int(clock[3] or 0) < 60:
            seconds += int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3] or 0)
            return _bounded(seconds, clock[4], text)
        else:
            break
    if not seen or place < len(stripped):
        raise _unreadable(text, "a length of time")
    return _bounded(seconds, fraction, text)


def _bounded(seconds: int, fraction: str | None, text: str) -> timedelta:
    if seconds > _LONGEST.total_seconds():
        raise _unreadable(text, "a length of time")
    return timedelta(seconds=seconds, microseconds=int((fraction or "0").ljust(6, "0")))


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError
    return hour % 12 + (12 if half.lower() == "pm" else 0)


def _zone(name: str, zones: Mapping[str, tzinfo], text: str) -> tzinfo:
    for known, found in zones.items():
        if known.lower() == name.lower():
            return found
    if name.lower() in ("z", "utc", "gmt"):
        return UTC
    offset = _OFFSET.fullmatch(name)
    if offset is None:
        raise errors.BadResponse(
            f"The array says {shortened(text)!r}, whose zone {name!r} may be one of several; give it in `zones`.",
            zone=name,
        )
    minutes = int(offset[2]) * 60 + int(offset[3] or 0)
    if minutes >= 24 * 60:
        raise _unreadable(text, "a time")
    return timezone(timedelta(minutes=minutes if offset[1] == "+" else -minutes))


def _placed(local: datetime, zone: tzinfo | None, text: str) -> datetime:
    if zone is None:
        raise errors.BadResponse(
            f"The array says {shortened(text)!r}, a time that names no zone; give the array's in `zone`.",
            text=shortened(text),
        )
    return local.replace(tzinfo=zone)


def _unreadable(text: str, what: str) -> errors.BadResponse:
    return errors.BadResponse(
        f"The array says {shortened(text)!r}, which can't be read as {what}.", text=shortened(text)
    )
