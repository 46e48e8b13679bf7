"""A real `delphis up` in a folder of its own, and what tests and benchmarks ask of it."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import signal
import subprocess
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

Value = TypeVar("Value")
START_TIMEOUT = 120.0
DELPHIS = str(Path(sysconfig.get_path("scripts")) / "delphis")
"""The command, as installed."""


def wait_for(what: str, probe: Callable[[], Value | None], timeout: float = 60.0, interval: float = 0.02) -> Value:
    """What the probe answers as soon as it answers something true; AssertionError after the deadline."""
    end = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"no {what} within {timeout} s")
        time.sleep(interval)


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.text)


class Up:
    """`delphis up` (or another of the application's commands that listens), ready when the constructor returns."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        command: tuple[str, ...] = ("up",),
        http: bool = True,
        program: str = DELPHIS,
        telemetry: bool = False,
    ) -> None:
        self.folder = folder
        self.command = command
        self.data_dir = folder / "data"
        arguments = [program, *command]
        if "serve" not in command or "core" in command:
            arguments += ["--data-dir", str(self.data_dir), "--grpc-listen", "127.0.0.1:0"]
        if "up" in command and "--trap-listen" not in options:
            arguments += ["--trap-listen", "127.0.0.1:0"]
        if "up" in command and not telemetry:
            arguments.append("--no-telemetry")
        arguments += ["--http-listen", "127.0.0.1:0", *options]
        environment = {
            **os.environ,
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_DATA_HOME": str(folder / "share"),
            "PYTHONUNBUFFERED": "1",
        }
        # As installed, it starts from byte code. Without, each start compiles 400 modules.
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            arguments,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self.rest = self._find(r"REST\s+(https?://[^/\s]+)") if http else ""
            self.grpc = self._find(r"gRPC\s+(\S+)") if "gateway" not in command else ""
        except AssertionError as error:
            self.stop()
            raise AssertionError(f"{error}; it said:\n{self.log()}") from None

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line)

    def _find(self, pattern: str) -> str:
        def probe() -> str | None:
            for line in list(self.lines):
                if found := re.search(pattern, line):
                    return found.group(1)
            if self.process.poll() is not None:
                raise AssertionError(f"`up` ended with {self.process.returncode}")
            return None

        return wait_for(f"line with {pattern!r}", probe, START_TIMEOUT)

    def log(self) -> str:
        """Everything that it printed."""
        return "".join(self.lines)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        timeout: float = 60.0,
    ) -> Reply:
        """One REST request. `body` is sent as JSON, bytes as they are."""
        host = self.rest.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=timeout)
        try:
            sent = dict(headers or {})
            data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
            if data is not None:
                sent.setdefault("Content-Type", "application/json")
            connection.request(method, path, body=data, headers=sent)
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode())
        finally:
            connection.close()

    def get(self, path: str) -> Any:
        """The JSON of a GET that must succeed."""
        reply = self.ask("GET", path)
        assert reply.status == 200, (path, reply)
        return reply.json

    def register(self, port: int = 1, *, host: str = "127.0.0.1", **extra: str) -> dict[str, Any]:
        """A generated array."""
        reply = self.ask("POST", "/v1/storages", fake_array(port, host=host, **extra))
        assert reply.status == 201, reply
        storage: dict[str, Any] = reply.json
        return storage

    def wait_synced(self, storage_id: str, timeout: float = 60.0, interval: float = 0.02) -> dict[str, Any]:
        """The storage as soon as no sync waits or runs."""

        def probe() -> dict[str, Any] | None:
            storage: dict[str, Any] = self.get(f"/v1/storages/{storage_id}")
            return storage if storage["sync_status"] == "SYNCED" else None

        return wait_for("end of the sync", probe, timeout, interval)

    def sync(self, storage_id: str, timeout: float = 60.0, interval: float = 0.02) -> dict[str, Any]:
        """Syncs and waits."""
        reply = self.ask("POST", f"/v1/storages/{storage_id}/sync")
        assert reply.status == 202, reply
        return self.wait_synced(storage_id, timeout, interval)

    def core_pid(self) -> int:
        """Process id of the core."""
        return self.process.pid if "serve" in self.command else self.child_pid("core")

    def child_pid(self, name: str) -> int:
        """Process id of a child of `up`: `core`, `alerts` or `telemetry`."""
        for pid, arguments in children(self.process.pid):
            if f"services.app.{name} " in arguments:
                return pid
        raise AssertionError(f"no {name} process")

    def wait_traps(self) -> str:
        """Where traps are taken, as soon as the alerts process of `up` answers: HOST:PORT."""
        found = self._find(r"^  traps\s+(\S+)").rstrip(",")
        wait_for("alerts", lambda: self.ask("GET", "/v1/alert-settings").status != 503)
        return found

    def host_pids(self, driver: str = "") -> list[int]:
        """Process ids of the driver hosts, by the driver's name on their command line."""
        return [pid for pid, args in children(self.core_pid()) if "delphis.sdk.host" in args and driver in args]

    def stop(self, timeout: float = 60.0) -> int:
        """Ends it as an operator does; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"`up` did not end within {timeout} s:\n{self.log()}") from None
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()
        return self.process.returncode

    def kill(self) -> None:
        """kill -9 of the parent; its children end with it."""
        family = [pid for pid, _ in children(self.process.pid)]
        family += [pid for child in family for pid, _ in children(child)]
        self.process.kill()
        self.process.wait()
        self._reader.join(5)
        if self.process.stdout is not None:
            self.process.stdout.close()
        wait_for("end of the children", lambda: not any(alive(pid) for pid in family))


@contextlib.contextmanager
def up(
    folder: Path,
    *options: str,
    command: tuple[str, ...] = ("up",),
    program: str = DELPHIS,
    telemetry: bool = False,
) -> Iterator[Up]:
    """A running Delphis for a block; without telemetry, whose process takes time to start, unless it is wanted."""
    running = Up(folder, *options, command=command, program=program, telemetry=telemetry)
    try:
        yield running
    finally:
        running.stop()


@contextlib.contextmanager
def core_alone(folder: Path, *options: str) -> Iterator[Up]:
    """As `up`, without alerts: a third of its start. For what needs no traps and no parent."""
    auth = () if "--auth" in options else ("--auth", "none")
    with up(folder, *auth, *options, command=("serve", "core")) as running:
        yield running


def fake_array(port: int, *, host: str = "127.0.0.1", **extra: str) -> dict[str, Any]:
    """The body that registers a generated array; `extra` are its attributes."""
    return {
        "vendor": "fake_storage",
        "model": "fake_driver",
        "rest": {"host": host, "port": port, "username": "admin", "password": "secret-9c1f"},
        "extra_attributes": extra,
    }


def alive(pid: int) -> bool:
    """Whether a process runs; one that waits for its parent to notice its end does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def children(pid: int) -> list[tuple[int, str]]:
    """Child processes with their command lines."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                found.append((int(child), line))
    return found
