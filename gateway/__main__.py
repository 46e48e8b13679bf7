"""The gateway as a process of its own: `delphis serve gateway --grpc 127.0.0.1:8191 --http-listen 127.0.0.1:8190`."""

from __future__ import annotations

import asyncio
import gc
import importlib.metadata
import signal
import sys

import click
import uvloop

from delphis.tracing import spans
from gateway.backends import CORE, BackendAddress, Channels
from gateway.backends import parse as parse_backends
from gateway.gateway import Gateway, GatewaySettings
from gateway.server import TlsFiles, serve
from services.app import logs
from services.app.failure import StartFailure
from services.app.listen import parse_address, refuse_open_without_login
from services.app.options import backend_options


@click.command()
@click.option(
    "--grpc", "core", metavar="ADDRESS", help="The core's gRPC address: HOST:PORT or unix:PATH. Its name is `core`."
)
@click.option(
    "--grpc-ca", type=click.Path(dir_okay=False, exists=True), help="CA of the core's certificate: speak TLS with it."
)
@backend_options
@click.option(
    "--http-listen",
    "--listen",
    "listen",
    default="127.0.0.1:8190",
    show_default=True,
    metavar="HOST:PORT",
    help="REST; port 0: any free one.",
)
@click.option(
    "--auth",
    type=click.Choice(["none", "token"]),
    default="token",
    show_default=True,
    help="What the services ask for. With `none` only programs of this machine are let in.",
)
@click.option("--tls-certificate", type=click.Path(dir_okay=False, exists=True), help="PEM chain: serve HTTPS.")
@click.option("--tls-key", type=click.Path(dir_okay=False, exists=True), help="Its key.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
def main(
    core: str | None,
    grpc_ca: str | None,
    backends: tuple[str, ...],
    backend_cas: tuple[str, ...],
    listen: str,
    auth: str,
    tls_certificate: str | None,
    tls_key: str | None,
    log_format: str,
) -> None:
    """Serves over HTTP what gRPC services bind to paths."""
    try:
        address = parse_address(listen, "--listen")
        refuse_open_without_login(address, "--listen", auth)
        if (tls_certificate is None) != (tls_key is None):
            raise StartFailure("--tls-certificate and --tls-key go together; give both or none.")
        tls = TlsFiles(tls_certificate, tls_key) if tls_certificate and tls_key else None
        if core is not None and not core.startswith("unix:"):
            parse_address(core, "--grpc")
        addresses = parse_backends(
            backends, backend_cas, core=BackendAddress(CORE, core, grpc_ca) if core is not None else None
        )
        if not addresses:
            raise StartFailure("There is nothing to serve: give --grpc ADDRESS, --backend NAME=ADDRESS, or both.")
        logs.configure(log_format, "gateway")
        spans.start(spans.service_name("gateway"), importlib.metadata.version("delphis"))
        uvloop.run(_run(addresses, address.host, address.port, auth, tls))
    except (StartFailure, OSError) as failure:
        click.echo(f"gateway: {failure}", err=True)
        sys.exit(2)
    finally:
        spans.stop()


async def _run(addresses: list[BackendAddress], host: str, port: int, auth: str, tls: TlsFiles | None) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    channels = Channels(addresses)
    gateway = Gateway(GatewaySettings(login=auth == "token"))
    await gateway.start(channels.invokers)
    try:
        server = await serve(gateway, host, port, tls=tls)
        gc.collect()
        gc.freeze()  # descriptors and codecs stay: the collector need not look at them again
        click.echo(f"REST  {'https' if tls else 'http'}://{_shown(server.host)}:{server.port}")
        await ended.wait()
        await server.stop()
    finally:
        await gateway.stop()
        await channels.close()


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    main()
