"""The core process: inventory, registry, router and gateway on one event loop.

As a child of `delphis up` it is `python -m services.app.core SETTINGS_FD READY_FD PARENT_PID`; `delphis serve core`
runs it in its own process. It ends with 0 after SIGTERM, with 2 where an operator must mend something first.
"""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import importlib.metadata
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import uvloop

from services.app import logs, process
from services.app.failure import StartFailure
from services.app.settings import CoreSettings

log = logging.getLogger(__name__)

Ready = Callable[[dict[str, Any]], None]


def run_process(settings: CoreSettings, on_ready: Ready) -> int:
    """Runs the core until SIGTERM or SIGINT; its exit code."""
    gc.disable()  # it finds nothing while modules are loaded, and takes a tenth of the time
    process.harden()
    logs.configure(settings.log_format)
    try:
        uvloop.run(_run(settings, on_ready))
    except StartFailure as failure:
        sys.stderr.write(f"delphis: {failure}\n")
        return 2
    return 0


def main() -> int:
    """The child of `delphis up`."""
    settings_fd, ready_fd, parent = (int(argument) for argument in sys.argv[1:])
    process.die_with(parent)
    os.set_inheritable(settings_fd, False)
    os.set_inheritable(ready_fd, False)
    with os.fdopen(settings_fd) as pipe:
        settings = CoreSettings.from_json(pipe.read())

    def ready(where: dict[str, Any]) -> None:
        os.write(ready_fd, json.dumps(where).encode())
        os.close(ready_fd)

    return run_process(settings, ready)


async def _run(settings: CoreSettings, on_ready: Ready) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with _core(settings) as where:
        on_ready(where)
        # What start-up made stays: the collector need not look at it again (measured: worst stall 19 -> 9 ms).
        gc.collect()
        gc.freeze()
        gc.enable()
        await stop.wait()
        log.info("stopping")


@asynccontextmanager
async def _core(settings: CoreSettings) -> AsyncIterator[dict[str, Any]]:
    from services.app.demo import register_demo
    from services.app.ports import open_grpc, open_http
    from services.app.wiring import wire

    async with AsyncExitStack() as stack:
        core = await stack.enter_async_context(wire(settings))
        grpc_address = await stack.enter_async_context(open_grpc(settings, core.pipeline, core.reflection))
        where: dict[str, Any] = {"version": importlib.metadata.version("delphis"), "grpc": grpc_address}
        if settings.lease_listen is not None:
            for_hosts = dataclasses.replace(
                settings,
                grpc_listen=settings.lease_listen,
                tls_certificate=f"{settings.lease_tls}/tls.pem",
                tls_key=f"{settings.lease_tls}/tls.key",
            )
            where["leases"] = await stack.enter_async_context(open_grpc(for_hosts, core.pipeline, core.reflection))
        if settings.http_listen is not None:
            http_address = await stack.enter_async_context(open_http(settings, core.pipeline, core.reflection))
            scheme = "https" if settings.tls_certificate else "http"
            where |= {"http": http_address, "rest": f"{scheme}://{http_address}/v1"}
        if settings.demo:
            demo = asyncio.create_task(register_demo(core.pipeline, core.service_token))
            stack.callback(demo.cancel)
        yield where


if __name__ == "__main__":
    sys.exit(main())
