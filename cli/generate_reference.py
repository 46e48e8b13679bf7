"""Write docs/cli.md from the commands themselves and cli/reference.md, or say that it is out of date.

python cli/generate_reference.py            write docs/cli.md anew
python cli/generate_reference.py --check    write nothing; end with 1 if it would differ
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from delphis.cli.failures import EXIT_CODES
from delphis.cli.kinds import KINDS
from delphis.cli.main import REMOTE, delphis

REPO = Path(__file__).resolve().parent.parent
GUIDE = REPO / "cli" / "reference.md"
REFERENCE = REPO / "docs" / "cli.md"
_HELP_NAMES = {"--help", "--output"}


def reference() -> str:
    """The whole page."""
    parts = [GUIDE.read_text(encoding="utf-8").rstrip().replace("{exit codes}", "\n".join(exit_codes()))]
    root = click.Context(delphis, info_name="delphis")
    parts += ["## Options of every command", *options(delphis, root, all_of_them=True), "## Commands"]
    kinds = {kind.command for kind in KINDS}
    for name in sorted(REMOTE.keys() - kinds):
        parts += command(name, root)
    kind = KINDS[1]
    parts += ["### What the arrays hold", "These kinds have a `list` and a `show` each:"]
    parts.append("\n".join(f"- `delphis {each.command}`: {each.plural}" for each in KINDS))
    parts += [f"`delphis {kind.command}` stands for all of them here."]
    parts += command(kind.command, root)
    return re.sub(r"\n{3,}", "\n\n", "\n\n".join(parts)) + "\n"


def exit_codes() -> Iterator[str]:
    yield "| code | meaning |"
    yield "| --- | --- |"
    for code, meaning in EXIT_CODES.items():
        yield f"| {code} | {meaning} |"


def command(name: str, parent: click.Context) -> Iterator[str]:
    assert isinstance(parent.command, click.Group)
    found = parent.command.get_command(parent, name)
    assert found is not None, name
    context = click.Context(found, info_name=name, parent=parent)
    path = context.command_path
    if isinstance(found, click.Group):
        yield f"### delphis {name}" if parent.parent is None else f"#### {path}"
        yield text_of(found)
        for inner in sorted(found.commands):
            yield from command(inner, context)
        return
    yield f"### {path}" if parent.parent is None else f"#### {path}"
    pieces = [piece for piece in found.collect_usage_pieces(context) if piece]
    yield f"```\n{path} {' '.join(pieces)}\n```"
    yield text_of(found)
    yield from options(found, context, all_of_them=False)


def text_of(found: click.Command) -> str:
    """The help text; what click leaves as it is (after \\b) as code."""
    paragraphs = inspect.cleandoc(found.help or "").split("\n\n")
    shown = []
    for paragraph in paragraphs:
        if paragraph.startswith("\b"):
            shown.append("```\n" + paragraph.removeprefix("\b").lstrip("\n") + "\n```")
        else:
            shown.append(" ".join(paragraph.split()))
    return "\n\n".join(shown)


def options(found: click.Command, context: click.Context, *, all_of_them: bool) -> Iterator[str]:
    rows = []
    for parameter in found.get_params(context):
        if not isinstance(parameter, click.Option) or parameter.hidden:
            continue
        if not all_of_them and _HELP_NAMES & set(parameter.opts):
            continue
        record = parameter.get_help_record(context)
        if record is not None:
            names, help_ = record
            rows.append(f"| `{names.replace('|', ', ')}` | {' '.join(help_.split()).replace('|', chr(92) + '|')} |")
    if rows:
        yield "\n".join(["| option | |", "| --- | --- |", *rows])


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--check", action="store_true", help="write nothing")
    wanted = reference()
    if not arguments.parse_args().check:
        REFERENCE.write_text(wanted, encoding="utf-8")
        return 0
    if not REFERENCE.exists() or REFERENCE.read_text(encoding="utf-8") != wanted:
        print("docs/cli.md is not what the commands say: run `python cli/generate_reference.py` and commit it")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
