"""How the service works: what operators set, over what holds by default."""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.duration_pb2 import Duration
from sqlalchemy import select

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.schema.book import alert_settings
from services.calls.errors import invalid
from services.store.connection import Connection
from services.store.statement import sql, statement
from services.values import times

TOPIC = "alert_settings"
"""What a store's `signals` call a commit that changed them."""

_READ = statement(select(alert_settings.c.body).where(alert_settings.c.no == 1))
_PUT_TEXT = (
    "INSERT INTO alert_settings (no, body) VALUES (1, :body) ON CONFLICT (no) DO UPDATE SET body = excluded.body"
)
_PUT = sql(sqlite=_PUT_TEXT, postgresql=_PUT_TEXT)


class _Span(NamedTuple):
    least: int
    most: int
    default: int


class _Count(NamedTuple):
    least: int
    most: int
    default: int


class _Share(NamedTuple):
    default: float


_SPANS = {
    "poll_interval": _Span(5 * times.SECOND, times.DAY, 5 * times.MINUTE),
    "retention": _Span(times.HOUR, 3650 * times.DAY, 90 * times.DAY),
    "snmp_check_interval": _Span(10 * times.SECOND, times.DAY, 30 * times.MINUTE),
    "full_within": _Span(0, 3650 * times.DAY, 14 * times.DAY),
}
_COUNTS = {
    "max_cleared": _Count(1_000, 10_000_000, 1_000_000),
    "max_kept_traps": _Count(0, 1_000_000, 10_000),
    "sync_failures": _Count(1, 100, 3),
    "missed_collections": _Count(0, 1_000, 3),
}
_SHARES = {"capacity_warning": _Share(0.8), "capacity_critical": _Share(0.95)}


def _defaults() -> pb.AlertSettings:
    found = pb.AlertSettings(
        **{name: count.default for name, count in _COUNTS.items()},  # type: ignore[arg-type]
        **{name: share.default for name, share in _SHARES.items()},  # type: ignore[arg-type]
    )
    for name, span in _SPANS.items():
        getattr(found, name).FromMicroseconds(span.default)
    return found


DEFAULTS = _defaults()


def read(connection: Connection) -> pb.AlertSettings:
    """All settings, each with a value."""
    found = pb.AlertSettings()
    found.CopyFrom(DEFAULTS)
    _merge(found, pb.AlertSettings.FromString(bytes(connection.value(_READ) or b"")))
    return found


def change(connection: Connection, given: pb.AlertSettings) -> pb.AlertSettings:
    """Sets what is set; all settings as they are then.

    Raises:
        CallError: INVALID_INPUT names the field whose value is out of its range.
    """
    _check(given)
    stored = pb.AlertSettings.FromString(bytes(connection.value(_READ) or b""))
    _merge(stored, given)
    connection.run(_PUT, (stored.SerializeToString(deterministic=True),))
    found = read(connection)
    if 0 < found.capacity_critical < found.capacity_warning:
        field = "capacity_critical" if given.HasField("capacity_critical") else "capacity_warning"
        raise invalid(
            field,
            f"It would be a warning from {found.capacity_warning:g} on and critical from {found.capacity_critical:g} on"
            " already.",
        )
    connection.signal(TOPIC)
    return found


def _merge(target: pb.AlertSettings, given: pb.AlertSettings) -> None:
    for field, value in given.ListFields():
        if isinstance(value, Duration):
            getattr(target, field.name).CopyFrom(value)
        else:
            setattr(target, field.name, value)


def _check(given: pb.AlertSettings) -> None:
    for name, span in _SPANS.items():
        if given.HasField(name):  # type: ignore[arg-type]
            times.of_duration(name, getattr(given, name), least=span.least, most=span.most)
    for name, count in _COUNTS.items():
        _check_number(given, name, count.least, count.most)
    for name in _SHARES:
        _check_number(given, name, 0, 1)


def _check_number(given: pb.AlertSettings, name: str, least: int, most: int) -> None:
    if given.HasField(name) and not least <= getattr(given, name) <= most:  # type: ignore[arg-type]
        raise invalid(name, f"It must be {least:,} to {most:,}.")
