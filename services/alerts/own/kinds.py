"""The alerts of our own. docs/alerts.md lists them."""

from __future__ import annotations

from dataclasses import dataclass

from delphis.type.v1 import alert_pb2 as pb

CRITICAL = pb.SEVERITY_CRITICAL
MAJOR = pb.SEVERITY_MAJOR
MINOR = pb.SEVERITY_MINOR
WARNING = pb.SEVERITY_WARNING

PREFIX = "delphis."


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of alert."""

    name: str
    """Beginning of the key, and of the id behind `delphis.`."""
    title: str
    severity: int
    type: int
    advice: str
    alert_id: str = ""
    """Where it is not made of the name."""
    sequence_number: str = ""

    @property
    def id(self) -> str:
        """What callers know it by."""
        return self.alert_id or PREFIX + self.name


_COMMUNICATIONS = pb.ALERT_TYPE_COMMUNICATIONS_ALARM
_PROCESSING = pb.ALERT_TYPE_PROCESSING_ERROR_ALARM
_QUALITY = pb.ALERT_TYPE_QUALITY_OF_SERVICE_ALARM

ARRAY_UNREACHABLE = Kind(
    "array_unreachable",
    "Array unreachable",
    MAJOR,
    _COMMUNICATIONS,
    "Look at the array's management address, the network and the firewall between.",
)
SYNC_FAILING = Kind(
    "sync_failing",
    "Syncs fail",
    MAJOR,
    _PROCESSING,
    "Look at the sync state of the storage: it says why, kind by kind.",
)
SYNC_STALE = Kind(
    "sync_stale", "Inventory is old", MINOR, _PROCESSING, "Look at the sync state and the jobs of the storage."
)
SUSPICIOUS = Kind(
    "suspicious",
    "Resources are missing",
    MAJOR,
    pb.ALERT_TYPE_INTEGRITY_VIOLATION,
    "Look at the array. If they were removed on purpose, accept the removals.",
)
SERIAL_CHANGED = Kind(
    "serial_changed",
    "Another array answers",
    CRITICAL,
    pb.ALERT_TYPE_INTEGRITY_VIOLATION,
    "Correct the access info; or accept the serial number, where the array was replaced.",
)
ARRAY_CAPACITY = Kind("array_capacity", "Array is filling up", WARNING, _QUALITY, "Add capacity, or free some.")
POOL_CAPACITY = Kind(
    "pool_capacity", "Pool is filling up", WARNING, _QUALITY, "Add capacity to the pool, or free some."
)
ARRAY_QUARANTINED = Kind(
    "array_quarantined",
    "Array quarantined",
    CRITICAL,
    _PROCESSING,
    "Calls of this array ended the driver's process again and again. Mend the driver, then release the quarantine.",
)
HOST_CRASHING = Kind(
    "driver_crashing",
    "Driver crashes",
    MAJOR,
    _PROCESSING,
    "Look at the driver's last lines of log: `delphis drivers show` has them.",
)
SNMP_UNREACHABLE = Kind(
    "snmp_unreachable",
    "SNMP connect failed",
    MAJOR,
    _COMMUNICATIONS,
    "Look at the SNMP configuration, and at the array's.",
    alert_id="19660818",
    sequence_number="0",
)
TRAPS_LOST = Kind(
    "traps_lost",
    "Traps were lost",
    MAJOR,
    _QUALITY,
    "Look at who sends so many: the trap receiver's counts and the log say it.",
)
TRAPS_DROPPED = Kind(
    "traps_dropped",
    "Traps were dropped",
    MAJOR,
    _QUALITY,
    "They waited for the driver of their array for too long. Look at the driver.",
)
DELIVERY_BACKLOG = Kind(
    "delivery_backlog",
    "Alerts are not delivered",
    MAJOR,
    _COMMUNICATIONS,
    "Look at the receiver: `delphis receivers show NAME` says what keeps its events.",
)
COLLECTION_LATE = Kind(
    "collection_late",
    "Metrics are not collected",
    MAJOR,
    _QUALITY,
    "Look at what the array says: `delphis collections show NAME` has it, kind by kind. `delphis collections now NAME`"
    " tries again at once.",
)
ARRAY_FULL_SOON = Kind(
    "array_full_soon",
    "Array will soon be full",
    WARNING,
    _QUALITY,
    "Add capacity, or free some. `delphis forecasts --storage NAME` says what grows.",
)
POOL_FULL_SOON = Kind(
    "pool_full_soon",
    "Pool will soon be full",
    WARNING,
    _QUALITY,
    "Add capacity to the pool, or free some. `delphis forecasts --storage NAME` says what grows.",
)
