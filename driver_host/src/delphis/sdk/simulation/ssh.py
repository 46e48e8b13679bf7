"""Replays commands and shells over SSH. It needs paramiko."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from collections import Counter
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, TypeVar

from delphis.sdk.recording.files import CommandEntry, Recording, ShellEntry
from delphis.sdk.simulation.errors import SimulationError
from delphis.sdk.simulation.replay import matches

try:
    import paramiko
    from paramiko.common import (
        AUTH_FAILED,
        AUTH_SUCCESSFUL,
        OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
        OPEN_SUCCEEDED,
    )
except ModuleNotFoundError:
    raise SimulationError("SSH needs paramiko: pip install 'delphis-driver-sdk[ssh]'.") from None

LOGGER = logging.getLogger("delphis.simulation")
UNKNOWN_COMMAND = 127
PROMPT = b"> "
# The client has gone.
_GONE = (OSError, EOFError, paramiko.SSHException)

_E = TypeVar("_E", CommandEntry, ShellEntry)


class SshReplay:
    """The SSH server of a recording. Use it as a context manager.

    Attributes:
        host_key: The key that it shows, as a line of `known_hosts` has it: type and base64.
        log: The commands and lines that came, in order.
    """

    def __init__(
        self,
        recording: Recording,
        *,
        scenario: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        login: tuple[str, str] | None = None,
    ) -> None:
        """
        Args:
            recording: What to answer.
            scenario: Which of an entry's scenarios to prefer.
            host: To listen at.
            port: To listen at; 0: the system chooses.
            login: User and password that are taken; None: those of the recording, or any where it has none.
        """
        self._recording, self._scenario = recording, scenario
        self._login = login or _login_of(recording)
        self._key = paramiko.ECDSAKey.generate()
        self.host_key = f"{self._key.get_name()} {self._key.get_base64()}"
        self.log: list[str] = []
        self._next: Counter[tuple[Any, ...]] = Counter()
        self._lock = threading.Lock()
        self._address = (host, port)
        self._listener: socket.socket | None = None
        self._transports: list[paramiko.Transport] = []
        self._acceptor: threading.Thread | None = None

    @property
    def port(self) -> int:
        """Where it listens."""
        if self._listener is None:
            raise SimulationError("The simulator has not been started.")
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> SshReplay:
        try:
            self._listener = socket.create_server(
                self._address, family=socket.AF_INET6 if ":" in self._address[0] else socket.AF_INET
            )
        except OSError as error:
            host, port = self._address
            raise SimulationError(f"Can't listen at {host}:{port}: {error.strerror}.") from None
        self._acceptor = threading.Thread(target=self._accept, args=(self._listener,), name="ssh-replay", daemon=True)
        self._acceptor.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._listener is not None and self._acceptor is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._acceptor.join(10)
            self._listener.close()
        for transport in self._transports:
            transport.close()
            transport.join(5)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.daemon = True
            transport.add_server_key(self._key)
            self._transports.append(transport)
            with contextlib.suppress(EOFError, paramiko.SSHException):
                transport.start_server(event=threading.Event(), server=_Connection(self))

    # ---- For the connections ----

    def takes(self, user: str, password: str) -> bool:
        """Whether a login is right."""
        return self._login is None or self._login == (user, password)

    def run(self, channel: paramiko.Channel, command: str) -> None:
        """Answers a command in its channel."""
        entry = self.command(command, ())
        with contextlib.suppress(*_GONE), channel:
            if entry is None:
                channel.sendall_stderr(b"not in the recording\n")
                channel.send_exit_status(UNKNOWN_COMMAND)
                return
            channel.sendall(entry.stdout)
            channel.sendall_stderr(entry.stderr)
            channel.send_exit_status(entry.exit_status)

    def shell(self, channel: paramiko.Channel) -> None:
        """Answers the lines of a shell until it ends: as recorded, else with the recorded output of commands."""
        history: list[str] = []
        with contextlib.suppress(*_GONE), channel, channel.makefile("rb") as lines:
            said = next(iter(self._recording.shell), None)
            said = said if said is not None and not said.sent else None
            channel.sendall(said.received if said else PROMPT)
            while line := lines.readline():
                sent = (line.decode() if isinstance(line, bytes) else line).rstrip("\r\n")
                if sent in ("exit", "logout", "quit") and not any(sent == each.sent for each in self._recording.shell):
                    return
                said = self._said(sent, said)
                if said is not None:
                    self.log.append(sent)
                    channel.sendall(said.received)
                elif sent:
                    entry = self.command(sent, history)
                    output = b"not in the recording\n" if entry is None else entry.stdout + entry.stderr
                    channel.sendall(output.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n") + PROMPT)
                else:
                    channel.sendall(PROMPT)
                history.append(sent)

    def _said(self, sent: str, before: ShellEntry | None) -> ShellEntry | None:
        """What the recorded shell said to a line; to one that held a secret, and so has no text, in its turn."""
        shell = self._recording.shell
        said = self._turn([entry for entry in shell if sent and matches(entry.sent, sent)])
        if said is None and before is not None:
            place = next(place for place, entry in enumerate(shell) if entry is before) + 1
            said = shell[place] if place < len(shell) and not shell[place].sent else None
        return said

    def command(self, command: str, history: Sequence[str]) -> CommandEntry | None:
        """What was recorded for a command; None: nothing, and the log says what comes nearest."""
        with self._lock:
            self.log.append(command)
        entries = self._recording.commands
        fitting = [entry for entry in entries if matches(entry.command, command.strip())]
        ready = [entry for entry in fitting if entry.after and all(line in history for line in entry.after)]
        entry = self._turn(ready or [entry for entry in fitting if not entry.after] or fitting)
        if entry is None and not any(command in each.after for each in entries):
            near = get_close_matches(command, [each.command for each in entries], 1, 0.0)
            LOGGER.warning("%s: not in the recording; the nearest is %s", command, near[0] if near else "none")
        return entry or (CommandEntry(command, b"") if any(command in each.after for each in entries) else None)

    def _turn(self, entries: Sequence[_E]) -> _E | None:
        """The next of several answers; the last is repeated."""
        wanted = (self._scenario,) if self._scenario else ("", "default")
        usual = [entry for entry in entries if entry.scenario in wanted] or list(entries)
        if not usual:
            return None
        with self._lock:
            key = tuple(map(id, usual))
            entry = usual[min(self._next[key], len(usual) - 1)]
            self._next[key] += 1
        return entry


class _Connection(paramiko.ServerInterface):
    def __init__(self, replay: SshReplay) -> None:
        self._replay = replay

    def get_allowed_auths(self, username: str) -> str:
        return "password,keyboard-interactive"

    def check_auth_password(self, username: str, password: str) -> int:
        return AUTH_SUCCESSFUL if self._replay.takes(username, password) else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_pty_request(
        self,
        channel: paramiko.Channel,
        term: bytes,
        width: int,
        height: int,
        pixelwidth: int,
        pixelheight: int,
        modes: bytes,
    ) -> bool:
        return True

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        self._begin(self._replay.run, channel, command.decode("utf-8", "replace"))
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        self._begin(self._replay.shell, channel)
        return True

    def _begin(self, answer: Any, *arguments: Any) -> None:
        # The library answers the request after this method returns, and only then may the channel be written to.
        threading.Timer(0.02, answer, arguments).start()


def _login_of(recording: Recording) -> tuple[str, str] | None:
    access = dict(recording.access.get("access", {}))
    for block in ("ssh", "cli"):
        table = dict(access.get(block) or {})
        password = recording.logins.get(str(dict(table.get("password") or {}).get("file")))
        if password is not None:
            return str(table.get("username", "")), password
    return None
