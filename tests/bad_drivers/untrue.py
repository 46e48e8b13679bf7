"""Has every method, and says one thing that can't be true: what `bad` names. With nothing bad it keeps the contract.

`extra_attributes.connect` makes it log in over a socket: it says `HELLO` and its password, the array says `WELCOME`.
"""

from __future__ import annotations

import itertools
import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from delphis import sdk
from delphis.sdk import AccessField, Context, errors

GIB = 1 << 30
OID = "1.3.6.1.4.1.99999"
COUNTER = itertools.count()


class Untrue(sdk.StorageDriver):
    access_fields = (
        AccessField(path="rest.host", required=True, description="Where the array is."),
        AccessField(path="extra_attributes.bad", plain=True),
        AccessField(path="extra_attributes.connect", plain=True),
    )
    concurrency = 16
    shared = ""
    running = 0

    @property
    def bad(self) -> str:
        return self.access_info.extra_attributes.get("bad", "")

    @property
    def serial(self) -> str:
        return "untrue" if self.bad == "same_serial" else f"untrue-{self.access_info.rest.host}"

    # ---- The session ----

    def connect(self, context: Context) -> None:
        rest = self.access_info.rest
        if self.access_info.extra_attributes.get("connect") and self.bad != "never_connects":
            try:
                self._log_in(context)
            except OSError as error:
                if self.bad == "connect_fault":
                    raise RuntimeError("no connection") from error
                raise
        elif rest.password == "nonsense" and self.bad != "any_password":
            raise errors.InvalidUsernameOrPassword()
        self.receivers: set[str] = set()

    def _log_in(self, context: Context) -> None:
        rest = self.access_info.rest
        timeout = None if self.bad == "no_timeout" else context.remaining
        with socket.create_connection((rest.host, rest.port), timeout) as array:
            array.sendall(f"HELLO {rest.password}\n".encode())
            said = array.recv(100)
        if said == b"REFUSED\n":
            raise errors.InvalidUsernameOrPassword()
        if said != b"WELCOME\n":
            raise errors.InvalidIpOrPort()

    def reset_connection(self, context: Context) -> None:
        if self.bad == "reset_fails":
            raise errors.StorageBackendException("The array doesn't reset.")

    # ---- The array ----

    def get_storage(self, context: Context) -> sdk.Storage:
        serial = self.serial
        if self.bad == "serial_changes":
            serial = f"{serial}-{next(COUNTER)}"
        if self.bad == "shared_array":
            type(self).shared = serial
            time.sleep(0.03)
            serial = self.shared
        if self.bad == "password_on_stderr":
            os.write(2, f"logged in with {self.access_info.rest.password}\n".encode())
        if self.bad == "password_in_argv":
            word = self.access_info.rest.password
            subprocess.run([sys.executable, "-S", "-c", "import time; time.sleep(0.4)", word], check=True)
        storage = sdk.Storage(serial_number=serial, name="untrue", vendor="Untrue", model="U", firmware_version="1")
        storage.status = sdk.StorageStatus.STORAGE_STATUS_NORMAL
        storage.total_capacity, storage.used_capacity, storage.free_capacity = 20 * GIB, 8 * GIB, 12 * GIB
        storage.raw_capacity, storage.subscribed_capacity = 32 * GIB, 8 * GIB
        if self.bad == "megabytes":
            for name in ("total_capacity", "used_capacity", "free_capacity", "raw_capacity"):
                setattr(storage, name, getattr(storage, name) >> 20)
        if self.bad == "password_in_native":
            storage.native["login"] = self.access_info.rest.password
        return storage

    def get_capabilities(self, context: Context) -> sdk.Capabilities:
        found = sdk.Capabilities(is_historic=True, lists_all_alerts=True)
        group = found.resource_metrics.add(kind="volume")
        for name, unit in _METRICS.items():
            group.metrics.add(name=name, unit=unit)
        group.interval.FromSeconds(60)
        found.retention.FromSeconds(86_400)
        match self.bad:
            case "unknown_metric":
                group.metrics.add(name="colour", unit="1")
            case "other_unit":
                group.metrics[0].unit = "By/s"
            case "other_kind":
                found.resource_metrics.add(kind="port").metrics.add(name="cpuUsage", unit="1")
            case "short_retention":
                found.retention.FromSeconds(1)
            case "minutes":
                group.interval.FromSeconds(60 * 86_400)
            case _:
                pass
        if self.bad == "unknown_kind":
            found.kinds.append("snapshots")
        return found

    # ---- Its resources ----

    def list_storage_pools(self, context: Context) -> Iterator[sdk.StoragePool]:
        for number in range(2):
            pool = sdk.StoragePool(native_storage_pool_id=f"pool-{number}", name=f"pool {number}")
            pool.status = sdk.StoragePoolStatus.STORAGE_POOL_STATUS_NORMAL
            pool.storage_type = sdk.StorageType.STORAGE_TYPE_UNIFIED
            used = 8 * GIB if number == 0 else 0
            pool.total_capacity, pool.used_capacity, pool.free_capacity = 10 * GIB, used, 10 * GIB - used
            pool.native_disk_ids.extend(f"disk-{disk}" for disk in range(4))
            match self.bad:
                case "zeros_left_out" if not used:
                    pool.ClearField("used_capacity")
                case "zeros_for_unset":
                    pool.total_capacity = pool.used_capacity = pool.free_capacity = 0
                case "capacity_differs":
                    pool.free_capacity = 9 * GIB
                case "negative":
                    pool.subscribed_capacity = -1
                case "odd_enum":
                    pool.status = 77  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]
                case "enum_unspecified":
                    pool.status = sdk.StoragePoolStatus.STORAGE_POOL_STATUS_UNSPECIFIED
                case "much_native":
                    pool.native.update({f"key {key}": "value" for key in range(40)})
                case "control_in_name":
                    pool.name = "pool\x00one"
                case "member_twice":
                    pool.native_disk_ids.append("disk-0")
                case _:
                    pass
            yield pool

    def list_volumes(self, context: Context) -> Iterator[sdk.Volume]:
        busy = self._enter() if self.bad == "shared_state" else 0
        for number in range(4):
            native_id = f"volume-{number + 10 * (busy > 1)}"
            if self.bad == "random_ids":
                native_id = f"volume-{next(COUNTER)}"
            elif self.bad == "control_in_id":
                native_id += "\x07"
            volume = sdk.Volume(native_volume_id=native_id, name=f"volume {number}", native_storage_pool_id="pool-0")
            volume.wwn = f"6000000000000000000000000000{0 if self.bad == 'same_wwn' else number:04x}"
            if self.bad == "colons_in_wwn":
                volume.wwn = f"60:00:00:00:00:00:00:0{number}"
            volume.status = sdk.VolumeStatus.VOLUME_STATUS_AVAILABLE
            volume.type = sdk.VolumeType.VOLUME_TYPE_THICK
            volume.total_capacity, volume.used_capacity, volume.free_capacity = 2 * GIB, 2 * GIB, 0
            volume.compressed = False
            yield volume

    def _enter(self) -> int:
        """How many calls are in the class at this time."""
        cls = type(self)
        cls.running += 1
        time.sleep(0.03)
        busy, cls.running = cls.running, cls.running - 1
        return busy

    def list_controllers(self, context: Context) -> list[sdk.Controller]:
        controller = sdk.Controller(native_controller_id="controller-a", name="A", cpu_count=8, memory_size=16 * GIB)
        controller.mgmt_ip = "127.0.0.1"
        return [controller]

    def list_ports(self, context: Context) -> list[sdk.Port]:
        port = sdk.Port(native_port_id="port-1", name="1", wwn="50060160c0000001", native_parent_id="controller-a")
        port.type, port.speed, port.max_speed = sdk.PortType.PORT_TYPE_FC, 16 * 10**9, 32 * 10**9
        if self.bad == "gigabits":
            port.speed = 16
        daughter = sdk.Port(native_port_id="port-1-1", name="1.1", native_parent_id="port-1", ipv4="127.0.0.1")
        daughter.mac_address = "02:00:00:00:00:01"
        return [port, daughter]

    def list_disks(self, context: Context) -> Iterator[sdk.Disk]:
        if self.bad == "unsupported":
            raise errors.StorageCapabilityNotSupported()
        for number in range(4):
            disk = sdk.Disk(native_disk_id=f"disk-{number}", name=str(number), capacity=8 * GIB, health_score=100)
            disk.physical_type, disk.speed = sdk.DiskPhysicalType.DISK_PHYSICAL_TYPE_SSD, 0
            yield disk

    def list_filesystems(self, context: Context) -> list[sdk.Filesystem]:
        return [sdk.Filesystem(native_filesystem_id="fs-1", name="fs", native_pool_id="pool-1")]

    def list_qtrees(self, context: Context) -> list[sdk.Qtree]:
        return [sdk.Qtree(native_qtree_id="tree-1", name="tree", native_filesystem_id="fs-1")]

    def list_quotas(self, context: Context) -> list[sdk.Quota]:
        return [sdk.Quota(native_quota_id="quota-1", native_filesystem_id="fs-1", native_qtree_id="tree-1")]

    def list_shares(self, context: Context) -> list[sdk.Share]:
        return [sdk.Share(native_share_id="share-1", name="share", native_filesystem_id="fs-1")]

    def list_storage_hosts(self, context: Context) -> list[sdk.StorageHost]:
        return [sdk.StorageHost(native_storage_host_id="host-1", name="host", ip_address="127.0.0.1")]

    def list_storage_host_initiators(self, context: Context) -> list[sdk.StorageHostInitiator]:
        initiator = sdk.StorageHostInitiator(native_storage_host_initiator_id="i-1", wwn="iqn.2026-01.dev.delphis:host")
        initiator.native_storage_host_id = "host-1"
        return [initiator]

    def list_storage_host_groups(self, context: Context) -> list[sdk.StorageHostGroup]:
        return [sdk.StorageHostGroup(native_storage_host_group_id="hosts", name="hosts", storage_hosts=["host-1"])]

    def list_port_groups(self, context: Context) -> list[sdk.PortGroup]:
        return [sdk.PortGroup(native_port_group_id="ports", name="ports", ports=["port-1"])]

    def list_volume_groups(self, context: Context) -> list[sdk.VolumeGroup]:
        members = [f"volume-{number}" for number in range(4)] if self.bad not in _OTHER_VOLUMES else []
        return [sdk.VolumeGroup(native_volume_group_id="volumes", name="volumes", volumes=members)]

    def list_masking_views(self, context: Context) -> list[sdk.MaskingView]:
        view = sdk.MaskingView(native_masking_view_id="view-1", name="view", native_storage_host_group_id="hosts")
        view.native_volume_group_id, view.native_port_group_id = "volumes", "ports"
        if self.bad == "view_of_nothing":
            view.ClearField("native_volume_group_id")
        return [view]

    # ---- Its alerts ----

    def list_alerts(self, context: Context, begin: datetime | None, end: datetime | None) -> Iterator[sdk.Alert]:
        if self.bad == "alerts_fail":
            raise errors.StorageListAlertFailed()
        for number in range(3):
            occurred = datetime(2026, 1, 1 + number, tzinfo=UTC)
            if self.bad != "ignores_window" and ((begin and occurred < begin) or (end and occurred >= end)):
                continue
            alert = _alert(str(number), occurred)
            if self.bad == "alert_of_2100":
                alert.occur_time.FromDatetime(datetime(2100, 1, 1, tzinfo=UTC))
            yield alert

    def clear_alert(self, context: Context, sequence_number: str) -> None:
        if self.bad == "clear_fails":
            raise errors.StorageClearAlertFailed()

    def add_trap_config(self, context: Context, trap_config: sdk.TrapConfig) -> None:
        if self.bad == "add_once" and trap_config.host in self.receivers:
            raise errors.StorageBackendException("The receiver exists.")
        self.receivers.add(trap_config.host)

    def remove_trap_config(self, context: Context, trap_config: sdk.TrapConfig) -> None:
        self.receivers.discard(trap_config.host)

    def get_alert_sources(self, context: Context) -> list[sdk.AlertSource]:
        return [sdk.AlertSource(host="" if self.bad == "source_without_host" else "127.0.0.1")]

    @classmethod
    def parse_alert(cls, context: Context, trap: sdk.Trap) -> sdk.Alert | None:
        if not trap.trap_oid.startswith(OID):
            return None
        bound = {varbind.oid: varbind for varbind in trap.varbinds}
        name = bound.get(f"{OID}.2.1")
        if name is None:
            raise errors.IncompleteTrapInformation()
        alert = _alert(name.octets.decode("utf-8", "replace"), datetime.now(UTC))
        alert.native["source"], alert.native["engine"] = trap.source_address, trap.engine_id
        number = bound.get(f"{OID}.2.2")
        if number is not None and number.WhichOneof("value") == "integer" and number.integer == 3:
            alert.severity = sdk.Severity.SEVERITY_CRITICAL
        return alert

    # ---- Its performance ----

    def collect_perf_metrics(
        self, context: Context, resource_metrics: Sequence[sdk.ResourceMetrics], begin: datetime, end: datetime
    ) -> list[sdk.MetricBatch]:
        if self.bad == "metrics_fail":
            raise errors.BadResponse("The statistics can't be read.")
        batch = sdk.MetricBatch(kind="volume", native_ids=["volume-0", "volume-1"], metrics=list(_METRICS))
        first = -(-begin.timestamp() // 60) * 60
        batch.steps = max(0, math.ceil((end.timestamp() - first) / 60))
        if not batch.steps:
            return []
        batch.step.FromSeconds(60)
        row = [120.0, 0.0, 80.0, 0.0, 40.0, 0.0, 120 * 8e3, 0.0, 8e3, _NAN, 0.985, _NAN]
        match self.bad:
            case "metric_twice":
                batch.metrics[1] = "iops"
            case "other_metrics":
                batch.metrics[1] = "colour"
            case "old_samples":
                first -= 86_400
            case "uneven":
                batch.step.FromSeconds(7)
            case "percent":
                row[10] = 98.5
            case "far_too_much":
                row[6] = 1e15
            case "writes_too_many":
                row[4] = 400.0
            case "kilobytes":
                row[8] = 8.0
            case "present_only":
                row[0], row[2] = (value + next(COUNTER) % 9 for value in (120, 80))
            case _:
                pass
        batch.start.FromSeconds(int(first))
        batch.values.extend(row * batch.steps)
        return [batch] * (2 if self.bad == "batch_twice" else 1)

    def get_latest_perf_timestamp(self, context: Context) -> datetime:
        return datetime.now(UTC) + timedelta(days=1 if self.bad == "tomorrow" else 0)


_OTHER_VOLUMES = frozenset({"random_ids", "control_in_id"})
_METRICS = {
    "iops": "1/s",
    "readIops": "1/s",
    "writeIops": "1/s",
    "throughput": "By/s",
    "ioSize": "By",
    "cacheHitRatio": "1",
}
_NAN = float("nan")


class Misreader(Untrue):
    """Reads every trap as if it were its own, stumbles over what is no text, and takes each for a warning."""

    @classmethod
    def parse_alert(cls, context: Context, trap: sdk.Trap) -> Any:
        words = [varbind.octets.decode("utf-8") for varbind in trap.varbinds]
        alert = _alert(" ".join(words), datetime.now(UTC))
        alert.severity = sdk.Severity.SEVERITY_WARNING
        return [alert]


def _alert(number: str, occurred: datetime) -> sdk.Alert:
    alert = sdk.Alert(alert_id="disk-failed", alert_name="Disk failed", sequence_number=number)
    alert.severity, alert.category = sdk.Severity.SEVERITY_MAJOR, sdk.AlertCategory.ALERT_CATEGORY_FAULT
    alert.description, alert.resource_type, alert.native_resource_id = "A disk failed.", "disk", "disk-0"
    alert.occur_time.FromDatetime(occurred)
    return alert
