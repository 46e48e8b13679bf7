"""How full arrays and pools are."""

from __future__ import annotations

from delphis.alert.v1 import alert_pb2
from services.alerts.own.conditions import Condition
from services.alerts.own.kinds import ARRAY_CAPACITY, CRITICAL, POOL_CAPACITY, WARNING

HYSTERESIS = 0.02
"""By so much the used share has to fall below a threshold before that is news."""


def severity_of(used: int, total: int, settings: alert_pb2.AlertSettings, before: int) -> int:
    """How bad it is that so much is used; 0: it isn't. `before` is what it was until now."""
    if total <= 0:
        return 0
    share = used / total

    def beyond(threshold: float, held: bool) -> bool:
        return threshold > 0 and share >= threshold - (HYSTERESIS if held else 0)

    if beyond(settings.capacity_critical, before == CRITICAL):
        return CRITICAL
    if beyond(settings.capacity_warning, before in (CRITICAL, WARNING)):
        return WARNING
    return 0


def array_condition(used: int, total: int, severity: int) -> Condition:
    """An array is filling up."""
    return Condition(ARRAY_CAPACITY, f"The array is {_percent(used, total)} full.", severity=severity)


def pool_condition(native_id: str, name: str, used: int, total: int, severity: int) -> Condition:
    """A pool is filling up."""
    return Condition(
        POOL_CAPACITY,
        f"The pool {name or native_id} is {_percent(used, total)} full.",
        detail=native_id,
        severity=severity,
        resource_type="storage_pool",
        native_resource_id=native_id,
        location=name,
    )


def _percent(used: int, total: int) -> str:
    return f"{100 * used / total:.1f} %"
