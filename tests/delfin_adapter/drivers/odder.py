"""A driver that writes what others write in yet other ways."""

from collections import namedtuple
from datetime import datetime
from decimal import Decimal
from enum import Enum

from delfin import exception
from delfin.drivers import driver

Turned = namedtuple("Turned", "values labels name")


class Health(Enum):
    OK = "normal"


class OdderDriver(driver.StorageDriver):
    def reset_connection(self, context, **kwargs):
        pass

    def get_storage(self, context):
        return {"serial_number": b"4711", "status": Health.OK, "total_capacity": Decimal(100)}

    def list_storage_pools(self, context):
        raise exception.StorageBackendException

    def list_volumes(self, context):
        return {name: {"native_volume_id": name, "status": Health.OK} for name in ("a", "b")}

    def list_volume_groups(self, context):
        return {
            "volume_groups": {"g": {"native_volume_group_id": "g"}},
            "vol_grp_vol_rels": {"native_volume_group_id": "g", "native_volume_id": "a"},
        }

    def list_alerts(self, context, query_para):
        bare = datetime(2024, 1, 1)  # noqa: DTZ001 - such drivers say no zone
        times = (bare, "2024-01-01 01:00:00+01:00", "2024-01-01T00:00:00Z", "1704067200")
        return [{"alert_id": str(number), "occur_time": when} for number, when in enumerate(times)]

    def clear_alert(self, context, alert):
        if alert.get("alert_id") != "5":
            raise exception.StorageClearAlertFailed("no such alert")

    def add_trap_config(self, context, trap_config):
        pass

    def remove_trap_config(self, context, trap_config):
        pass

    def get_capabilities(self, context):
        return {"is_historic": True, "resource_metrics": {"volume": ["iops", "throughput"]}}

    def collect_perf_metrics(self, context, storage_id, resource_metrics, start_time, end_time):
        labels = {"resource_type": "volume", "resource_id": "a", "unit": resource_metrics["volume"]["iops"]["unit"]}
        return [Turned({start_time: 3}, labels, "iops")]
