"""What such a driver returns is read for what it means; what is odd is a warning, never the end."""

from __future__ import annotations

import math
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from delphis.sdk import (
    DiskPhysicalType,
    Severity,
    ShareProtocol,
    StorageStatus,
    Trap,
    VarBind,
    VolumeStatus,
    VolumeType,
)
from delphis.type.v1.access_pb2 import AccessInfo
from delphis.type.v1.errors_pb2 import REASON_DRIVER_BROKE_CONTRACT
from tests.delfin_adapter.support import Host, host, made_up, warned


@pytest.fixture(scope="module")
def odd() -> Generator[Host, None, None]:
    with host("odd:OddDriver") as running:
        yield running


@pytest.fixture(scope="module")
def array() -> AccessInfo:
    return made_up()


def items(answer: Any, key: str) -> dict[str, Any]:
    return {getattr(item, key): item for item in answer.items}


def test_what_does_nothing_is_not_announced(odd: Host) -> None:
    rpcs = set(odd.info().rpcs)
    assert not rpcs & {"AddTrapConfig", "RemoveTrapConfig", "ListMaskingViews", "ListControllers", "GetAlertSources"}
    assert {"ClearAlert", "ParseAlert", "CollectPerfMetrics", "ListShares", "GetCapabilities"} <= rpcs


def test_the_array_itself(odd: Host, array: AccessInfo) -> None:
    answer = odd.answer("GetStorage", array)
    storage = answer.storage
    assert (storage.serial_number, storage.name, storage.status) == ("123", "odd", StorageStatus.STORAGE_STATUS_UNKNOWN)
    assert (storage.total_capacity, storage.used_capacity) == (100, 40)
    assert not storage.HasField("free_capacity")
    assert not storage.HasField("raw_capacity")
    assert dict(storage.native) == {"status": "Sleepy", "site": "cellar"}
    assert "'Sleepy'" in warned(answer)
    assert "in-a-row" not in str(answer)


def test_volumes(odd: Host, array: AccessInfo) -> None:
    answer = odd.answer("ListVolumes", array)
    volumes = items(answer, "native_volume_id")
    assert sorted(volumes) == ["7", "8", "9"]
    assert (volumes["7"].name, volumes["7"].total_capacity, volumes["7"].free_capacity) == ("tuple", 12, 3)
    assert (volumes["7"].type, volumes["7"].native["type"]) == (VolumeType.VOLUME_TYPE_UNKNOWN, "base")
    assert (volumes["8"].status, volumes["8"].type) == (VolumeStatus.VOLUME_STATUS_NORMAL, VolumeType.VOLUME_TYPE_THIN)
    assert volumes["8"].wwn == "6006016a"
    assert not volumes["8"].HasField("total_capacity")  # -1: unknown
    assert (volumes["9"].total_capacity, volumes["9"].compressed) == (3 << 29, True)
    assert not volumes["9"].HasField("used_capacity")
    # A row without an id, and one that is no row: others must not be removed for it.
    assert not answer.complete
    text = warned(answer)
    for said in ("free_capacit is read as free_capacity", "'a volume'", "is a text with a unit", "below zero"):
        assert said in text
    assert {warning.reason for warning in answer.warnings} == {REASON_DRIVER_BROKE_CONTRACT}


def test_a_generator_and_misspelt_keys(odd: Host, array: AccessInfo) -> None:
    answer = odd.answer("ListDisks", array)
    disks = items(answer, "native_disk_id")
    assert sorted(disks) == ["0", "1"]
    assert {disk.native_disk_group_id for disk in disks.values()} == {"g"}
    assert {disk.physical_type for disk in disks.values()} == {DiskPhysicalType.DISK_PHYSICAL_TYPE_NL_SAS}
    assert answer.complete
    assert [warning.message for warning in answer.warnings] == [
        "Disk.native_diskgroup_id is read as native_disk_group_id (2 times)."
    ]


def test_speeds_and_addresses(odd: Host, array: AccessInfo) -> None:
    answer = odd.answer("ListPorts", array)
    ports = items(answer, "native_port_id")
    assert (ports["p"].speed, ports["p"].max_speed) == (16 * 10**9, 32 * 10**9)
    assert not ports["p"].HasField("logical_type")
    assert not ports["q"].HasField("speed")
    assert (ports["q"].mac_address, ports["q"].native["ipv4"]) == ("02:00:00:00:00:01", "10.0.0.1;10.0.0.2")
    assert answer.complete


def test_rows_that_are_no_dicts(odd: Host, array: AccessInfo) -> None:
    shares = items(odd.answer("ListShares", array), "native_share_id")
    assert shares["sh"].protocol == ShareProtocol.SHARE_PROTOCOL_NFS
    assert (shares["st"].name, shares["st"].protocol) == ("other", ShareProtocol.SHARE_PROTOCOL_UNKNOWN)


@pytest.mark.parametrize(("rpc", "complete"), [("ListStoragePools", True), ("ListQuotas", False)])
def test_lists_that_are_none(odd: Host, array: AccessInfo, rpc: str, complete: bool) -> None:
    answer = odd.answer(rpc, array)
    assert not answer.items
    assert answer.complete is complete
    assert answer.warnings


