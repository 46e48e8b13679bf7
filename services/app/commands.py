"""The application's commands: `delphis up`, `delphis serve …` and `delphis db …`.

They import what they need when they run: the command line must answer at once.
"""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.app.failure import StartFailure
from services.app.options import (
    alerts_options,
    backend_options,
    core_options,
    link_options,
    points_options,
    store_options,
    telemetry_options,
    trap_options,
)
from services.app.settings import CoreSettings, default_data_dir, sqlite_url

if TYPE_CHECKING:
    from services.alerts.settings import AlertsSettings
    from services.telemetry.settings import TelemetryChoices, TelemetrySettings


def _fail(failure: StartFailure) -> None:
    click.echo(f"delphis: {failure}", err=True)
    sys.exit(2)


def _settings(options: dict[str, Any], *, auth: str, demo: bool = False) -> CoreSettings:
    data_dir = Path(options["data_dir"]).absolute()
    return CoreSettings(
        data_dir=str(data_dir),
        database=options["database"] or sqlite_url(data_dir),
        http_listen=options["http_listen"],
        grpc_listen=options["grpc_listen"],
        auth=auth,
        key_file=options["key_file"],
        drivers=tuple(str(Path(folder).absolute()) for folder in options["drivers"]),
        service_token_file=options.get("token_file"),
        alerts=options.get("alerts"),
        alerts_ca=_absolute_file(options.get("alerts_ca")),
        telemetry=options.get("telemetry"),
        telemetry_ca=_absolute_file(options.get("telemetry_ca")),
        tls_certificate=options["tls_certificate"],
        tls_key=options["tls_key"],
        backends=options["backends"],
        backend_cas=tuple(_absolute(text) for text in options["backend_cas"]),
        lease_tls=str(Path(options["lease_tls"]).absolute()) if options["lease_tls"] else None,
        lease_listen=options["lease_listen"],
        lease_ttl=options["lease_ttl"],
        spawn=options["spawn"],
        log_format=options["log_format"],
        demo=demo,
    )


def _absolute_file(path: str | None) -> str | None:
    return str(Path(path).absolute()) if path else None


def _absolute(pair: str) -> str:
    name, equals, file = pair.partition("=")
    return f"{name}{equals}{Path(file).absolute()}" if file else pair


def _check_listen(settings: CoreSettings) -> None:
    from services.app.listen import check_pair, check_peer, parse_address, refuse_open_without_login

    for option, text in (("--http-listen", settings.http_listen), ("--grpc-listen", settings.grpc_listen)):
        if text is not None and not text.startswith("unix:"):
            refuse_open_without_login(parse_address(text, option), option, settings.auth)
    if settings.backends or settings.backend_cas:
        from gateway import backends

        backends.parse(settings.backends, settings.backend_cas, core=None)
    if settings.lease_listen is not None:
        refuse_open_without_login(
            parse_address(settings.lease_listen, "--lease-listen"), "--lease-listen", settings.auth
        )
        if settings.lease_tls is None:
            raise StartFailure("--lease-listen needs --lease-tls: the certificate that hosts are shown.")
    if settings.alerts is not None:
        check_peer("--alerts", settings.alerts, settings.alerts_ca, settings.service_token_file)
    if settings.telemetry is not None:
        check_peer("--telemetry", settings.telemetry, settings.telemetry_ca, settings.service_token_file)
    check_pair(settings.tls_certificate, settings.tls_key)


@click.command()
@core_options
@backend_options
@trap_options
@link_options
@points_options
@click.option(
    "--auth",
    type=click.Choice(["none", "token"]),
    default="none",
    show_default=True,
    help="Whether callers need a token. `none` is for this machine alone.",
)
@click.option("--demo", is_flag=True, help="Register three generated arrays to look at.")
@click.option("--no-telemetry", is_flag=True, help="Collect no metrics: the telemetry process is not started.")
def up(auth: str, demo: bool, no_telemetry: bool, **options: Any) -> None:
    """Run all of Delphis on this machine."""
    from services.app.all import run
    from services.app.listen import check_public_url

    settings = _settings(options, auth=auth, demo=demo)
    try:
        _check_listen(settings)
        code = run(
            settings,
            options["trap_listen"],
            public_url=check_public_url(options["public_url"]),
            telemetry=not no_telemetry,
            choices=_telemetry_choices(options),
        )
    except StartFailure as failure:
        _fail(failure)
        return
    sys.exit(code)


