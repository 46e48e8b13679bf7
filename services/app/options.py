"""Options that several of the application's commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from services.app.settings import (
    DEFAULT_ALERTS_GRPC,
    DEFAULT_GRPC,
    DEFAULT_HTTP,
    DEFAULT_TELEMETRY_GRPC,
    default_data_dir,
)

Command = TypeVar("Command", bound=Callable[..., Any])


def _with(command: Command, *options: Callable[[Any], Any]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def backend_options(command: Command) -> Command:
    """The options for services of others behind the gateway."""
    return _with(
        command,
        click.option(
            "--backend",
            "backends",
            multiple=True,
            metavar="NAME=ADDRESS",
            help="Serve over HTTP what a gRPC service of yours, with reflection, binds to paths. ADDRESS is"
            " HOST:PORT or unix:PATH. May be given several times; who comes first has a path that two bind.",
        ),
        click.option(
            "--backend-ca",
            "backend_cas",
            multiple=True,
            metavar="NAME=FILE",
            help="CA of that backend's certificate: speak TLS with it.",
        ),
    )


def store_options(command: Command) -> Command:
    """The options of all that keeps something."""
    return _with(
        command,
        click.option(
            "--data-dir",
            type=click.Path(path_type=Path, file_okay=False),
            default=default_data_dir,
            help="Folder for the database and sockets. Default: ~/.local/share/delphis.",
        ),
        click.option(
            "--database",
            envvar="DELPHIS_DATABASE",
            metavar="URL",
            help="postgresql://… or sqlite:///…; default: SQLite in the data folder. A URL with a"
            " password belongs into DELPHIS_DATABASE, where other users can't read it.",
        ),
        click.option(
            "--key-file",
            envvar="DELPHIS_KEY_FILE",
            type=click.Path(dir_okay=False),
            help="Key that encrypts the arrays' credentials. Default: ~/.config/delphis/key.",
        ),
        click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
    )


def trap_options(command: Command) -> Command:
    """Where traps are taken."""
    return _with(
        command,
        click.option(
            "--trap-listen",
            "trap_listen",
            multiple=True,
            metavar="HOST:PORT",
            help="Take SNMP traps there, over UDP. May be given several times. Default: 0.0.0.0:162, or port 1162 where"
            " 162 is not permitted or taken; 127.0.0.1 where authentication is off.",
        ),
    )


def link_options(command: Command) -> Command:
    """Where links that are sent out lead."""
    return _with(
        command,
        click.option(
            "--public-url",
            default="",
            metavar="URL",
            help="The REST API as people reach it, https://delphis.example.org: alerts that are sent carry a link"
            " there. Default: no links.",
        ),
    )


def points_options(command: Command) -> Command:
    """The bounds of what waits to be sent, and where the points are that the history lacks."""
    return _with(
        command,
        click.option(
            "--sink-backlog",
            type=click.IntRange(1),
            default=1024,
            show_default=True,
            metavar="MIB",
            help="So much may wait for all sinks of metrics together. Beyond, the oldest goes.",
        ),
        click.option(
            "--sink-backlog-hours",
            type=click.FloatRange(0, min_open=True),
            default=24.0,
            show_default=True,
            metavar="HOURS",
            help="So long it may wait.",
        ),
        click.option(
            "--prometheus",
            metavar="URL",
            help="A Prometheus-compatible database, http://prometheus:9090, that has the metrics which Delphis sent:"
            " what Delphis' own history lacks is read from there.",
        ),
        click.option("--prometheus-ca", type=click.Path(dir_okay=False, exists=True), help="CA of its certificate."),
        click.option(
            "--prometheus-token-file", type=click.Path(dir_okay=False, exists=True), help="File with a bearer token."
        ),
        click.option("--prometheus-user", default="", metavar="NAME", help="User of basic authentication."),
        click.option(
            "--prometheus-password-file", type=click.Path(dir_okay=False, exists=True), help="File with the password."
        ),
        click.option(
            "--prometheus-header",
            "prometheus_headers",
            multiple=True,
            metavar="NAME=VALUE",
            help="A header, such as X-Scope-OrgID=storage. No secrets: others see it. May be given several times.",
        ),
    )


def core_options(command: Command) -> Command:
    """The options that `up` and `serve core` have in common."""
    return _with(
        command,
        store_options,
        click.option("--http-listen", default=DEFAULT_HTTP, show_default=True, metavar="HOST:PORT", help="REST."),
        click.option("--grpc-listen", default=DEFAULT_GRPC, show_default=True, metavar="HOST:PORT", help="gRPC."),
        click.option(
            "--drivers",
            multiple=True,
            type=click.Path(file_okay=False, exists=True),
            help="A folder with driver folders of your own. May be given several times.",
        ),
        click.option(
            "--tls-certificate", type=click.Path(dir_okay=False, exists=True), help="PEM chain for both ports."
        ),
        click.option("--tls-key", type=click.Path(dir_okay=False, exists=True), help="Its key."),
        click.option(
            "--lease-tls",
            type=click.Path(file_okay=False, exists=True),
            help="Folder with ca.pem, tls.pem and tls.key, for driver hosts that announce themselves.",
        ),
        click.option(
            "--lease-listen",
            metavar="HOST:PORT",
            help="gRPC with that certificate, for such hosts.",
        ),
        click.option(
            "--spawn/--no-spawn", default=True, help="Whether driver hosts are started as processes of the core."
        ),
        click.option("--lease-ttl", type=click.FloatRange(1, 3600), default=15.0, hidden=True),
    )


def alerts_options(command: Command) -> Command:
    """The options of `serve alerts` alone."""
    return _beside_core(command, DEFAULT_ALERTS_GRPC)


def telemetry_options(command: Command) -> Command:
    """The options of `serve telemetry` alone."""
    return _beside_core(command, DEFAULT_TELEMETRY_GRPC)


def _beside_core(command: Command, listen: str) -> Command:
    """The options of a process that the core relays to, and that calls the core."""
    return _with(
        command,
        click.option(
            "--grpc-listen",
            default=listen,
            show_default=True,
            metavar="ADDRESS",
            help="HOST:PORT or unix:PATH for gRPC, which the core alone calls.",
        ),
        click.option(
            "--inventory",
            default=DEFAULT_GRPC,
            show_default=True,
            metavar="ADDRESS",
            help="The core's gRPC address: HOST:PORT or unix:PATH.",
        ),
        click.option(
            "--inventory-ca",
            type=click.Path(dir_okay=False, exists=True),
            help="CA of the core's certificate: speak TLS with it.",
        ),
        click.option(
            "--token-file",
            type=click.Path(dir_okay=False, exists=True),
            required=True,
            help="File with the token of Delphis' own processes: the one that the core was given.",
        ),
        click.option("--tls-certificate", type=click.Path(dir_okay=False, exists=True), help="PEM chain for gRPC."),
        click.option("--tls-key", type=click.Path(dir_okay=False, exists=True), help="Its key."),
    )
