"""`delphis completion`: what makes a shell complete our commands."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from delphis.cli.options import Command

VARIABLE = "_DELPHIS_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command(cls=Command)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete our commands.

    \b
    bash:  eval "$(delphis completion bash)"        in ~/.bashrc
    zsh:   eval "$(delphis completion zsh)"         in ~/.zshrc
    fish:  delphis completion fish | source         in ~/.config/fish/config.fish
    """
    found = get_completion_class(shell)
    assert found is not None
    click.echo(found(ctx.find_root().command, {}, "delphis", VARIABLE).source())
