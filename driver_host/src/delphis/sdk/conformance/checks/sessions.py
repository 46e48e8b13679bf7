"""Logins: kept, dropped, and whose they are."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import demands
from delphis.sdk.conformance.report import Problem


@demands("session.reset", "ResetConnection logs in anew, and calls go on working.")
def reset(bench: Bench) -> Iterator[Problem]:
    _ = bench.storage
    for rpc in ("ResetConnection", "GetStorage", "ResetConnection", "GetStorage"):
        reply = bench.call(rpc, target=bench.target("reset"))
        if not reply.ok:
            yield Problem(f"{reply}.", rpc, "Drop the session, and log in with the access info of the call.")


@demands("session.close", "CloseStorage logs out: twice, of an array never seen, and the next call logs in again.")
def close(bench: Bench) -> Iterator[Problem]:
    _ = bench.storage
    for name, rpc in (
        *(("never seen", "CloseStorage"), ("closed", "GetStorage"), ("closed", "CloseStorage")),
        *(("closed", "CloseStorage"), ("closed", "GetStorage"), ("closed", "CloseStorage")),
    ):
        reply = bench.call(rpc, target=bench.target(name))
        if not reply.ok:
            yield Problem(f"{reply}.", f"{rpc} ({name})", "Succeed where there is nothing to forget.")


@demands("session.epoch", "A call of an owner whose epoch is lower than one seen is ABORTED, OWNER_EPOCH_STALE.")
def epoch(bench: Bench) -> Iterator[Problem]:
    _ = bench.storage
    newer = bench.call("GetStorage", target=bench.target("owned", epoch=7))
    older = bench.call("GetStorage", target=bench.target("owned", epoch=6))
    again = bench.call("GetStorage", target=bench.target("owned", epoch=7))
    if not (newer.ok and again.ok):
        yield Problem(f"With the newest epoch, {newer if not newer.ok else again}.", "Target.owner_epoch")
    if older.code != grpc.StatusCode.ABORTED or older.reason != "OWNER_EPOCH_STALE":
        yield Problem(
            f"With a lower epoch, {older}.",
            "Target.owner_epoch",
            "Remember the highest epoch of each storage; 0 means that none is in use.",
        )
