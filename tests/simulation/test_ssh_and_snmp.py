"""Replay over SSH and SNMP, asked by the libraries' own clients."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from delphis.sdk.recording import files
from delphis.sdk.recording.hook import SnmpVariable, SshExec, SshShell
from delphis.sdk.recording.replacements import Replacements
from delphis.sdk.recording.snmprec import line_of, parse
from delphis.sdk.recording.tape import Tape
from delphis.sdk.simulation import SimulationError

pytest.importorskip("paramiko", reason="needs paramiko")
pytest.importorskip("pysnmp", reason="needs pysnmp")

import paramiko

from delphis.sdk.simulation.snmp import SnmpReplay
from delphis.sdk.simulation.ssh import SshReplay

SYSTEM = b"Serial Number : CKM00123456\r\nManagement IP : 10.1.2.3\r\n"


@contextlib.contextmanager
def connected(port: int, user: str = "u", password: str = "p") -> Iterator[paramiko.SSHClient]:
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.MissingHostKeyPolicy())
    try:
        client.connect(
            "127.0.0.1", port, user, password, allow_agent=False, look_for_keys=False, timeout=60, auth_timeout=10
        )
        yield client
    finally:
        client.close()


def run(client: paramiko.SSHClient, command: str) -> tuple[bytes, bytes, int]:
    stdin, stdout, stderr = client.exec_command(command, timeout=60)
    with stdin, stdout, stderr:
        return stdout.read(), stderr.read(), stdout.channel.recv_exit_status()


def until(channel: paramiko.Channel, end: bytes) -> bytes:
    got, deadline = b"", time.monotonic() + 60
    channel.settimeout(10)
    while not got.endswith(end):
        assert time.monotonic() < deadline, got
        got += channel.recv(4096)
    return got


def taped() -> Tape:
    tape = Tape()
    tape.record(SshExec("show system", SYSTEM))
    tape.record(SshExec("show state", b"busy\n"))
    tape.record(SshExec("show state", b"ready\n"))
    tape.record(SshExec("bad", b"", b"no such command on 10.1.2.3\n", 3))
    tape.record(SshShell("", b"Welcome to 10.1.2.3\r\n$ "))
    tape.record(SshShell("show CKM00123456", b"show CKM00123456\r\nfine\r\n$ "))
    tape.record(SnmpVariable("1.3.6.1.2.1.1.1.0", 4, b"CKM00123456 at 10.1.2.3"))
    tape.record(SnmpVariable("1.3.6.1.2.1.1.3.0", 67, b"4711"))
    tape.record(SnmpVariable("1.3.6.1.2.1.2.2.1.6.1", 4, bytes.fromhex("0060160a0bcc")))
    tape.record(SnmpVariable("1.3.6.1.2.1.2.2.1.10.1", 70, str(2**63).encode()))
    return tape


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> files.Recording:
    """Written, and read again."""
    folder = tmp_path_factory.mktemp("taped") / "recording"
    files.write(folder, taped().recording(Replacements()), {})
    text = "".join(path.read_text() for path in folder.iterdir())
    for private in ("CKM00123456", "10.1.2.3", "0a0bcc"):
        assert private not in text
    return files.read(folder)


def test_commands(recording: files.Recording, caplog: pytest.LogCaptureFixture) -> None:
    with SshReplay(recording) as server, connected(server.port) as client:
        output, _, status = run(client, "show system")
        assert (len(output), status) == (len(SYSTEM) - len("10.1.2.3") + len("192.0.2.1"), 0)
        assert [run(client, "show state")[0] for _ in range(3)] == [b"busy\n", b"ready\n", b"ready\n"]
        assert run(client, "bad") == (b"", b"no such command on 192.0.2.1\n", 3)
        assert run(client, "show sistem") == (b"", b"not in the recording\n", 127)
    assert "the nearest is show system" in caplog.text


def test_a_shell_as_recorded(recording: files.Recording) -> None:
    line = recording.shell[1].sent
    assert line != "show CKM00123456"
    with SshReplay(recording) as server, connected(server.port) as client, client.invoke_shell() as channel:
        assert until(channel, b"$ ") == b"Welcome to 192.0.2.1\r\n$ "
        channel.sendall(f"{line}\n".encode())
        assert until(channel, b"$ ") == f"{line}\r\nfine\r\n$ ".encode()
        channel.sendall(b"show state\n")
        assert until(channel, b"> ") == b"busy\r\n> "


def test_the_recorded_login_is_needed() -> None:
    recording = files.Recording(
        commands=(files.CommandEntry("a", b"b"),),
        access={"access": {"ssh": {"username": "u", "password": {"file": "ssh.password.secret"}}}},
        logins={"ssh.password.secret": "p"},
    )
    with SshReplay(recording) as server:
        with connected(server.port) as client:
            assert run(client, "a")[0] == b"b"
        with pytest.raises(paramiko.AuthenticationException), connected(server.port, password="q"):
            pass


def test_snmp(recording: files.Recording) -> None:
    hlapi: Any = importlib.import_module("pysnmp.hlapi.v3arch.asyncio")  # it has no types

    async def ask(port: int, community: str) -> tuple[list[str], dict[str, list[str]], str]:
        engine = hlapi.SnmpEngine()
        try:
            to = await hlapi.UdpTransportTarget.create(("127.0.0.1", port), timeout=1, retries=1)
            options = (engine, hlapi.CommunityData(community), to, hlapi.ContextData())
            root = hlapi.ObjectType(hlapi.ObjectIdentity("1.3.6.1.2.1"))
            asked = ("1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.1.3.1", "1.3.9.1")
            failure, _, _, got = await hlapi.get_cmd(
                *options, *(hlapi.ObjectType(hlapi.ObjectIdentity(oid)) for oid in asked)
            )
            walks: dict[str, list[str]] = {}
            for name, walk in (
                ("next", hlapi.walk_cmd(*options, root, lookupMib=False)),
                ("bulk", hlapi.bulk_walk_cmd(*options, 0, 3, root, lookupMib=False)),
            ):
                walks[name] = [
                    f"{each[0]}={each[1].prettyPrint()}" async for error, _, _, row in walk if not error for each in row
                ]
            return [type(value).__name__ for _, value in got], walks, str(failure or "")
        finally:
            engine.close_dispatcher()

    with SnmpReplay(recording.snmp, community="public") as agent:
        kinds, walks, failure = asyncio.run(ask(agent.port, "public"))
        assert (kinds, failure) == (["TimeTicks", "NoSuchInstance", "NoSuchObject"], "")
        oids = ["1.3.6.1.2.1.1.1.0", "1.3.6.1.2.1.1.3.0", "1.3.6.1.2.1.2.2.1.6.1", "1.3.6.1.2.1.2.2.1.10.1"]
        assert [line.split("=")[0] for line in walks["next"]] == oids
        assert walks["bulk"] == walks["next"]
        assert walks["next"][2].startswith("1.3.6.1.2.1.2.2.1.6.1=0x006016")
        assert walks["next"][3].endswith(f"={2**63}")


@pytest.mark.parametrize("line", ["nothing", "1.3|4", "1.3|2|x", "1.3|99|1", "1.3|4x|zz", "1.x|4|a", "1.3|2:numeric|1"])
def test_lines_that_are_no_variables(line: str) -> None:
    with pytest.raises(SimulationError, match="can't be used"):
        SnmpReplay(line)


def test_variables_are_written_and_read() -> None:
    variables = [
        SnmpVariable("1.3.1", 4, b"text"),
        SnmpVariable("1.3.2", 4, bytes(range(256))),
        SnmpVariable("1.3.3", 4, b"two\nlines"),
        SnmpVariable("1.3.4", 2, b"-5"),
        SnmpVariable("1.3.5", 64, b"192.0.2.1"),
        SnmpVariable("1.3.6", 4, b""),
        SnmpVariable("1.3.7", 4, b"a|b"),
    ]
    assert list(parse("".join(map(line_of, variables)))) == variables


def test_folder_with_a_space_left(tmp_path: Path) -> None:
    with pytest.raises(files.RecordingError, match="not empty"):
        files.write(tmp_path.parent, files.Recording(), {})
