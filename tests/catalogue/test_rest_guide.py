"""docs/rest.md is true: each of its commands is run as it is printed, and its table of errors is the contract's."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.calls.errors import reasons
from tests.support.up import DELPHIS, Up, up, wait_for

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

REPO = Path(__file__).parents[2]
GUIDE = REPO / "docs" / "rest.md"
END = "@@@ end of"
_BLOCK = re.compile(
    r"^(?:<!-- server: (?P<server>.+) -->\n\n)?```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)


@dataclass
class Command:
    """A command as it is printed, and what is printed below it; `line` is where."""

    line: int
    script: str
    expected: list[str] = field(default_factory=list[str])


def commands(text: str, line: int) -> Iterator[Command]:
    """The commands of a block: `$ ` begins one, `> ` goes on with it."""
    command: Command | None = None
    for offset, printed in enumerate(text.splitlines()):
        if printed.startswith("$ "):
            if command is not None:
                yield command
            command = Command(line + offset, printed[2:])
        elif command is not None and printed.startswith("> ") and not command.expected:
            command.script += "\n" + printed[2:]
        else:
            assert command is not None, (line, printed)
            command.expected.append(printed)
    if command is not None:
        yield command


def guide() -> dict[str, list[Command]]:
    """The commands by the options of the server that they are for."""
    text = GUIDE.read_text(encoding="utf-8")
    found: dict[str, list[Command]] = {"--demo": []}
    for block in _BLOCK.finditer(text):
        line = text.count("\n", 0, block.start("text")) + 1
        found.setdefault(block["server"] or "--demo", []).extend(commands(block["text"], line))
    return found


def outputs(listed: list[Command], server: Up) -> list[str]:
    """What each command printed: all in one shell, so that variables stay."""
    address = server.rest.removeprefix("http://")
    script = "".join(
        f"{command.script}\ncode=$?; echo; echo '{END}' {number} $code\n" for number, command in enumerate(listed)
    )
    script = script.replace("localhost:8190", address).replace(".venv/bin/delphis", DELPHIS)
    environment = {
        **os.environ,
        "XDG_DATA_HOME": str(server.folder / "share"),
        "XDG_CONFIG_HOME": str(server.folder / "config"),
    }
    done = subprocess.run(
        ["bash"],
        input=script,
        env=environment,
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    parts = re.split(rf"{END} (\d+) (\d+)\n", done.stdout)
    assert len(parts) // 3 == len(listed), (done.stdout[-2000:], done.stderr)
    for command, code in zip(listed, parts[2::3], strict=True):
        assert code == "0", f"docs/rest.md, line {command.line}: exit code {code}: {done.stderr}"
    return parts[0::3][: len(listed)]


def compared(command: Command, printed: str) -> None:
    """`…` stands for anything."""
    pattern = ".*?".join(re.escape(piece) for piece in "\n".join(command.expected).split("…"))
    text = printed.replace("\r", "").strip()
    assert re.fullmatch(pattern, text, re.DOTALL), f"docs/rest.md, line {command.line}: it printed\n{text[:2000]}"


def test_each_command_prints_what_the_guide_says(tmp_path: Path) -> None:
    listed = guide()["--demo"]
    assert len(listed) > 30
    with up(tmp_path, "--demo") as server:

        def synced() -> bool:
            storages = server.get("/v1/storages")["storages"]
            return len(storages) == 3 and all(one["sync_status"] == "SYNCED" for one in storages)

        wait_for("three arrays", synced)
        for command, printed in zip(listed, outputs(listed, server), strict=True):
            compared(command, printed)


@pytest.mark.slow
def test_commands_for_a_server_with_authentication(tmp_path: Path) -> None:
    listed = guide()["--auth token"]
    with up(tmp_path, "--auth", "token", "--data-dir", str(tmp_path / "share" / "delphis")) as server:
        for command, printed in zip(listed, outputs(listed, server), strict=True):
            compared(command, printed)


def test_the_table_of_errors_is_the_contracts() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.+) \|$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    told = {(code, int(status)) for status, codes in rows for code in re.findall(r"`(\w+)`", codes)}
    assert told == {(reason.text, reason.http_status) for reason in reasons().values()}


def test_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE.read_text(encoding="utf-8"))
    assert len(links) > 1
    assert [link for link in links if not (GUIDE.parent / link).is_file()] == []
