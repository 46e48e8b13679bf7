"""Runs a host: from its settings to its exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import ipaddress
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from delphis.sdk.host import logs, metrics, process
from delphis.sdk.host.calls import Calls
from delphis.sdk.host.contract import SERVICE
from delphis.sdk.host.lease_settings import lease_settings
from delphis.sdk.host.loading import LoadedDriver, load
from delphis.sdk.host.metrics import Metrics
from delphis.sdk.host.reflection import Reflection
from delphis.sdk.host.service import StorageDriverService
from delphis.sdk.host.settings import HostSettings, SettingsError, Tls
from delphis.sdk.version import VERSION
from delphis.tracing import spans

log = logging.getLogger(__name__)

HEALTH = "grpc.health.v1.Health"
# Between two looks at what changes slowly: stuck calls, idle sessions.
HOUSEKEEPING = 0.5
FOR_CALLS = 0.75  # of the time to drain; the rest is for logouts

_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.so_reuseport", 0),  # a second host at the same address is a mistake, not a partner
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
)


def main(settings: HostSettings) -> int:
    """Serves until told to stop. Returns the process's exit code."""
    logs.start(settings.log_level, settings.log_format, settings.driver)
    process.keep_memory_private()
    if settings.parent_pid is not None and os.getppid() != settings.parent_pid:
        log.error("process %d, which started this host, has ended already", settings.parent_pid)
        return 1
    loaded = load(settings.driver_class)
    about = {spans.DRIVER: settings.driver, "delphis.driver.version": settings.version}
    spans.start(os.environ.get(spans.SERVICE_NAME) or spans.service_name("driver-host"), VERSION, **about)
    # A driver's module may have changed how signals are treated.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM, signal.SIGINT})
    try:
        code = asyncio.run(_serve(settings, loaded))
    except SettingsError as error:
        log.error("%s", error)
        return 2
    finally:
        spans.stop()
    if settings.endpoint.startswith("unix:"):
        Path(_socket_path(settings.endpoint)).unlink(missing_ok=True)
    return code


def leave(code: int) -> None:
    """Ends the process without waiting for threads that don't come back."""
    logging.shutdown()
    if isinstance(sys.stdout, logs.ScrubbedStream):
        sys.stdout.finish()
    os._exit(code)


async def _serve(settings: HostSettings, loaded: LoadedDriver) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    leases = lease_settings(settings)
    calls = Calls(settings, loaded)
    counted = Metrics(settings.driver, lambda: _gauges(calls, service))
    service = StorageDriverService(settings, loaded, calls, counted)
    healthy = health.aio.HealthServicer()
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((service, Reflection((SERVICE.full_name, HEALTH))))
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    address = _listen(server, settings)
    await _set_health(healthy, serving=True, loaded=loaded.driver is not None)
    await server.start()
    metrics_server = None
    if settings.metrics is not None:
        try:
            metrics_server = await metrics.serve(settings.metrics, counted.text)
        except (OSError, ValueError) as error:
            raise SettingsError(f"DELPHIS_DRIVER_METRICS {settings.metrics!r} can't be served: {error}.") from None
    process.say_ready(settings.ready_fd)
    log.info("the driver %s serves at %s", settings.driver, address)

    # A host that nobody here started is replaced by whoever runs its container, once it has ended.
    replaced = stop.set if leases is not None else None
    tasks = [
        asyncio.create_task(_housekeeping(calls, healthy, loaded, replaced)),
        asyncio.create_task(_begin_collecting()),
    ]
    if settings.parent_pid is not None:
        tasks.append(asyncio.create_task(process.watch_parent(settings.parent_pid, stop.set)))
    lease: contextlib.AbstractAsyncContextManager[None] = contextlib.nullcontext()
    if leases is not None:
        from delphis.sdk.host.lease import LeaseKeeper, kept  # most hosts have no lease, and start in little time

        lease = kept(LeaseKeeper(leases, settings, calls.server_id, address, calls.sessions.forget_all))
    async with lease:
        await stop.wait()

    log.info("the driver %s stops; %d calls are under way", settings.driver, service.in_flight)
    for task in tasks:
        task.cancel()
    await healthy.enter_graceful_shutdown()
    end = loop.time() + settings.drain * 0.95
    await _drain(server, service, settings.drain * FOR_CALLS)
    try:
        async with asyncio.timeout_at(end):
            await calls.sessions.close_all()
    except TimeoutError:
        log.warning("some arrays could not be logged out of in time")
    if metrics_server is not None:
        metrics_server.close()
    return 1 if leases is not None and calls.wants_replacement else 0


