"""Requests that no proper caller sends. A host answers them, and goes on."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
from google.protobuf.message import Message

from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import demands
from delphis.sdk.conformance.report import Problem
from delphis.sdk.host.contract import SERVICE, methods
from delphis.sdk.testing.client import Reply
from delphis.type.v1.alert_pb2 import Trap

_GARBAGE = b"\x0a\xff\xff\xff\xff\x07 this is no message \x00\x01"
# Field 500,000, three bytes long: of a contract that is newer than anything.
_UNKNOWN_FIELD = b"\x82\x92\xf4\x01\x03abc"
_HUGE = 20 << 20


def _asked(bench: Bench) -> list[str]:
    """GetStorage, and one list."""
    lists = [rpc for rpc in methods() if rpc in bench.announced and rpc.startswith("List")]
    return ["GetStorage", *lists[:1]]


def _lives(bench: Bench, after: str) -> Iterator[Problem]:
    reply = bench.call("GetDriverInfo", b"")
    if not reply.ok:
        yield Problem(f"After {after}, {reply}.", "GetDriverInfo", "One bad request must not end the host.")


def _refused(reply: Reply, *codes: grpc.StatusCode) -> bool:
    return reply.code in codes


@demands("malformed.target", "A request without a target is refused with INVALID_ARGUMENT.")
def target(bench: Bench) -> Iterator[Problem]:
    for rpc in _asked(bench):
        with bench.provoking():
            reply = bench.call(rpc, b"")
        if not _refused(reply, grpc.StatusCode.INVALID_ARGUMENT):
            yield Problem(f"{reply}.", rpc, "Refuse it with INVALID_ARGUMENT, INVALID_INPUT.")
    yield from _lives(bench, "a request without a target")


@demands(
    "malformed.garbage", "Bytes that are no message are refused with INVALID_ARGUMENT, or INTERNAL by the library."
)
def garbage(bench: Bench) -> Iterator[Problem]:
    for rpc in _asked(bench):
        with bench.provoking():
            reply = bench.call(rpc, _GARBAGE)
        # Generated servers parse before any code of the driver's runs, and most answer INTERNAL.
        if not _refused(reply, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL):
            yield Problem(f"{reply}.", rpc, "Refuse it with INVALID_ARGUMENT.")
    yield from _lives(bench, "garbage")


@demands("malformed.unknown-fields", "Fields that the driver doesn't know change nothing: newer callers send them.")
def unknown_fields(bench: Bench) -> Iterator[Problem]:
    _ = bench.storage
    for rpc in _asked(bench):
        request: Message = bench.request(rpc)
        reply = bench.call(rpc, request.SerializeToString() + _UNKNOWN_FIELD)
        if not reply.ok:
            yield Problem(f"With an unknown field, {reply}.", rpc, "Ignore what a newer contract adds.")


@demands("malformed.huge", "A request of 20 MiB doesn't end the host.")
def huge(bench: Bench) -> Iterator[Problem]:
    _ = bench.announced
    request: Message = bench.request("GetStorage")
    padding = b"\x82\x92\xf4\x01" + _varint(_HUGE) + bytes(_HUGE)
    with bench.provoking():
        reply = bench.call("GetStorage", request.SerializeToString() + padding)
    codes = (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.OK)
    if not _refused(reply, *codes):
        yield Problem(f"{reply}.", "GetStorage", "Set the library's limit for messages that are received.")
    yield from _lives(bench, "a request of 20 MiB")


def _varint(number: int) -> bytes:
    found = b""
    while number > 0x7F:
        found += bytes([number & 0x7F | 0x80])
        number >>= 7
    return found + bytes([number])


@demands("malformed.method", "A method that the contract has not is UNIMPLEMENTED.")
def method(bench: Bench) -> Iterator[Problem]:
    with bench.provoking():
        reply = bench.client.call(f"/{SERVICE.full_name}/NoSuchMethod", b"", bench.timeout)
    if reply.code != grpc.StatusCode.UNIMPLEMENTED:
        yield Problem(f"NoSuchMethod ends with {reply.code.name}.", SERVICE.full_name, "Answer UNIMPLEMENTED.")


@demands("malformed.traps", "ParseAlert takes at most 500 traps; more are refused with INVALID_ARGUMENT.")
def traps(bench: Bench) -> Iterator[Problem]:
    bench.needs("ParseAlert")
    many = [Trap(trap_oid="1.3.6.1.4.1.32473.1")] * 501
    with bench.provoking():
        reply = bench.call("ParseAlert", bench.request("ParseAlert", traps=many))
    if not _refused(reply, grpc.StatusCode.INVALID_ARGUMENT):
        yield Problem(f"With 501 traps, {reply}.", "ParseAlert", "Refuse it with INVALID_ARGUMENT.")
