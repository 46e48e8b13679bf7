"""How each of the application's processes runs: hardened, until it is told to stop.

As a child of `delphis up` it is `python -m services.app.NAME SETTINGS_FD READY_FD PARENT_PID`; `delphis serve NAME`
runs it in its own process. It ends with 0 after SIGTERM, with 2 where an operator must mend something first.
"""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import json
import logging
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

import uvloop

from delphis.tracing import spans
from services.app import logs, process
from services.app.failure import StartFailure

log = logging.getLogger(__name__)


class Settings(Protocol):
    """What a process is told at its start."""

    @property
    def log_format(self) -> str:
        """`text` or `json`."""
        ...


Given = TypeVar("Given", bound=Settings)
Where = dict[str, Any]
"""Where a process can be reached: JSON, for its parent and for people."""
Ready = Callable[[Where], None]
Opened = Callable[[Given], AbstractAsyncContextManager[Where]]
"""Opens all that a process does; what it yields can be used, what it leaves is closed."""


def run_process(name: str, settings: Given, opened: Opened[Given], on_ready: Ready) -> int:
    """Runs until SIGTERM or SIGINT; the exit code. `name` is `core`, `alerts` or `telemetry`."""
    gc.disable()  # it finds nothing while modules are loaded, and takes a tenth of the time
    process.harden()
    logs.configure(settings.log_format, name)
    spans.start(spans.service_name(name), importlib.metadata.version("delphis"))
    try:
        uvloop.run(_run(settings, opened, on_ready))
    except StartFailure as failure:
        sys.stderr.write(f"delphis: {failure}\n")
        return 2
    finally:
        spans.stop()
    return 0


def main(name: str, from_json: Callable[[str], Given], opened: Opened[Given]) -> int:
    """The child of `delphis up`."""
    settings_fd, ready_fd, parent = (int(argument) for argument in sys.argv[1:])
    process.die_with(parent)
    os.set_inheritable(settings_fd, False)
    os.set_inheritable(ready_fd, False)
    with os.fdopen(settings_fd) as pipe:
        settings = from_json(pipe.read())

    def ready(where: Where) -> None:
        os.write(ready_fd, json.dumps(where).encode())
        os.close(ready_fd)

    return run_process(name, settings, opened, ready)


async def _run(settings: Given, opened: Opened[Given], on_ready: Ready) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with opened(settings) as where:
        on_ready(where)
        # What start-up made stays: the collector need not look at it again (measured: worst stall 19 -> 9 ms). Nor
        # need it before: 0.6 % of it is garbage, and to find that takes 60 ms, in which the first callers come.
        gc.freeze()
        gc.enable()
        await stop.wait()
        log.info("stopping")
