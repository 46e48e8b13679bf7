"""How a fleet's file wants the metrics of a storage collected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from delphis.cli.documents import Reader
from delphis.telemetry.v1 import telemetry_pb2 as pb

_INTERVAL, _KINDS, _ENABLED = "interval", ("kind_intervals", "kindIntervals"), "enabled"  # YAML reads off as false


def read(reader: Reader, value: Any, place: str) -> pb.CollectionSettings:
    """What stands under `collection`. A time may be given as everywhere in the file: `1h`, or seconds.

    Raises:
        WrongSettings: it is not as it should be.
    """
    found = pb.CollectionSettings()
    for key, item in reader.mapping(value, place).items():
        where = f"{place}.{key}"
        if key == _INTERVAL:
            found.interval.FromSeconds(_seconds(reader, item, where))
        elif key in _KINDS:
            for kind, span in reader.mapping(item, where).items():
                found.kind_intervals[kind] = _seconds(reader, span, f"{where}.{kind}")
        elif key == _ENABLED and isinstance(item, bool):
            found.off = not item
        else:
            known = "interval, kind_intervals and enabled (true or false)"
            raise reader.wrong(where, f"is unknown or no such value; here may stand {known}")
    return found


def names_kinds(value: Any) -> bool:
    """Whether the times of kinds are given: then they are all there are."""
    return isinstance(value, Mapping) and any(key in value for key in _KINDS)


def differences(
    wanted: pb.CollectionSettings, current: pb.CollectionSettings, *, all_kinds: bool
) -> Iterator[tuple[str, Any, Any]]:
    """What is not as it is wanted: name, old and new, as texts; None where it is unset."""
    if wanted.HasField("interval") and wanted.interval != current.interval:
        yield "collection.interval", _text(current.interval.seconds), _text(wanted.interval.seconds)
    kinds = {*wanted.kind_intervals, *(current.kind_intervals if all_kinds else ())}
    for kind in sorted(kinds):
        old, new = current.kind_intervals.get(kind, 0), wanted.kind_intervals.get(kind, 0)
        if old != new:
            yield f"collection.kind_intervals.{kind}", _text(old), _text(new)
    if wanted.HasField("off") and wanted.off != current.off:
        yield "collection.enabled", not current.off, not wanted.off


def change(
    wanted: pb.CollectionSettings, current: pb.CollectionSettings, *, all_kinds: bool
) -> pb.UpdateCollectionRequest | None:
    """What is sent, but for the storage's id; None where nothing differs."""
    if not any(differences(wanted, current, all_kinds=all_kinds)):
        return None
    request = pb.UpdateCollectionRequest(settings=wanted)
    if all_kinds:
        for kind in current.kind_intervals.keys() - wanted.kind_intervals.keys():
            request.settings.kind_intervals[kind] = 0
    return request


def _seconds(reader: Reader, value: Any, place: str) -> int:
    seconds = reader.span(value, place).total_seconds()
    if seconds and not 10 <= seconds <= 86_400:
        raise reader.wrong(place, "must be 10 s to 1 day, or 0 for the default")
    return int(seconds)


def _text(seconds: int) -> str | None:
    return f"{seconds}s" if seconds else None
