"""Traps to parse, as the alerts service decodes them, and what the driver should make of them.

A file in YAML, JSON or TOML with a list `traps`:

    traps:
      - name: disk failed
        source_address: 10.0.0.5
        version: SNMPv2c
        trap_oid: 1.3.6.1.4.1.99999.1.2
        varbinds:
          - {oid: 1.3.6.1.4.1.99999.2.1, type: octets, value: "disk 7"}
          - {oid: 1.3.6.1.4.1.99999.2.2, type: octets, hex: "07e60b16"}
          - {oid: 1.3.6.1.4.1.99999.2.3, type: integer, value: 3}
        alerts:                   # optional: what it says; [] for a trap that is none of the array's
          - {alert_id: "17", severity: Major, category: Fault}
        incomplete: false
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from delphis.sdk.conformance import documents
from delphis.sdk.conformance.errors import UsageError
from delphis.sdk.enums import UNKNOWN, from_text
from delphis.type.v1.alert_pb2 import Alert, SnmpVersion, Trap, VarBind

_OID = re.compile(r"[0-2](\.\d+)+")
_TEXTS = ("source_address", "engine_id", "trap_oid", "agent_address", "controller_name")
_TYPES = ("integer", "octets", "object_id", "ip_address", "unsigned", "opaque", "null")


@dataclass(frozen=True)
class GivenTrap:
    """A trap, and what is expected of it."""

    name: str
    trap: Trap
    alerts: tuple[Mapping[str, Any], ...] | None
    """Fields of each alert in it; None: nothing is expected."""
    incomplete: bool


def read(path: Path) -> list[GivenTrap]:
    """The traps of a file. UsageError where it can't be used."""
    document = documents.read(path)
    given = document.get("traps") if isinstance(document, dict) else document
    if not isinstance(given, list) or not given:
        raise UsageError(f"{path} must have a list `traps`.")
    return [_given(documents.table(each, f"{path}: trap {n}"), f"{path}: trap {n}", n) for n, each in enumerate(given)]


def _given(values: Mapping[str, Any], where: str, number: int) -> GivenTrap:
    left = dict(values)
    name = str(left.pop("name", f"trap {number}"))
    alerts, incomplete = left.pop("alerts", None), left.pop("incomplete", False)
    trap = Trap(inform=bool(left.pop("inform", False)))
    version = str(left.pop("version", "SNMPv2c"))
    trap.version = from_text(SnmpVersion, version)
    if trap.version == UNKNOWN:
        raise UsageError(f"{where}: version must be SNMPv1, SNMPv2c or SNMPv3, not {version!r}.")
    for key in _TEXTS:
        setattr(trap, key, str(left.pop(key, "")))
    if not _OID.fullmatch(trap.trap_oid):
        raise UsageError(f"{where}: trap_oid must be numbers and dots, not {trap.trap_oid!r}.")
    trap.varbinds.extend(
        _varbind(documents.table(each, f"{where}: varbind {n}"), f"{where}: varbind {n}")
        for n, each in enumerate(left.pop("varbinds", ()))
    )
    trap.received_at.GetCurrentTime()
    if left:
        raise UsageError(f"{where} has {', '.join(map(repr, left))}, which a trap has not.")
    return GivenTrap(name, trap, _expected(alerts, where), bool(incomplete))


def _expected(alerts: Any, where: str) -> tuple[Mapping[str, Any], ...] | None:
    if alerts is None:
        return None
    if not isinstance(alerts, list):
        raise UsageError(f"{where}: alerts must be a list.")
    known = Alert.DESCRIPTOR.fields_by_name
    for each in alerts:
        for key in documents.table(each, f"{where}: alerts"):
            if key not in known:
                raise UsageError(f"{where}: alerts: an alert has no {key!r}; it has {', '.join(known)}.")
    return tuple(alerts)


def _varbind(values: Mapping[str, Any], where: str) -> VarBind:
    oid, kind = str(values.get("oid", "")), str(values.get("type", "octets"))
    if not _OID.fullmatch(oid):
        raise UsageError(f"{where}: oid must be numbers and dots, not {oid!r}.")
    if kind not in _TYPES:
        raise UsageError(f"{where}: type must be one of {', '.join(_TYPES)}, not {kind!r}.")
    varbind = VarBind(oid=oid)
    value = values.get("value")
    try:
        if kind in ("octets", "opaque"):
            data = bytes.fromhex(values["hex"]) if "hex" in values else str(value if value is not None else "").encode()
            setattr(varbind, kind, data)
        elif kind == "null":
            varbind.null = True
        else:
            setattr(varbind, kind, int(str(value)) if kind in ("integer", "unsigned") else str(value))
    except (ValueError, TypeError) as error:
        raise UsageError(f"{where}: {value!r} is no {kind}: {error}.") from None
    return varbind
