"""The host as a process: what it tells whoever started it, and what it keeps from everybody else."""

from __future__ import annotations

import asyncio
import ctypes
import logging
import os
import resource
from collections.abc import Callable

log = logging.getLogger(__name__)

_PR_SET_DUMPABLE = 4
_PARENT_CHECK = 2.0


def keep_memory_private() -> None:
    """No core dumps, and no other process of the same user reads this one's memory: it holds credentials."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        log.warning("the host's memory can be read by other processes: %s", os.strerror(ctypes.get_errno()))


def say_ready(descriptor: int | None) -> None:
    """Writes the line that the supervisor waits for."""
    if descriptor is None:
        return
    try:
        os.write(descriptor, b"ready\n")
        os.close(descriptor)
    except OSError as error:
        log.warning("nobody could be told that the host is ready: %s", error)


async def watch_parent(parent: int, ended: Callable[[], None]) -> None:
    """Calls `ended` when the parent has ended. The launcher's own signal is quicker; this is for hosts without one."""
    while os.getppid() == parent:  # noqa: ASYNC110 - there is no event to wait for
        await asyncio.sleep(_PARENT_CHECK)
    log.warning("process %d, which started this host, has ended", parent)
    ended()
