"""Hosts of drivers written for Delfin, and the messages that they are asked with."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk.host.contract import methods
from delphis.sdk.host.settings import Pair
from delphis.sdk.testing.client import HostClient, Reply
from delphis.sdk.testing.host_process import HostProcess
from delphis.type.v1.access_pb2 import AccessInfo, TlsMode

DRIVERS = Path(__file__).parent / "drivers"
PASSWORD = "d3lf1n-s3nt1nel"


def command(driver: str, *more: str) -> list[str]:
    """How Delphis starts the adapter: the manifest's command."""
    return [sys.executable, "-P", "-m", "delphis.delfin", "run", driver, "--path", str(DRIVERS), *more]


def made_up(host: str = "127.0.0.9", **extra: str) -> AccessInfo:
    """Access info for drivers without an array."""
    info = AccessInfo(extra_attributes=extra)
    info.rest.host, info.rest.port = host, 443
    info.rest.username, info.rest.password = "monitor", PASSWORD
    info.rest.tls.mode = TlsMode.TLS_MODE_OFF
    return info


class Host:
    """A host, and calls to it."""

    def __init__(self, process: HostProcess) -> None:
        self.process = process
        self.client = HostClient(process.endpoint)
        self.lines: list[bytes] = []

    def info(self) -> pb.GetDriverInfoResponse:
        [payload] = self.client.call("GetDriverInfo", pb.GetDriverInfoRequest()).payloads
        return pb.GetDriverInfoResponse.FromString(payload)

    def ask(
        self, rpc: str, access: AccessInfo, *, storage_id: str = "one", timeout: float = 60.0, **fields: Any
    ) -> Reply:
        request: Any = methods()[rpc].request(**fields)
        request.target.storage_id, request.target.access_revision = storage_id, 1
        if rpc != "ParseAlert":
            request.target.access_info.CopyFrom(access)
        return self.client.call(rpc, request, timeout)

    def answer(self, rpc: str, access: AccessInfo, **fields: Any) -> Any:
        """The answer of a call that must succeed; of a stream all its messages merged into one."""
        reply = self.ask(rpc, access, **fields)
        assert reply.ok, reply
        return methods()[rpc].response.FromString(b"".join(reply.payloads))


@contextlib.contextmanager
def host(driver: str, *more: str, environment: Mapping[str, str] | None = None) -> Generator[Host, None, None]:
    """A host that is ready."""
    lines: list[bytes] = []
    with HostProcess(
        command(driver, *more),
        name="delfin.test",
        version="1",
        serves=(Pair("test", "driver"),),
        environment=environment,
        on_line=lines.append,
    ) as process:
        running = Host(process)
        running.lines = lines
        try:
            process.become_ready(running.client.serves)
            yield running
        finally:
            running.client.close()


def warned(answer: Any) -> str:
    """All warnings of an answer."""
    return "\n".join(warning.message for warning in answer.warnings)
