"""A notification as it was received, decoded; and as the contract's Trap."""

from __future__ import annotations

import enum
from typing import NamedTuple

from delphis.type.v1 import alert_pb2
from services.snmp import ber

SYS_UPTIME = "1.3.6.1.2.1.1.3.0"
TRAP_OID = "1.3.6.1.6.3.1.1.4.1.0"
TRAP_ENTERPRISE = "1.3.6.1.6.3.1.1.4.3.0"
TRAP_ADDRESS = "1.3.6.1.6.3.18.1.3.0"
GENERIC_TRAPS = "1.3.6.1.6.3.1.1.5"

Value = int | bytes | str | None
_UNSIGNED = frozenset((ber.COUNTER32, ber.GAUGE32, ber.TIME_TICKS, ber.COUNTER64))


class Version(enum.IntEnum):
    """Version of SNMP; values are the contract's."""

    V1 = alert_pb2.SNMP_VERSION_SNMPV1
    V2C = alert_pb2.SNMP_VERSION_SNMPV2C
    V3 = alert_pb2.SNMP_VERSION_SNMPV3


VarBind = tuple[str, int, Value]
"""Name, tag and value of a variable: an int, bytes (octets, opaque), text (identifier, address) or None. A plain tuple,
since a named one takes as long to make as to read."""


class Notification(NamedTuple):
    """A trap or an inform. A tuple and no dataclass: a frozen dataclass of this size takes 2 µs to make."""

    version: Version
    inform: bool
    trap_oid: str
    """snmpTrapOID.0; for SNMPv1 made from enterprise, generic and specific trap as RFC 3584 says."""
    varbinds: tuple[VarBind, ...]
    """In order, without the first sysUpTime.0 and snmpTrapOID.0."""
    uptime: int | None
    """Hundredths of a second; None where a careless agent left it out."""
    request_id: int
    """0 for SNMPv1."""
    community: bytes
    """SNMPv1 and v2c. Secret."""
    enterprise: str
    """SNMPv1 only."""
    agent_address: str
    """SNMPv1 only."""
    engine_id: bytes
    """SNMPv3: of the authoritative engine. That is the sender for traps, and ours for informs."""
    user: str
    """SNMPv3."""
    owners: tuple[str, ...]
    """SNMPv3: whose user it is; several, where arrays share name and passwords."""
    context_engine_id: bytes
    context_name: bytes

    def __repr__(self) -> str:
        kind = "inform" if self.inform else "trap"  # never the community
        return f"<{kind} {self.trap_oid}, {self.version.name}, {len(self.varbinds)} varbinds>"

    def trap(self, source_address: str, received_at_ns: int) -> alert_pb2.Trap:
        """The contract's message. `received_at_ns` counts from 1970.

        A trap of SNMPv1 ends with snmpTrapAddress.0 and snmpTrapEnterprise.0, as RFC 3584 (3.1) makes them; its
        community, a secret, is left out.
        """
        message = alert_pb2.Trap(
            version=self.version.value,
            source_address=source_address,
            engine_id=self.engine_id.hex(),
            trap_oid=self.trap_oid,
            agent_address=self.agent_address,
            inform=self.inform,
        )
        message.received_at.FromNanoseconds(received_at_ns)
        add = message.varbinds.add
        for oid, tag, value in self.varbinds:
            if tag == ber.OCTETS:
                add(oid=oid, octets=value)
            elif tag == ber.INTEGER:
                add(oid=oid, integer=value)
            elif tag in _UNSIGNED:
                add(oid=oid, unsigned=value)
            elif tag == ber.OBJECT_ID:
                add(oid=oid, object_id=value)
            elif tag == ber.IP_ADDRESS:
                add(oid=oid, ip_address=value)
            elif tag == ber.OPAQUE:
                add(oid=oid, opaque=value)
            else:
                add(oid=oid, null=True)
        if self.version is Version.V1:
            present = {oid for oid, _, _ in self.varbinds}
            if TRAP_ADDRESS not in present:
                add(oid=TRAP_ADDRESS, ip_address=self.agent_address)
            if TRAP_ENTERPRISE not in present:
                add(oid=TRAP_ENTERPRISE, object_id=self.enterprise)
        return message
