"""Write a storage driver for Delphis: subclass `StorageDriver`, return the contract's messages, raise `errors`.

    from delphis.sdk import Context, Storage, StorageDriver, Volume, errors

    class AcmeBox(StorageDriver):
        def get_storage(self, context: Context) -> Storage:
            return Storage(serial_number="4711", name="box")

        def list_volumes(self, context: Context) -> list[Volume]:
            return [Volume(native_volume_id="1", name="first", total_capacity=2**30)]

`delphis-driver run FILE` serves it.
"""

from delphis.driver.v1.storage_driver_pb2 import AccessField
from delphis.sdk import errors
from delphis.sdk.context import Context
from delphis.sdk.driver import Answer, Listing, StorageDriver
from delphis.sdk.enums import from_text
from delphis.sdk.redaction import redacted
from delphis.type.v1.access_pb2 import (
    AccessInfo,
    CliAccess,
    RestAccess,
    SmisAccess,
    SshAccess,
    SshHostKeyPolicy,
    Tls,
    TlsMode,
)
from delphis.type.v1.alert_pb2 import (
    Alert,
    AlertCategory,
    AlertSource,
    AlertType,
    Severity,
    SnmpAuthProtocol,
    SnmpPrivProtocol,
    SnmpSecurityLevel,
    SnmpVersion,
    Trap,
    TrapConfig,
    VarBind,
)
from delphis.type.v1.block_pb2 import (
    StoragePool,
    StoragePoolStatus,
    StorageType,
    Volume,
    VolumeGroup,
    VolumeStatus,
    VolumeType,
)
from delphis.type.v1.errors_pb2 import Reason
from delphis.type.v1.file_pb2 import (
    Filesystem,
    FilesystemStatus,
    FilesystemType,
    NasSecurityMode,
    Qtree,
    Quota,
    QuotaType,
    Share,
    ShareProtocol,
    WormType,
)
from delphis.type.v1.hardware_pb2 import (
    Controller,
    ControllerStatus,
    Disk,
    DiskLogicalType,
    DiskPhysicalType,
    DiskStatus,
    Port,
    PortConnectionStatus,
    PortGroup,
    PortHealthStatus,
    PortLogicalType,
    PortType,
)
from delphis.type.v1.host_pb2 import (
    HostOsType,
    HostStatus,
    InitiatorStatus,
    InitiatorType,
    MaskingView,
    StorageHost,
    StorageHostGroup,
    StorageHostInitiator,
)
from delphis.type.v1.metric_pb2 import Capabilities, MetricBatch, MetricSpec, ResourceMetrics
from delphis.type.v1.storage_pb2 import Storage, StorageStatus

__all__ = [
    "AccessField",
    "AccessInfo",
    "Alert",
    "AlertCategory",
    "AlertSource",
    "AlertType",
    "Answer",
    "Capabilities",
    "CliAccess",
    "Context",
    "Controller",
    "ControllerStatus",
    "Disk",
    "DiskLogicalType",
    "DiskPhysicalType",
    "DiskStatus",
    "Filesystem",
    "FilesystemStatus",
    "FilesystemType",
    "HostOsType",
    "HostStatus",
    "InitiatorStatus",
    "InitiatorType",
    "Listing",
    "MaskingView",
    "MetricBatch",
    "MetricSpec",
    "NasSecurityMode",
    "Port",
    "PortConnectionStatus",
    "PortGroup",
    "PortHealthStatus",
    "PortLogicalType",
    "PortType",
    "Qtree",
    "Quota",
    "QuotaType",
    "Reason",
    "ResourceMetrics",
    "RestAccess",
    "Severity",
    "Share",
    "ShareProtocol",
    "SmisAccess",
    "SnmpAuthProtocol",
    "SnmpPrivProtocol",
    "SnmpSecurityLevel",
    "SnmpVersion",
    "SshAccess",
    "SshHostKeyPolicy",
    "Storage",
    "StorageDriver",
    "StorageHost",
    "StorageHostGroup",
    "StorageHostInitiator",
    "StoragePool",
    "StoragePoolStatus",
    "StorageStatus",
    "StorageType",
    "Tls",
    "TlsMode",
    "Trap",
    "TrapConfig",
    "VarBind",
    "Volume",
    "VolumeGroup",
    "VolumeStatus",
    "VolumeType",
    "WormType",
    "errors",
    "from_text",
    "redacted",
]
