"""`delphis context`: the addresses of servers under names."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from delphis.cli import contexts
from delphis.cli.contexts import Context, Contexts
from delphis.cli.failures import Missing, WrongSettings
from delphis.cli.options import Group, given, settings_of
from delphis.cli.output import print_value
from delphis.cli.settings import DEFAULT_SERVER, STDIN, Settings, check_server, read_token, resolve
from delphis.cli.tables import print_fields, print_table


@click.group(cls=Group)
def context() -> None:
    """Keep the addresses of servers under names.

    They are kept in ~/.config/delphis/contexts.json, which only you can read. `--context NAME` or DELPHIS_CONTEXT
    chooses another than the one in use.
    """


@context.command("list")
@click.pass_context
def list_contexts(ctx: click.Context) -> None:
    """List the contexts; a star marks the one in use."""
    known = contexts.load()
    said = [
        {"name": name, "in_use": name == known.current, **kept.shown()} for name, kept in sorted(known.named.items())
    ]
    if not print_value(output_of(ctx), {"contexts": said}):
        print_table(
            ["", "NAME", "SERVER", "TLS", "TOKEN"],
            [["*" if name == known.current else "", *row(name, kept)] for name, kept in sorted(known.named.items())],
        )


def row(name: str, kept: Context) -> list[str]:
    tls = kept.tls_ca or ("yes" if kept.tls else "no")
    return [name, kept.server, tls, "kept here" if kept.token else kept.token_file or "-"]


@context.command("set")
@click.argument("name")
@click.option("--use", is_flag=True, help="Use it from now on.")
@click.option("--forget-token", is_flag=True, help="Forget the token, or where it is.")
@click.pass_context
def set_context(ctx: click.Context, name: str, use: bool, forget_token: bool) -> None:
    """Make or change a context from the options of `delphis`: --server, --tls, --tls-ca, --token-file and so on.

    \b
    delphis context set lab --server delphis.example:8191 --tls --token-file ~/lab.token --use
    pass delphis/lab | delphis context set lab --token-file -

    With `--token-file FILE` the context names the file. With `--token-file -` it keeps the token that it reads from
    standard input. The first context is used from now on.
    """
    said = given(ctx)
    if "context" in said:
        raise WrongSettings("--context chooses a context; `context set NAME` takes the name as its argument")
    known = contexts.load()
    old = known.named.get(contexts.check_name(name))
    if old is None and "server" not in said:
        raise WrongSettings(f"there is no context {name!r} yet: give its --server", hint=example(name))
    new = changed(old or Context(server=DEFAULT_SERVER), said, forget_token=forget_token)
    check_server(new.server)
    current = name if use or not known.named else known.current
    contexts.save(Contexts(named={**known.named, name: new}, current=current))
    click.echo(f"Context {name} is set{' and in use' if current == name else ''}.")


def example(name: str) -> str:
    return f"delphis context set {name} --server {DEFAULT_SERVER}"


def changed(old: Context, said: dict[str, Any], *, forget_token: bool) -> Context:
    """The context with what was said; a token belongs to its server and goes when that changes."""
    values = {key: value for key, value in said.items() if key != "token_file"}
    if values.get("tls_ca"):
        values["tls_ca"] = os.path.abspath(values["tls_ca"])
    if forget_token or ("server" in said and said["server"] != old.server):
        values |= {"token": None, "token_file": None}
    if file := said.get("token_file"):
        if file == STDIN:
            values |= {"token": read_token(STDIN), "token_file": None}
        else:
            read_token(file)
            values |= {"token": None, "token_file": str(Path(file).absolute())}
    return replace(old, **values)


@context.command()
@click.argument("name")
def use(name: str) -> None:
    """Use a context from now on."""
    known = contexts.load()
    if name not in known.named:
        raise missing(name)
    contexts.save(Contexts(named=known.named, current=name))
    click.echo(f"Context {name} is in use.")


@context.command()
@click.argument("name")
def remove(name: str) -> None:
    """Forget a context, its token too."""
    known = contexts.load()
    if name not in known.named:
        raise missing(name)
    left = {other: kept for other, kept in known.named.items() if other != name}
    contexts.save(Contexts(named=left, current=None if known.current == name else known.current))
    click.echo(f"Context {name} is forgotten.")


@context.command()
@click.argument("name", required=False)
@click.pass_context
def show(ctx: click.Context, name: str | None) -> None:
    """Show a context; without a name, what commands use now. Tokens are not shown."""
    if name is None:
        settings = settings_of(ctx)
        said: dict[str, Any] = {
            "context": settings.context,
            "server": settings.server,
            "tls": settings.tls,
            "tls_ca": settings.tls_ca,
            "token": "known" if settings.kept_token else settings.token_file,
            "timeout": settings.timeout,
        }
        said = {key: value for key, value in said.items() if value is not None}
    else:
        known = contexts.load()
        if name not in known.named:
            raise missing(name)
        said = {"context": name, **known.named[name].shown()}
    if not print_value(output_of(ctx), said):
        print_fields((key.replace("_", " ").capitalize(), str(value)) for key, value in said.items())


def missing(name: str) -> Missing:
    return Missing(f"there is no context {name!r} in {contexts.path()}", hint="delphis context list")


def output_of(ctx: click.Context) -> Settings:
    """Settings that say how to print; the server does not matter, so a wrong one is no error."""
    said = given(ctx)
    return resolve({"server": DEFAULT_SERVER, "output": said.get("output")})
