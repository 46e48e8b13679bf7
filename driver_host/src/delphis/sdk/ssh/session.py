"""The session with an array's command line: what the driver of such an array builds on."""

from __future__ import annotations

import contextlib
import logging
import re
import select
import threading
import time
from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from delphis.sdk import errors
from delphis.sdk.context import Context
from delphis.sdk.recording.hook import SshExec, recorder
from delphis.sdk.ssh.endpoint import endpoint_of
from delphis.sdk.ssh.hostkey import HostKeyCheck
from delphis.sdk.ssh.limits import Timeouts
from delphis.sdk.ssh.output import CommandOutput
from delphis.type.v1.access_pb2 import SshAccess

if TYPE_CHECKING:
    import paramiko

    from delphis.sdk.ssh.shell import Shell

LOGGER = logging.getLogger("delphis.sdk.ssh")
CHUNK = 64 * 1024
END_GRACE = 5.0
DROP_GRACE = 0.2


class SshSession:
    """One array's command line. Subclass it to set its limits; several threads may use an object at a time.

    There is one connection, made with the first command and again when it is found to be broken. Each command has a
    channel of its own.
    """

    #: How long things may take.
    timeouts: ClassVar[Timeouts] = Timeouts()
    #: Commands and shells at a time; more wait.
    most_channels: ClassVar[int] = 4
    #: The most that a command may write, in bytes, on both streams together.
    most_bytes: ClassVar[int] = 64 * 2**20
    #: Seconds in which a refused login is not tried again: accounts get locked by repetition.
    refusal_pause: ClassVar[float] = 60.0

    def __init__(self, access: SshAccess) -> None:
        """
        Args:
            access: How to reach the command line, secrets included.

        Raises:
            errors.AccessInfoIncomplete: Something in it is missing or can't be used.
            errors.InvalidIpOrPort: The host or the port can be none.
        """
        self.endpoint = endpoint_of(access)
        self._check = HostKeyCheck(access, self.endpoint)
        self._lock = threading.Lock()
        self._channels = threading.BoundedSemaphore(self.most_channels)
        self._transport: paramiko.Transport | None = None
        self._has_answered = False
        self._refusal: tuple[float, errors.DriverError] | None = None

    def open(self, context: Context) -> None:
        """Connects and logs in now, unless that is done; for `StorageDriver.connect`.

        Raises:
            errors.DriverError: What kept us from it.
        """
        self._connection(context)

    def close(self) -> None:
        """Closes the connection and all that runs on it. For `StorageDriver.close`."""
        with self._lock:
            if self._transport is not None:
                self._transport.close()
                self._transport = None

    def failure(self, output: CommandOutput) -> errors.DriverError | None:
        """The error that a command's output means; None: it is none. Overridden to read the array's own words.

        Default: an exit status other than 0 is a `StorageBackendException`.
        """
        if output.ok:
            return None
        name = output.command.split(maxsplit=1)[0] if output.command.strip() else output.command
        return errors.StorageBackendException(
            f"The command {name!r} ended with status {output.exit_status} at {self.endpoint.label}.",
            command=name,
            exit_status=output.exit_status,
        )

    def run(
        self,
        context: Context,
        command: str,
        *,
        stdin: bytes = b"",
        timeout: float | None = None,
        idempotent: bool = False,
        check: bool = True,
    ) -> CommandOutput:
        """Runs a command and waits for its end.

        Args:
            context: The call that it is run for; its deadline bounds everything.
            command: As the array's shell takes it; quote names in it with `shlex.quote`, where it is a Unix shell.
            stdin: What is written to it.
            timeout: Seconds for it. None: as `timeouts` says.
            idempotent: It may run twice: it is sent once more when the connection breaks while it runs. A command that
                was not sent yet is always sent on a new connection.
            check: Raise what `failure` returns.

        Returns:
            What it wrote.

        Raises:
            errors.DriverError: What `failure` returns, or what kept the array from answering: `ArrayTimeout`,
                `ArrayUnreachable` (the connection broke), `BadResponse` (more than `most_bytes`), `ArrayBusy` (no more
                channels), and what `open` raises.
        """
        from delphis.sdk.ssh.connection import Dropped  # loads `paramiko`

        deadline = self._deadline(context, timeout)
        with self._slot(context, deadline):
            attempt = 0
            while True:
                attempt += 1
                transport = self._connection(context)
                try:
                    output = self._run(transport, command, stdin, deadline)
                    break
                except Dropped as drop:
                    self._forget(transport)
                    if attempt == 2 or (drop.sent and not idempotent):
                        raise self._broken(drop.sent) from None
                    LOGGER.info("[%s] the connection broke; trying once more", self.endpoint.label)
        failure = self.failure(output) if check else None
        if failure is not None:
            raise failure
        return output

    @contextlib.contextmanager
    def shell(
        self,
        context: Context,
        *,
        prompt: str | re.Pattern[str] | None = None,
        answers: Mapping[str | re.Pattern[str], str] | None = None,
        timeout: float | None = None,
    ) -> Generator[Shell]:
        """Opens a dialogue with the array's shell, for arrays that run no single commands.

        Args:
            context: The call that it is opened for.
            prompt: What the shell's prompt matches, at the end of a line. None: it is learnt, as the line that the
                array waits at after its greeting.
            answers: What is sent when the array asks something, by what the end of its question matches. Pages
                (`--More--`) are turned without being named here.
            timeout: Seconds for each wait. None: as `timeouts` says.

        Yields:
            The shell, at its first prompt.

        Raises:
            errors.DriverError: As for `run`.
        """
        from delphis.sdk.ssh import connection
        from delphis.sdk.ssh.shell import Shell  # loads `paramiko`

        wait = timeout or self.timeouts.command
        with self._slot(context, self._deadline(context, timeout)):
            until = time.monotonic() + context.remaining
            attempt = 0
            while True:
                attempt += 1
                transport = self._connection(context)
                try:
                    manager = connection.channel(transport, until)
                    opened, _ = self._entered(manager)
                    break
                except connection.Dropped:
                    self._forget(transport)
                    if attempt == 2:
                        raise self._broken(False) from None
            try:
                yield Shell.opened(
                    context,
                    opened,
                    self.endpoint.label,
                    prompt,
                    answers or {},
                    timeout=wait,
                    most_bytes=self.most_bytes,
                )
            finally:
                manager.__exit__(None, None, None)

    # ---- One command ----

    def _run(self, transport: paramiko.Transport, command: str, stdin: bytes, deadline: float) -> CommandOutput:
        import paramiko as library

        from delphis.sdk.ssh import connection

        manager = connection.channel(transport, deadline)
        opened, expired = self._entered(manager)
        try:
            began = time.monotonic()
            output = self._exchange(opened, command, stdin, deadline)
        except (library.SSHException, OSError, EOFError):
            if expired.is_set():
                raise self._late() from None
            transport.join(DROP_GRACE)  # a channel is closed a moment before its connection is
            if transport.is_active():
                raise errors.SSHException(
                    f"The array at {self.endpoint.label} refused to run a command, or closed it.",
                    host=self.endpoint.host,
                ) from None
            raise connection.Dropped(sent=True) from None
        finally:
            manager.__exit__(None, None, None)
        if expired.is_set():
            raise self._late()
        if output.exit_status is None:
            transport.join(DROP_GRACE)
            if not transport.is_active():
                raise connection.Dropped(sent=True)
        LOGGER.debug(
            "[%s] a command ended with %s after %.0f ms: %d bytes",
            self.endpoint.label,
            output.exit_status,
            (time.monotonic() - began) * 1000,
            len(output.stdout) + len(output.stderr),
        )
        if (tape := recorder()) is not None:
            tape.record(SshExec(command, output.stdout, output.stderr, output.exit_status, stdin))
        return output

    def _exchange(self, opened: paramiko.Channel, command: str, stdin: bytes, deadline: float) -> CommandOutput:
        opened.exec_command(command.encode())
        if stdin:
            opened.settimeout(max(0.001, deadline - time.monotonic()))
            opened.sendall(stdin)
        opened.shutdown_write()
        written: tuple[bytearray, bytearray] = (bytearray(), bytearray())
        poll = select.poll()
        poll.register(opened.fileno(), select.POLLIN)
        ended = False
        while not ended:
            # Asked before reading: what came before the end is then read for certain.
            ended = bool(opened.eof_received or opened.closed)
            if not ended:
                poll.poll(max(0, min(1.0, deadline - time.monotonic())) * 1000)
            while opened.recv_ready():
                self._take(written, 0, opened.recv(CHUNK))
            while opened.recv_stderr_ready():
                self._take(written, 1, opened.recv_stderr(CHUNK))
        opened.status_event.wait(max(0.0, min(END_GRACE, deadline - time.monotonic())))
        status = opened.exit_status
        return CommandOutput(command, bytes(written[0]), bytes(written[1]), status if status >= 0 else None)

    def _take(self, written: tuple[bytearray, bytearray], which: int, data: bytes) -> None:
        written[which].extend(data)
        if sum(map(len, written)) > self.most_bytes:
            raise errors.BadResponse(
                f"A command at {self.endpoint.label} writes more than {self.most_bytes} bytes; the driver reads no"
                " more.",
                limit=self.most_bytes,
            )

    def _entered(self, manager: Any) -> tuple[paramiko.Channel, threading.Event]:
        import paramiko as library

        try:
            entered: tuple[paramiko.Channel, threading.Event] = manager.__enter__()
        except library.ChannelException:
            raise errors.ArrayBusy(
                f"The array at {self.endpoint.label} opens no more channels on this connection.",
                host=self.endpoint.host,
            ) from None
        except TimeoutError:
            raise self._late() from None
        return entered

    # ---- The connection ----

    @contextlib.contextmanager
    def _slot(self, context: Context, deadline: float) -> Generator[None]:
        context.check()
        if not self._channels.acquire(timeout=max(0.0, deadline - time.monotonic())):
            raise errors.ArrayTimeout(
                f"{self.most_channels} commands were running at {self.endpoint.label} until the deadline; no more run"
                " at a time."
            )
        try:
            yield
        finally:
            self._channels.release()

    def _connection(self, context: Context) -> paramiko.Transport:
        from delphis.sdk.ssh import connection

        if not self._lock.acquire(timeout=context.remaining):
            raise errors.ArrayTimeout(f"The login at {self.endpoint.label} wasn't over by the deadline.")
        try:
            if self._transport is not None and self._transport.is_active():
                return self._transport
            if self._refusal is not None and time.monotonic() < self._refusal[0]:
                refusal = self._refusal[1]
                metadata: dict[str, Any] = dict(refusal.metadata)
                raise type(refusal)(refusal.message, **metadata)
            try:
                self._transport = connection.connect(
                    context, self.endpoint, self._check, self.timeouts, has_answered=self._has_answered
                )
            except (errors.InvalidUsernameOrPassword, errors.InvalidCredential) as refused:
                self._refusal = (time.monotonic() + self.refusal_pause, refused)
                raise
            self._has_answered = True
            self._refusal = None
            return self._transport
        finally:
            self._lock.release()

    def _forget(self, transport: paramiko.Transport) -> None:
        transport.close()
        with self._lock:
            if self._transport is transport:
                self._transport = None

    def _deadline(self, context: Context, timeout: float | None) -> float:
        seconds = self.timeouts.command if timeout is None else timeout
        return time.monotonic() + min(context.remaining, seconds)

    def _late(self) -> errors.ArrayTimeout:
        return errors.ArrayTimeout(
            f"The array at {self.endpoint.label} took a command, but it hadn't ended in the time for it.",
            host=self.endpoint.host,
            port=self.endpoint.port,
        )

    def _broken(self, sent: bool) -> errors.ArrayUnreachable:
        when = "while a command ran; whether it took effect is not known" if sent else "before a command could be sent"
        return errors.ArrayUnreachable(
            f"The SSH connection to {self.endpoint.label} broke {when}.",
            host=self.endpoint.host,
            port=self.endpoint.port,
        )
