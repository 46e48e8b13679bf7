"""Ceph's health checks as alerts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from delphis.sdk import Alert, AlertCategory, AlertType, Severity

from .quantities import words

_SEVERITIES = {"HEALTH_WARN": Severity.SEVERITY_WARNING, "HEALTH_ERR": Severity.SEVERITY_CRITICAL}
_ENDINGS = (
    ("FULL", AlertType.ALERT_TYPE_QUALITY_OF_SERVICE_ALARM),
    ("SLOW_OPS", AlertType.ALERT_TYPE_QUALITY_OF_SERVICE_ALARM),
    ("CLOCK_SKEW", AlertType.ALERT_TYPE_TIME_DOMAIN_VIOLATION),
)
_BEGINNINGS = (
    ("OSD", AlertType.ALERT_TYPE_EQUIPMENT_ALARM),
    ("DEVICE", AlertType.ALERT_TYPE_EQUIPMENT_ALARM),
    ("BLUE", AlertType.ALERT_TYPE_EQUIPMENT_ALARM),
    ("MON_DOWN", AlertType.ALERT_TYPE_COMMUNICATIONS_ALARM),
    ("MGR_DOWN", AlertType.ALERT_TYPE_COMMUNICATIONS_ALARM),
    ("HOST", AlertType.ALERT_TYPE_COMMUNICATIONS_ALARM),
    ("PG_DAMAGED", AlertType.ALERT_TYPE_INTEGRITY_VIOLATION),
    ("OBJECT", AlertType.ALERT_TYPE_INTEGRITY_VIOLATION),
    ("AUTH", AlertType.ALERT_TYPE_SECURITY_SERVICE_OR_MECHANISM_VIOLATION),
)
_MOST_DETAILS = 20
_MOST_TEXT = 4000
_MANUAL = "https://docs.ceph.com/en/latest/rados/operations/health-checks/"


def alerts_of(health: Mapping[str, Any]) -> Iterator[Alert]:
    """The checks that fail, without those that an operator muted in Ceph.

    Ceph doesn't say since when they fail. `health` is the part of that name of `/api/health/minimal`.
    """
    seen: set[str] = set()
    for check in health.get("checks") or []:
        code = str(check["type"])
        if check.get("muted") or code in seen:
            continue
        seen.add(code)
        summary = check.get("summary") or {}
        details = [str(detail.get("message", "")) for detail in check.get("detail") or []]
        shown = details[:_MOST_DETAILS]
        if len(details) > len(shown):
            shown.append(f"and {len(details) - len(shown)} more")
        yield Alert(
            alert_id=code,
            alert_name=code.replace("_", " ").capitalize(),
            sequence_number=code,
            match_key=code,
            severity=_SEVERITIES.get(str(check.get("severity")), Severity.SEVERITY_UNKNOWN),
            category=AlertCategory.ALERT_CATEGORY_FAULT,
            type=_type_of(code),
            description="\n".join([str(summary.get("message") or code), *shown])[:_MOST_TEXT],
            recovery_advice=f"{_MANUAL}#{code.lower().replace('_', '-')}",
            resource_type="storage",
            native=words(severity=check.get("severity"), count=summary.get("count")),
        )


def _type_of(code: str) -> AlertType.ValueType:
    for ending, type_ in _ENDINGS:
        if code.endswith(ending):
            return type_
    for beginning, type_ in _BEGINNINGS:
        if code.startswith(beginning):
            return type_
    return AlertType.ALERT_TYPE_PROCESSING_ERROR_ALARM
