"""Options that every command takes, before its name or after it; and the click classes that add them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from delphis.cli.settings import DEFAULT_SERVER, OUTPUTS, Settings, resolve

P = ParamSpec("P")
R = TypeVar("R")

_GIVEN = "delphis.cli.given"


def _note(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Click callback: keeps what was given; what stands nearer to the command wins, as it is parsed later."""
    if value is not None:
        ctx.meta.setdefault(_GIVEN, {})[parameter.name] = value
    return value


def _option(*names: str, help_: str, shown: bool, **rest: Any) -> click.Option:
    # A default would count as given by the inner command and hide what stood before it: defaults are in settings.
    return click.Option(names, help=help_, default=None, expose_value=False, callback=_note, hidden=not shown, **rest)


def global_options(*, all_shown: bool) -> list[click.Option]:
    """The options; below the top only those are shown that change what is printed."""
    deep = all_shown
    return [
        _option(
            "--server",
            metavar="HOST:PORT",
            shown=deep,
            help_=f"gRPC address of a Delphis server. Or: DELPHIS_SERVER, a context. [default: {DEFAULT_SERVER}]",
        ),
        _option("--context", metavar="NAME", shown=deep, help_="Server to use, by its name in `delphis context list`."
                " Or: DELPHIS_CONTEXT."),
        _option(
            "--token-file",
            metavar="FILE",
            shown=deep,
            type=click.Path(),
            help_="File with the bearer token; - is standard input. Or: a context, DELPHIS_TOKEN_FILE, DELPHIS_TOKEN.",
        ),
        _option(
            "--tls-ca",
            metavar="FILE",
            shown=deep,
            type=click.Path(exists=True, dir_okay=False),
            help_="Speak TLS, and trust the authorities of this PEM file. Or: DELPHIS_TLS_CA.",
        ),
        _option("--tls", shown=deep, is_flag=True, help_="Speak TLS, and trust the system's authorities."),
        _option("--tls-server-name", metavar="NAME", shown=deep, help_="Name to expect in the server's certificate."),
        _option(
            "--plaintext",
            shown=deep,
            is_flag=True,
            help_="Send the token without TLS to a server that is not this machine.",
        ),
        _option(
            "--timeout",
            metavar="SECONDS",
            shown=deep,
            type=click.FloatRange(min=0, min_open=True),
            help_="Time to wait for one answer. [default: 60]",
        ),
        _option("-o", "--output", shown=True, type=click.Choice(OUTPUTS), help_="How to print. [default: table]"),
    ]  # fmt: skip


_HELP = {"help_option_names": ["-h", "--help"]}
_MORE = "Options of `delphis` itself, such as --server and --timeout, may stand here too."


class Command(click.Command):
    """A command that takes the global options too."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", _HELP)
        kwargs.setdefault("epilog", _MORE)
        super().__init__(*args, **kwargs)
        self.params.extend(global_options(all_shown=False))


class Group(click.Group):
    """Commands of one noun."""

    command_class = Command
    group_class = type

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("context_settings", _HELP)
        super().__init__(*args, **kwargs)
        self.params.extend(global_options(all_shown=False))


def given(ctx: click.Context) -> dict[str, Any]:
    """The global options that stand anywhere on the command line."""
    found: dict[str, Any] = ctx.meta.get(_GIVEN, {})
    return found


def settings_of(ctx: click.Context) -> Settings:
    """The settings that the command line, the context and the environment make."""
    return resolve(given(ctx))


def pass_settings(command: Callable[Concatenate[Settings, P], R]) -> Callable[P, R]:
    """Decorator: the command's first argument are the settings."""

    @functools.wraps(command)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        return command(settings_of(click.get_current_context()), *args, **kwargs)

    return called
