"""A driver host that is a process of ours."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path
from typing import Any

from services.registry.channel import HostChannel
from services.registry.errors import HostSilent, StartFailed
from services.registry.host import Host, HostState
from services.registry.host_environment import command_line, environment
from services.registry.host_process import HostProcess
from services.registry.manifest import Manifest
from services.registry.settings import HostSettings

_POLL = 0.02
_MB = 1024 * 1024


class SpawnedHost(Host):
    """A host with its process. Made with the process started; `become_ready` waits until it serves."""

    def __init__(self, manifest: Manifest, settings: HostSettings, socket_path: Path, *, probation: bool) -> None:
        endpoint = f"unix://{socket_path}"
        super().__init__(manifest, endpoint)
        self.probation = probation
        self.killed_for = ""
        """Why we killed it, where a limit of ours was broken."""
        self.wanted_end = False
        """We asked it to end: nobody is to blame."""
        self._settings = settings
        self._socket_path = socket_path
        try:
            ready_read, ready_write = os.pipe()
            self.process = HostProcess.spawn(
                manifest.name,
                command_line(manifest, settings),
                environment(manifest, settings, endpoint=endpoint, ready_fd=ready_write),
                ready_fd=(ready_read, ready_write),
                folder=manifest.folder or Path("/"),
                # A net below the watch on resident memory: one that grows faster than we look gets an error of malloc.
                # It counts what is reserved, thread stacks too, so it must be wider than the limit itself.
                memory_bytes=(2 * manifest.limits.memory_mb + 512) * _MB,
                open_files=manifest.limits.open_files,
            )
        except OSError as error:
            raise StartFailed(f"its process can't be started: {error}") from error

    async def become_ready(self) -> None:
        """Waits until it serves. StartFailed where it ends, or takes too long, before; then its process has ended."""
        dial = asyncio.ensure_future(self._dial())
        exited = self.process.exited
        limit = self._settings.start_timeout
        either: set[asyncio.Future[Any]] = {dial, exited}
        try:
            await asyncio.wait(either, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if dial.done():
                dial.result()
            elif exited.done():
                raise StartFailed("it ended before it was ready")
            else:
                raise StartFailed(f"it was not ready within {limit:g} s")
        except StartFailed as failure:
            # Its end may be the cause of a failed dial: it is known a moment later.
            await asyncio.wait({exited}, timeout=0.1)
            message = "it ended before it was ready" if exited.done() else failure.message
            ended = await self.process.kill()
            await self._undo(dial)
            raise StartFailed(message, exit_text=str(ended), log_tail=self.process.tail) from failure
        except BaseException:  # whatever it is, no process is left behind
            await self.process.kill()
            await self._undo(dial)
            raise
        self.state = HostState.SERVING

    async def _undo(self, dial: asyncio.Future[None]) -> None:
        self.state = HostState.DEAD
        dial.cancel()
        await asyncio.gather(dial, return_exceptions=True)
        await self.close_channel()
        self.remove_socket()

    def remove_socket(self) -> None:
        """Removes what the process left in the runtime folder."""
        with contextlib.suppress(OSError):
            self._socket_path.unlink()

    async def _dial(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._settings.start_timeout
        ready = self.process.ready
        while not ready.done() and not _listens(self._socket_path):
            await asyncio.wait({ready}, timeout=_POLL)
        await self.introduce(HostChannel(f"unix:{self._socket_path}"), deadline - loop.time())
        # A host that could not load its driver serves nothing but the reason; that is an answer, not a failed start.
        while True:
            if self.info.load_error or await self._healthy(deadline - loop.time()):
                return
            await asyncio.sleep(_POLL)

    async def _healthy(self, timeout: float) -> bool:
        try:
            return await self.channel.healthy(timeout)
        except HostSilent as error:
            raise StartFailed(f"it can't be asked for its health: {error}") from error


def _listens(path: Path) -> bool:
    """Whether somebody accepts connections at the socket."""
    if not path.exists():
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(str(path))
        except BlockingIOError:  # a full backlog: it listens
            return True
        except OSError:
            return False
    return True
