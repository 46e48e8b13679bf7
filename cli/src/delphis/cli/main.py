"""The command `delphis`: a remote command line, and a door to the commands of an installed application.

Nothing is imported before it is needed: `delphis up` imports no stubs, `delphis storages list` no services.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any

import click

from delphis.cli.settings import Settings

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "delphis.commands"
REMOTE = {
    "storages": "delphis.cli.storages:storages",
    "drivers": "delphis.cli.drivers:drivers",
}

EPILOG = """\
\b
Exit codes:
  0  done
  1  the server refused, or what was asked for failed
  2  the command line is wrong
  3  the server could not be reached, or did not answer in time
  4  the server wants a token, or the token may not do this
"""


class Commands(click.Group):
    """Remote commands, and those that other distributions register as entry points in `delphis.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*REMOTE, *registered()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if target := REMOTE.get(cmd_name):
            module, _, attribute = target.partition(":")
            return as_command(getattr(importlib.import_module(module), attribute))
        if entry := registered().get(cmd_name):
            return loaded(entry)
        return None


def registered() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS)}


def loaded(entry: EntryPoint) -> click.Command:
    """The command; where its code can't be loaded, one that says so, so that the others and --help go on working."""
    try:
        return as_command(entry.load())
    except Exception as error:  # noqa: BLE001 - whatever foreign code raises while it is imported
        problem = f"{entry.value} can't be loaded: {type(error).__name__}: {error}"

        @click.command(entry.name, short_help=f"(broken) {problem}", context_settings={"ignore_unknown_options": True})
        @click.argument("arguments", nargs=-1)
        def broken(arguments: tuple[str, ...]) -> None:
            raise click.ClickException(problem)

        return broken


def as_command(found: Any) -> click.Command:
    if not isinstance(found, click.Command):
        raise TypeError(f"{found!r} is no click command")
    return found


def version(ctx: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from importlib.metadata import version as installed

        click.echo(f"delphis {installed('delphis-cli')}")
        ctx.exit()


def grpc_address(_ctx: click.Context, parameter: click.Parameter, server: str) -> str:
    """Click callback: the address, unless it is that of REST."""
    if server.startswith(("http://", "https://")):
        raise click.BadParameter(
            f"{server!r} is a URL; give the HOST:PORT of gRPC, such as 127.0.0.1:8191", param=parameter
        )
    return server


@click.command(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--server",
    metavar="HOST:PORT",
    callback=grpc_address,
    default="127.0.0.1:8191",
    envvar="DELPHIS_SERVER",
    show_default=True,
    show_envvar=True,
    help="gRPC address of a Delphis server.",
)
@click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False),
    envvar="DELPHIS_TOKEN_FILE",
    help="File with the bearer token. Without it: the environment variable DELPHIS_TOKEN.",
)
@click.option(
    "--tls-ca",
    type=click.Path(exists=True, dir_okay=False),
    envvar="DELPHIS_TLS_CA",
    help="Speak TLS, and trust the authorities of this PEM file.",
)
@click.option("--tls", is_flag=True, help="Speak TLS, and trust the system's authorities.")
@click.option("--plaintext", is_flag=True, help="Send the token without TLS to a server that is not this machine.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60.0,
    show_default=True,
    help="Seconds to wait for one answer.",
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=version, help="Show the version.")
@click.pass_context
def delphis(
    ctx: click.Context,
    server: str,
    token_file: str | None,
    tls_ca: str | None,
    tls: bool,
    plaintext: bool,
    timeout: float,
    output: str,
) -> None:
    """One API to every storage array you own.

    These options stand before the command: delphis --output json storages list. A token is never given on the
    command line, where other users of the machine could read it.
    """
    ctx.obj = Settings(
        server=server,
        token_file=token_file,
        tls=tls or tls_ca is not None,
        tls_ca=tls_ca,
        plaintext=plaintext,
        timeout=timeout,
        output=output,
    )


def main() -> None:
    try:
        delphis.main(prog_name="delphis")
    except BrokenPipeError:  # `delphis storages list | head`
        sys.stderr.close()
        sys.exit(1)
