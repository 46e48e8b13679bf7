"""Calls that end before the array has answered."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import demands
from delphis.sdk.conformance.report import Problem
from delphis.type.v1.access_pb2 import AccessInfo

_SHORT = 0.2
_GRACE = 1.5
_COMES_BACK = 5.0
_CALLS = 8


def _slow(bench: Bench) -> AccessInfo | None:
    """An array that takes its time, if there is one."""
    return bench.array.slow


@demands("deadlines.kept", "A call with a short deadline is over by then, and other calls of the host go on.")
def kept(bench: Bench) -> Iterator[Problem]:
    _ = bench.storage
    methods = ["GetStorage", *(method.name for method in bench.list_methods())][:_CALLS]
    target = bench.target("short", _slow(bench))
    with ThreadPoolExecutor(_CALLS) as pool:
        calls = {rpc: pool.submit(bench.call, rpc, target=target, timeout=_SHORT) for rpc in methods}
        for rpc, call in calls.items():
            reply = call.result()
            if not reply.ok and reply.code != grpc.StatusCode.DEADLINE_EXCEEDED:
                yield Problem(f"With a deadline of {_SHORT} s, {reply}.", rpc, "Say DEADLINE_EXCEEDED, ARRAY_TIMEOUT.")
            elif reply.seconds > _SHORT + _GRACE:
                yield Problem(f"It took {reply.seconds:.1f} s with a deadline of {_SHORT} s.", rpc)
    reply = bench.call("GetStorage", target=bench.target("after short ones"))
    if not reply.ok:
        yield Problem(f"After them, {reply}.", "GetStorage of another array", "Give the place back at the deadline.")
    state = bench.client.health()
    if state != "SERVING":
        yield Problem(f"After them, the health is {state}.", "grpc.health.v1.Health/Check")


@demands("deadlines.cancelled", "A call whose caller gives up ends, and the next call of the array is answered.")
def cancelled(bench: Bench) -> Iterator[Problem]:
    _ = bench.storage
    for method in bench.list_methods()[:_CALLS]:
        request = bench.request(method.name, bench.target("cancelled", _slow(bench)))
        pending = bench.client.start(method.name, request, bench.timeout)
        time.sleep(0.01)
        pending.cancel()
    reply = bench.call("GetStorage")
    if not reply.ok:
        yield Problem(f"After calls that were cancelled, {reply}.", "GetStorage", "Give the place back at once.")


@demands("deadlines.returns", "After its deadline a call comes back from the driver's code: no call stays stuck.")
def returns(bench: Bench) -> Iterator[Problem]:
    _ = bench.announced
    if stuck := bench.stuck_calls(_COMES_BACK):
        yield Problem(
            f"{stuck} calls are stuck {_COMES_BACK:g} s after their deadlines.",
            "GetDriverInfo.stuck_calls",
            "Give `context.remaining` as the timeout to whatever waits.",
        )
    if bench.answer(bench.call("GetDriverInfo", b"")).wants_replacement:
        yield Problem("The host asks to be replaced.", "GetDriverInfo.wants_replacement")
