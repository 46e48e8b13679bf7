"""Where the SDK's clients hand over what went to an array and what came back.

A client asks `recorder()` once per exchange; None, the usual answer, means that nobody records. What is handed over is
as it went over the wire, secrets included: replacing them is the task of who writes the recording.

    if (tape := recorder()) is not None:
        tape.record(SshExec(command, stdout, stderr, exit_status))
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

#: Names the socket of the process that records. Set by `delphis-driver record` only.
RECORDER_VARIABLE = "DELPHIS_DRIVER_RECORDER"

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class HttpExchange:
    """A request over HTTP and its answer.

    Attributes:
        method: In capitals.
        url: Complete, with the query, escaped as it was sent.
        request_headers: Names and values.
        request_body: As it was sent; empty where there was none.
        status: Of the answer.
        headers: Of the answer; a name may stand there twice.
        body: Of the answer, decompressed.
    """

    method: str
    url: str
    request_headers: Headers
    request_body: bytes
    status: int
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class SshExec:
    """A command in a channel of its own.

    Attributes:
        command: As it was sent.
        stdout: What it wrote.
        stderr: What it wrote beside that.
        exit_status: None where the array gave none.
        stdin: What was written to it.
    """

    command: str
    stdout: bytes
    stderr: bytes = b""
    exit_status: int | None = 0
    stdin: bytes = b""


@dataclass(frozen=True, slots=True)
class SshShell:
    """A line sent to a shell, and what came until the next prompt.

    Attributes:
        sent: The line, without its end; empty for what the array writes before anything is sent, and for a line that
            holds a secret.
        received: Everything that came for it: echo, output, and the prompt at its end.
    """

    sent: str
    received: bytes


@dataclass(frozen=True, slots=True)
class SnmpVariable:
    """A variable that an array answered.

    Attributes:
        oid: Dotted, without a dot before it.
        tag: Its type, as the tag of BER: 2 integer, 4 octets, 6 object id, 64 address, 65 counter, 66 gauge, 67 time
            ticks, 68 opaque, 70 counter of 64 bits.
        value: Of octets and opaque: the bytes. Of the others: as printed, in ASCII.
    """

    oid: str
    tag: int
    value: bytes


Exchange = HttpExchange | SshExec | SshShell | SnmpVariable


class Recorder(Protocol):
    """Takes what was exchanged with an array. Called by several threads; never fails towards the client."""

    def record(self, exchange: Exchange, /) -> None:
        """Takes an exchange after its end."""


_recorder: Recorder | None = None
_asked = False


def recorder() -> Recorder | None:
    """The recorder of this process; None: nobody records."""
    global _asked
    if not _asked:
        _asked = True
        if os.environ.get(RECORDER_VARIABLE):
            from delphis.sdk.recording.wire import WireRecorder  # not loaded by hosts that serve

            use_recorder(WireRecorder(os.environ[RECORDER_VARIABLE]))
    return _recorder


def use_recorder(recorder: Recorder | None) -> None:
    """Sets the recorder of this process, or ends recording with None."""
    global _recorder, _asked
    _recorder, _asked = recorder, True
