"""The array as a whole."""

from __future__ import annotations

from collections.abc import Iterator

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import NotRun, demands
from delphis.sdk.conformance.report import Problem
from delphis.type.v1 import errors_pb2


@demands("storage.read", "GetStorage logs in, and answers with the array's serial number.")
def read(bench: Bench) -> Iterator[Problem]:
    reply = bench.storage_reply
    if not reply.ok:
        given = "" if bench.array.given else " No array was given: name one with --array FILE."
        yield Problem(f"{reply}.{given}", "GetStorage", "It is the one method that every driver must answer.")
    elif not bench.storage.serial_number.strip():
        yield Problem("The serial number is empty.", "Storage.serial_number", "It is the array's identity: set it.")


@demands("storage.stable", "GetStorage gives the same serial number each time.")
def stable(bench: Bench) -> Iterator[Problem]:
    first, reply = bench.storage.serial_number, bench.call("GetStorage")
    if not reply.ok:
        yield Problem(f"The second time, {reply}", "GetStorage")
    elif (second := bench.answer(reply).storage.serial_number) != first:
        yield Problem(f"It was {first!r}, then {second!r}.", "Storage.serial_number", "Use what never changes.")


@demands("storage.warnings", "GetStorage doesn't warn that the driver broke the contract.")
def warnings(bench: Bench) -> Iterator[Problem]:
    _ = bench.storage
    for warning in bench.answer(bench.storage_reply).warnings:
        if warning.reason == errors_pb2.REASON_DRIVER_BROKE_CONTRACT:
            yield Problem(warning.message, "GetStorage.warnings")


@demands("storage.core-owned", "GetStorage sets no field that the inventory owns (numbers from 200).")
def core_owned(bench: Bench) -> Iterator[Problem]:
    for field, _ in bench.storage.ListFields():
        if field.number >= 200:
            yield Problem(f"{field.name} is set.", "GetStorage", "Leave it to the inventory.")


@demands("storage.second", "A second array of the driver has a serial number of its own.")
def second(bench: Bench) -> Iterator[Problem]:
    if bench.array.second is None:
        raise NotRun("the array file has no `second`")
    first = bench.storage.serial_number
    reply = bench.call("GetStorage", target=bench.target("second", bench.array.second))
    if not reply.ok:
        yield Problem(str(reply), "GetStorage of the second array")
    elif bench.answer(reply).storage.serial_number == first:
        yield Problem(
            f"Both have the serial number {first!r}.", "Storage.serial_number", "Don't share state of arrays."
        )
