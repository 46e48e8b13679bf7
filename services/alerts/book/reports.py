"""What is reported, and which reports are one alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import xxhash

from delphis.alert.v1 import alert_pb2 as pb
from delphis.type.v1 import alert_pb2 as type_pb


@dataclass(frozen=True, slots=True)
class StorageFacts:
    """A storage, as its alerts show it."""

    id: str
    """UUID text."""
    name: str = ""
    vendor: str = ""
    model: str = ""
    serial_number: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def id_bytes(self) -> bytes:
        """The id as the store has it."""
        return UUID(self.id).bytes


@dataclass(frozen=True, slots=True)
class Report:
    """Somebody says that something is wrong, or over."""

    storage: StorageFacts | None
    """None: it is about Delphis itself."""
    alert: type_pb.Alert
    origin: pb.AlertOrigin.ValueType
    """ALERT_ORIGIN_TRAP or ALERT_ORIGIN_DELPHIS; what polls list goes to `reconciling`."""
    at: int
    """When it came, in microseconds since 1970."""
    cleared: bool = False
    """It is over, whatever the alert says."""
    controller_name: str = ""

    @property
    def over(self) -> bool:
        """Whether it says that an alert is over."""
        return self.cleared or is_over(self.alert)

    @property
    def key(self) -> bytes:
        """The digest by which reports are joined."""
        return key_of(self.storage, match_key_of(self.alert), own=self.origin == pb.ALERT_ORIGIN_DELPHIS)


def is_over(alert: type_pb.Alert) -> bool:
    """Whether the alert says that an earlier one is over."""
    return alert.cleared or alert.category == type_pb.ALERT_CATEGORY_RECOVERY


def match_key_of(alert: type_pb.Alert) -> str:
    """The driver's match key; else kind, instance and resource; where there is none of these, the name or the words."""
    if alert.match_key:
        return alert.match_key
    where = alert.native_resource_id or alert.location
    parts = (alert.alert_id, alert.sequence_number, alert.resource_type, where)
    if not any(parts):
        parts = ("", "", "", alert.alert_name or alert.description)
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)


def key_of(storage: StorageFacts | None, match_key: str, *, own: bool) -> bytes:
    """What is unique among open alerts. No array can speak of alerts of our own, whatever keys its driver makes."""
    about = storage.id_bytes if storage is not None else b""
    return xxhash.xxh128_digest(about + (b"\1" if own else b"\0") + match_key.encode())
