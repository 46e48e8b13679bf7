"""What Delfin knows of a storage, as a request to import it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

from delphis.alert.v1 import snmp_config_pb2
from delphis.inventory.v1 import inventory_pb2
from delphis.type.v1 import access_pb2, storage_pb2
from services.importing.access import add_access
from services.importing.alert_sources import snmp_config
from services.importing.errors import Untakeable
from services.importing.source import Found

_SAID = ("serial_number", "name", "vendor", "model", "firmware_version", "description", "location")


@dataclass(frozen=True, slots=True)
class Tls:
    """How arrays prove themselves over TLS: Delfin's setting was one for all of them."""

    off: bool = False
    ca_certificates: str | None = None

    def apply(self, request: inventory_pb2.ImportStorageRequest) -> None:
        """Sets it in the blocks that speak TLS."""
        for name in ("rest", "smis"):
            if not request.HasField(name):
                continue
            block: access_pb2.RestAccess | access_pb2.SmisAccess = getattr(request, name)
            if self.off:
                block.tls.mode = access_pb2.TLS_MODE_OFF
            if self.ca_certificates is not None:
                block.tls.ca_certificates = self.ca_certificates


@dataclass(frozen=True, slots=True)
class Planned:
    """A storage that is to be imported; `request` is None where it can't be, and `problem` says why."""

    storage_id: str
    name: str
    vendor: str
    model: str
    request: inventory_pb2.ImportStorageRequest | None = None
    problem: str = ""
    notes: tuple[str, ...] = ()
    snmp: snmp_config_pb2.PutSnmpConfigRequest | None = None
    """Its SNMP settings, where it has some that can be told."""


def planned(found: Found, tls: Tls) -> Planned:
    """What is to be done about a storage."""
    storage, access = found.storage, found.access or {}
    plan = Planned(
        storage_id=storage["id"] or "",
        name=access.get("storage_name") or storage["name"] or "",
        vendor=access.get("vendor") or "",
        model=access.get("model") or "",
    )
    try:
        request, notes = _request(found)
    except Untakeable as problem:
        return replace(plan, problem=f"{problem}.")
    tls.apply(request)
    snmp: snmp_config_pb2.PutSnmpConfigRequest | None = None
    if found.alert_source is not None:
        try:
            snmp = snmp_config(found.alert_source)
        except Untakeable as problem:
            notes.append(f"its SNMP settings are not taken: {problem}")
    return replace(plan, request=request, notes=tuple(notes), snmp=snmp)


def _request(found: Found) -> tuple[inventory_pb2.ImportStorageRequest, list[str]]:
    storage, access = found.storage, found.access
    if access is None:
        raise Untakeable("it has no access info in Delfin, so nobody knows how to reach it")
    request = inventory_pb2.ImportStorageRequest(
        storage_id=_uuid(storage["id"]),
        vendor=access["vendor"] or "",
        model=access["model"] or "",
        storage_name=access["storage_name"] or None,
        array=storage_pb2.Storage(**{name: text for name in _SAID if (text := _said(storage[name]))}),  # type: ignore[arg-type]
    )
    return request, add_access(request, access)


def _uuid(text: str | None) -> str:
    if text is not None and len(text) == 36:
        try:
            return str(uuid.UUID(text))
        except ValueError:
            pass
    raise Untakeable("its id is no UUID; register it, which makes a new id")


def _said(text: str | None) -> str:
    """What an array said of itself; nothing where it is blank."""
    return (text or "").replace("\0", "").strip()
