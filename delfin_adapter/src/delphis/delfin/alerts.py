"""Alerts and traps, both ways."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from delphis.delfin import kinds, odd_values, rows, times
from delphis.delfin.notes import Notes
from delphis.sdk import Alert, AlertCategory, AlertSource, Trap, VarBind

_TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"
_ROWS = rows.Rows(
    Alert,
    ignored=("storage_name", "vendor", "model", "storage_id", "clear_type"),
    skip=("resource_type", "occur_time", "cleared"),
)


def query(begin: datetime | None, end: datetime | None) -> dict[str, int]:
    """The window of list_alerts."""
    given = {"begin_time": begin, "end_time": end}
    return {name: times.ms_of(when) for name, when in given.items() if when is not None}


def listed(answer: Any, notes: Notes, begin: datetime | None, end: datetime | None) -> Iterator[Alert]:
    """The alerts of list_alerts that lie in the window."""
    for row in rows.listed(answer, notes):
        found = rows.as_row(row)
        if found is None:
            notes.lacks("row", f"is of type {type(row).__name__}, not a dict: left out", row)
            continue
        alert, when = _alert(dict(found), notes)
        if when is None or ((begin is None or when >= times.ms_of(begin)) and (end is None or when < times.ms_of(end))):
            yield alert
    notes.tell()


def parsed(answer: Any, notes: Notes) -> list[Alert]:
    """The alerts that parse_alert made of a trap."""
    if not answer:
        return []
    answers = [answer] if isinstance(answer, dict) else rows.listed(answer, notes)
    found = [_alert(dict(row), notes)[0] for row in map(rows.as_row, answers) if row]
    notes.tell()
    return found


def _alert(row: dict[Any, Any], notes: Notes) -> tuple[Alert, int | None]:
    occurred, about = row.pop("occur_time", None), row.pop("resource_type", None)
    alert = _ROWS.message(row, notes)
    when = times.milliseconds(odd_values.alone(occurred))
    if when is not None:
        alert.occur_time.FromMilliseconds(when)
    elif occurred not in (None, "", 0):
        notes.odd("occur_time", "is no time: left out", occurred)
    if about:
        kind = kinds.kind_of(str(about))
        if kind is not None:
            alert.resource_type = kind
        else:
            alert.native["resource_type"] = str(about)[:200]
    if alert.category == AlertCategory.ALERT_CATEGORY_RECOVERY:
        alert.cleared = True
    if not alert.alert_id and not alert.alert_name:
        notes.odd("alert_id", "is missing, and alert_name is, too")
    return alert, when


def trap_dict(trap: Trap, storage_id: str) -> dict[str, str]:
    """A trap as parse_alert gets it: texts by OID."""
    found = {_TRAP_OID: trap.trap_oid} if trap.trap_oid else {}
    for varbind in trap.varbinds:
        found[varbind.oid] = _text(varbind)
    found["transport_address"] = trap.source_address
    found["storage_id"] = storage_id
    if trap.controller_name:
        found["controller_name"] = trap.controller_name
    return found


def _text(varbind: VarBind) -> str:
    kind = varbind.WhichOneof("value")
    if kind is None or kind == "null":
        return ""
    value = getattr(varbind, kind)
    if not isinstance(value, bytes):
        return str(value)
    try:
        found = value.decode("utf-8").rstrip("\0")
    except UnicodeDecodeError:
        return f"0x{value.hex()}"
    return found if all(character.isprintable() or character in "\r\n\t" for character in found) else f"0x{value.hex()}"


def sources(answer: Any, notes: Notes) -> list[AlertSource]:
    """What get_alert_sources names."""
    found: list[AlertSource] = []
    for row in rows.listed(answer, notes):
        fields = rows.as_row(row) or {"host": row}
        host = odd_values.one_line(fields.get("host")) if fields.get("host") else None
        if host is None:
            notes.odd("host", "is missing: left out", row)
        else:
            engine, controller = (str(fields.get(name) or "") for name in ("engine_id", "controller_name"))
            found.append(AlertSource(host=host, engine_id=engine, controller_name=controller))
    notes.tell()
    return found
