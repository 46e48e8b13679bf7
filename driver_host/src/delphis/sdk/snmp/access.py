"""How an agent is reached."""

from __future__ import annotations

from dataclasses import dataclass, field

from delphis.sdk import errors
from delphis.type.v1.alert_pb2 import SnmpAuthProtocol, SnmpPrivProtocol, SnmpSecurityLevel, SnmpVersion


@dataclass(frozen=True, slots=True)
class SnmpAccess:
    """Address and credentials of an SNMP agent, in the contract's words.

    Attributes:
        host: Name or address.
        port: UDP port.
        version: v1, v2c or v3.
        community: Of v1 and v2c.
        username: Of v3.
        security_level: Of v3. Unspecified: as the keys say that are given.
        auth_protocol: Of v3. Unspecified: SHA-1.
        auth_key: Its pass phrase, 8 characters or more.
        privacy_protocol: Of v3. Unspecified: AES-128.
        privacy_key: Its pass phrase, 8 characters or more.
        context_name: Of v3.
        timeout: Seconds to wait for an answer to one request.
        retries: How often a request is sent again.
    """

    host: str
    port: int = 161
    version: SnmpVersion.ValueType = SnmpVersion.SNMP_VERSION_SNMPV2C
    community: str = field(default="", repr=False)
    username: str = ""
    security_level: SnmpSecurityLevel.ValueType = SnmpSecurityLevel.SNMP_SECURITY_LEVEL_UNSPECIFIED
    auth_protocol: SnmpAuthProtocol.ValueType = SnmpAuthProtocol.SNMP_AUTH_PROTOCOL_UNSPECIFIED
    auth_key: str = field(default="", repr=False)
    privacy_protocol: SnmpPrivProtocol.ValueType = SnmpPrivProtocol.SNMP_PRIV_PROTOCOL_UNSPECIFIED
    privacy_key: str = field(default="", repr=False)
    context_name: str = ""
    timeout: float = 3.0
    retries: int = 2

    @property
    def label(self) -> str:
        """How errors and logs name it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def level(self) -> SnmpSecurityLevel.ValueType:
        """The security level, from the keys where it isn't given."""
        if self.security_level != SnmpSecurityLevel.SNMP_SECURITY_LEVEL_UNSPECIFIED:
            return self.security_level
        if self.privacy_key:
            return SnmpSecurityLevel.SNMP_SECURITY_LEVEL_AUTH_PRIV
        if self.auth_key:
            return SnmpSecurityLevel.SNMP_SECURITY_LEVEL_AUTH_NO_PRIV
        return SnmpSecurityLevel.SNMP_SECURITY_LEVEL_NO_AUTH_NO_PRIV

    def check(self) -> None:
        """Raises what is wrong with it.

        Raises:
            errors.AccessInfoIncomplete: Something is missing or can't be used.
            errors.InvalidIpOrPort: The port can be none.
        """
        if not self.host:
            raise errors.AccessInfoIncomplete("No host is given for SNMP.", field="host")
        if not 0 < self.port < 65536:
            raise errors.InvalidIpOrPort(f"{self.port} is no UDP port of an agent.", host=self.host, port=self.port)
        v3 = self.version == SnmpVersion.SNMP_VERSION_SNMPV3
        known = (SnmpVersion.SNMP_VERSION_SNMPV1, SnmpVersion.SNMP_VERSION_SNMPV2C)
        if not v3 and self.version not in known:
            raise errors.AccessInfoIncomplete("The version of SNMP must be v1, v2c or v3.", field="version")
        needed = {"username": self.username} if v3 else {"community": self.community}
        if v3 and self.level >= SnmpSecurityLevel.SNMP_SECURITY_LEVEL_AUTH_NO_PRIV:
            needed["auth_key"] = self.auth_key
        if v3 and self.level >= SnmpSecurityLevel.SNMP_SECURITY_LEVEL_AUTH_PRIV:
            needed["privacy_key"] = self.privacy_key
        for name, value in needed.items():
            if not value:
                raise errors.AccessInfoIncomplete(f"SNMP needs the field {name} here.", field=name)
            if name.endswith("_key") and len(value) < 8:
                raise errors.AccessInfoIncomplete(f"SNMP's {name} must have 8 characters or more.", field=name)
