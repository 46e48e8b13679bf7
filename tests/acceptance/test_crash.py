"""kill -9 of a driver host: what its own arrays, their siblings and the other drivers' arrays see."""

from __future__ import annotations

import functools
import os
import signal
import threading
import time

import grpc
import pytest

from delphis.driver.v1 import storage_driver_pb2, storage_driver_pb2_grpc
from delphis.type.v1 import alert_pb2
from tests.support.up import Up, wait_for

FAKE = "dev.delphis.fake-storage"


def target(storage_id: str) -> storage_driver_pb2.Target:
    return storage_driver_pb2.Target(storage_id=storage_id)


class Reader(threading.Thread):
    """Asks one array for GetStorage through the router until stopped; keeps the errors."""

    def __init__(self, delphis: Up, storage_id: str) -> None:
        super().__init__(daemon=True)
        self._address = delphis.grpc
        self._request = storage_driver_pb2.GetStorageRequest(target=target(storage_id))
        self._finished = threading.Event()
        self.errors: list[grpc.RpcError] = []
        self.slowest = 0.0
        self.calls = 0
        self.start()

    def run(self) -> None:
        with grpc.insecure_channel(self._address) as channel:
            stub = storage_driver_pb2_grpc.StorageDriverStub(channel)
            while not self._finished.wait(0.005):  # the machine has other work
                began = time.monotonic()
                try:
                    stub.GetStorage(self._request, timeout=60)
                except grpc.RpcError as error:
                    self.errors.append(error)
                self.calls += 1
                self.slowest = max(self.slowest, time.monotonic() - began)

    def wait_for_calls(self, count: int) -> None:
        before = self.calls
        wait_for("calls", lambda: self.calls > before + count)

    def finish(self) -> None:
        self._finished.set()
        self.join(60)


def others(delphis: Up, pid: int) -> list[int]:
    return [other for other in delphis.host_pids(FAKE) if other != pid]


def register_sample(delphis: Up) -> str:
    """The sample array, which is always the same one."""
    body = {"vendor": "sample_vendor", "model": "sample_model",
            "rest": {"host": "127.0.0.1", "port": 22, "username": "u", "password": "p"}}  # fmt: skip
    reply = delphis.ask("POST", "/v1/storages", body)
    if reply.status == 400:
        storage_id: str = reply.json["details"][0]["metadata"]["storage_id"]
    else:
        assert reply.status == 201, reply
        storage_id = reply.json["id"]
    delphis.wait_synced(storage_id)
    return storage_id


def test_siblings_see_latency_others_nothing_and_a_sync_completes_by_itself(delphis: Up) -> None:
    sibling = delphis.register(60, volumes="10")["id"]
    slow = delphis.register(61, volumes="2000", **{"latency_ms.volumes": "1500"})["id"]
    other = register_sample(delphis)
    for storage_id in (sibling, slow, other):
        delphis.wait_synced(storage_id)
    sibling_reader, other_reader = Reader(delphis, sibling), Reader(delphis, other)
    assert delphis.ask("POST", f"/v1/storages/{slow}/sync").status == 202
    for _ in range(3):
        sibling_reader.wait_for_calls(20)
        pid = wait_for("host", lambda: next(iter(delphis.host_pids(FAKE)), None))
        os.kill(pid, signal.SIGKILL)
        wait_for("another host", functools.partial(others, delphis, pid))
    sibling_reader.wait_for_calls(20)
    sibling_reader.finish()
    other_reader.finish()
    assert sibling_reader.errors == []
    assert other_reader.errors == []
    assert delphis.wait_synced(slow)["sync_outcome"] == "ok"
    assert delphis.get("/v1/quarantines")["quarantines"] == []


def test_a_write_in_flight_fails_at_once_and_says_why(delphis: Up) -> None:
    storage_id = delphis.register(62, volumes="1")["id"]
    delphis.wait_synced(storage_id)
    attributes = {
        "rest": {"host": "127.0.0.1", "port": 62, "username": "admin", "password": "secret-9c1f"},
        "extra_attributes": {"volumes": "1", "latency_ms.login": "4000"},
    }
    assert delphis.ask("PUT", f"/v1/storages/{storage_id}/access-info", attributes).status == 200
    ended: list[tuple[float, grpc.RpcError]] = []

    def write() -> None:
        with grpc.insecure_channel(delphis.grpc) as channel:
            stub = storage_driver_pb2_grpc.StorageDriverStub(channel)
            request = storage_driver_pb2.ResetConnectionRequest(target=target(storage_id))
            try:
                stub.ResetConnection(request, timeout=60)
            except grpc.RpcError as error:
                ended.append((time.monotonic(), error))

    writer = threading.Thread(target=write)
    writer.start()

    def in_flight() -> bool:
        assert not ended, ended
        drivers = {driver["name"]: driver for driver in delphis.get("/v1/drivers")["drivers"]}
        return any(host["calls_in_flight"] for host in drivers[FAKE]["hosts"])

    wait_for("the call in the host", in_flight)
    killed = time.monotonic()
    os.kill(delphis.host_pids(FAKE)[0], signal.SIGKILL)
    writer.join(60)
    assert ended, "the write succeeded although its host was killed"
    at, error = ended[0]
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert "DRIVER_HOST_UNAVAILABLE" in str(error.trailing_metadata())
    assert at - killed < 30


def test_a_driver_says_unimplemented_to_what_it_does_not_announce(delphis: Up) -> None:
    storage_id = register_sample(delphis)
    with grpc.insecure_channel(delphis.grpc) as channel:
        stub = storage_driver_pb2_grpc.StorageDriverStub(channel)
        config = alert_pb2.TrapConfig(host="127.0.0.1", port=162)
        with pytest.raises(grpc.RpcError) as raised:
            stub.AddTrapConfig(
                storage_driver_pb2.AddTrapConfigRequest(target=target(storage_id), trap_config=config), timeout=60
            )
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    delphis.wait_synced(storage_id)
