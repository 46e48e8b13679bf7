"""`delphis apply` and `delphis diff`: storages as a file says."""

from __future__ import annotations

import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import IO, Any

import click

from delphis.cli import fleet_file, fleet_plan
from delphis.cli.connection import Connection, connected
from delphis.cli.failures import DIFFERENT, REFUSED, Failure, WrongSettings
from delphis.cli.fleet_plan import Step
from delphis.cli.options import Command, pass_settings
from delphis.cli.output import print_value
from delphis.cli.settings import Settings
from delphis.cli.tables import coloured
from delphis.cli.texts import printable

AT_ONCE = 8
"""Storages that are registered or changed at the same time: each waits for its array."""

_SIGNS = {"register": ("+", "green"), "update": ("~", "yellow"), "remove": ("-", "red"), "impossible": ("!", "red")}
_DONE = {"register": "registered", "update": "updated", "remove": "removed", "unchanged": "unchanged"}


def fleet_options(command: Any) -> Any:
    """Decorator: what `apply` and `diff` have in common."""
    for option in reversed(
        (
            click.option(
                "-f",
                "--file",
                required=True,
                type=click.File(encoding="utf-8"),
                help="The storages, as YAML or JSON. - is standard input.",
            ),
            click.option(
                "--prune", is_flag=True, help="Also remove what is labelled with the file's fleet and not in the file."
            ),
            click.option(
                "--resend-secrets",
                is_flag=True,
                help="Send all secrets anew: they are never shown, so a new one is no difference that can be seen.",
            ),
        )
    ):
        command = option(command)
    return command


@click.command(cls=Command)
@fleet_options
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask before --prune removes something.")
@pass_settings
def apply(settings: Settings, file: IO[str], prune: bool, resend_secrets: bool, dry_run: bool, yes: bool) -> None:
    """Make the registered storages be as a file says.

    A storage of the file that is not registered (by its name) is registered, one that differs is changed, one that is
    as it should be is left alone. A setting that the file does not name is left as it is.
    """
    fleet = checked(settings, file, prune=prune)
    with connected(settings) as connection:
        steps = fleet_plan.plan(fleet, fleet_plan.look(connection, fleet), prune=prune, resend_secrets=resend_secrets)
        if not dry_run:
            fleet_plan.read_secrets(fleet, steps)
            ask(steps, yes=yes)
            take_all(connection, steps)
    tell(settings, fleet.name, steps, done=not dry_run)
    if any(step.failure or step.problem for step in steps):
        raise click.exceptions.Exit(REFUSED)


@click.command(cls=Command)
@fleet_options
@pass_settings
def diff(settings: Settings, file: IO[str], prune: bool, resend_secrets: bool) -> None:
    """Say how the registered storages differ from a file. Ends with 0 where they don't, with 6 where they do."""
    fleet = checked(settings, file, prune=prune)
    with connected(settings) as connection:
        steps = fleet_plan.plan(fleet, fleet_plan.look(connection, fleet), prune=prune, resend_secrets=resend_secrets)
    tell(settings, fleet.name, steps, done=False)
    if any(step.problem for step in steps):
        raise click.exceptions.Exit(REFUSED)
    if any(step.to_do for step in steps):
        raise click.exceptions.Exit(DIFFERENT)


def checked(settings: Settings, file: IO[str], *, prune: bool) -> fleet_file.Fleet:
    if file.name == "<stdin>" and settings.token_file == "-":
        raise WrongSettings("--file - and --token-file - both want standard input")
    fleet = fleet_file.read(file)
    if prune and fleet.name is None:
        raise WrongSettings(
            f"{file.name} names no fleet, so nothing is known to be its own: --prune needs `fleet: NAME`"
        )
    return fleet


def ask(steps: list[Step], *, yes: bool) -> None:
    gone = [step for step in steps if step.action == "remove"]
    if not gone or yes:
        return
    if not sys.stdin.isatty():
        raise WrongSettings(f"--prune would remove {len(gone)} storages, no terminal to ask on: confirm with --yes")
    names = ", ".join(printable(step.name) for step in gone)
    if not click.confirm(f"Remove {names} from the inventory?", err=True):
        raise Failure("nothing was changed")


def take_all(connection: Connection, steps: list[Step]) -> None:
    """Takes the steps, several at a time; removals when the rest is done."""
    for some in ([s for s in steps if s.action in ("register", "update")], [s for s in steps if s.action == "remove"]):
        pool = ThreadPoolExecutor(AT_ONCE)
        try:
            for _ in pool.map(lambda step: fleet_plan.take(connection, step), some):
                pass
        finally:
            # After Ctrl-C the channel is closed, which ends the calls that still run.
            pool.shutdown(wait=False, cancel_futures=True)


def tell(settings: Settings, fleet: str | None, steps: list[Step], *, done: bool) -> None:
    """Says what was done, or would be."""
    summary = Counter(
        "failed" if step.failure or step.problem else _DONE.get(step.action, step.action) for step in steps
    )
    said = {
        "fleet": fleet,
        "done": done,
        "steps": [as_plain(step) for step in steps],
        "summary": {name: summary[name] for name in (*_DONE.values(), "failed", "left over")},
    }
    if settings.output == "csv":
        raise WrongSettings("--output csv has no form for this: use json or yaml")
    if print_value(settings, said):
        return
    for step in steps:
        print_step(step)
    if not any(step.to_do or step.problem for step in steps):
        click.echo(f"Nothing to do: all {summary['unchanged']} storages are as the file says.")
    else:
        counts = ", ".join(f"{summary[name]} {name}" for name in (*_DONE.values(), "failed") if summary[name])
        click.echo(("" if done else "Would be: ") + counts + ".")
    if left := [step.name for step in steps if step.action == "left over"]:
        names = ", ".join(map(printable, left))
        click.echo(f"Of the fleet, but not in the file: {names}. --prune removes them.", err=True)


def as_plain(step: Step) -> dict[str, Any]:
    found: dict[str, Any] = {
        "action": step.action,
        "name": step.name,
        "storage_id": step.storage_id or None,
        "differences": [{"field": each.field, "old": each.old, "new": each.new} for each in step.differences],
    }
    if step.problem:
        found["error"] = {"reason": "", "message": step.problem}
    elif step.failure:
        found["error"] = {"reason": step.failure.reason, "message": step.failure.message}
    return found


def print_step(step: Step) -> None:
    if step.action not in _SIGNS:
        return
    sign, colour = _SIGNS[step.action]
    head = f"{sign} {printable(step.name)}"
    click.echo(click.style(head, fg=colour) if coloured() else head)
    for each in step.differences:
        if step.action == "register":
            click.echo(f"    {printable(each.field)}: {shown(each.new)}")
        else:
            click.echo(f"    {printable(each.field)}: {shown(each.old)} -> {shown(each.new)}")
    if step.problem:
        click.echo(f"error: {printable(step.name)}: {printable(step.problem)}", err=True)
    elif step.failure:
        failure = step.failure
        reason = f" ({failure.reason})" if failure.reason else ""
        click.echo(f"error: {printable(step.name)}: {printable(failure.message)}{reason}", err=True)
        if failure.hint:
            click.echo(f"  try: {printable(failure.hint)}", err=True)


def shown(value: Any) -> str:
    return "-" if value is None else printable(value if isinstance(value, str) else json.dumps(value))
