"""A driver that returns what no other should, and yet some do."""

from collections import namedtuple
from types import SimpleNamespace

from delfin import exception
from delfin.drivers import driver

Point = namedtuple("Point", "name labels values")
Row = namedtuple("Row", "native_share_id name protocol")


class OddDriver(driver.StorageDriver):
    def reset_connection(self, context, **kwargs):
        raise RuntimeError("never called")

    def get_storage(self, context):
        return {
            "serial_number": 123,
            "name": " odd\x07 ",
            "status": "Sleepy",
            "firmware_version": "9.5P3",
            "total_capacity": 100.0,
            "used_capacity": "40",
            "free_capacity": "n/a",
            "raw_capacity": float("nan"),
            "sync_status": 7,
            "password": "in-a-row",
            "site": "cellar",
        }

    def list_storage_pools(self, context):
        return {}.get("pools")

    def list_volumes(self, context):
        return [
            {"native_volume_id": 7, "name": ("tuple",), "total_capacity": 12.7, "free_capacit": 3, "type": "base"},
            {"native_volume_id": "8", "status": "NORMAL", "type": "Thin", "wwn": "60:06:01:6A", "total_capacity": -1},
            {"native_volume_id": "9", "total_capacity": "1.5 GB", "compressed": "yes", "used_capacity": -7},
            {"name": "nameless"},
            "a volume",
        ]

    def list_disks(self, context):
        return (
            {"native_disk_id": str(number), "native_diskgroup_id": "g", "physical_type": "NL SAS", "speed": None}
            for number in range(2)
        )

    def list_ports(self, context):
        return {
            "ports": [
                {"native_port_id": "p", "speed": "16 Gbps", "max_speed": 32_000, "type": None, "logical_type": ""},
                {"native_port_id": "q", "speed": "fast", "ipv4": "10.0.0.1;10.0.0.2", "mac_address": "0200.0000.0001"},
            ]
        }

    def list_shares(self, context):
        return [Row(("sh",), "share", "NFS"), SimpleNamespace(native_share_id="st", name="other", protocol=4)]

    def list_storage_host_groups(self, context):
        return []

    def list_port_groups(self, context):
        return [{"native_port_group_id": 1, "name": "ports", "ports": "p,q,p"}]

    def list_volume_groups(self, context):
        return {
            "volume_groups": [{"native_volume_group_id": 3, "name": "some"}],
            "vol_grp_vol_rels": [
                {"native_volume_group_id": 3, "native_volume_id": 7},
                {"native_volume_group_id": "4", "native_volume_id": 8},
                {"native_volume_group_id": None, "native_volume_id": 8},
            ],
            "comment": "none",
        }

    def list_masking_views(self, context):
        raise NotImplementedError

    def list_quotas(self, context):
        return 42

    def list_alerts(self, context, query_para):
        return [
            {
                "alert_id": 5,
                "severity": "dreadful",
                "occur_time": 1_700_000_000,
                "resource_type": "Fan",
                "colour": "red",
            },
            {"alert_id": "6", "severity": "MAJOR", "category": "Recovery", "occur_time": "yesterday"},
        ]

    def clear_alert(self, context, alert):
        if alert["alert_id"] != "5":
            raise exception.StorageClearAlertFailed("no such alert")

    def add_trap_config(self, context, trap_config):
        pass

    def remove_trap_config(self, context, trap_config):
        return None

    def parse_alert(self, context, alert):
        return [{"alert_id": alert["1.3.6.1.4.1.32473.1"], "severity": "Minor"}, None]

    @staticmethod
    def get_capabilities(context):
        own = {"resource_metrics": {"volume": {"iops": {"unit": "IOPS"}, "heat": {"unit": "K"}}, "fan": {"rpm": {}}}}
        return {9.0: {}, 9.4: own, "9.10": {}}

    def collect_perf_metrics(self, context, storage_id, resource_metrics, start_time, end_time):
        labels = {"resource_type": "volume", "resource_id": 7, "unit": "IOPS"}
        first = end_time // 1000 - 300
        return [
            Point("iops", labels, {first: 5, first + 60: "6", first + 180: None}),
            Point("throughput", {**labels, "unit": "MB/s"}, {(first + 60) * 1000: 2.5}),
            Point("throughput", {**labels, "unit": "furlongs"}, {first: 1}),
            Point("iops", {"resource_type": "ghost", "resource_id": 7}, {first: 1}),
            "a point",
        ]

    def get_latest_perf_timestamp(self, context):
        return 0
