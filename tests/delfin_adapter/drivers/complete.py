"""A driver with every method of the interface, for an array that exists in this file."""

import time

from delfin import exception
from delfin.common import alert_util, constants
from delfin.drivers import driver
from delfin.utils import utcnow_ms

GB = 10**9
OID = "1.3.6.1.4.1.32473.7"
MINUTE = 60_000

VOLUME_METRICS = ("IOPS", "READ_THROUGHPUT", "RESPONSE_TIME", "CACHE_HIT_RATIO", "IO_SIZE")


def descriptors(kind, names):
    metrics = [getattr(kind, name) for name in names]
    return {metric.name: {"unit": metric.unit, "description": metric.description} for metric in metrics}


class CompleteDriver(driver.StorageDriver):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        rest = kwargs["rest"]
        self.serial = "complete-" + rest["host"]
        self.receivers = []
        self.alerts = {"41": utcnow_ms() - 5 * MINUTE, "42": utcnow_ms() - MINUTE}

    def reset_connection(self, context, **kwargs):
        pass

    def get_storage(self, context):
        assert context.storage_id == self.storage_id
        return {
            "name": "complete",
            "vendor": "Complete",
            "model": "C-1",
            "status": constants.StorageStatus.NORMAL,
            "serial_number": self.serial,
            "firmware_version": "9.4.1",
            "total_capacity": 400 * GB,
            "used_capacity": 100 * GB,
            "free_capacity": 300 * GB,
            "raw_capacity": 480 * GB,
            "subscribed_capacity": 0,
        }

    def list_storage_pools(self, context):
        return [
            {
                "native_storage_pool_id": f"pool-{number}",
                "name": f"pool {number}",
                "storage_id": self.storage_id,
                "status": "normal",
                "storage_type": constants.StorageType.UNIFIED,
                "total_capacity": 200 * GB,
                "used_capacity": 50 * GB,
                "free_capacity": 150 * GB,
            }
            for number in range(2)
        ]

    def list_volumes(self, context):
        return [
            {
                "native_volume_id": f"vol-{number}",
                "name": f"volume {number}",
                "storage_id": self.storage_id,
                "native_storage_pool_id": f"pool-{number % 2}",
                "wwn": f"6006016{number:025x}",
                "status": "available",
                "type": constants.VolumeType.THICK,
                "total_capacity": 10 * GB,
                "used_capacity": 10 * GB,
                "free_capacity": 0,
                "compressed": False,
                "deduplicated": True,
            }
            for number in range(10)
        ]

    def list_controllers(self, context):
        return [
            {
                "native_controller_id": f"ctl-{number}",
                "name": f"controller {number}",
                "storage_id": self.storage_id,
                "status": constants.ControllerStatus.NORMAL,
                "location": f"slot {number}",
                "soft_version": "9.4.1",
                "cpu_info": "8 cores",
                "cpu_count": 1,
                "memory_size": 64 * 1024**3,
                "mgmt_ip": f"192.0.2.{number + 1}",
            }
            for number in range(2)
        ]

    def list_ports(self, context):
        return [
            {
                "native_port_id": f"port-{number}",
                "name": f"port {number}",
                "storage_id": self.storage_id,
                "type": constants.PortType.ETH,
                "logical_type": constants.PortLogicalType.FRONTEND,
                "connection_status": constants.PortConnectionStatus.CONNECTED,
                "health_status": constants.PortHealthStatus.NORMAL,
                "native_parent_id": f"ctl-{number}",
                "speed": 10_000,  # Mbit/s
                "max_speed": 25_000_000_000,  # bit/s
                "mac_address": f"02:00:00:00:00:{number:02x}",
                "ipv4": f"198.51.100.{number + 1}",
                "ipv4_mask": "255.255.255.0",
            }
            for number in range(2)
        ]

    def list_disks(self, context):
        return [
            {
                "native_disk_id": f"disk-{number}",
                "name": f"disk {number}",
                "storage_id": self.storage_id,
                "physical_type": constants.DiskPhysicalType.NL_SAS,
                "logical_type": constants.DiskLogicalType.MEMBER,
                "status": constants.DiskStatus.NORMAL,
                "serial_number": f"SN{number}",
                "manufacturer": "Acme",
                "capacity": 120 * GB,
                "speed": 7200,
                "health_score": 100,
            }
            for number in range(4)
        ]

    def list_filesystems(self, context):
        return [
            {
                "native_filesystem_id": "fs-1",
                "name": "home",
                "storage_id": self.storage_id,
                "native_pool_id": "pool-1",
                "status": constants.FilesystemStatus.NORMAL,
                "type": constants.FSType.THIN,
                "worm": constants.WORMType.NON_WORM,
                "security_mode": constants.NASSecurityMode.UNIX,
                "total_capacity": 40 * GB,
                "used_capacity": 10 * GB,
                "free_capacity": 30 * GB,
            }
        ]

    def list_qtrees(self, context):
        return [
            {
                "native_qtree_id": "qt-1",
                "name": "alice",
                "path": "/home/alice",
                "storage_id": self.storage_id,
                "native_filesystem_id": "fs-1",
                "security_mode": constants.NASSecurityMode.UNIX,
            }
        ]

    def list_quotas(self, context):
        return [
            {
                "native_quota_id": "q-1",
                "type": constants.QuotaType.TREE,
                "storage_id": self.storage_id,
                "native_filesystem_id": "fs-1",
                "native_qtree_id": "qt-1",
                "capacity_hard_limit": 5 * GB,
                "file_count": 0,
                "used_capacity": GB,
                "user_group_name": None,
            }
        ]

    def list_shares(self, context):
        return [
            {
                "native_share_id": "sh-1",
                "name": "home",
                "path": "/home",
                "storage_id": self.storage_id,
                "native_filesystem_id": "fs-1",
                "protocol": constants.ShareProtocol.NFS,
            }
        ]

    def list_storage_hosts(self, context):
        return [
            {
                "native_storage_host_id": f"host-{number}",
                "name": f"host {number}",
                "storage_id": self.storage_id,
                "os_type": constants.HostOSTypes.VMWARE_ESX,
                "status": constants.HostStatus.NORMAL,
                "ip_address": f"203.0.113.{number + 1}",
            }
            for number in range(3)
        ]

    def list_storage_host_initiators(self, context):
        return [
            {
                "native_storage_host_initiator_id": f"ini-{number}",
                "name": f"initiator {number}",
                "storage_id": self.storage_id,
                "native_storage_host_id": f"host-{number}",
                "wwn": f"10000000c9a0b1{number:02x}",
                "status": constants.InitiatorStatus.ONLINE,
                "type": constants.InitiatorType.NVME_OVER_FABRIC,
            }
            for number in range(3)
        ]

    def list_storage_host_groups(self, context):
        return {
            "storage_host_groups": [
                {
                    "native_storage_host_group_id": "hg-1",
                    "name": "cluster",
                    "storage_id": self.storage_id,
                    "storage_hosts": "host-0,host-1",
                }
            ],
            "storage_host_grp_host_rels": [
                {
                    "storage_id": self.storage_id,
                    "native_storage_host_group_id": "hg-1",
                    "native_storage_host_id": f"host-{number}",
                }
                for number in range(2)
            ],
        }

    def list_port_groups(self, context):
        return {
            "port_groups": [{"native_port_group_id": "pg-1", "name": "ports", "storage_id": self.storage_id}],
            "port_grp_port_rels": [{"native_port_group_id": "pg-1", "native_port_id": "port-0"}],
        }

    def list_volume_groups(self, context):
        return {
            "volume_groups": [{"native_volume_group_id": "vg-1", "name": "volumes", "storage_id": self.storage_id}],
            "vol_grp_vol_rels": [
                {"native_volume_group_id": "vg-1", "native_volume_id": f"vol-{number}"} for number in range(4)
            ],
        }

    def list_masking_views(self, context):
        return [
            {
                "native_masking_view_id": "mv-1",
                "name": "view",
                "storage_id": self.storage_id,
                "native_storage_host_group_id": "hg-1",
                "native_port_group_id": "pg-1",
                "native_volume_group_id": "vg-1",
                "native_storage_host_id": None,
            }
        ]

    def list_alerts(self, context, query_para):
        return [
            {
                "alert_id": "0x17",
                "alert_name": "Disk failed",
                "severity": constants.Severity.MAJOR,
                "category": constants.Category.FAULT,
                "type": constants.EventType.EQUIPMENT_ALARM,
                "sequence_number": number,
                "occur_time": occurred,
                "description": "Disk 1 failed.",
                "recovery_advice": "Replace it.",
                "resource_type": constants.ResourceType.DISK,
                "location": "shelf 1",
            }
            for number, occurred in self.alerts.items()
            if alert_util.is_alert_in_time_range(query_para, occurred)
        ]

    def clear_alert(self, context, sequence_number):
        self.alerts.pop(sequence_number, None)

    def add_trap_config(self, context, trap_config):
        if trap_config["host"] not in self.receivers:
            self.receivers.append(trap_config["host"])

    def remove_trap_config(self, context, trap_config):
        if trap_config["host"] in self.receivers:
            self.receivers.remove(trap_config["host"])

    def get_alert_sources(self, context):
        return [{"host": "192.0.2.1"}, {"host": "192.0.2.2"}]

    @staticmethod
    def parse_alert(context, alert):
        kind = alert.get("1.3.6.1.6.3.1.1.4.1.0", "")
        if not kind.startswith(OID):
            return None
        if kind == OID + ".9":
            raise exception.IncompleteTrapInformation(alert["storage_id"])
        return {
            "alert_id": alert.get(OID + ".10.1", kind),
            "alert_name": alert.get(OID + ".10.2", "unnamed"),
            "severity": constants.Severity.CRITICAL,
            "category": constants.Category.RECOVERY if kind == OID + ".2" else constants.Category.FAULT,
            "type": constants.EventType.EQUIPMENT_ALARM,
            "sequence_number": alert.get(OID + ".10.1"),
            "occur_time": utcnow_ms(),
            "description": alert.get(OID + ".10.2"),
            "resource_type": constants.DEFAULT_RESOURCE_TYPE,
            "location": alert["transport_address"],
        }

    @staticmethod
    def get_capabilities(context, filters=None):
        return {
            "is_historic": True,
            "performance_metric_retention_window": 4500,
            "resource_metrics": {
                "storagePool": descriptors(constants.StoragePoolMetric, ("IOPS",)),
                "volume": descriptors(constants.VolumeMetric, VOLUME_METRICS),
                "controller": descriptors(constants.ControllerMetric, ("CPU_USAGE",)),
            },
        }

    def collect_perf_metrics(self, context, storage_id, resource_metrics, start_time, end_time):
        times = range(start_time - start_time % MINUTE + MINUTE, end_time, MINUTE)
        resources = {
            "storagePool": ["pool-0", "pool-1"],
            "volume": [f"vol-{number}" for number in range(10)],
            "controller": ["ctl-0", "ctl-1"],
        }
        found = []
        for kind, metrics in resource_metrics.items():
            for resource in resources[kind]:
                for name, metric in metrics.items():
                    labels = {
                        "storage_id": storage_id,
                        "resource_type": kind,
                        "resource_id": resource,
                        "type": "RAW",
                        "unit": metric["unit"],
                    }
                    found.append(constants.metric_struct(name=name, labels=labels, values=dict.fromkeys(times, 25)))
        return found

    def get_latest_perf_timestamp(self, context):
        return int(time.time() * 1000) // MINUTE * MINUTE