async def _drain(server: grpc.aio.Server, service: StorageDriverService, grace: float) -> None:
    """Takes no more calls, and waits for those under way.

    Not by `server.stop(grace)`: it would wait for health's watchers too, and cancels calls that come in that moment,
    which looks to their callers as if they had done it themselves.
    """
    service.draining = True
    try:
        async with asyncio.timeout(grace):
            await service.idle.wait()
    except TimeoutError:
        log.warning("%d calls did not end within %.3g s", service.in_flight, grace)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.stop(0.2), 2)


async def _begin_collecting() -> None:
    """Lets the garbage collector work, but not on what is loaded by now and stays.

    That takes 15 ms, for which those need not wait whose calls made the host start.
    """
    await asyncio.sleep(HOUSEKEEPING)
    gc.collect()
    gc.freeze()
    gc.enable()


async def _housekeeping(calls: Calls, healthy: Any, loaded: LoadedDriver, replaced: Callable[[], None] | None) -> None:
    asked = False
    while True:
        await asyncio.sleep(HOUSEKEEPING)
        calls.sessions.close_idle()
        if calls.wants_replacement and not asked:
            asked = True
            await _set_health(healthy, serving=False, loaded=loaded.driver is not None)
            log.error(
                "the host asks to be replaced: %s",
                "memory ran out" if calls.out_of_memory else f"{calls.lanes.stuck} calls are stuck in the driver",
            )
            if replaced is not None:
                replaced()


async def _set_health(healthy: Any, *, serving: bool, loaded: bool) -> None:
    """The process serves even where the driver could not be loaded: it says why."""
    states = health_pb2.HealthCheckResponse
    await healthy.set("", states.SERVING if serving else states.NOT_SERVING)
    await healthy.set(SERVICE.full_name, states.SERVING if serving and loaded else states.NOT_SERVING)


def _gauges(calls: Calls, service: StorageDriverService) -> dict[str, float]:
    outbox = spans.tracer.outbox if spans.tracer is not None else None
    return {
        **({"spans_sent": outbox.sent, "spans_lost": outbox.lost} if outbox is not None else {}),
        "calls_in_flight": service.in_flight,
        "calls_running": calls.lanes.running,
        "calls_waiting": calls.lanes.waiting,
        "calls_stuck": calls.lanes.stuck,
        "sessions": len(calls.sessions),
    }


def _listen(server: grpc.aio.Server, settings: HostSettings) -> str:
    """Binds the endpoint; the address that it has become. SettingsError where it can't be had."""
    endpoint = settings.endpoint
    try:
        if endpoint.startswith("unix:"):
            path = _socket_path(endpoint)
            if len(path.encode()) > 107:
                raise SettingsError(f"The socket's path is longer than the 107 bytes that the system takes: {path}")
            before = os.umask(0o117)  # 0660: who may connect is decided by the folder and this
            try:
                server.add_insecure_port(f"unix:{path}")
            finally:
                os.umask(before)
            return f"unix://{path}"
        if endpoint.startswith("tcp://"):
            host, _, port = endpoint.removeprefix("tcp://").rpartition(":")
            bound = _listen_tcp(server, host, port, settings.tls)
            return f"tcp://{host}:{bound}"
    except RuntimeError as error:
        raise SettingsError(f"The endpoint {endpoint} can't be had: {error}.") from None
    raise SettingsError(f"The endpoint must be unix:///path or tcp://host:port, not {endpoint!r}.")


def _listen_tcp(server: grpc.aio.Server, host: str, port: str, tls: Tls | None) -> int:
    if tls is None:
        if not _is_loopback(host):
            raise SettingsError(
                f"A host that serves at {host} needs TLS, since calls carry credentials: set DELPHIS_DRIVER_TLS_CA, "
                "DELPHIS_DRIVER_TLS_CERT and DELPHIS_DRIVER_TLS_KEY."
            )
        return server.add_insecure_port(f"{host}:{port}")
    try:
        credentials = grpc.ssl_server_credentials(
            [(tls.key.read_bytes(), tls.cert.read_bytes())], tls.ca.read_bytes(), require_client_auth=True
        )
    except OSError as error:
        raise SettingsError(f"A TLS file can't be read: {error}.") from None
    return server.add_secure_port(f"{host}:{port}", credentials)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _socket_path(endpoint: str) -> str:
    return endpoint.removeprefix("unix:").removeprefix("//")
