"""The alerts of a generated array: those that it lists, and those in its traps. The README documents both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from delphis.sdk import Alert, AlertCategory, AlertSource, AlertType, Severity, Trap, errors
from delphis.sdk.enums import from_text

from . import alert_list
from .array import Array
from .kinds import MAX_ALERTS
from .memory import Memory

ENTERPRISE = "1.3.6.1.4.1.8072.9999.8190"
FIRST_NUMBER = 100

_EPOCH = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())
_GENERATED = (
    ("1001", "Disk failed", Severity.SEVERITY_MAJOR, AlertType.ALERT_TYPE_EQUIPMENT_ALARM, "disk"),
    ("1002", "Fan too slow", Severity.SEVERITY_MINOR, AlertType.ALERT_TYPE_ENVIRONMENTAL_ALARM, "controller"),
    (
        "1003",
        "Pool nearly full",
        Severity.SEVERITY_WARNING,
        AlertType.ALERT_TYPE_QUALITY_OF_SERVICE_ALARM,
        "storage_pool",
    ),
    ("1004", "Port lost its link", Severity.SEVERITY_CRITICAL, AlertType.ALERT_TYPE_COMMUNICATIONS_ALARM, "port"),
)


def list_alerts(array: Array, memory: Memory, begin: datetime | None, end: datetime | None) -> Iterator[Alert]:
    """The alerts that are open: those of the settings without the ones that were cleared."""
    cleared = set(memory.read("cleared"))
    for index, alert in enumerate((*_generated(array), *array.settings.alert_list)):
        occurred = datetime.fromtimestamp(_EPOCH + 60 * index, UTC)
        in_time = (begin is None or occurred >= begin) and (end is None or occurred < end)
        if in_time and alert.sequence_number not in cleared:
            listed = Alert()
            listed.CopyFrom(alert)
            listed.occur_time.FromDatetime(occurred)
            yield listed


def _generated(array: Array) -> Iterator[Alert]:
    for index in range(min(array.settings.alerts, MAX_ALERTS)):
        kind, name, severity, type_, resource = _GENERATED[index % len(_GENERATED)]
        number = str(FIRST_NUMBER + index)
        yield Alert(
            alert_id=kind,
            alert_name=name,
            sequence_number=number,
            match_key=number,
            severity=severity,
            category=AlertCategory.ALERT_CATEGORY_FAULT,
            type=type_,
            description=f"{name} ({number})",
            recovery_advice="None: nothing of it is real.",
            resource_type=resource,
            location=f"{resource} {index}",
        )


def clear_alert(memory: Memory, number: str) -> None:
    """The array lists it no more."""
    memory.add("cleared", number)


def alert_sources(text: str) -> Iterator[AlertSource]:
    """The addresses of a `trap_sources` attribute: `HOST` or `HOST=CONTROLLER`, joined by commas."""
    for part in (part.strip() for part in text.split(",")):
        host, _, controller = part.partition("=")
        if host:
            yield AlertSource(host=host.strip(), controller_name=controller.strip())


def parse_alert(trap: Trap) -> Alert | None:
    """The alert in a trap; None where it is not of the enterprise."""
    if trap.trap_oid != ENTERPRISE and not trap.trap_oid.startswith(f"{ENTERPRISE}."):
        return None
    texts = _texts(trap)
    number = texts.get("2", "")
    if not number:
        raise errors.IncompleteTrapInformation("The trap names no alert: the binding .2 is missing.")
    what = texts.get("4", "raise").lower()
    if what not in {"raise", "clear"}:
        raise errors.InvalidResults(f"The trap says neither 'raise' nor 'clear' but {what[:40]!r}.", number=number)
    alert = alert_list.alert(number, from_text(Severity, texts.get("1", "Major")), texts.get("3", ""))
    alert.occur_time.CopyFrom(trap.received_at)
    if what == "clear":
        alert.cleared = True
        alert.category = AlertCategory.ALERT_CATEGORY_RECOVERY
    if texts.get("5"):
        alert.serial_number = texts["5"]
    if trap.controller_name:
        alert.location = trap.controller_name
    return alert


def _texts(trap: Trap) -> Mapping[str, str]:
    """The bindings of the enterprise by the number behind it, as texts; an instance such as `.0` is left out."""
    found: dict[str, str] = {}
    for binding in trap.varbinds:
        if not binding.oid.startswith(f"{ENTERPRISE}."):
            continue
        number = binding.oid.removeprefix(f"{ENTERPRISE}.").partition(".")[0]
        kind = binding.WhichOneof("value")
        if kind == "octets":
            found[number] = binding.octets.decode("utf-8", "replace").strip()
        elif kind in {"integer", "unsigned"}:
            found[number] = str(binding.integer if kind == "integer" else binding.unsigned)
    return found
