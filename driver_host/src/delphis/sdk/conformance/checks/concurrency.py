"""Several calls at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import demands
from delphis.sdk.conformance.listing import Listing
from delphis.sdk.conformance.report import Problem
from delphis.sdk.host.contract import Method

_AT_A_TIME = 8
_ARRAYS = 6
# A host that leaves its health unanswered is taken for hung after 30 s; nothing that lists should come near.
_MOST_SILENCE = 2.0
_OF_TIMEOUT = 0.15


@demands("concurrency.one-array", "Calls of one array at the same time answer what they answer one by one.")
def one_array(bench: Bench) -> Iterator[Problem]:
    before = {listing.rpc: listing for listing in bench.lists()}
    # Each twice in a row, so that a method meets itself, too.
    work = [listing.method for listing in before.values() for _ in range(2)]
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        found = list(pool.map(bench.list_now, work))
    for listing in found:
        yield from _same(before[listing.rpc], listing, "with others at the same time")


def _same(before: Listing, after: Listing, when: str) -> Iterator[Problem]:
    if not after.reply.ok:
        yield Problem(f"Asked {when}, {after.reply}.", after.rpc, "Lock what calls share, or lower `concurrency`.")
    elif set(before.native_ids) != set(after.native_ids):
        differ = len(set(before.native_ids) ^ set(after.native_ids))
        yield Problem(f"Asked {when}, {differ} native ids differ.", after.rpc, "Keep no state of a call on the class.")


@demands("concurrency.arrays", "Calls of several arrays at the same time answer each array's own.")
def arrays(bench: Bench) -> Iterator[Problem]:
    serial = bench.storage.serial_number
    targets = [(bench.target(f"parallel {number}"), serial) for number in range(_ARRAYS)]
    if bench.array.second is not None:
        target = bench.target("second", bench.array.second)
        reply = bench.call("GetStorage", target=target)
        if reply.ok:
            targets += [(target, bench.answer(reply).storage.serial_number)] * _ARRAYS
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        replies = list(pool.map(lambda pair: bench.call("GetStorage", target=pair[0]), targets))
    for (_, wanted), reply in zip(targets, replies, strict=True):
        if not reply.ok:
            yield Problem(f"{reply}.", "GetStorage of several arrays")
        elif (found := bench.answer(reply).storage.serial_number) != wanted:
            yield Problem(f"It answers the serial number {found!r} of another array.", "GetStorage of several arrays")


@demands("concurrency.responsive", "While a list is read the host answers its health within 2 s.")
def responsive(bench: Bench) -> Iterator[Problem]:
    limit = min(_MOST_SILENCE, bench.timeout * _OF_TIMEOUT)
    _ = bench.storage
    listings = [bench.listing(method) for method in bench.list_methods()]
    late = [each for each in listings if each.reply.code == grpc.StatusCode.DEADLINE_EXCEEDED]
    for listing in [*(each for each in listings if each.reply.ok), *late[:2]]:
        worst = _worst_silence(bench, listing.method)
        if worst > limit:
            yield Problem(
                f"The host said nothing for {worst:.1f} s.",
                listing.rpc,
                "Something holds the interpreter or the event loop: give way, or work in another process.",
            )


def _worst_silence(bench: Bench, method: Method) -> float:
    """The longest time that a health check took while a list was read."""
    client, ended, worst = bench.client, threading.Event(), 0.0

    def read() -> None:
        try:
            bench.list_now(method)
        finally:
            ended.set()

    reading = threading.Thread(target=read)
    reading.start()
    while not ended.is_set():
        begin = time.monotonic()
        client.health("", bench.timeout)
        worst = max(worst, time.monotonic() - begin)
        ended.wait(0.02)
    reading.join()
    return worst
