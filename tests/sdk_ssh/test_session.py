"""The SSH session against a server in this process, with its faults."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack
from io import StringIO
from typing import Any

import paramiko
import pytest

from delphis.sdk import Context, SshHostKeyPolicy, errors
from delphis.sdk.recording import hook
from delphis.sdk.ssh import SshSession
from delphis.sdk.ssh.hostkey import fingerprint
from delphis.sdk.ssh.limits import Timeouts
from tests.sdk_ssh.server import PASSWORD, Command, FaultyServer, Serving, done, serving

KEY: paramiko.PKey = paramiko.ECDSAKey.generate()
OTHER: paramiko.PKey = paramiko.ECDSAKey.generate()


class QuickSession(SshSession):
    timeouts = Timeouts(connect=2, banner=3, auth=10, command=10)  # a loaded machine takes its time for a handshake
    most_bytes = 300_000
    most_channels = 2


@pytest.fixture
def context() -> Context:
    return Context("s-1", timeout=60)


@pytest.fixture
def stack() -> Generator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture
def serve(stack: ExitStack) -> Callable[[Command], FaultyServer]:
    return lambda command: stack.enter_context(serving(command, KEY))


@pytest.fixture
def session(stack: ExitStack) -> Callable[..., SshSession]:
    def make(server: FaultyServer, **fields: Any) -> SshSession:
        made = QuickSession(server.access(**fields))
        stack.callback(made.close)
        return made

    return make


def echo(_: Serving, channel: paramiko.Channel, command: str) -> None:
    received = b"".join(iter(lambda: channel.recv(1000), b""))
    done(channel, command.encode() + b"\r\n" + received, 3 if command == "fail" else 0, b"beside")


Serve = Callable[[Command], FaultyServer]
Make = Callable[..., SshSession]


def test_commands_share_one_connection(serve: Serve, session: Make, context: Context) -> None:
    server = serve(echo)
    ssh = session(server)
    output = ssh.run(context, "show ä", stdin=b"more")
    assert (output.text, output.errors, output.exit_status) == ("show ä\nmore", "beside", 0)
    with pytest.raises(errors.StorageBackendException, match="'fail' ended with status 3"):
        ssh.run(context, "fail")
    assert ssh.run(context, "fail", check=False).exit_status == 3
    assert server.connections == 1


def test_host_keys(serve: Serve, session: Make, context: Context, caplog: pytest.LogCaptureFixture) -> None:
    server = serve(echo)
    shown = fingerprint(KEY.asbytes())
    with pytest.raises(errors.SSHNotFoundKnownHosts, match=r"No SSH host key is pinned") as unpinned:
        session(server, pub_key="", pub_key_type="").open(context)
    assert unpinned.value.metadata["found"] == shown
    with pytest.raises(errors.SSHNotFoundKnownHosts, match="another machine"):
        session(server, pub_key=OTHER.get_base64()).open(context)
    assert server.logins == 0, "no password is sent to a machine that isn't known"
    for pin in (shown, f"{KEY.get_name()} {KEY.get_base64()} comment"):
        session(server, pub_key=pin, pub_key_type="").open(context)
    for bad in ("SHA256:short", "no base64!", "AAAA"):
        with pytest.raises(errors.AccessInfoIncomplete, match="pub_key"):
            session(server, pub_key=bad)
    off = SshHostKeyPolicy.SSH_HOST_KEY_POLICY_OFF
    session(server, pub_key=OTHER.get_base64(), host_key_policy=off).open(context)
    first = {"pub_key": "", "pub_key_type": "", "host_key_policy": SshHostKeyPolicy.SSH_HOST_KEY_POLICY_TRUST_FIRST}
    with caplog.at_level(logging.WARNING):
        session(server, **first).open(context)
    assert shown in caplog.text
    server.key = OTHER
    with pytest.raises(errors.SSHNotFoundKnownHosts, match="was expected"):
        session(server, **first).open(context)
    with pytest.raises(errors.AccessInfoIncomplete, match="policy 1"):
        session(server, host_key_policy=SshHostKeyPolicy.SSH_HOST_KEY_POLICY_UNKNOWN)


def test_refused_login_is_not_repeated(
    serve: Serve, session: Make, context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    server = serve(echo)
    ssh = session(server, password="wrong-sentinel")
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            with pytest.raises(errors.InvalidUsernameOrPassword, match="'monitor'") as refused:
                ssh.open(context)
            assert "sentinel" not in str(refused.value) + repr(refused.value.metadata) + repr(ssh.endpoint)
    assert server.logins == 1
    assert "sentinel" not in caplog.text


def test_private_keys(serve: Serve, session: Make, context: Context) -> None:
    server = serve(echo)
    user = paramiko.ECDSAKey.generate()
    plain, encrypted = StringIO(), StringIO()
    user.write_private_key(plain)
    user.write_private_key(encrypted, password="phrase")
    server.user_key = user.asbytes()
    session(server, password="", private_key=plain.getvalue()).open(context)
    session(server, private_key=encrypted.getvalue(), private_key_passphrase="phrase").open(context)
    for fields in ({}, {"private_key_passphrase": "wrong"}):
        with pytest.raises(errors.InvalidPrivateKey):
            session(server, private_key=encrypted.getvalue(), **fields).open(context)
    with pytest.raises(errors.InvalidPrivateKey, match="can't be read"):
        session(server, private_key="garbage").open(context)
    server.user_key = b""
    with pytest.raises(errors.InvalidCredential, match="refused the private key"):
        session(server, private_key=plain.getvalue()).open(context)


def test_dropped_connection_is_made_again_for_what_may_run_twice(serve: Serve, session: Make, context: Context) -> None:
    drops = 1

    def command(connection: Serving, channel: paramiko.Channel, line: str) -> None:
        nonlocal drops
        if drops:
            drops -= 1
            assert connection.transport is not None
            connection.transport.close()
        else:
            done(channel, line.encode())

    server = serve(command)
    ssh = session(server)
    assert ssh.run(context, "show", idempotent=True).text == "show"
    assert server.connections == 2
    drops = 1
    with pytest.raises(errors.ArrayUnreachable, match="whether it took effect is not known"):
        ssh.run(context, "create")
    assert server.commands == ["show", "show", "create"]
    assert ssh.run(context, "create").text == "create", "a broken connection is found before anything is sent"
    drops = 2
    with pytest.raises(errors.ArrayUnreachable):
        ssh.run(context, "show", idempotent=True)


def test_time_is_bounded(serve: Serve, session: Make, context: Context) -> None:
    def command(connection: Serving, channel: paramiko.Channel, _: str) -> None:
        channel.sendall(b"x")
        connection.server.closed.wait(60)

    server = serve(command)
    ssh = session(server)
    began = time.monotonic()
    with pytest.raises(errors.ArrayTimeout, match="hadn't ended"):
        ssh.run(context, "hang", timeout=0.3)
    with pytest.raises(errors.ArrayTimeout):
        ssh.run(Context(timeout=0.3), "hang")
    server.silent = True
    with pytest.raises(errors.ArrayTimeout):
        ssh.run(context, "not even accepted", timeout=0.3)
    assert time.monotonic() - began < 30


def test_channels_are_bounded(serve: Serve, session: Make, context: Context) -> None:
    release = threading.Event()
    running: list[int] = []
    most = 0

    def command(_: Serving, channel: paramiko.Channel, line: str) -> None:
        nonlocal most
        running.append(1)
        most = max(most, len(running))
        release.wait(60)
        running.pop()
        done(channel, line.encode())

    ssh = session(serve(command))
    threads = [threading.Thread(target=ssh.run, args=(context, "show")) for _ in range(5)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 60
    while len(running) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    with pytest.raises(errors.ArrayTimeout, match="2 commands were running"):
        ssh.run(Context(timeout=0.5), "show")
    release.set()
    for thread in threads:
        thread.join(60)
    assert most == 2


def test_output_is_bounded(serve: Serve, session: Make, context: Context) -> None:
    def command(_: Serving, channel: paramiko.Channel, line: str) -> None:
        done(channel, b"x" * int(line))

    ssh = session(serve(command))
    assert len(ssh.run(context, "299999").stdout) == 299_999
    with pytest.raises(errors.BadResponse, match="more than 300000 bytes"):
        ssh.run(context, "2000000")


def test_what_is_no_ssh(session: Make, serve: Serve, context: Context, stack: ExitStack) -> None:
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    server = serve(echo)
    silent = session(server, port=listener.getsockname()[1])
    with pytest.raises(errors.ConnectTimeout, match="began no SSH session"):
        silent.open(context)
    listener.close()
    with pytest.raises(errors.InvalidIpOrPort, match="connection refused"):
        silent.open(context)
    for fields, error in (
        ({"host": ""}, errors.AccessInfoIncomplete),
        ({"username": ""}, errors.AccessInfoIncomplete),
        ({"password": ""}, errors.AccessInfoIncomplete),
        ({"port": 0}, errors.InvalidIpOrPort),
        ({"host": "ssh://x"}, errors.InvalidIpOrPort),
    ):
        with pytest.raises(error):
            session(server, **fields)


def dialogue(_: Serving, channel: paramiko.Channel, _command: str) -> None:
    channel.sendall(b"\x1b[1mWelcome\x1b[0m > really\r\n\r\nbox:admin> ")
    stream = channel.makefile("rb")
    while line := stream.readline().decode().rstrip("\n"):
        channel.sendall(line.encode() + b"\r\n")
        if line == "pages":
            channel.sendall(b"one\r\n--More--")
            assert stream.read(1) == b" "
            channel.sendall(b"\r        \rtwo\r\n---- More ( Press 'Q' to break ) ----")
            assert stream.read(1) == b" "
            channel.sendall(b"\x1b[16D\x1b[Kthree\r\n")
        elif line == "delete":
            channel.sendall(b"Are you sure (y/n)? ")
            channel.sendall(b"gone: " + stream.readline().strip() + b"\r\n")
        elif line == "hang":
            continue
        elif line == "exit":
            channel.close()
        else:
            channel.sendall(b"\x1b[31mbo\bk\x1b[0m>\r\n" * 2)
        channel.sendall(b"box:admin> ")


def test_shell(serve: Serve, session: Make, context: Context) -> None:
    ssh = session(serve(dialogue))
    with ssh.shell(context, answers={r"\(y/n\)\?$": "y"}) as shell:
        assert shell.greeting == "Welcome > really\n"
        assert shell.run("show") == "bk>\nbk>\n"
        assert shell.run("pages") == "one\ntwo\nthree\n"
        assert shell.run("delete").endswith("gone: y\n")
        with pytest.raises(ValueError, match="several"):
            shell.run("a\nb")
        with pytest.raises(errors.ArrayTimeout, match="no prompt"):
            shell.run("show", timeout=0.0001)
    with ssh.shell(context, prompt=r"^box:\w+> ?$") as shell, pytest.raises(errors.ArrayUnreachable, match="closed"):
        shell.run("exit")


def test_what_is_recorded(serve: Serve, session: Make, context: Context) -> None:
    tape: list[hook.Exchange] = []

    class Tape:
        def record(self, exchange: hook.Exchange, /) -> None:
            tape.append(exchange)

    hook.use_recorder(Tape())
    try:
        session(serve(echo)).run(context, "show", stdin=b"in")
        with session(serve(dialogue)).shell(context) as shell:
            shell.run("show")
            shell.run("hidden", secret=True)
    finally:
        hook.use_recorder(None)
    assert tape[0] == hook.SshExec("show", b"show\r\nin", b"beside", 0, b"in")
    assert [exchange.sent for exchange in tape[1:] if isinstance(exchange, hook.SshShell)] == ["", "show", ""]
    assert PASSWORD not in repr(tape)
