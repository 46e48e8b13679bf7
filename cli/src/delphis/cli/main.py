"""The command `delphis`: a remote command line, and a door to the commands of an installed application.

Nothing is imported before it is needed: `delphis up` imports no stubs, `delphis storages list` no services.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from delphis.cli.failures import EXIT_CODES, INTERRUPTED, REFUSED, Failure
from delphis.cli.kinds import KINDS
from delphis.cli.options import global_options

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "delphis.commands"
_RESOURCES = "delphis.cli.commands.resources"

# name -> (where it is, what it does); the text stands here so that --help loads none of them.
REMOTE = {
    "access": ("delphis.cli.commands.access:access", "Show and change how arrays are reached."),
    "alert-sources": (
        "delphis.cli.commands.alert_sources:alert_sources",
        "Say where arrays' traps come from, and how they are protected.",
    ),
    "alerts": ("delphis.cli.commands.alerts:alerts", "Look at alerts, acknowledge and clear them."),
    "apply": ("delphis.cli.commands.fleet:apply", "Make the registered storages be as a file says."),
    "audit": ("delphis.cli.commands.audit:audit", "Look at who did what."),
    "changes": ("delphis.cli.commands.changes:changes", "Look at what changed on the arrays."),
    "collections": (
        "delphis.cli.commands.collections:collections",
        "Look at and change how metrics are collected.",
    ),
    "completion": ("delphis.cli.commands.completion:completion", "Print what makes a shell complete our commands."),
    "context": ("delphis.cli.commands.context:context", "Keep the addresses of servers under names."),
    "diff": ("delphis.cli.commands.fleet:diff", "Say how the registered storages differ from a file."),
    "drivers": ("delphis.cli.commands.drivers:drivers", "Look at drivers and the processes that serve them."),
    "forecasts": ("delphis.cli.commands.metrics:forecasts", "Say when pools and arrays will be full, soonest first."),
    "jobs": ("delphis.cli.commands.jobs:jobs", "Look at syncs and removals, and wait for them."),
    "metrics": ("delphis.cli.commands.metrics:metrics", "Look at what the arrays measure."),
    "quarantines": ("delphis.cli.commands.drivers:quarantines", "Look at arrays that killed driver hosts."),
    "receivers": ("delphis.cli.commands.receivers:receivers", "Say who is told about alerts."),
    "related": ("delphis.cli.commands.related:related", "Walk from a resource to what it lies on and what uses it."),
    "silences": ("delphis.cli.commands.silences:silences", "Keep alerts from receivers for a time."),
    "sinks": ("delphis.cli.commands.sinks:sinks", "Say where points go beside the history."),
    "storages": ("delphis.cli.commands.storages:storages", "Register, look at, sync and remove arrays."),
    "tokens": ("delphis.cli.commands.tokens:tokens", "Make and end tokens."),
    "trap-receiver": (
        "delphis.cli.commands.traps:trap_receiver",
        "Show where traps are received, what came, and what was lost.",
    ),
    "version": ("delphis.cli.commands.version:version", "Show the versions of this command and of the server."),
    "watch": ("delphis.cli.commands.changes:watch", "Print changes as they happen."),
    "whoami": ("delphis.cli.commands.tokens:whoami", "Show as whom the server knows you, and what you may do."),
    **{kind.command: (f"{_RESOURCES}:", kind.help) for kind in KINDS},
}

EPILOG = "\b\nExit codes:\n" + "\n".join(f"  {code:<4} {meaning}" for code, meaning in EXIT_CODES.items())


class Commands(click.Group):
    """Remote commands, and those that other distributions register as entry points in `delphis.commands`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*REMOTE, *registered()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if found := REMOTE.get(cmd_name):
            module, _, attribute = found[0].partition(":")
            loaded_module = importlib.import_module(module)
            if module == _RESOURCES:
                return as_command(loaded_module.group_of(cmd_name))
            return as_command(getattr(loaded_module, attribute))
        if entry := registered().get(cmd_name):
            return loaded(entry)
        return None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        kinds = {kind.command for kind in KINDS}
        others = registered()
        sections = (
            ("Commands", [(name, REMOTE[name][1]) for name in sorted(REMOTE.keys() - kinds)]),
            ("What the arrays hold", [(kind.command, kind.help) for kind in KINDS]),
            ("On the server", [(name, loaded(others[name]).get_short_help_str(60)) for name in sorted(others)]),
        )
        for title, rows in sections:
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)


def registered() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points

    return {entry.name: entry for entry in entry_points(group=ENTRY_POINTS) if entry.name not in REMOTE}


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


@click.command(
    cls=Commands,
    epilog=EPILOG,
    params=global_options(all_shown=True),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=version, help="Show the version.")
def delphis() -> None:
    """One API to every storage array you own.

    Options may stand before the command or after it. A token or password is never given on the command line, where
    other users of the machine could read it.
    """


def main(arguments: Sequence[str] | None = None) -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal without the character is no reason to fail
    try:
        code = delphis.main(arguments, prog_name="delphis", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.Exit as ending:
        code = ending.exit_code
    except click.Abort as ending:
        interrupted = isinstance(ending.__cause__ or ending.__context__, KeyboardInterrupt)
        click.echo("stopped." if interrupted else "error: input ended, nothing was done", err=True)
        code = INTERRUPTED if interrupted else REFUSED
    except Failure as failure:
        failure.show()
        code = failure.exit_code
    except click.ClickException as failure:
        failure.show()
        code = failure.exit_code
    except OSError as failure:  # `delphis volumes list > FILE` on a full disk
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what is still buffered must not fail once more at exit
        if not isinstance(failure, BrokenPipeError):  # `delphis volumes list --all | head`
            click.echo(f"error: {failure}", err=True)
        code = REFUSED
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code if isinstance(code, int) else 0)
