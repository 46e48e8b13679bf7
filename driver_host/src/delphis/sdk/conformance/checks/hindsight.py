"""What a look back at the whole run shows: errors, secrets, deaths."""

from __future__ import annotations

from collections.abc import Iterator

import grpc

from delphis.sdk.conformance.bench import Bench, Seen
from delphis.sdk.conformance.catalogue import NotRun, demands
from delphis.sdk.conformance.report import Problem
from delphis.sdk.status import DOMAIN
from delphis.type.v1 import errors_pb2, options_pb2

_CALLERS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)
# What a driver or its host may say beside what the contract keeps for arrays (300 to 399).
_OF_ARRAYS = range(300, 400)
_OF_HOSTS = frozenset(
    {
        *("STORAGE_BACKEND_NOT_FOUND", "INVALID_RESULTS", "ARRAY_TIMEOUT", "DEADLINE_EXCEEDED", "CANCELLED"),
        *("DRIVER_FAULT", "DRIVER_BROKE_CONTRACT", "DRIVER_LOAD_FAILED", "DRIVER_OVERLOADED", "OWNER_EPOCH_STALE"),
        *("INVALID_INPUT", "BAD_REQUEST", "REQUEST_TOO_LARGE", "PROTOCOL_TOO_OLD"),
    }
)
# What a gRPC library says by itself.
_LIBRARYS = (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)


def _seen(bench: Bench) -> list[Seen]:
    _ = bench.info
    if not bench.failures:
        # Nothing failed so far: ask for something that must.
        with bench.provoking():
            bench.call("GetStorage", b"")
    return bench.failures


def _of_library(bench: Bench, seen: Seen) -> bool:
    """Whether the error is no answer of the driver's."""
    if seen.reply.detailed:
        return False
    if seen.provoked or seen.reply.code in _LIBRARYS:
        return True
    return seen.reply.code == grpc.StatusCode.UNAVAILABLE and any(death.rpc == seen.reply.rpc for death in bench.deaths)


@demands("errors.reasons", "Each error has one ErrorInfo of delphis.dev, whose reason belongs to its code.")
def reasons(bench: Bench) -> Iterator[Problem]:
    told: set[tuple[str, str]] = set()
    for seen in _seen(bench):
        reply = seen.reply
        if _of_library(bench, seen) or (reply.rpc, reply.reason) in told:
            continue
        told.add((reply.rpc, reply.reason))
        where = f"{reply.rpc}, in {seen.check}"
        value = errors_pb2.Reason.DESCRIPTOR.values_by_name.get(f"REASON_{reply.reason}")
        if reply.inconsistent:
            yield Problem(f"{reply}; {reply.inconsistent}.", where)
        elif not reply.reason:
            yield Problem(f"{reply}; it has no reason.", where, "Put a google.rpc.ErrorInfo into the status.")
        elif reply.domain != DOMAIN:
            yield Problem(f"{reply}; its domain is {reply.domain!r}.", where, f"The domain is {DOMAIN}.")
        elif value is None:
            yield Problem(f"{reply}; the contract has no such reason.", where, "See delphis/type/v1/errors.proto.")
        elif value.GetOptions().Extensions[options_pb2.code] != reply.code.value[0]:
            yield Problem(f"{reply}; the reason goes with another code.", where, "See delphis/type/v1/errors.proto.")


@demands("errors.forbidden", "A driver never says what only the router says, nor UNAUTHENTICATED or PERMISSION_DENIED.")
def forbidden(bench: Bench) -> Iterator[Problem]:
    for seen in _seen(bench):
        reply, where = seen.reply, f"{seen.reply.rpc}, in {seen.check}"
        if reply.code in _CALLERS:
            yield Problem(f"{reply}.", where, "These codes speak of Delphis' caller. Use FAILED_PRECONDITION.")
        elif reply.reason and not _may_say(reply.reason):
            yield Problem(f"{reply}.", where, "This reason is the router's or the core's.")


def _may_say(reason: str) -> bool:
    value = errors_pb2.Reason.DESCRIPTOR.values_by_name.get(f"REASON_{reason}")
    # One that the contract has not is for errors.reasons.
    return value is None or value.number in _OF_ARRAYS or reason in _OF_HOSTS


@demands("errors.messages", "Each error says in a sentence what happened.")
def messages(bench: Bench) -> Iterator[Problem]:
    for seen in _seen(bench):
        reply = seen.reply
        if _of_library(bench, seen) or len(reply.message.strip()) >= 8:
            continue
        yield Problem(f"The message is {reply.message!r}.", f"{reply.rpc}, in {seen.check}", "What happened, to what?")


@demands("errors.retry", "ARRAY_BUSY and DRIVER_OVERLOADED say with RetryInfo when to come again.")
def retry(bench: Bench) -> Iterator[Problem]:
    throttled = [s.reply for s in _seen(bench) if s.reply.reason in ("ARRAY_BUSY", "DRIVER_OVERLOADED")]
    if not throttled:
        raise NotRun("nothing was throttled")
    for reply in throttled:
        if reply.retry_after is None:
            yield Problem(f"{reply}; it has no RetryInfo.", reply.rpc)


def _watched(bench: Bench) -> None:
    _ = bench.storage_reply
    if not len(bench.leaks):
        raise NotRun("the access info has no secret of six characters or more")


@demands("secrets.answers", "No secret of the access info is in an answer, an error or a trailer.")
def in_answers(bench: Bench) -> Iterator[Problem]:
    _watched(bench)
    yield from _leaked(bench, "answer", "Leave it out. A value that is none: declare its access field `plain`.")


@demands("secrets.log", "No secret of the access info is in what the host prints.")
def in_log(bench: Bench) -> Iterator[Problem]:
    host = bench.started_host
    _watched(bench)
    host.output.settle()
    yield from _leaked(bench, "log", "Don't print it, nor what was sent to the array.")


@demands("secrets.process", "No secret is in a command line or environment of the host or what it starts.")
def in_process(bench: Bench) -> Iterator[Problem]:
    _ = bench.started_host
    _watched(bench)
    bench.look_at_family()
    remedy = "Everybody on the machine can read it: use a pipe, or a file with mode 0600."
    for kind in ("command line", "environment"):
        yield from _leaked(bench, kind, remedy)


def _leaked(bench: Bench, kind: str, remedy: str) -> Iterator[Problem]:
    for leak in sorted(bench.leaks.found):
        if leak.kind == kind:
            yield Problem(f"{leak.secret} is in it.", leak.where, remedy)


@demands("secrets.masked", "No answer shows where the host had to mask a secret (***).")
def masked(bench: Bench) -> Iterator[Problem]:
    _watched(bench)
    for rpc in sorted(bench.masked):
        yield Problem("A secret was put into the answer.", rpc, "Name the field, not its value.")


@demands("process.survives", "No call ends the host.")
def survives(bench: Bench) -> Iterator[Problem]:
    bench.must_start_hosts()
    if not bench.deaths:
        _ = bench.info
    for death in bench.deaths:
        tail = "\n".join(death.tail)
        yield Problem(f"The host ended with {death.how}; it printed last:\n{tail}", f"{death.rpc}, in {death.check}")
