"""Generated arrays through a real driver host: a process of its own, and gRPC over a unix socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from delphis.driver.v1 import storage_driver_pb2 as driver_pb2
from delphis.driver.v1.storage_driver_pb2_grpc import StorageDriverStub
from drivers.fake_storage.kinds import KINDS
from tests.drivers.fake.arrays import access_info, connected, everything, native_id

ROOT = Path(__file__).parents[3]


@dataclass
class Host:
    process: subprocess.Popen[bytes]
    channel: grpc.Channel

    @property
    def stub(self) -> Any:
        return StorageDriverStub(self.channel)

    def storage(self, **attributes: str) -> Any:
        return self.stub.GetStorage(driver_pb2.GetStorageRequest(target=target(attributes)), timeout=60).storage

    def listing(self, kind: str, **attributes: str) -> list[Any]:
        """All messages of a list's stream."""
        request = getattr(driver_pb2, f"{method(kind)}Request")(target=target(attributes))
        return list(getattr(self.stub, method(kind))(request, timeout=60))


def method(kind: str) -> str:
    return "List" + "".join(word.capitalize() for word in kind.split("_"))


def target(attributes: dict[str, str]) -> driver_pb2.Target:
    """A storage of its own for each set of attributes."""
    storage_id = ",".join(f"{key}={value}" for key, value in sorted(attributes.items())) or "plain"
    info = access_info(attributes, storage_id=storage_id)
    return driver_pb2.Target(storage_id=storage_id, access_info=info, access_revision=1)


@contextmanager
def hosts(temporary: Path) -> Generator[Callable[[], Host]]:
    """Starts hosts, and ends them."""
    started: list[Host] = []
    with tempfile.TemporaryDirectory() as short:  # socket paths are limited to 107 bytes

        def start() -> Host:
            endpoint = f"unix://{short}/{len(started)}.sock"
            process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "delphis.sdk.host"),
                    *("--driver", "dev.delphis.fake-storage"),
                    *("--class", "drivers.fake_storage.driver:FakeStorageDriver"),
                ],
                cwd=ROOT,
                env={
                    **os.environ,
                    "PYTHONPATH": str(ROOT),
                    "TMPDIR": str(temporary),
                    "DELPHIS_DRIVER_ENDPOINT": endpoint,
                    "DELPHIS_DRIVER_NAME": "dev.delphis.fake-storage",
                    "DELPHIS_DRIVER_VERSION": "0.1.0",
                    "DELPHIS_DRIVER_SERVES": json.dumps([{"vendor": "fake_storage", "model": "fake_driver"}]),
                },
            )
            started.append(Host(process, grpc.insecure_channel(endpoint)))
            grpc.channel_ready_future(started[-1].channel).result(timeout=60)
            return started[-1]

        try:
            yield start
        finally:
            for host in started:
                host.channel.close()
                host.process.kill()
                host.process.wait(60)


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """For tests that leave it alive."""
    with hosts(tmp_path_factory.mktemp("host")) as start:
        yield start()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Host]]:
    with hosts(tmp_path) as starter:
        yield starter


def reason(error: Any) -> tuple[grpc.StatusCode, str]:
    """Code and reason of a failed call."""
    details = dict(error.trailing_metadata())["grpc-status-details-bin"]
    info = error_details_pb2.ErrorInfo()
    assert status_pb2.Status.FromString(details).details[0].Unpack(info)
    return error.code(), info.reason


def list_reason(host: Host, kind: str, **attributes: str) -> str:
    """The reason of a failed list; empty if it went well."""
    try:
        host.listing(kind, **attributes)
    except grpc.RpcError as error:
        return reason(error)[1]
    return ""


def test_the_driver_announces_every_list_and_field(host: Host) -> None:
    info = host.stub.GetDriverInfo(driver_pb2.GetDriverInfoRequest(), timeout=60)
    assert info.load_error == ""
    assert {method(kind) for kind in KINDS} <= set(info.rpcs)
    assert {"ListAlerts", "ClearAlert", "ParseAlert", "GetAlertSources"} <= set(info.rpcs)
    assert {"GetCapabilities", "CollectPerfMetrics", "GetLatestPerfTimestamp"} <= set(info.rpcs)
    assert not info.lists_all_alerts
    assert [(pair.vendor, pair.model) for pair in info.serves] == [("fake_storage", "fake_driver")]
    assert {"extra_attributes.volumes", "extra_attributes.fail"} <= {field.path for field in info.access_fields}


