"""Real driver hosts for tests, and what is asked of them."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.driver.v1.storage_driver_pb2_grpc import StorageDriverStub
from delphis.type.v1.access_pb2 import AccessInfo

T = TypeVar("T")

REPO = Path(__file__).parents[2]
BAD_DRIVERS = REPO / "tests" / "bad_drivers"
DRIVERS = Path(__file__).parent / "drivers.py"
SENTINEL = "S3nt1nel/p@ss w0rd"


def wait_for(what: str, probe: Callable[[], T | None], timeout: float = 60.0) -> T:
    """What the probe answers as soon as it answers something true."""
    end = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        assert time.monotonic() < end, f"no {what} within {timeout} s"
        time.sleep(0.01)


def noted(journal: Path, text: str) -> int:
    """How often a driver of tests/sdk/drivers.py wrote this into its journal."""
    return journal.read_text().count(text) if journal.exists() else 0


class Host:
    """A driver host as the supervisor starts it."""

    def __init__(
        self,
        driver_class: str,
        folder: Path,
        *,
        name: str = "test.driver",
        endpoint: str | None = None,
        wait: bool = True,
        command: tuple[str, ...] | None = None,
        **environment: str,
    ) -> None:
        self.socket = folder / "host.sock"
        self.endpoint = endpoint or f"unix://{self.socket}"
        self.lines: list[str] = []
        ready, write = os.pipe()
        settings = {f"DELPHIS_DRIVER_{key}": value for key, value in environment.items()}
        self.process = subprocess.Popen(
            command or (sys.executable, "-m", "delphis.sdk.host", "--driver", name, "--class", driver_class),
            cwd=REPO,
            env={
                **{key: value for key, value in os.environ.items() if not key.startswith("DELPHIS_")},
                "DELPHIS_DRIVER_ENDPOINT": self.endpoint,
                "DELPHIS_DRIVER_READY_FD": str(write),
                **settings,
            },
            pass_fds=(write,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        os.close(write)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._channels: list[grpc.Channel] = []
        self.ready_line = b""
        try:
            if wait:
                self.ready_line = os.read(ready, 100)
                assert self.ready_line == b"ready\n", self.output()
        finally:
            os.close(ready)

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            for line in stream:
                self.lines.append(line.decode("utf-8", "replace").rstrip("\n"))

    def output(self) -> str:
        """Everything the process wrote; all of it once it has ended."""
        if self.process.poll() is not None:
            self._reader.join(5)
        return "\n".join(self.lines)

    @property
    def pid(self) -> int:
        return self.process.pid

    def channel(self, target: str | None = None) -> grpc.Channel:
        """A new connection."""
        channel = grpc.insecure_channel(
            target or self.endpoint.removeprefix("tcp://"), [("grpc.use_local_subchannel_pool", 1)]
        )
        self._channels.append(channel)
        return channel

    @property
    def stub(self) -> StorageDriverStub:
        """The service, over a connection that all calls of the test share."""
        if not self._channels:
            self.channel()
        return StorageDriverStub(self._channels[0])

    def info(self) -> pb.GetDriverInfoResponse:
        return self.stub.GetDriverInfo(pb.GetDriverInfoRequest(), timeout=60)

    def get_storage(self, target: pb.Target, timeout: float = 60.0) -> pb.GetStorageResponse:
        return self.stub.GetStorage(pb.GetStorageRequest(target=target), timeout=timeout)

    def list_volumes(self, target: pb.Target, timeout: float = 60.0) -> list[pb.ListVolumesResponse]:
        return list(self.stub.ListVolumes(pb.ListVolumesRequest(target=target), timeout=timeout))

    def call(self, path: str, request: bytes, *, streams: bool = False, timeout: float = 60.0) -> list[bytes]:
        """Any method, as bytes: its answers."""
        if not self._channels:
            self.channel()
        channel: Any = self._channels[0]
        if streams:
            return list(channel.unary_stream(path)(request, timeout=timeout))
        return [channel.unary_unary(path)(request, timeout=timeout)]

    def health(self, service: str = "") -> str:
        """What grpc.health.v1 says."""
        request = health_pb2.HealthCheckRequest(service=service).SerializeToString()
        [answer] = self.call("/grpc.health.v1.Health/Check", request)
        status = health_pb2.HealthCheckResponse.FromString(answer).status
        return health_pb2.HealthCheckResponse.ServingStatus.Name(status)

    def watch_health(self) -> Iterator[str]:
        """The same, whenever it changes."""
        channel: Any = self.channel()
        watch = channel.unary_stream("/grpc.health.v1.Health/Watch")
        for answer in watch(health_pb2.HealthCheckRequest().SerializeToString(), timeout=60):
            status = health_pb2.HealthCheckResponse.FromString(answer).status
            yield health_pb2.HealthCheckResponse.ServingStatus.Name(status)

    def terminate(self, timeout: float = 60.0) -> int:
        """SIGTERM, and the exit code."""
        self.process.terminate()
        return self.process.wait(timeout)

    def close(self) -> None:
        for channel in self._channels:
            channel.close()
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(3)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(60)
        self._reader.join(5)


def target(
    storage_id: str = "a1", revision: int = 1, *, host: str = "127.0.0.1", epoch: int = 0, **extra: str
) -> pb.Target:
    """The array of a call; `extra` are its extra attributes."""
    access_info = AccessInfo(storage_id=storage_id, extra_attributes=extra)
    access_info.rest.host = host
    access_info.rest.port = 443
    access_info.rest.username = "monitor"
    access_info.rest.password = SENTINEL
    return pb.Target(storage_id=storage_id, access_revision=revision, owner_epoch=epoch, access_info=access_info)


def items(batches: Iterable[Any]) -> list[Any]:
    """All items of a stream."""
    return [item for batch in batches for item in batch.items]


class Failed:
    """The error of a call, taken apart."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    retry_after: float | None
    raw: bytes

    def __init__(self, error: grpc.RpcError) -> None:
        assert isinstance(error, grpc.Call)
        self.code = error.code()
        self.message = error.details() or ""
        self.reason = ""
        self.metadata = {}
        self.retry_after = None
        self.raw = b""
        trailers: Any = error.trailing_metadata() or ()
        for key, value in trailers:
            if key == "grpc-status-details-bin":
                assert isinstance(value, bytes)
                self.raw = value
                self._read(status_pb2.Status.FromString(value))

    def _read(self, status: status_pb2.Status) -> None:
        assert status.message == self.message
        assert status.code == self.code.value[0]
        for detail in status.details:
            info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
            if detail.Unpack(info):
                assert info.domain == "delphis.dev"
                self.reason = info.reason
                self.metadata = dict(info.metadata)
            elif detail.Unpack(retry):
                self.retry_after = retry.retry_delay.ToTimedelta().total_seconds()

    def __repr__(self) -> str:
        return f"Failed({self.code.name}, {self.reason}, {self.message!r}, {self.metadata})"


def failure(call: Callable[[], object]) -> Failed:
    """How a call fails."""
    try:
        found = call()
    except grpc.RpcError as error:
        return Failed(error)
    raise AssertionError(f"no error, but {found}")


class InBackground:
    """A call that another thread waits for."""

    def __init__(self, call: Callable[[], object]) -> None:
        self.result: Any = None
        self.error: Failed | None = None
        self.seconds = 0.0
        self._call = call
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        begin = time.monotonic()
        try:
            self.result = self._call()
        except grpc.RpcError as error:
            self.error = Failed(error)
        finally:
            self.seconds = time.monotonic() - begin

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def join(self, timeout: float = 60.0) -> Any:
        """The result; raises what the call raised."""
        self._thread.join(timeout)
        assert self.ended, "the call did not end"
        assert self.error is None, self.error
        return self.result

    def failed(self, timeout: float = 60.0) -> Failed:
        self._thread.join(timeout)
        assert self.ended, "the call did not end"
        assert self.error is not None, self.result
        return self.error
