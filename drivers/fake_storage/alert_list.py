"""The `alert_list` attribute: alerts that an operator makes up."""

from __future__ import annotations

import re

from delphis.sdk import Alert, AlertCategory, AlertType, Severity
from delphis.sdk.enums import from_text

_ITEM = re.compile(r"(?P<number>[\w.-]{1,64})(?:\s+(?P<severity>\w+))?(?:\s+(?P<description>.+))?", re.ASCII)
_KIND = ("1000", "Alert of a generated array")


def parse(text: str) -> tuple[Alert, ...]:
    """The alerts of an `alert_list` attribute. Raises ValueError with a sentence."""
    found = []
    for item in (item.strip() for item in text.split(";")):
        if not item:
            continue
        match = _ITEM.fullmatch(item)
        if match is None:
            raise ValueError(f"{item!r} is no alert; one looks like '100 Critical A disk failed'")
        severity = from_text(Severity, match["severity"] or "Major")
        if severity == Severity.SEVERITY_UNKNOWN:
            raise ValueError(f"{match['severity']!r} is no severity")
        found.append(alert(match["number"], severity, match["description"] or f"Alert {match['number']}"))
    return tuple(found)


def alert(number: str, severity: Severity.ValueType, description: str) -> Alert:
    """An alert that its number says all of."""
    return Alert(
        alert_id=_KIND[0],
        alert_name=_KIND[1],
        sequence_number=number,
        match_key=number,
        severity=severity,
        category=AlertCategory.ALERT_CATEGORY_FAULT,
        type=AlertType.ALERT_TYPE_EQUIPMENT_ALARM,
        description=description,
        resource_type="storage",
    )
