"""`delphis-driver record`: lets a driver read a real array, and writes down what went over the wire."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from delphis.driver.v1 import storage_driver_pb2 as pb
from delphis.sdk.conformance import array as arrays
from delphis.sdk.conformance import subject as subjects
from delphis.sdk.conformance.errors import UsageError
from delphis.sdk.host.contract import methods
from delphis.sdk.recording import files
from delphis.sdk.recording.hook import RECORDER_VARIABLE
from delphis.sdk.recording.replacements import Replacements
from delphis.sdk.recording.tape import Tape
from delphis.sdk.recording.wire import RecorderSocket
from delphis.sdk.redaction import is_secret, secrets_of
from delphis.sdk.testing.client import HostClient
from delphis.sdk.testing.host_process import HostEnded
from delphis.type.v1.access_pb2 import AccessInfo

STORAGE_ID = "00000000-0000-4000-8000-000000000001"
_ADDRESS = "127.0.0.1"
# Told by the simulator, where they matter.
_OF_THE_ARRAY = ("host", "pub_key", "pub_key_type")


def record(words: Sequence[str]) -> int:
    """Runs a driver's reads against an array and writes a recording, in which everything private is replaced."""
    parser = argparse.ArgumentParser(prog="delphis-driver record", description=record.__doc__)
    parser.add_argument(
        "driver", metavar="FILE_OR_DIR", help="a Python file (FILE.py or FILE.py:Class), or a folder with driver.toml"
    )
    parser.add_argument(
        "--array", metavar="FILE", type=Path, required=True, help="how the array is reached; secrets by reference"
    )
    parser.add_argument("--into", metavar="FOLDER", type=Path, required=True, help="a new or empty folder")
    parser.add_argument(
        "--only", metavar="RPC", action="append", default=[], help="make only these calls, such as ListVolumes"
    )
    parser.add_argument(
        "--replace", metavar="WORD", action="append", default=[], help="replace this text, too: the name of a customer"
    )
    parser.add_argument("--timeout", metavar="SECONDS", type=float, default=300.0, help="for each call (default: 300)")
    given = parser.parse_args(words)
    try:
        return _record(given)
    except (UsageError, files.RecordingError, HostEnded) as error:
        print(f"delphis-driver record: {error}", file=sys.stderr)
        return 2


def _record(given: Any) -> int:
    subject, array = subjects.find(given.driver), arrays.read(given.array)
    if not subject.command:
        raise UsageError(f"{given.driver} names a host that runs elsewhere; only one started here can be recorded.")
    if given.into.exists() and (not given.into.is_dir() or any(given.into.iterdir())):
        raise UsageError(f"{given.into} exists and is not an empty folder; name a new one.")
    unknown = [name for name in given.only if name not in _reads()]
    if unknown:
        raise UsageError(f"{unknown[0]} is no call that reads; known are {', '.join(_reads())}.")
    tape = Tape()
    with tempfile.TemporaryDirectory(prefix="delphis-record-") as folder:
        socket = RecorderSocket(Path(folder) / "recorder.sock", tape.record)
        try:
            environment = {**subject.environment, RECORDER_VARIABLE: str(Path(folder) / "recorder.sock")}
            failed, plain = _read_array(replace(subject, environment=environment), array.access, given)
        finally:
            socket.close()
    if not len(tape):
        raise UsageError("The driver exchanged nothing with the array by a client of the SDK: there is no recording.")
    recording = tape.recording(made := replacements_for(array.access, given.replace, plain))
    access, logins = access_of(array.access, made, plain)
    recording = replace(recording, access=access, logins=logins)
    files.write(given.into, recording, {"driver": subject.name, "driver_version": subject.version})
    print(f"{len(tape)} exchanges written to {given.into}. Look through them before you pass them on.")
    return 1 if failed else 0


def _reads() -> list[str]:
    """The calls that only read, and need nothing but the array."""
    return [name for name in methods() if name == "GetStorage" or name.startswith("List")]


def _show(line: bytes) -> None:
    print(f"  {line.decode('utf-8', 'replace').rstrip()}", file=sys.stderr)


def _read_array(subject: subjects.Subject, access: AccessInfo, given: Any) -> tuple[int, frozenset[str]]:
    """Makes the calls; returns how many failed, and which extra attributes are no secrets to the driver."""
    failed = 0
    with subject.start(_show) as host, contextlib.ExitStack() as stack:
        client = HostClient(host.endpoint)
        stack.callback(client.close)
        host.become_ready(client.serves)
        info = pb.GetDriverInfoResponse()
        reply = client.call("GetDriverInfo", b"")
        if not reply.ok or not reply.payloads:
            raise UsageError(f"The driver doesn't say what it does: {reply.message}")
        info.ParseFromString(reply.payloads[0])
        if info.load_error:
            raise UsageError(f"The driver can't be loaded: {info.load_error}")
        for rpc in _reads():
            if rpc not in info.rpcs or (given.only and rpc not in given.only):
                continue
            request: Any = methods()[rpc].request()
            request.target.storage_id = STORAGE_ID
            request.target.access_info.CopyFrom(access)
            request.target.access_revision = request.target.owner_epoch = 1
            reply = client.call(rpc, request, given.timeout)
            failed += not reply.ok
            print(
                f"{rpc}: read" if reply.ok else f"{rpc}: failed with {reply.code.name} {reply.reason}: {reply.message}"
            )
        close: Any = methods()["CloseStorage"].request()
        close.target.storage_id = STORAGE_ID
        client.call("CloseStorage", close, 30.0)
    return failed, frozenset(each.path.removeprefix("extra_attributes.") for each in info.access_fields if each.plain)


def replacements_for(access: AccessInfo, words: Sequence[str] = (), plain: Collection[str] = ()) -> Replacements:
    """A table that knows what the access info tells: secrets, hosts, users. `plain` extra attributes are none."""
    names = list(words)
    for block in arrays.BLOCKS:
        if access.HasField(block):  # type: ignore[arg-type]
            host = str(getattr(access, block).host)
            names += [host, *([host.partition(".")[0]] if host[:1].isalpha() else []), getattr(access, block).username]
    return Replacements(secrets_of(access, plain), words=names)


def access_of(
    access: AccessInfo, replacements: Replacements, plain: Collection[str] = ()
) -> tuple[dict[str, Any], dict[str, str]]:
    """Access info for the simulated array, as a file for `--array` has it, and the files of its secrets."""
    table: dict[str, Any] = {}
    logins: dict[str, str] = {}

    def login(name: str, text: str) -> dict[str, str]:
        logins[f"{name}.secret"] = replacements.value("password", text)
        return {"file": f"{name}.secret"}

    for block in arrays.BLOCKS:
        if access.HasField(block):  # type: ignore[arg-type]
            message: Any = getattr(access, block)
            part: dict[str, Any] = {"host": _ADDRESS}
            for field, value in message.ListFields():
                if isinstance(value, str) and field.name not in _OF_THE_ARRAY:
                    part[field.name] = (
                        login(f"{block}.{field.name}", value) if is_secret(field) else replacements.scrub(value)
                    )
            table[block] = part
    if access.extra_attributes:
        table["extra_attributes"] = {
            key: replacements.scrub(text) if key in plain else login(key, text)
            for key, text in access.extra_attributes.items()
        }
    return {"access": table}, logins