@click.group()
def serve() -> None:
    """Run one process of Delphis alone."""


@serve.command("core")
@core_options
@backend_options
@click.option(
    "--auth",
    type=click.Choice(["none", "token"]),
    default="token",
    show_default=True,
    help="Whether callers need a token.",
)
@click.option(
    "--token-file", type=click.Path(dir_okay=False, exists=True), help="File with the token of Delphis' own processes."
)
@click.option("--alerts", metavar="ADDRESS", help="Where the alerts process serves gRPC: HOST:PORT or unix:PATH.")
@click.option(
    "--alerts-ca", type=click.Path(dir_okay=False, exists=True), help="CA of its certificate: speak TLS with it."
)
@click.option("--telemetry", metavar="ADDRESS", help="Where the telemetry process serves gRPC.")
@click.option(
    "--telemetry-ca", type=click.Path(dir_okay=False, exists=True), help="CA of its certificate: speak TLS with it."
)
def serve_core(auth: str, **options: Any) -> None:
    """The inventory, with registry, router and gateway."""
    from services.app.banner import show
    from services.app.datadir import DataDir

    settings = _settings(options, auth=auth)
    try:
        _check_listen(settings)
        folder = DataDir(Path(settings.data_dir))
    except StartFailure as failure:
        _fail(failure)
        return
    from services.app.child import run_process
    from services.app.core import open_core

    with folder:
        sys.exit(run_process("core", settings, open_core, lambda ready: show(settings, ready)))


@serve.command("alerts")
@store_options
@trap_options
@link_options
@alerts_options
def serve_alerts(**options: Any) -> None:
    """The alerts service, with its receiver of SNMP traps."""
    from services.app.banner import show_alerts
    from services.app.datadir import ALERTS, DataDir

    try:
        settings = _alerts_settings(options)
        folder = DataDir(Path(settings.data_dir), ALERTS)
    except StartFailure as failure:
        _fail(failure)
        return
    from services.app.alerts import open_alerts
    from services.app.child import run_process

    with folder:
        sys.exit(run_process("alerts", settings, open_alerts, lambda ready: show_alerts(settings, ready)))


def _alerts_settings(options: dict[str, Any]) -> AlertsSettings:
    from services.alerts.settings import AlertsSettings
    from services.app.listen import check_pair, check_peer, check_public_url, check_traps, parse_address

    data_dir = Path(options["data_dir"]).absolute()
    if not options["grpc_listen"].startswith("unix:"):
        parse_address(options["grpc_listen"], "--grpc-listen")
    check_pair(options["tls_certificate"], options["tls_key"])
    check_peer("--inventory", options["inventory"], options["inventory_ca"], options["token_file"])
    return AlertsSettings(
        data_dir=str(data_dir),
        database=options["database"] or sqlite_url(data_dir, "alerts"),
        grpc_listen=options["grpc_listen"],
        inventory=options["inventory"],
        inventory_ca=_absolute_file(options["inventory_ca"]),
        key_file=options["key_file"],
        trap_listen=check_traps(options["trap_listen"], auth="token"),
        trap_fallback=not options["trap_listen"],
        public_url=check_public_url(options["public_url"]),
        service_token_file=options["token_file"],
        tls_certificate=options["tls_certificate"],
        tls_key=options["tls_key"],
        log_format=options["log_format"],
    )


@serve.command("telemetry")
@store_options
@telemetry_options
@points_options
def serve_telemetry(**options: Any) -> None:
    """The telemetry service."""
    from services.app.banner import show_telemetry
    from services.app.datadir import TELEMETRY, DataDir

    try:
        settings = _telemetry_settings(options)
        folder = DataDir(Path(settings.data_dir), TELEMETRY)
    except StartFailure as failure:
        _fail(failure)
        return
    from services.app.child import run_process
    from services.app.telemetry import open_telemetry

    with folder:
        sys.exit(run_process("telemetry", settings, open_telemetry, lambda ready: show_telemetry(settings, ready)))