def test_an_array_comes_over_complete_and_unchanged(host: Host) -> None:
    expected = everything(connected(volumes="1234", seed="1"))
    for kind in KINDS:
        batches = host.listing(kind, volumes="1234", seed="1")
        assert batches[-1].complete
        assert [item for batch in batches for item in batch.items] == expected[kind]


def test_two_hosts_give_one_array(start: Callable[[], Host]) -> None:
    one, other = start(), start()
    assert one.storage() == other.storage()
    assert one.listing("volumes") == other.listing("volumes")


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"volumes": "lots"}, "ACCESS_INFO_INCOMPLETE"),
        ({"volume": "1"}, "ACCESS_INFO_INCOMPLETE"),
        ({"fail": "login:password"}, "INVALID_USERNAME_OR_PASSWORD"),
        ({"fail": "storage:unavailable"}, "ARRAY_UNREACHABLE"),
        ({"fail": "storage:bug"}, "DRIVER_FAULT"),
        ({"fail": "storage:no_serial"}, "INVALID_RESULTS"),
    ],
)
def test_refusals_carry_their_reason(host: Host, attributes: dict[str, str], expected: str) -> None:
    with pytest.raises(grpc.RpcError) as refusal:
        host.storage(**attributes)
    code, name = reason(refusal.value)
    assert name == expected
    assert code not in (grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


def test_the_bad_attribute_is_named(host: Host) -> None:
    with pytest.raises(grpc.RpcError, match=r"extra_attributes\.volumes: 'lots'"):
        host.storage(volumes="lots")


def test_half_is_not_complete(host: Host) -> None:
    batches = host.listing("volumes", volumes="100", fail="volumes:half")
    assert sum(len(batch.items) for batch in batches) == 50
    assert not any(batch.complete for batch in batches)
    assert any("50 of 100" in warning.message for batch in batches for warning in batch.warnings)


def test_an_error_after_some_items_ends_the_stream(host: Host) -> None:
    with pytest.raises(grpc.RpcError) as failure:
        host.listing("volumes", volumes="2000", fail="volumes:after=1200:error")
    assert reason(failure.value)[1] == "STORAGE_BACKEND_EXCEPTION"


@pytest.mark.parametrize("word", ["garbage", "broken"])
def test_nonsense_leaves_the_host_alive(host: Host, word: str) -> None:
    for kind in KINDS:
        expected = {"DRIVER_BROKE_CONTRACT"} if word == "broken" else {"", "DRIVER_BROKE_CONTRACT"}
        assert list_reason(host, kind, fail=word) in expected
    assert host.storage().serial_number
    assert host.process.poll() is None


def test_a_crash_is_the_hosts_end_and_happens_once(start: Callable[[], Host]) -> None:
    host = start()
    with pytest.raises(grpc.RpcError) as failure:
        host.listing("volumes", fail="volumes:crash*1")
    assert failure.value.code() == grpc.StatusCode.UNAVAILABLE
    assert host.process.wait(60) < 0
    assert start().listing("volumes", fail="volumes:crash*1")[-1].complete


def test_drift_goes_on_within_a_session(host: Host) -> None:
    one, two = (host.listing("volumes", drift="all") for _ in range(2))
    assert all(old != new for a, b in zip(one, two, strict=True) for old, new in zip(a.items, b.items, strict=True))
    assert [native_id(item) for item in one[0].items] == [native_id(item) for item in two[0].items]


def test_a_hanging_call_leaves_the_others_alone(start: Callable[[], Host]) -> None:
    host = start()
    request = driver_pb2.ListDisksRequest(target=target({"fail": "disks:hang"}))
    with pytest.raises(grpc.RpcError) as failure:
        list(host.stub.ListDisks(request, timeout=0.5))
    assert failure.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert host.listing("volumes", fail="disks:hang")[-1].complete
    assert host.storage().serial_number
