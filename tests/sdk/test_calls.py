"""What a driver returns and raises arrives at the caller as the contract says."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk.host.contract import methods
from delphis.type.v1 import errors_pb2
from delphis.type.v1.alert_pb2 import Trap
from tests.sdk.conftest import SharedHost, StartHost
from tests.sdk.hosts import SENTINEL, Host, failure, items, target, wait_for


def test_info_says_who_the_driver_is_and_what_it_has(start_host: StartHost) -> None:
    host: Host = start_host(
        "Plain", name="dev.acme.box", VERSION="1.2.3", SERVES='[{"vendor": "acme", "model": "box 1"}]'
    )
    info = host.info()
    assert (info.name, info.version, info.load_error) == ("dev.acme.box", "1.2.3", "")
    assert [(pair.vendor, pair.model) for pair in info.serves] == [("acme", "box 1")]
    assert {"GetDriverInfo", "GetStorage", "ResetConnection", "CloseStorage", "ListVolumes"} < set(info.rpcs)
    assert "ListPorts" not in info.rpcs
    assert "ParseAlert" in info.rpcs
    assert info.access_fields[0].path == "rest"
    assert info.lists_all_alerts
    assert info.runtime.startswith("delphis-driver-sdk ")
    assert (info.stuck_calls, info.wants_replacement) == (0, False)
    assert info.server_id == host.info().server_id
    other: Host = start_host("Minimal")
    assert other.info().server_id != info.server_id
    assert list(other.info().rpcs) == ["GetDriverInfo", "GetStorage", "ResetConnection", "CloseStorage"]


def test_storage_comes_with_warnings_and_defaults_of_access_fields(shared_host: SharedHost) -> None:
    host = shared_host("Plain")
    asked = target("s1")
    asked.access_info.rest.ClearField("port")
    answer = host.get_storage(asked, timeout=20)
    assert answer.storage.serial_number == "plain-127.0.0.1"
    assert answer.storage.description == "port 8443, short, s1"
    [warning] = answer.warnings
    assert (warning.message, warning.native_id) == ("This is a test.", "1")
    assert warning.reason == errors_pb2.REASON_BAD_RESPONSE


def test_lists_end_with_complete(shared_host: SharedHost) -> None:
    host = shared_host("Plain")
    volumes = host.list_volumes(target("l1", count="1234"))
    assert [len(batch.items) for batch in volumes] == [100, 500, 500, 134]
    assert [batch.complete for batch in volumes] == [False, False, False, True]
    assert [volume.native_volume_id for volume in items(volumes)] == [f"v{number}" for number in range(1234)]
    pools = list(host.stub.ListStoragePools(pb.ListStoragePoolsRequest(target=target("l3")), timeout=60))
    assert [(len(batch.items), batch.complete) for batch in pools] == [(0, True)]
    exact = host.list_volumes(target("l2", count="600"))
    assert [(len(batch.items), batch.complete) for batch in exact] == [(100, False), (500, False), (0, True)]


def test_alerts_and_the_rest_of_the_interface(shared_host: SharedHost) -> None:
    host = shared_host("Plain")
    stub, array = host.stub, target()
    request = pb.ListAlertsRequest(target=array)
    request.begin_time.FromSeconds(0)
    [batch] = stub.ListAlerts(request, timeout=60)
    assert batch.items[0].description == "1970-01-01 00:00:00+00:00 to None"
    assert [s.host for s in stub.GetAlertSources(pb.GetAlertSourcesRequest(target=array), timeout=60).alert_sources]
    assert stub.GetCapabilities(pb.GetCapabilitiesRequest(target=array), timeout=60).capabilities.is_historic
    latest = stub.GetLatestPerfTimestamp(pb.GetLatestPerfTimestampRequest(target=array), timeout=60)
    assert latest.timestamp.ToJsonString() == "2026-01-02T03:04:05Z"
    stub.RemoveTrapConfig(pb.RemoveTrapConfigRequest(target=array), timeout=60)


def test_clearing_alerts_reports_those_that_stay(shared_host: SharedHost) -> None:
    host = shared_host("Plain")

    def clear(*numbers: str) -> pb.ClearAlertResponse:
        return host.stub.ClearAlert(pb.ClearAlertRequest(target=target(), sequence_numbers=numbers), timeout=60)

    assert not clear("1", "absent").failures
    [stayed] = clear("1", "stays 2").failures
    assert (stayed.native_id, stayed.reason) == ("stays 2", errors_pb2.REASON_STORAGE_CLEAR_ALERT_FAILED)
    failed = failure(lambda: clear("stays 1", "stays 2"))
    assert (failed.code, failed.reason) == (grpc.StatusCode.INTERNAL, "STORAGE_CLEAR_ALERT_FAILED")


def test_traps_are_parsed_one_by_one_without_the_array(shared_host: SharedHost) -> None:
    host = shared_host("Plain")
    request = pb.ParseAlertRequest(
        target=pb.Target(storage_id="a1"),
        traps=[Trap(trap_oid=oid) for oid in ("1.1", "1.2", "1.3", "1.4", "1.5")],
    )
    one, two, incomplete, broken, unknown = host.stub.ParseAlert(request, timeout=60).results
    assert [alert.alert_id for alert in one.alerts] == ["one"]
    assert [alert.alert_id for alert in two.alerts] == ["one", "two"]
    assert incomplete.incomplete
    assert not incomplete.alerts
    assert broken.warning.reason == errors_pb2.REASON_DRIVER_FAULT
    assert "no such varbind" in broken.warning.message
    assert unknown == pb.ParsedTrap()
    del request.traps[:]
    request.traps.extend(Trap() for _ in range(501))
    assert failure(lambda: host.stub.ParseAlert(request, timeout=60)).reason == "INVALID_INPUT"


def collect(host: Host, minutes: int, **extra: str) -> list[pb.CollectPerfMetricsResponse]:
    request = pb.CollectPerfMetricsRequest(
        target=target(f"a{sorted(extra.items())}", 1, host="127.0.0.1", epoch=0, **extra)
    )
    request.begin_time.FromSeconds(600)
    request.end_time.FromSeconds(600 + minutes * 60)
    return list(host.stub.CollectPerfMetrics(request, timeout=60))


def test_points_are_cut_to_messages(shared_host: SharedHost) -> None:
    host = shared_host("Plain")
    [small] = collect(host, 3)
    assert small.complete
    assert list(small.items[0].values) == [0, 1, 2, 3, 4, 5]
    large = collect(host, 200, resources="2000")
    assert len(large) > 3
    assert [batch.complete for batch in large] == [False] * (len(large) - 1) + [True]
    assert max(batch.ByteSize() for batch in large) <= 1 << 20
    values: list[float] = []
    at = 600
    for part in items(large):
        assert part.start.seconds == at
        at += part.steps * 60
        values += part.values
    assert values == [float(number) for number in range(200 * 2000)]
    wide = collect(host, 1, resources="150000")
    assert sum(len(part.native_ids) for part in items(wide)) == 150_000
    assert max(batch.ByteSize() for batch in wide) <= 1 << 20
    failed = failure(lambda: collect(host, 3, missing="1"))
    assert failed.reason == "DRIVER_BROKE_CONTRACT"
    assert failed.metadata["expected"] == "6"


@pytest.mark.parametrize(
    ("raised", "code", "reason", "message"),
    [
        ("InvalidUsernameOrPassword", "FAILED_PRECONDITION", "INVALID_USERNAME_OR_PASSWORD", "refused the user name"),
        ("InvalidIpOrPort nothing at port 1", "FAILED_PRECONDITION", "INVALID_IP_OR_PORT", "nothing at port 1"),
        ("ArrayUnreachable", "UNAVAILABLE", "ARRAY_UNREACHABLE", "doesn't answer"),
        ("BadResponse no JSON", "INTERNAL", "BAD_RESPONSE", "no JSON"),
        ("StorageBackendNotFound", "NOT_FOUND", "STORAGE_BACKEND_NOT_FOUND", "doesn't know this array"),
        ("NotSupported", "UNIMPLEMENTED", "STORAGE_CAPABILITY_NOT_SUPPORTED", "can't do this"),
        ("NotImplementedError", "UNIMPLEMENTED", "STORAGE_CAPABILITY_NOT_SUPPORTED", "can't do this"),
        ("ArrayTimeout", "DEADLINE_EXCEEDED", "ARRAY_TIMEOUT", "within the deadline"),
        ("ConnectionRefusedError no", "UNAVAILABLE", "ARRAY_UNREACHABLE", "ConnectionRefusedError: no"),
        ("TimeoutError", "UNAVAILABLE", "ARRAY_UNREACHABLE", "TimeoutError"),
        ("KeyError serial", "INTERNAL", "DRIVER_FAULT", "KeyError: 'serial'"),
        ("FileNotFoundError x", "INTERNAL", "DRIVER_FAULT", "FileNotFoundError: x"),
        ("SystemExit 3", "INTERNAL", "DRIVER_FAULT", "SystemExit: 3"),
        ("KeyboardInterrupt", "INTERNAL", "DRIVER_FAULT", "KeyboardInterrupt"),
        ("ValueError two\nlines", "INTERNAL", "DRIVER_FAULT", "two lines"),
        ("GeneratorExit", "INTERNAL", "DRIVER_FAULT", "GeneratorExit"),
    ],
)
def test_exceptions_become_statuses(shared_host: SharedHost, raised: str, code: str, reason: str, message: str) -> None:
    host = shared_host("Raises")
    failed = failure(lambda: host.get_storage(target(raised[:30], fails=raised)))
    assert (failed.code.name, failed.reason) == (code, reason)
    assert message in failed.message
    assert "Traceback" not in failed.message
    assert "\n" not in failed.message
    if reason == "DRIVER_FAULT":
        assert "Traceback" in host.output()


def test_busy_arrays_say_for_how_long(shared_host: SharedHost) -> None:
    host = shared_host("Raises")
    failed = failure(lambda: host.get_storage(target("busy", fails="ArrayBusy")))
    assert (failed.code.name, failed.reason, failed.retry_after) == ("UNAVAILABLE", "ARRAY_BUSY", 10.0)


def test_long_messages_fit_into_trailers(shared_host: SharedHost) -> None:
    host = shared_host("Raises")
    failed = failure(lambda: host.get_storage(target("long", fails="ValueError " + "大" * 100_000)))
    assert failed.reason == "DRIVER_FAULT"
    assert len(failed.message) <= 600


def test_requests_are_checked(shared_host: SharedHost) -> None:
    host = shared_host("Plain")
    assert failure(lambda: host.get_storage(pb.Target())).reason == "INVALID_INPUT"
    failed = failure(lambda: host.get_storage(pb.Target(storage_id="a1")))
    assert (failed.reason, failed.metadata) == ("ACCESS_INFO_INCOMPLETE", {"field": "target.access_info"})
    asked = target("no block")
    asked.access_info.ClearField("rest")
    failed = failure(lambda: host.get_storage(asked))
    assert (failed.reason, failed.metadata) == ("ACCESS_INFO_INCOMPLETE", {"field": "rest"})
    garbage = b"\xff\xff garbage"
    assert failure(lambda: host.call("/delphis.driver.v1.StorageDriver/GetStorage", garbage)).reason == "BAD_REQUEST"


def test_what_the_driver_lacks_is_not_asked(shared_host: SharedHost) -> None:
    host = shared_host("Minimal")
    for method in methods().values():
        if method.name in host.info().rpcs:
            continue
        request: Any = method.request()
        request.target.CopyFrom(target())
        data = request.SerializeToString()
        failed = failure(partial(host.call, method.path, data, streams=method.streams))
        assert (failed.code.name, failed.reason) == ("UNIMPLEMENTED", "STORAGE_CAPABILITY_NOT_SUPPORTED"), method.name


def test_unknown_methods_say_that_the_host_is_old(shared_host: SharedHost) -> None:
    host = shared_host("Minimal")
    failed = failure(lambda: host.call("/delphis.driver.v1.StorageDriver/ListTapes", b""))
    assert (failed.code.name, failed.reason) == ("UNIMPLEMENTED", "PROTOCOL_TOO_OLD")
    assert failure(lambda: host.call("/some.other.Service/Method", b"")).code.name == "UNIMPLEMENTED"


def test_older_owners_are_refused(start_host: StartHost) -> None:
    host: Host = start_host("Plain")
    host.get_storage(target(epoch=5))
    host.get_storage(target(epoch=5))
    host.get_storage(target("a2", epoch=4))
    failed = failure(lambda: host.get_storage(target(epoch=4)))
    assert (failed.code.name, failed.reason) == ("ABORTED", "OWNER_EPOCH_STALE")
    assert failed.metadata == {"storage_id": "a1", "epoch": "4", "seen": "5"}
    host.get_storage(target(epoch=0))


def test_async_drivers(start_host: StartHost, tmp_path: Path) -> None:
    host: Host = start_host("Async")
    journal = str(tmp_path / "journal")
    array = target(journal=journal)
    assert host.get_storage(array).storage.serial_number == "async"
    batches = host.list_volumes(target("a3", journal=journal, count="250"))
    assert [len(batch.items) for batch in batches] == [100, 150]
    assert batches[-1].complete
    [pools] = host.stub.ListStoragePools(pb.ListStoragePoolsRequest(target=array), timeout=60)
    assert len(pools.items) == 1
    late = target("a2", journal=journal, sleep="60")
    failed = failure(lambda: host.get_storage(late, timeout=2.5))
    assert failed.reason == "ARRAY_TIMEOUT"
    failed = failure(lambda: host.list_volumes(late, timeout=2.5))
    assert failed.reason == "ARRAY_TIMEOUT"
    wait_for("the end of both", lambda: host.info().stuck_calls == 0)  # what is async can be cancelled
    host.terminate()
    noted = Path(journal).read_text()
    assert "cancelled a2" in noted
    assert noted.count("list_ended") == 2
    assert noted.count("close") == 3


def test_trap_secrets_are_masked(shared_host: SharedHost) -> None:
    host = shared_host("Plain")
    request = pb.AddTrapConfigRequest(target=target())
    request.trap_config.community_string = "community-4711"
    failed = failure(lambda: host.stub.AddTrapConfig(request, timeout=60))
    assert failed.message == "not ***"
    assert SENTINEL not in host.output()
