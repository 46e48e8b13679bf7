"""The host as a process: how it stops, starts again, and ends with its parent."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import demands
from delphis.sdk.conformance.report import Problem
from delphis.sdk.host.contract import Method
from delphis.sdk.testing.client import HostClient, Reply

_MOST_DRAIN = 10.0
_PARENT_GONE = 5.0


@demands("process.drain", "At SIGTERM calls under way are finished, and the process ends with 0 within 10 s.")
def drain(bench: Bench) -> Iterator[Problem]:
    reached = bench.storage_reply.ok
    grace = min(_MOST_DRAIN, bench.timeout)
    with bench.another_host(drain=grace) as (host, client):
        under_way: list[_UnderWay] = []
        if reached:
            # Log in first, so that the calls are in the driver when the signal comes.
            client.call("GetStorage", bench.request("GetStorage"), bench.timeout)
            chosen = [m for m in bench.list_methods() if bench.listing(m).reply.ok] if _lists(bench) else []
            target = bench.target("draining", bench.array.slow)
            client.call("GetStorage", bench.request("GetStorage", target), bench.timeout)
            under_way = [_UnderWay(client, m, bench.request(m.name, target), _MOST_DRAIN) for m in chosen[:3]]
            for call in under_way:
                call.begun.wait(0.2 if bench.array.slow is not None else 0.05)
        begin = time.monotonic()
        host.send(signal.SIGTERM)
        ended = host.wait(grace + 2)
        seconds = time.monotonic() - begin
        for call in under_way:
            yield from call.problems(surely=bench.array.slow is not None)
        if not ended:
            yield Problem(f"It still runs {seconds:.0f} s after SIGTERM.", "SIGTERM", "Stop, finish calls, exit(0).")
        elif host.exit_code != 0:
            yield Problem(f"It ended with {host.how_it_ended}.", "SIGTERM", "Handle SIGTERM, and exit with 0.")


def _lists(bench: Bench) -> bool:
    return any(rpc.startswith("List") and rpc != "ListAlerts" for rpc in bench.announced)


class _UnderWay:
    """A list that is being read."""

    def __init__(self, client: HostClient, method: Method, request: Any, timeout: float) -> None:
        self.begun = threading.Event()
        self._method = method
        self._payloads: list[bytes] = []
        self._code: grpc.StatusCode | None = None
        self._begin = time.monotonic()
        self._client = client
        self._pending = client.start(method.name, request, timeout)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        try:
            for payload in self._pending:
                self._payloads.append(payload)
                self.begun.set()
            self._code = grpc.StatusCode.OK
        except grpc.RpcError:
            self._code = self._pending.code()
        self.begun.set()

    def problems(self, *, surely: bool) -> Iterator[Problem]:
        """What is wrong with how it ended. One that was not surely under way may have been refused."""
        self._thread.join(_MOST_DRAIN)
        if self._code is None:
            yield Problem("The call did not end.", self._method.name)
            return
        reply: Reply = self._client.ended(self._method.name, self._pending, self._code, self._payloads, self._begin)
        if reply.ok:
            last: Any = None
            with contextlib.suppress(DecodeError):
                last = self._method.response.FromString(self._payloads[-1]) if self._payloads else None
            if last is None or not last.complete:
                yield Problem("A list under way was cut off as if it had ended.", self._method.name)
        elif self._payloads or surely or reply.code != grpc.StatusCode.UNAVAILABLE:
            yield Problem(f"A list under way at SIGTERM: {reply}.", self._method.name, "Finish it before you exit.")


@demands("process.restart", "A second process of the driver is the same driver, and needs nothing of the first.")
def restart(bench: Bench) -> Iterator[Problem]:
    before = bench.info
    _, client = bench.host_under_parent()
    reply = client.call("GetDriverInfo", b"", bench.timeout)
    if not reply.ok:
        yield Problem(f"{reply}.", "GetDriverInfo of the second process")
        return
    after = bench.answer(reply)
    if after.server_id == before.server_id:
        yield Problem("Two processes have the same server_id.", "GetDriverInfo.server_id", "Make it at each start.")
    for field in ("name", "version"):
        if getattr(after, field) != getattr(before, field):
            yield Problem(f"The {field} changed with a restart.", f"GetDriverInfo.{field}")
    if sorted(after.rpcs) != sorted(before.rpcs):
        yield Problem("Other methods are announced after a restart.", "GetDriverInfo.rpcs")
    if bench.storage_reply.ok:
        read = client.call("GetStorage", bench.request("GetStorage"), bench.timeout)
        if not read.ok:
            yield Problem(f"{read}.", "GetStorage after a restart", "A host needs nothing of the one before it.")


@demands("process.parent", "The host ends within 5 s of the process that started it.")
def parent(bench: Bench) -> Iterator[Problem]:
    host, _ = bench.host_under_parent()
    host.kill_parent()
    if not host.wait(_PARENT_GONE):
        yield Problem(
            f"It runs {_PARENT_GONE:g} s after its parent was killed.",
            "the parent's death",
            "Don't become a daemon, and keep the death signal (PR_SET_PDEATHSIG) that you are started with.",
        )
