"""A stop: nobody holds it up, and whoever is cut off is told why."""

from __future__ import annotations

import functools
import socket
import threading
import time
from pathlib import Path
from typing import Any

import grpc
from google.rpc import status_pb2

from delphis.inventory.v1 import change_pb2, change_pb2_grpc, inventory_pb2, inventory_pb2_grpc
from services.calls.errors import CallError
from tests.support.up import Up, wait_for

STOP_SECONDS = 15.0  # without waiting for anybody it takes one or two; else the core is killed after 20


def seconds_of_stop(delphis: Up) -> float:
    """Seconds from the signal to the end."""
    before = time.monotonic()
    delphis.process.terminate()
    wait_for("end of the process", lambda: delphis.process.poll() is not None, 60, 0.005)
    return time.monotonic() - before


class Background:
    """A call in a thread, and how it ends."""

    def __init__(self, call: Any) -> None:
        self.error: grpc.RpcError | None = None
        self._call = call
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._call()
        except grpc.RpcError as error:
            self.error = error

    def ended(self) -> CallError:
        self._thread.join(60)
        assert self.error is not None
        return of_rpc(self.error)


def of_rpc(error: Any) -> CallError:
    details = dict(error.trailing_metadata()).get("grpc-status-details-bin", b"")
    status = error.code()
    assert details, f"{status} {error.details()}"
    return CallError.from_status(status_pb2.Status.FromString(details))


def slow_sender(rest: str) -> socket.socket:
    """A client that has sent a part of its request."""
    host, _, port = rest.removeprefix("http://").rpartition(":")
    client = socket.create_connection((host, int(port)))
    client.sendall(b"POST /v1/storages HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n")
    client.sendall(b"Content-Length: 1000\r\n\r\n{")
    return client


def slow_reader(rest: str) -> socket.socket:
    """A client that takes nothing of a large answer."""
    host, _, port = rest.removeprefix("http://").rpartition(":")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((host, int(port)))
    client.sendall(b"GET /v1/volumes?limit=1000 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n" * 20)
    return client


def test_an_open_watch_ends_at_once_and_says_why(tmp_path: Path) -> None:
    delphis = Up(tmp_path, "--auth", "none", command=("serve", "core"))
    with grpc.insecure_channel(delphis.grpc) as channel:
        watch = change_pb2_grpc.ChangeServiceStub(channel).WatchChanges(change_pb2.WatchChangesRequest())
        next(watch)
        call = Background(functools.partial(list, watch))
        took = seconds_of_stop(delphis)
        error = call.ended()
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICE_UNAVAILABLE")
    assert error.retry_after is not None
    assert delphis.stop() == 0
    assert took < STOP_SECONDS


def test_slow_clients_do_not_hold_a_stop(tmp_path: Path) -> None:
    delphis = Up(tmp_path, "--auth", "none", command=("serve", "core"))
    delphis.wait_synced(delphis.register(volumes="1000")["id"])
    with slow_sender(delphis.rest), slow_reader(delphis.rest):
        delphis.get("/v1/storages")
        took = seconds_of_stop(delphis)
    assert delphis.stop() == 0
    assert took < STOP_SECONDS


def test_a_call_that_takes_too_long_is_told_that_delphis_stops(tmp_path: Path) -> None:
    delphis = Up(tmp_path, "--auth", "none", command=("serve", "core"))
    with grpc.insecure_channel(delphis.grpc) as channel:
        request = inventory_pb2.RegisterStorageRequest(vendor="fake_storage", model="fake_driver")
        request.rest.host, request.rest.port = "127.0.0.1", 7
        request.rest.username, request.rest.password = "admin", "secret-9c1f"
        request.extra_attributes["latency_ms.storage"] = "20000"
        stub = inventory_pb2_grpc.InventoryServiceStub(channel)
        call = Background(functools.partial(stub.RegisterStorage, request, timeout=60))
        wait_for("the driver's host", delphis.host_pids)
        delphis.process.terminate()
        error = call.ended()
    assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "SERVICE_UNAVAILABLE")
    assert delphis.stop() == 0