def _telemetry_choices(options: dict[str, Any]) -> TelemetryChoices:
    from services.telemetry.settings import TelemetryChoices

    choices = TelemetryChoices(
        sink_backlog=options["sink_backlog"],
        sink_backlog_hours=options["sink_backlog_hours"],
        prometheus=options["prometheus"],
        prometheus_ca=_absolute_file(options["prometheus_ca"]),
        prometheus_user=options["prometheus_user"],
        prometheus_password_file=_absolute_file(options["prometheus_password_file"]),
        prometheus_token_file=_absolute_file(options["prometheus_token_file"]),
        prometheus_headers=dict(_header(text) for text in options["prometheus_headers"]),
    )
    if any(value for name, value in options.items() if name.startswith("prometheus")):
        # Loaded where it is needed: its numpy and SQLAlchemy would keep the start of `up` waiting for half a second.
        from services.telemetry.query.checks import database_settings

        database_settings(choices)
    return choices


def _header(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise StartFailure(f"--prometheus-header {text}: write it as NAME=VALUE.")
    return name, value


def _telemetry_settings(options: dict[str, Any]) -> TelemetrySettings:
    from services.app.listen import check_pair, check_peer, parse_address
    from services.telemetry.settings import TelemetrySettings

    data_dir = Path(options["data_dir"]).absolute()
    if not options["grpc_listen"].startswith("unix:"):
        parse_address(options["grpc_listen"], "--grpc-listen")
    check_pair(options["tls_certificate"], options["tls_key"])
    check_peer("--inventory", options["inventory"], options["inventory_ca"], options["token_file"])
    return TelemetrySettings(
        data_dir=str(data_dir),
        database=options["database"] or sqlite_url(data_dir, "telemetry"),
        grpc_listen=options["grpc_listen"],
        inventory=options["inventory"],
        inventory_ca=_absolute_file(options["inventory_ca"]),
        key_file=options["key_file"],
        service_token_file=options["token_file"],
        tls_certificate=options["tls_certificate"],
        tls_key=options["tls_key"],
        log_format=options["log_format"],
        **asdict(_telemetry_choices(options)),
    )


@serve.command("gateway", add_help_option=False, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def serve_gateway(arguments: tuple[str, ...]) -> None:
    """The gateway, in a process of its own."""
    from gateway.__main__ import main

    main.main(list(arguments), prog_name="delphis serve gateway")


class _Db(click.Group):
    """Its commands; the one that is a client of a core is loaded only when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted((*super().list_commands(ctx), _IMPORT))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name != _IMPORT:
            return super().get_command(ctx, cmd_name)
        from services.importing.command import import_delfin

        return import_delfin


_IMPORT = "import-delfin"


@click.group(cls=_Db)
def db() -> None:
    """Work on databases: the store's own, without a running Delphis, and Delfin's."""


@db.group("token")
def db_token() -> None:
    """Tokens."""


@db_token.command("create")
@click.argument("name")
@click.option("--scopes", default="", help="What its bearer may do, joined by commas: read, operate, admin.")
@click.option(
    "--driver", default="", metavar="NAME", help="A token for the hosts of this driver, and for nothing else."
)
@click.option(
    "--serves", multiple=True, metavar="VENDOR/MODEL", help="What they may serve. May be given several times."
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=default_data_dir,
    help="Data folder of the embedded database.",
)
@click.option("--database", envvar="DELPHIS_DATABASE", metavar="URL", help="The database, where it is not embedded.")
def db_token_create(
    name: str, scopes: str, driver: str, serves: tuple[str, ...], data_dir: Path, database: str | None
) -> None:
    """Make a token, and print its secret: once, and alone. Give --scopes, or --driver with --serves."""
    from services.app.tokens import create

    try:
        click.echo(create(database or sqlite_url(data_dir.absolute()), name, scopes, driver, serves))
    except StartFailure as failure:
        _fail(failure)
