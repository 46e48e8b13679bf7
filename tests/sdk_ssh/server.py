"""An SSH server in the test's process, with the faults that a real one doesn't have on demand."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Generator

import paramiko
from paramiko import common

from delphis.sdk import SshAccess, SshHostKeyPolicy

PASSWORD = "sentinel-password-4711"
Command = Callable[["Serving", paramiko.Channel, str], None]


class Serving(paramiko.ServerInterface):
    """One connection."""

    def __init__(self, server: FaultyServer) -> None:
        self.server = server
        self.transport: AnsweringTransport | None = None

    def check_auth_password(self, username: str, password: str) -> int:
        self.server.logins += 1
        accepted = (username, password) == ("monitor", PASSWORD)
        return common.AUTH_SUCCESSFUL if accepted else common.AUTH_FAILED

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        accepted = key.asbytes() == self.server.user_key
        return common.AUTH_SUCCESSFUL if accepted else common.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "password,publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return common.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self.server.commands.append(command.decode())
        if self.server.silent:
            self.server.closed.wait(5)
            return False
        self._start(self.server.command, channel, command.decode())
        return True

    def check_channel_pty_request(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, *_: object
    ) -> bool:
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        self._start(self.server.command, channel, "")
        return True

    def _start(self, target: Command, channel: paramiko.Channel, command: str) -> None:
        def work() -> None:
            with contextlib.suppress(OSError, EOFError):
                target(self, channel, command)

        assert self.transport is not None
        self.transport.after_reply[channel.remote_chanid] = threading.Thread(target=work, daemon=True)


class AnsweringTransport(paramiko.Transport):
    """Begins a command only when the client has been told that it begins."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        self.after_reply: dict[int, threading.Thread] = {}

    def run(self) -> None:
        with contextlib.suppress(OSError, EOFError):  # the client is gone, which many tests want
            super().run()

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)  # type: ignore[misc]
        raw = data.asbytes()
        if raw[0] == common.MSG_CHANNEL_SUCCESS:
            thread = self.after_reply.pop(int.from_bytes(raw[1:5], "big"), None)
            if thread is not None:
                thread.start()


class FaultyServer:
    """Accepts connections until it is closed."""

    def __init__(self, command: Command, key: paramiko.PKey) -> None:
        self.command = command
        self.key = key
        self.user_key = b""
        self.logins = 0
        self.connections = 0
        self.commands: list[str] = []
        self.silent = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.transports: list[AnsweringTransport] = []
        self.closed = threading.Event()
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def access(self, **fields: object) -> SshAccess:
        """How to reach it; its key is pinned."""
        found: dict[str, object] = {
            "host": "127.0.0.1",
            "port": self.port,
            "username": "monitor",
            "password": PASSWORD,
            "pub_key": self.key.get_base64(),
            "pub_key_type": self.key.get_name(),
            "host_key_policy": SshHostKeyPolicy.SSH_HOST_KEY_POLICY_PINNED,
        }
        return SshAccess(**(found | fields))  # type: ignore[arg-type]

    def close(self) -> None:
        """Closes all connections."""
        self.closed.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(5)
        for transport in self.transports:
            transport.close()
            transport.join(5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            transport = AnsweringTransport(connection)
            transport.add_server_key(self.key)
            serving = Serving(self)
            serving.transport = transport
            self.transports.append(transport)
            with contextlib.suppress(paramiko.SSHException, EOFError, OSError):
                transport.start_server(event=threading.Event(), server=serving)


@contextlib.contextmanager
def serving(command: Command, key: paramiko.PKey) -> Generator[FaultyServer]:
    """A server until the end of the block."""
    server = FaultyServer(command, key)
    try:
        yield server
    finally:
        server.close()


def done(channel: paramiko.Channel, output: bytes = b"", status: int = 0, stderr: bytes = b"") -> None:
    """Ends a command."""
    channel.sendall(output)
    channel.sendall_stderr(stderr)
    channel.send_exit_status(status)
    channel.close()
