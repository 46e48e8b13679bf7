"""Whether one alert is among those that a filter finds: what SQL judges of rows, judged of a message."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from delphis.alert.v1 import alert_pb2 as pb
from services.alerts.api.listing import ENUMS, LABELS, TEXTS, TIMES, id_value, storage_id_value
from services.listing.conditions import Both, Condition, Negated, Term
from services.listing.matching import Pattern
from services.store.columns import clean
from services.values import times

_COMPARED: dict[str, Callable[[object, object], bool]] = {
    "=": lambda one, other: one == other,
    "<": lambda one, other: one < other,  # type: ignore[operator]
    "<=": lambda one, other: one <= other,  # type: ignore[operator]
    ">": lambda one, other: one > other,  # type: ignore[operator]
    ">=": lambda one, other: one >= other,  # type: ignore[operator]
}


def matches(condition: Condition, alert: pb.Alert) -> bool:
    """Whether the condition holds for the alert."""
    if isinstance(condition, Term):
        return _holds(condition, alert)
    if isinstance(condition, Negated):
        return not matches(condition.part, alert)
    holds = (matches(part, alert) for part in condition.parts)
    return all(holds) if isinstance(condition, Both) else any(holds)


def _holds(term: Term, alert: pb.Alert) -> bool:
    if term.field.partition(".")[0] == LABELS:
        return _labelled(term, alert)
    value = _value(alert, term.field)
    if term.operator == "set":
        return bool(value)
    # An id comes with its row's number behind it.
    return _compared(value, term.operator, term.values[:1] if term.field == "id" else term.values)


def _labelled(term: Term, alert: pb.Alert) -> bool:
    key = term.values[0] if term.values else None
    if key is None:
        return bool(alert.labels)
    if key not in alert.labels:
        return False
    return term.operator in {"set", "has"} or _compared(clean(alert.labels[key]), term.operator, term.values[1:])


def _compared(value: object, operator: str, values: tuple[object, ...]) -> bool:
    if operator == "matches":
        (pattern,) = values
        assert isinstance(pattern, Pattern)
        return _expression(pattern).fullmatch(str(value)) is not None
    if operator == "begins":
        return str(values[0]) <= str(value) < str(values[1])
    return _COMPARED[operator](value, values[0])


@lru_cache(maxsize=256)
def _expression(pattern: Pattern) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.parts)), re.DOTALL)


def _value(alert: pb.Alert, field: str) -> object:
    """What the field's column has."""
    found: object = getattr(alert, field)
    if field in TEXTS:
        return clean(str(found))
    if field in TIMES:
        return times.of_stamp(getattr(alert, field))
    if field == "id":
        return id_value(alert.id)
    if field == "storage_id":
        return storage_id_value(alert.storage_id)
    assert field in ENUMS or field in {"acknowledged", "count"}, field
    return int(found)  # type: ignore[call-overload]
