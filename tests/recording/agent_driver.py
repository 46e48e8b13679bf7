"""The driver of an array that is read over SNMP."""

from __future__ import annotations

from collections.abc import Iterator

from delphis.sdk import AccessField, AccessInfo, Context, Port, Storage, StorageDriver
from delphis.sdk.snmp import SnmpAccess, SnmpSession


class AgentDriver(StorageDriver):
    """Reads an agent."""

    access_fields = (
        AccessField(path="rest.host", required=True),
        AccessField(path="extra_attributes.snmp_port", plain=True),
        AccessField(path="extra_attributes.community"),
    )

    def __init__(self, access_info: AccessInfo) -> None:
        super().__init__(access_info)
        extra = access_info.extra_attributes
        port, community = int(extra["snmp_port"]), extra["community"]
        self.agent = SnmpSession(SnmpAccess(access_info.rest.host, port, community=community))

    def close(self) -> None:
        self.agent.close()

    def get_storage(self, context: Context) -> Storage:
        about, contact, name = self.agent.get(context, *(f"1.3.6.1.2.1.1.{part}.0" for part in (1, 4, 5)))
        [serial] = self.agent.get(context, "1.3.6.1.2.1.47.1.1.1.1.11.1")
        return Storage(name=name.text, model=about.text, description=f"ask {contact.text}", serial_number=serial.text)

    def list_ports(self, context: Context) -> Iterator[Port]:
        for row in self.agent.walk(context, "1.3.6.1.4.1.32473.1"):
            yield Port(native_port_id=row.oid)
