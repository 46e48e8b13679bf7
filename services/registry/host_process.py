"""One process of a driver host: how it begins, what it prints, how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from delphis.tracing.scope import outside
from services.registry.host_lines import JSON_LINE_BYTES, read

log = logging.getLogger(__name__)

TAIL_LINES = 20
_READ_BYTES = 64 * 1024
# A host that floods its output is read no faster than this, so that it costs itself and not the core.
_FLOOD_BYTES, _FLOOD_SECONDS = 512 * 1024, 0.1
_LOGGED_LINES_PER_SECOND = 50
_LAUNCHER = Path(__file__).with_name("launcher.py")


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended. One of the two is set."""

    code: int | None
    signal: int | None
    at: float
    """Wall time."""

    def __str__(self) -> str:
        if self.signal is None:
            return f"exit code {self.code}"
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(self.signal).name}"
        return f"signal {self.signal}"


class HostProcess:
    """A child of this process in a session of its own. Lives on the event loop; `spawn` in the loop's own thread."""

    def __init__(self, name: str, child: subprocess.Popen[bytes], output: int, ready: int) -> None:
        loop = asyncio.get_running_loop()
        self.name = name
        self.pid = child.pid
        self.started_at = time.time()
        self.ready: asyncio.Future[None] = loop.create_future()
        """Done when the process wrote its ready line; it need not."""
        self.exited: asyncio.Future[Exit] = loop.create_future()
        self._child = child
        self._loop = loop
        self._output, self._ready = output, ready
        self._tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._partial = b""
        self._window_began, self._window_bytes = 0.0, 0
        self._second, self._logged, self._unlogged = 0, 0, 0
        # The descriptor stands for this very process: a signal through it never reaches another with the same number.
        self._pidfd = os.pidfd_open(child.pid)
        # Of what the process does later the call that made it start knows nothing.
        later = outside()
        later.run(loop.add_reader, self._pidfd, self._ended)
        later.run(loop.add_reader, output, self._readable)
        later.run(loop.add_reader, ready, self._ready_readable)

    @classmethod
    def spawn(
        cls,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        ready_fd: tuple[int, int],
        folder: Path,
        memory_bytes: int,
        open_files: int,
    ) -> HostProcess:
        """Starts the program through the launcher. `ready_fd` is a pipe: the end we read, the end the program writes.

        The launcher dies with the thread that starts it, so this must be one that lasts: the event loop's.
        """
        output, child_output = os.pipe()
        try:
            launch = [sys.executable, "-I", "-S", str(_LAUNCHER)]
            limits = [str(os.getpid()), str(memory_bytes), str(open_files), "--"]
            # Popen uses vfork: the core's memory isn't copied, and gRPC's fork handlers don't run.
            child = subprocess.Popen(
                [*launch, *limits, *command],
                env=dict(environment),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=child_output,
                stderr=child_output,
                pass_fds=(ready_fd[1],),
                start_new_session=True,
                umask=0o027,
            )
        except BaseException:
            os.close(output)
            os.close(ready_fd[0])
            raise
        finally:
            os.close(child_output)
            os.close(ready_fd[1])
        for descriptor in (output, ready_fd[0]):
            os.set_blocking(descriptor, False)
        try:
            return cls(name, child, output, ready_fd[0])
        except OSError:  # no descriptor left: nobody would see its end
            child.kill()
            child.wait()
            os.close(output)
            os.close(ready_fd[0])
            raise

    @property
    def alive(self) -> bool:
        """Whether its end has not been seen."""
        return not self.exited.done()

    @property
    def tail(self) -> tuple[str, ...]:
        """The last lines that it printed."""
        return tuple(self._tail)

    def send(self, number: signal.Signals) -> None:
        """Sends a signal, if the process has not ended."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, number)

    async def stop(self, grace: float) -> Exit:
        """SIGTERM, time to finish, SIGKILL."""
        self.send(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                return await asyncio.shield(self.exited)
        if self.alive:
            about = {"driver": self.name}
            log.warning(
                "driver host %s[%d] did not end within %g s of SIGTERM; killing it",
                self.name,
                self.pid,
                grace,
                extra=about,
            )
        return await self.kill()

    async def kill(self) -> Exit:
        """SIGKILL."""
        self.send(signal.SIGKILL)
        return await asyncio.shield(self.exited)

    def _ended(self) -> None:
        self._loop.remove_reader(self._pidfd)
        # While the dead child is not yet waited for, its number, and that of its group, can't be another's.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        result = os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
        os.close(self._pidfd)
        assert result is not None
        if result.si_code == os.CLD_EXITED:
            ended = Exit(result.si_status, None, time.time())
            self._child.returncode = result.si_status
        else:
            ended = Exit(None, result.si_status, time.time())
            self._child.returncode = -result.si_status
        self._close_ready()
        # What the process left in its pipe; at most the pipe's size, since whoever else writes is dead as well.
        for _ in range(32):
            if self._output < 0 or not self._read():
                break
        self._close_output()
        if not self.ready.done():
            self.ready.cancel()
        self.exited.set_result(ended)

    def _ready_readable(self) -> None:
        try:
            said = os.read(self._ready, 64)
        except BlockingIOError:
            return
        if said and not self.ready.done():
            self.ready.set_result(None)
        self._close_ready()

    def _close_ready(self) -> None:
        if self._ready >= 0:
            self._loop.remove_reader(self._ready)
            os.close(self._ready)
            self._ready = -1

    def _readable(self) -> None:
        now = self._loop.time()
        if now - self._window_began > _FLOOD_SECONDS:
            self._window_began, self._window_bytes = now, 0
        self._window_bytes += self._read()
        if self._window_bytes > _FLOOD_BYTES and self._output >= 0:
            self._loop.remove_reader(self._output)
            self._loop.call_later(_FLOOD_SECONDS, self._read_again)

    def _read_again(self) -> None:
        if self._output >= 0:
            self._loop.add_reader(self._output, self._readable)

    def _read(self) -> int:
        """Reads once; the number of bytes, 0 if there are none now."""
        try:
            data = os.read(self._output, _READ_BYTES)
        except BlockingIOError:
            return 0
        if not data:
            self._close_output()
            return 0
        *lines, self._partial = (self._partial + data).split(b"\n")
        # A line without an end is cut, not kept.
        self._partial = self._partial[:JSON_LINE_BYTES]
        for line in lines[: -TAIL_LINES - _LOGGED_LINES_PER_SECOND]:
            self._unlogged += bool(line)
        for line in lines[-TAIL_LINES - _LOGGED_LINES_PER_SECOND :]:
            self._line(line)
        return len(data)

    def _line(self, line: bytes) -> None:
        if not line.strip():
            return
        said = read(line)
        self._tail += said.shown()
        second = int(self._loop.time())
        if second != self._second:
            if self._unlogged:
                about = {"driver": self.name}
                left = (self.name, self.pid, self._unlogged)
                log.warning("driver host %s[%d]: %d lines left out of the log", *left, extra=about)
            self._second, self._logged, self._unlogged = second, 0, 0
        if self._logged < _LOGGED_LINES_PER_SECOND:
            self._logged += 1
            about = {**said.fields, "driver": self.name, "host_pid": str(self.pid), "source": said.source}
            log.log(said.level, "%s", said.message, extra={**about, "exception": said.exception})
        else:
            self._unlogged += 1

    def _close_output(self) -> None:
        if self._output >= 0:
            if self._partial:
                self._line(self._partial)
                self._partial = b""
            self._loop.remove_reader(self._output)
            os.close(self._output)
            self._output = -1
