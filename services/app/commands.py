"""The application's commands: `delphis up`, `delphis serve …` and `delphis db …`.

They import what they need when they run: the command line must answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from services.app.failure import StartFailure
from services.app.settings import DEFAULT_GRPC, DEFAULT_HTTP, CoreSettings, default_data_dir, sqlite_url

Command = TypeVar("Command", bound=Callable[..., Any])


def backend_options(command: Command) -> Command:
    """The options for services of others behind the gateway."""
    for option in reversed(
        (
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
    ):
        command = option(command)
    return command


def core_options(command: Command) -> Command:
    """The options that `up` and `serve core` have in common."""
    for option in reversed(
        (
            click.option(
                "--data-dir",
                type=click.Path(path_type=Path, file_okay=False),
                default=default_data_dir,
                help="Folder for the database and sockets. Default: ~/.local/share/delphis.",
            ),
            click.option("--http-listen", default=DEFAULT_HTTP, show_default=True, metavar="HOST:PORT", help="REST."),
            click.option("--grpc-listen", default=DEFAULT_GRPC, show_default=True, metavar="HOST:PORT", help="gRPC."),
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
            click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True),
        )
    ):
        command = option(command)
    return command


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


def _absolute(pair: str) -> str:
    name, equals, file = pair.partition("=")
    return f"{name}{equals}{Path(file).absolute()}" if file else pair


def _check_listen(settings: CoreSettings) -> None:
    from services.app.listen import parse_address, refuse_open_without_login

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
    if (settings.tls_certificate is None) != (settings.tls_key is None):
        raise StartFailure("--tls-certificate and --tls-key go together; give both or none.")


@click.command()
@core_options
@backend_options
@click.option(
    "--auth",
    type=click.Choice(["none", "token"]),
    default="none",
    show_default=True,
    help="Whether callers need a token. `none` is for this machine alone.",
)
@click.option("--demo", is_flag=True, help="Register three generated arrays to look at.")
def up(auth: str, demo: bool, **options: Any) -> None:
    """Run all of Delphis on this machine."""
    from services.app.banner import show
    from services.app.datadir import DataDir
    from services.app.parent import Parent

    settings = _settings(options, auth=auth, demo=demo)
    try:
        _check_listen(settings)
        folder = DataDir(Path(settings.data_dir))
    except StartFailure as failure:
        _fail(failure)
        return
    sys.exit(Parent(settings, folder.lock_fd, lambda ready: show(settings, ready)).run())


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
    from services.app.core import run_process

    with folder:
        sys.exit(run_process(settings, lambda ready: show(settings, ready)))


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
