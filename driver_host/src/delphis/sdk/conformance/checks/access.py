"""Access info that is wrong: what the driver says of it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator, Iterator
from typing import Any

import grpc

from delphis.sdk.conformance.array import closed_port
from delphis.sdk.conformance.bench import Bench
from delphis.sdk.conformance.catalogue import NotRun, demands
from delphis.sdk.conformance.report import Problem
from delphis.sdk.testing.client import Reply
from delphis.type.v1.access_pb2 import AccessInfo

# Seconds that a driver gets for an array that doesn't answer.
_PATIENCE = 4.0
_COMES_BACK = 2.0
_REFUSED = ("INVALID_USERNAME_OR_PASSWORD", "INVALID_CREDENTIAL", "INVALID_PRIVATE_KEY")
_UNREACHABLE = ("ARRAY_UNREACHABLE", "CONNECT_TIMEOUT")
_NOT_IT = ("INVALID_IP_OR_PORT", "SSL_HANDSHAKE_FAILED", "SSL_CERTIFICATE_FAILED", "SSH_EXCEPTION", "BAD_RESPONSE")


@demands("access.required", "Access info without a required field is refused with ACCESS_INFO_INCOMPLETE.")
def required(bench: Bench) -> Iterator[Problem]:
    fields = [field.path for field in bench.info.access_fields if field.required and not field.default_value]
    _ = bench.announced
    if not fields:
        raise NotRun("the driver declares no required access field")
    for path in fields:
        access = AccessInfo()
        access.CopyFrom(bench.array.access)
        _clear(access, path)
        reply = bench.call("GetStorage", target=bench.target(f"without {path}", access))
        if reply.ok or reply.reason != "ACCESS_INFO_INCOMPLETE":
            yield Problem(f"Without {path}: {reply}.", "GetStorage", "Refuse it with ACCESS_INFO_INCOMPLETE.")


def _clear(access: Any, path: str) -> None:
    if path.startswith("extra_attributes."):
        access.extra_attributes.pop(path.removeprefix("extra_attributes."), None)
        return
    *blocks, last = path.split(".")
    for block in blocks:
        access = getattr(access, block)
    access.ClearField(last)


@demands("access.missing", "A call without access info is refused with ACCESS_INFO_INCOMPLETE.")
def missing(bench: Bench) -> Iterator[Problem]:
    _ = bench.announced
    target = bench.target("without access info")
    target.ClearField("access_info")
    with bench.provoking():
        reply = bench.call("GetStorage", target=target)
    if reply.ok or reply.reason != "ACCESS_INFO_INCOMPLETE":
        yield Problem(f"{reply}.", "GetStorage", "Refuse it with FAILED_PRECONDITION, ACCESS_INFO_INCOMPLETE.")


@demands("access.wrong-credentials", "A login that the array refuses is FAILED_PRECONDITION with the reason of it.")
def wrong_credentials(bench: Bench) -> Iterator[Problem]:
    access = _wrong(bench)
    reply = bench.call("GetStorage", target=bench.target("wrong", access))
    if reply.ok:
        yield Problem("GetStorage succeeds with wrong credentials.", "GetStorage", "Log in, or check what was given.")
    elif reply.reason not in _REFUSED:
        yield Problem(f"{reply}.", "GetStorage", f"Say one of {', '.join(_REFUSED)}.")


def _wrong(bench: Bench) -> AccessInfo:
    """Access info that the array refuses."""
    _ = bench.storage
    if not bench.array.given:
        raise NotRun("no array was given: name one with --array FILE")
    if bench.array.accepts_any_credentials:
        raise NotRun("the array file says `accepts_any_credentials`")
    if bench.array.wrong is None:
        raise NotRun("the access info has no password, token or key; the array file can give `wrong`")
    return bench.array.wrong


@demands("access.revision", "Access info of a higher revision is used at once; a session of the lower one is not.")
def revision(bench: Bench) -> Iterator[Problem]:
    wrong, name = _wrong(bench), "revised"
    steps = (("the right one", None, 1, True), ("a wrong one", wrong, 2, False), ("the right one", None, 3, True))
    for what, access, number, works in steps:
        reply = bench.call("GetStorage", target=bench.target(name, access, revision=number))
        if reply.ok != works:
            yield Problem(
                f"With {what} at revision {number}, {reply}.",
                "Target.access_revision",
                "Key sessions by storage_id and access_revision, and remember no failure.",
            )


@demands("access.unreachable", "An address where nobody listens is said to be so, not a fault of the driver.")
def unreachable(bench: Bench) -> Iterator[Problem]:
    access = bench.array.unreachable
    if access is None:
        _connects(bench)
        access = bench.array.elsewhere("127.0.0.1", closed_port())
    reply = bench.call("GetStorage", target=bench.target("unreachable", access), timeout=min(_PATIENCE, bench.timeout))
    yield from _said(reply, (*_UNREACHABLE, "INVALID_IP_OR_PORT"), "an address where nobody listens")


def _connects(bench: Bench) -> None:
    _ = bench.storage
    if not bench.array.given:
        raise NotRun("no array was given: name one with --array FILE")
    if bench.array.makes_no_connection:
        raise NotRun("the array file says `makes_no_connection`")
    if not bench.array.blocks:
        raise NotRun("the access info has no address")


def _said(reply: Reply, reasons: tuple[str, ...], what: str, *, deadline: bool = False) -> Iterator[Problem]:
    if reply.ok:
        yield Problem(f"GetStorage succeeds at {what}.", "GetStorage", "Ask the array before you answer.")
    elif not (reply.reason in reasons or (deadline and reply.code == grpc.StatusCode.DEADLINE_EXCEEDED)):
        yield Problem(f"At {what}, {reply}, after {reply.seconds:.1f} s.", "GetStorage", f"Say {' or '.join(reasons)}.")


@demands("access.silent", "An array that takes connections and says nothing costs no more than the deadline.")
def silent(bench: Bench) -> Iterator[Problem]:
    _connects(bench)
    with _listening(b"") as port:
        target = bench.target("silent", bench.array.elsewhere("127.0.0.1", port))
        reply = bench.call("GetStorage", target=target, timeout=min(_PATIENCE, bench.timeout))
        stuck = bench.stuck_calls(_COMES_BACK)
    reasons = (*_UNREACHABLE, "ARRAY_TIMEOUT", *_NOT_IT)
    yield from _said(reply, reasons, "an array that says nothing", deadline=True)
    if stuck:
        yield Problem(
            f"{stuck} calls still wait for it {_COMES_BACK:g} s after their deadline.",
            "GetDriverInfo.stuck_calls",
            "Give `context.remaining` as the timeout to whatever waits.",
        )


@demands("access.foreign", "A server that speaks another protocol is said to be so, not a fault of the driver.")
def foreign(bench: Bench) -> Iterator[Problem]:
    _connects(bench)
    with _listening(b"220 smtp.example ESMTP\r\n\xff\xfe\x00\r\n") as port:
        target = bench.target("foreign", bench.array.elsewhere("127.0.0.1", port))
        reply = bench.call("GetStorage", target=target, timeout=min(_PATIENCE, bench.timeout))
    yield from _said(reply, (*_UNREACHABLE, *_NOT_IT), "a server of another protocol")


@contextlib.contextmanager
def _listening(says: bytes) -> Generator[int, None, None]:
    """A port of 127.0.0.1 that takes connections, says this to each and closes it; nothing: says nothing, ever."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.sendall(says)

        if says:
            threading.Thread(target=serve, daemon=True).start()
        try:
            yield int(server.getsockname()[1])
        finally:
            with contextlib.suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