def test_groups(odd: Host, array: AccessInfo) -> None:
    assert odd.answer("ListStorageHostGroups", array).complete
    [ports] = odd.answer("ListPortGroups", array).items
    assert (ports.native_port_group_id, list(ports.ports)) == ("1", ["p", "q"])
    answer = odd.answer("ListVolumeGroups", array)
    [volumes] = answer.items
    assert (volumes.native_volume_group_id, list(volumes.volumes)) == ("3", ["7"])
    assert not answer.complete
    assert "names groups that are not listed" in warned(answer)


def test_alerts(odd: Host, array: AccessInfo) -> None:
    answer = odd.answer("ListAlerts", array)
    first, second = answer.items
    assert (first.alert_id, first.severity, first.native["resource_type"]) == ("5", Severity.SEVERITY_UNKNOWN, "Fan")
    assert first.occur_time.seconds == 1_700_000_000
    assert (second.severity, second.cleared, second.HasField("occur_time")) == (Severity.SEVERITY_MAJOR, True, False)
    late = Timestamp()
    late.FromDatetime(datetime(2024, 1, 1, tzinfo=UTC))
    assert [alert.alert_id for alert in odd.answer("ListAlerts", array, begin_time=late).items] == ["6"]


def test_an_alert_is_cleared_by_a_driver_that_wants_a_dict(odd: Host, array: AccessInfo) -> None:
    answer = odd.answer("ClearAlert", array, sequence_numbers=["5", "6"])
    assert [failure.native_id for failure in answer.failures] == ["6"]


def test_a_trap_parsed_by_a_method_that_is_not_static(odd: Host, array: AccessInfo) -> None:
    trap = Trap(trap_oid="1.3.6.1.4.1.32473.2", varbinds=[VarBind(oid="1.3.6.1.4.1.32473.1", integer=7)])
    parsed, failed = odd.answer("ParseAlert", array, traps=[trap, Trap(trap_oid="1.3.6.1.4.1.32473.2")]).results
    assert [(alert.alert_id, alert.severity) for alert in parsed.alerts] == [("7", Severity.SEVERITY_MINOR)]
    assert failed.HasField("warning")


def test_capabilities_by_firmware(odd: Host, array: AccessInfo) -> None:
    [group] = odd.answer("GetCapabilities", array).capabilities.resource_metrics
    assert (group.kind, [(metric.name, metric.unit) for metric in group.metrics]) == ("volume", [("iops", "1/s")])


def test_metrics(odd: Host, array: AccessInfo) -> None:
    now = datetime.now(UTC)
    begin, end = Timestamp(), Timestamp()
    begin.FromDatetime(now - timedelta(minutes=15))
    end.FromDatetime(now)
    answer = odd.answer("CollectPerfMetrics", array, begin_time=begin, end_time=end)
    found = {(batch.metrics[0], batch.steps): batch for batch in answer.items}
    assert set(found) == {("iops", 2), ("iops", 1), ("throughput", 1)}
    assert list(found["iops", 2].values) == [5, 6]
    assert found["iops", 2].step.seconds == 60
    assert math.isnan(found["iops", 1].values[0])
    assert list(found["throughput", 1].values) == [2.5e6]
    assert list(found["throughput", 1].native_ids) == ["7"]
    assert not answer.complete
    assert "furlongs" in warned(answer)
    assert not odd.answer("GetLatestPerfTimestamp", array).HasField("timestamp")


@pytest.fixture(scope="module")
def odder() -> Generator[Host, None, None]:
    with host("odder:OdderDriver") as running:
        yield running


def test_members_of_enums_and_dicts_of_rows(odder: Host, array: AccessInfo) -> None:
    storage = odder.answer("GetStorage", array).storage
    assert (storage.serial_number, storage.status) == ("4711", StorageStatus.STORAGE_STATUS_NORMAL)
    assert storage.total_capacity == 100
    answer = odder.answer("ListVolumes", array)
    volumes = items(answer, "native_volume_id")
    assert sorted(volumes) == ["a", "b"]
    assert volumes["a"].status == VolumeStatus.VOLUME_STATUS_NORMAL
    assert answer.complete
    [group] = odder.answer("ListVolumeGroups", array).items
    assert (group.native_volume_group_id, list(group.volumes)) == ("g", ["a"])


def test_an_exception_without_its_argument(odder: Host, array: AccessInfo) -> None:
    failed = odder.ask("ListStoragePools", array)
    assert (failed.reason, failed.message) == ("STORAGE_BACKEND_EXCEPTION", "The array failed")


def test_times_in_words(odder: Host, array: AccessInfo) -> None:
    alerts = odder.answer("ListAlerts", array).items
    assert [alert.occur_time.seconds for alert in alerts] == [1_704_067_200] * 4


def test_an_alert_is_cleared_by_a_driver_that_asks_a_dict(odder: Host, array: AccessInfo) -> None:
    answer = odder.answer("ClearAlert", array, sequence_numbers=["5", "6"])
    assert [failure.native_id for failure in answer.failures] == ["6"]


def test_metrics_by_name_only(odder: Host, array: AccessInfo) -> None:
    [group] = odder.answer("GetCapabilities", array).capabilities.resource_metrics
    assert [(metric.name, metric.unit) for metric in group.metrics] == [("iops", "1/s"), ("throughput", "By/s")]
    begin, end = Timestamp(seconds=1_704_067_200), Timestamp(seconds=1_704_067_260)
    answer = odder.answer("CollectPerfMetrics", array, begin_time=begin, end_time=end)
    [batch] = answer.items
    assert (list(batch.native_ids), list(batch.metrics), list(batch.values)) == (["a"], ["iops"], [3.0])
    assert answer.complete
