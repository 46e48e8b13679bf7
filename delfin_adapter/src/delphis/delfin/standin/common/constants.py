"""`delfin.common.constants`: the words of the interface. `ALL` of a class are its values."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


def _with_all(words: type[T]) -> type[T]:
    values = tuple(value for name, value in vars(words).items() if name.isupper())
    words.ALL = values  # type: ignore[attr-defined]
    return words


@_with_all
class Category:
    EVENT = "Event"
    FAULT = "Fault"
    NOT_SPECIFIED = "NotSpecified"
    RECOVERY = "Recovery"


@_with_all
class ClearType:
    AUTOMATIC = "Automatic"
    MANUAL = "Manual"


@_with_all
class ControllerStatus:
    DEGRADED = "degraded"
    FAULT = "fault"
    NORMAL = "normal"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


@_with_all
class DiskLogicalType:
    AGGREGATE = "aggregate"
    BROKEN = "broken"
    CACHE = "cache"
    DATA = "data"
    FOREIGN = "foreign"
    FREE = "free"
    HOTSPARE = "hotspare"
    LABELMAINT = "labelmaint"
    MAINTENANCE = "maintenance"
    MEDIATOR = "mediator"
    MEMBER = "member"
    REMOTE = "remote"
    SHARED = "shared"
    SPARE = "spare"
    UNASSIGNED = "unassigned"
    UNKNOWN = "unknown"
    UNSUPPORTED = "unsupported"


@_with_all
class DiskPhysicalType:
    ATA = "ata"
    FC = "fc"
    FLASH = "flash"
    HDD = "hdd"
    LUN = "lun"
    NL_SAS = "nl-sas"
    NL_SSD = "nl-ssd"
    NVME_SSD = "nvme-ssd"
    SAS = "sas"
    SAS_FLASH_VP = "sas-flash-vp"
    SATA = "sata"
    SSD = "ssd"
    SSD_CARD = "ssd-card"
    UNKNOWN = "unknown"
    VMDISK = "vmdisk"


@_with_all
class DiskStatus:
    ABNORMAL = "abnormal"
    DEGRADED = "degraded"
    NORMAL = "normal"
    OFFLINE = "offline"


@_with_all
class EventType:
    COMMUNICATIONS_ALARM = "CommunicationsAlarm"
    ENVIRONMENTAL_ALARM = "EnvironmentalAlarm"
    EQUIPMENT_ALARM = "EquipmentAlarm"
    INTEGRITY_VIOLATION = "IntegrityViolation"
    NOT_SPECIFIED = "NotSpecified"
    OPERATIONAL_VIOLATION = "OperationalViolation"
    PHYSICAL_VIOLATION = "PhysicalViolation"
    PROCESSING_ERROR_ALARM = "ProcessingErrorAlarm"
    QUALITY_OF_SERVICE_ALARM = "QualityOfServiceAlarm"
    SECURITY_SERVICE_OR_MECHANISM_VIOLATION = "SecurityServiceOrMechanismViolation"
    TIME_DOMAIN_VIOLATION = "TimeDomainViolation"


@_with_all
class FSType:
    THICK = "thick"
    THIN = "thin"


@_with_all
class FilesystemStatus:
    FAULTY = "faulty"
    NORMAL = "normal"


@_with_all
class HostOSTypes:
    AIX = "AIX"
    HP_UX = "HP-UX"
    LINUX = "Linux"
    LINUX_VIS = "LINUX_VIS"
    MAC_OS = "Mac OS"
    OPEN_VMS = "Open VMS"
    ORACLE_VM = "Oracle VM"
    SOLARIS = "Solaris"
    UNKNOWN = "Unknown"
    VMWARE_ESX = "VMware ESX"
    WINDOWS = "Windows"
    WINDOWS_SERVER_2012 = "Windows Server 2012"
    XEN_SERVER = "XenServer"


@_with_all
class HostStatus:
    ABNORMAL = "abnormal"
    DEGRADED = "degraded"
    NORMAL = "normal"
    OFFLINE = "offline"


@_with_all
class InitiatorStatus:
    OFFLINE = "offline"
    ONLINE = "online"
    UNKNOWN = "unknown"


@_with_all
class InitiatorType:
    FC = "fc"
    ISCSI = "iscsi"
    NVME_OVER_FABRIC = "nvme-of"
    NVME_OVER_ROCE = "roce"
    SAS = "sas"
    UNKNOWN = "unknown"


@_with_all
class NASSecurityMode:
    MIXED = "mixed"
    NATIVE = "native"
    NTFS = "ntfs"
    UNIX = "unix"


@_with_all
class PortConnectionStatus:
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    UNKNOWN = "unknown"


@_with_all
class PortHealthStatus:
    ABNORMAL = "abnormal"
    NORMAL = "normal"
    UNKNOWN = "unknown"


@_with_all
class PortLogicalType:
    BACKEND = "backend"
    CLUSTER = "cluster"
    CLUSTER_MGMT = "cluster-mgmt"
    DATA = "data"
    FRONTEND = "frontend"
    IF_GROUP = "if-group"
    INTERCLUSTER = "intercluster"
    INTERCONNECT = "interconnect"
    INTERNAL = "internal"
    MAINTENANCE = "maintenance"
    MANAGEMENT = "management"
    NODE_MGMT = "node-mgmt"
    OTHER = "other"
    PHYSICAL = "physical"
    SERVICE = "service"
    VLAN = "vlan"


@_with_all
class PortType:
    CIFS = "cifs"
    CNA = "cna"
    COMBO = "combo"
    ETH = "eth"
    FC = "fc"
    FCACHE = "fcache"
    FCOE = "fcoe"
    FICON = "ficon"
    IB = "ib"
    ISCSI = "iscsi"
    LOGIC = "logic"
    NFS = "nfs"
    NFS_CIFS = "nfs-cifs"
    OTHER = "other"
    RCIP = "rcip"
    SAS = "sas"


@_with_all
class QuotaType:
    GROUP = "group"
    TREE = "tree"
    USER = "user"


@_with_all
class ResourceType:
    CONTROLLER = "controller"
    DISK = "disk"
    FILESYSTEM = "filesystem"
    PORT = "port"
    SHARE = "share"
    STORAGE = "storage"
    STORAGE_POOL = "storagePool"
    VOLUME = "volume"


@_with_all
class Severity:
    CRITICAL = "Critical"
    FATAL = "Fatal"
    INFORMATIONAL = "Informational"
    MAJOR = "Major"
    MINOR = "Minor"
    NOT_SPECIFIED = "NotSpecified"
    WARNING = "Warning"


@_with_all
class ShareProtocol:
    CIFS = "cifs"
    FTP = "ftp"
    HDFS = "hdfs"
    NFS = "nfs"


@_with_all
class StoragePoolStatus:
    ABNORMAL = "abnormal"
    DEGRADED = "degraded"
    NORMAL = "normal"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


@_with_all
class StorageStatus:
    ABNORMAL = "abnormal"
    DEGRADED = "degraded"
    NORMAL = "normal"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


@_with_all
class StorageType:
    BLOCK = "block"
    FILE = "file"
    UNIFIED = "unified"


@_with_all
class VolumeStatus:
    AVAILABLE = "available"
    ERROR = "error"


@_with_all
class VolumeType:
    THICK = "thick"
    THIN = "thin"


@_with_all
class WORMType:
    AUDIT_LOG = "audit_log"
    COMPLIANCE = "compliance"
    ENTERPRISE = "enterprise"
    NON_WORM = "non_worm"


DEFAULT_RESOURCE_TYPE = "Storage"


class metric_struct(NamedTuple):  # noqa: N801 - its name is part of the interface
    """One series of samples: `values` by time in ms."""

    name: str
    labels: dict[str, Any]
    values: dict[int, float]


metric_struct.__name__ = "Metric"


class MetricDescriptor(NamedTuple):
    """A metric that an array may have."""

    name: str
    unit: str
    description: str


_METRICS = {
    "IOPS": MetricDescriptor("iops", "IOPS", "Reads and writes per second"),
    "READ_IOPS": MetricDescriptor("readIops", "IOPS", "Reads per second"),
    "WRITE_IOPS": MetricDescriptor("writeIops", "IOPS", "Writes per second"),
    "THROUGHPUT": MetricDescriptor("throughput", "MB/s", "Data moved per second"),
    "READ_THROUGHPUT": MetricDescriptor("readThroughput", "MB/s", "Data read per second"),
    "WRITE_THROUGHPUT": MetricDescriptor("writeThroughput", "MB/s", "Data written per second"),
    "RESPONSE_TIME": MetricDescriptor("responseTime", "ms", "Mean time of a request"),
    "READ_RESPONSE_TIME": MetricDescriptor("readResponseTime", "ms", "Mean time of a read"),
    "WRITE_RESPONSE_TIME": MetricDescriptor("writeResponseTime", "ms", "Mean time of a write"),
    "IO_SIZE": MetricDescriptor("ioSize", "KB", "Mean size of a request"),
    "READ_IO_SIZE": MetricDescriptor("readIoSize", "KB", "Mean size of a read"),
    "WRITE_IO_SIZE": MetricDescriptor("writeIoSize", "KB", "Mean size of a write"),
    "CACHE_HIT_RATIO": MetricDescriptor("cacheHitRatio", "%", "Share of requests that the cache served"),
    "READ_CACHE_HIT_RATIO": MetricDescriptor("readCacheHitRatio", "%", "Share of reads that the cache served"),
    "WRITE_CACHE_HIT_RATIO": MetricDescriptor("writeCacheHitRatio", "%", "Share of writes that the cache served"),
    "CPU_USAGE": MetricDescriptor("cpuUsage", "%", "Share of time that the processors were busy"),
}


def _metrics(name: str, *left_out: str) -> type:
    members = {key: value for key, value in _METRICS.items() if not key.endswith(left_out)}
    return type(name, (), {"__module__": __name__, **members})


StorageMetric = _metrics("StorageMetric", "CPU_USAGE")
StoragePoolMetric = _metrics("StoragePoolMetric", "CPU_USAGE", "CACHE_HIT_RATIO")
VolumeMetric = _metrics("VolumeMetric", "CPU_USAGE")
ControllerMetric = _metrics("ControllerMetric", "CACHE_HIT_RATIO")
PortMetric = _metrics("PortMetric", "CPU_USAGE")
DiskMetric = _metrics("DiskMetric", "CPU_USAGE", "IO_SIZE")
FileSystemMetric = _metrics("FileSystemMetric", "CPU_USAGE", "CACHE_HIT_RATIO")
