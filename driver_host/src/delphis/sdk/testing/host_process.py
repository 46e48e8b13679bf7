"""A driver host as a process: started by the launch protocol of Delphis' supervisor, and looked at from outside."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from delphis.sdk.host.settings import PREFIX, Pair
from delphis.sdk.testing.output import OnLine, Output

_LAUNCHING = Path(__file__).with_name("launching.py")
_MB = 1 << 20
# What the supervisor lets through of its own environment.
PASSED_ON = (
    *("PATH", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
)


class HostEnded(Exception):
    """The host's process ended, or was not ready in time; the message says how, and what it printed last."""


class HostProcess:
    """One process. Use it as a context manager; it has ended when the block is left.

    Attributes:
        endpoint: Where it serves, as gRPC writes it: `unix:/…`.
        pid: The process' id.
        output: What it printed.
        ready_line: What it wrote to the descriptor in `DELPHIS_DRIVER_READY_FD`.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str = "conformance.driver",
        version: str = "0",
        serves: Sequence[Pair] = (),
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        drain: float = 10.0,
        memory_mb: int = 1024,
        open_files: int = 1024,
        on_line: OnLine = lambda _: None,
        under_parent: bool = False,
    ) -> None:
        """
        Args:
            command: The program and its arguments. Never put a secret there.
            name: Name of the driver, for `DELPHIS_DRIVER_NAME`.
            version: Version of the driver.
            serves: Vendors and models.
            folder: Working folder; default: the current one.
            environment: Variables beside those that a supervisor lets through.
            drain: Seconds that the host is told to take for its drain.
            memory_mb: As `limits.memory_mb` of a manifest.
            open_files: As `limits.open_files` of a manifest.
            on_line: Called in a thread with each line that the host prints.
            under_parent: A process between this one and the host can be killed with `kill_parent`.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="delphis-check-")
        self.socket = Path(self._folder.name) / "host.sock"
        self.endpoint = f"unix:{self.socket}"
        self.ready_line = b""
        self.started = time.monotonic()
        read, write = os.pipe()
        ready, child_ready = os.pipe()
        os.set_blocking(ready, False)
        self._ready = ready
        launch = [sys.executable, "-I", "-S", str(_LAUNCHING)]
        limits = [str((2 * memory_mb + 512) * _MB), str(open_files)]
        if under_parent:
            launch += ["parent", *limits, str(child_ready), "--", *command]
        else:
            launch += ["exec", str(os.getpid()), *limits, "--", *command]
        try:
            self._child = subprocess.Popen(
                launch,
                env=self._environment(name, version, serves, environment or {}, child_ready, drain),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if under_parent else write,
                stderr=write,
                pass_fds=(child_ready,),
                start_new_session=True,
                umask=0o027,
            )
        except BaseException:
            os.close(read)
            os.close(ready)
            self._folder.cleanup()
            raise
        finally:
            os.close(write)
            os.close(child_ready)
        self.output = Output(read, on_line)
        self.pid = self._child.pid
        if under_parent:
            assert self._child.stdout is not None
            with self._child.stdout as stream:
                self.pid = int(stream.readline())
        self._pidfd = os.pidfd_open(self.pid)
        self._under_parent = under_parent

    def _environment(
        self,
        name: str,
        version: str,
        serves: Sequence[Pair],
        more: Mapping[str, str],
        ready_fd: int,
        drain: float,
    ) -> dict[str, str]:
        values = {key: os.environ[key] for key in PASSED_ON if key in os.environ}
        values.update(PYTHONUNBUFFERED="1", PYTHONFAULTHANDLER="1")
        values.update(more)
        values.update(
            {
                f"{PREFIX}ENDPOINT": f"unix://{self.socket}",
                f"{PREFIX}NAME": name,
                f"{PREFIX}VERSION": version,
                f"{PREFIX}SERVES": json.dumps([pair._asdict() for pair in serves]),
                f"{PREFIX}READY_FD": str(ready_fd),
                f"{PREFIX}DRAIN": f"{drain:g}",
            }
        )
        return values

    def __enter__(self) -> HostProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def alive(self) -> bool:
        """Whether the host's process has not ended."""
        return not self.wait(0)

    def wait(self, timeout: float) -> bool:
        """Waits until the host's process has ended; False if it had not by then."""
        return bool(select.select([self._pidfd], [], [], max(0.0, timeout))[0])

    @property
    def how_it_ended(self) -> str:
        """`exit code 3`, `signal SIGSEGV`; of a process that is not a child of ours only that it has ended."""
        if self._under_parent:
            return "ended"
        code = self.exit_code
        if code is None:
            return "not ended"
        if code >= 0:
            return f"exit code {code}"
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-code).name}"
        return f"signal {-code}"

    @property
    def exit_code(self) -> int | None:
        """The exit code; negative: the signal that ended it; None: it has not ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._child.wait(0.5 if self.wait(0) else 0)
        return None

    def become_ready(self, serves: Callable[[float], bool], timeout: float = 20.0) -> float:
        """Waits until the host serves. HostEnded where it ends, or takes too long, before.

        Args:
            serves: Asks the host, and waits at most so many seconds.
            timeout: Seconds that it may take.

        Returns:
            Seconds since the start.
        """
        end = self.started + timeout
        while True:
            self._read_ready()
            if not self.alive:
                raise HostEnded(self._told(f"The host ended before it was ready: {self.how_it_ended}"))
            if (self.ready_line or self.socket.exists()) and serves(min(1.0, end - time.monotonic())):
                return time.monotonic() - self.started
            if time.monotonic() > end:
                raise HostEnded(self._told(f"The host was not ready within {timeout:g} s"))
            self.wait(0.02)

    def _read_ready(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self.ready_line += os.read(self._ready, 64)

    def _told(self, what: str) -> str:
        if not self.alive:
            self.output.finish(1.0)
        tail = self.output.tail(8)
        return f"{what}. It printed last:\n" + "\n".join(tail) if tail else f"{what}. It printed nothing."

    def send(self, number: signal.Signals) -> None:
        """Sends a signal, if the process has not ended."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, number)

    def kill_parent(self) -> None:
        """SIGKILL to the process between, as if a core died."""
        assert self._under_parent
        self._child.kill()
        self._child.wait(10)

    def close(self) -> None:
        """Ends the host, and whatever it started in its session. Does nothing where that has been done."""
        if self._pidfd < 0:
            return
        self.send(signal.SIGTERM)
        if not self.wait(3):
            self.send(signal.SIGKILL)
            self.wait(10)
        # While the child is not waited for, its number, and that of its group, can't be another's.
        if self._child.returncode is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child.pid, signal.SIGKILL)
        self._child.wait(10)
        self.output.finish()
        os.close(self._pidfd)
        os.close(self._ready)
        self._pidfd = -1
        self._folder.cleanup()
