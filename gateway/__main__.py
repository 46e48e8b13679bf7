"""The gateway as a process of its own: `python -m gateway --grpc 127.0.0.1:8191 --listen 127.0.0.1:8190`."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys

import click
import grpc
import uvloop

from gateway.gateway import Gateway, GatewaySettings
from gateway.server import TlsFiles, serve
from services.app.failure import StartFailure
from services.app.listen import parse_address, refuse_open_without_login
from services.calls.invoker import CHANNEL_OPTIONS, ChannelInvoker


@click.command()
@click.option(
    "--grpc",
    "targets",
    multiple=True,
    required=True,
    metavar="ADDRESS",
    help="HOST:PORT or unix:PATH of a service with reflection. May be given several times.",
)
@click.option(
    "--grpc-ca", type=click.Path(dir_okay=False, exists=True), help="CA of the services' certificates: speak TLS."
)
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
def main(
    targets: tuple[str, ...],
    grpc_ca: str | None,
    listen: str,
    auth: str,
    tls_certificate: str | None,
    tls_key: str | None,
) -> None:
    """Serves over HTTP what gRPC services bind to paths."""
    try:
        address = parse_address(listen, "--listen")
        refuse_open_without_login(address, "--listen", auth)
        if (tls_certificate is None) != (tls_key is None):
            raise StartFailure("--tls-certificate and --tls-key go together; give both or none.")
        tls = TlsFiles(tls_certificate, tls_key) if tls_certificate and tls_key else None
        ca = None
        if grpc_ca is not None:
            with open(grpc_ca, "rb") as file:
                ca = file.read()
        uvloop.run(_run(targets, ca, address.host, address.port, auth, tls))
    except (StartFailure, OSError) as failure:
        click.echo(f"gateway: {failure}", err=True)
        sys.exit(2)


async def _run(
    targets: tuple[str, ...], ca: bytes | None, host: str, port: int, auth: str, tls: TlsFiles | None
) -> None:
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    channels = {target: _channel(target, ca) for target in targets}
    gateway = Gateway(GatewaySettings(login=auth == "token"))
    await gateway.start({target: ChannelInvoker(channel) for target, channel in channels.items()})
    try:
        server = await serve(gateway, host, port, tls=tls)
        gc.collect()
        gc.freeze()  # descriptors and codecs stay: the collector need not look at them again
        click.echo(f"REST  {'https' if tls else 'http'}://{_shown(server.host)}:{server.port}")
        await ended.wait()
        await server.stop()
    finally:
        await gateway.stop()
        for channel in channels.values():
            await channel.close()


def _channel(target: str, ca: bytes | None) -> grpc.aio.Channel:
    if ca is None:
        return grpc.aio.insecure_channel(target, options=CHANNEL_OPTIONS)
    return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(ca), options=CHANNEL_OPTIONS)


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


if __name__ == "__main__":
    main()
