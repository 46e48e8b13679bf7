"""docs/tutorial.md is followed literally: its commands in its order, its diff as it is printed, other ports."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.up import Up, up

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

DOCS = Path(__file__).parents[2] / "docs"
TUTORIAL = DOCS / "tutorial.md"
END = "@@@ ended with"
_BLOCK = re.compile(
    r"^(?:<!-- terminal: (?P<terminal>[a-z]+) -->\n\n)?```(?P<kind>console|diff)\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass
class Command:
    """A command as it is printed, and what is printed below it."""

    line: int
    script: str
    expected: list[str] = field(default_factory=list[str])

    def check(self, printed: str) -> None:
        """`…` stands for anything."""
        pattern = ".*?".join(re.escape(piece) for piece in "\n".join(self.expected).strip().split("…"))
        assert re.fullmatch(pattern, printed.strip(), re.DOTALL), f"line {self.line}: it printed\n{printed}"


def commands(text: str, line: int) -> list[Command]:
    found: list[Command] = []
    for offset, printed in enumerate(text.splitlines()):
        if printed.startswith("$ "):
            found.append(Command(line + offset, printed[2:]))
        elif printed.startswith("> "):
            found[-1].script += "\n" + printed[2:]
        else:
            found[-1].expected.append(printed)
    return found


class Terminal:
    """The reader's first terminal: one shell that lasts."""

    def __init__(self, folder: Path) -> None:
        self.ports: dict[str, str] = {}
        environment = {**os.environ, "COLUMNS": "300", "PYTHONDONTWRITEBYTECODE": "1"}
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def translated(self, script: str) -> str:
        for printed, real in self.ports.items():
            script = script.replace(printed, real)
        return script

    def run(self, command: Command) -> None:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.write(f"{self.translated(command.script)}\ncode=$?; echo; echo '{END}' $code\n")
        self._shell.stdin.flush()
        printed: list[str] = []
        for line in self._shell.stdout:
            if line.startswith(END):
                assert line.split()[-1] == "0", f"line {command.line}: {''.join(printed)}"
                break
            printed.append(line)
        command.check("".join(printed))

    def close(self) -> None:
        assert self._shell.stdin is not None
        assert self._shell.stdout is not None
        self._shell.stdin.close()
        self._shell.wait(60)
        self._shell.stdout.close()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_is_followed_to_its_end(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    blocks = list(_BLOCK.finditer(text))
    assert text.count("```") == 2 * len(blocks)
    checkout = tmp_path / "delphis"
    checkout.mkdir()
    (checkout / ".venv").symlink_to(sys.prefix)
    project = tmp_path / "my-drivers/acme-box"
    first = Terminal(checkout)
    request.addfinalizer(first.close)
    first.ports["18443"] = free_port()
    run = 0
    for block in blocks:
        listed = (
            commands(block["text"], text.count("\n", 0, block.start("text")) + 1) if block["kind"] != "diff" else []
        )
        run += len(listed)
        if block["kind"] == "diff":
            (project / "disks.diff").write_text(block["text"])
        elif block["terminal"] == "array":
            [command] = listed
            words = shlex.split(first.translated(command.script))
            array = subprocess.Popen([sys.executable, *words[1:]], cwd=project, stdout=subprocess.PIPE, text=True)
            request.addfinalizer(lambda: _end(array))  # noqa: B023 - there is one
            assert array.stdout is not None
            assert array.stdout.readline().strip() == first.translated(command.expected[0])
        elif block["terminal"] == "delphis":
            [command] = listed
            words = shlex.split(command.script)
            assert words == ["delphis", "up", "--drivers", "."]
            manager = up(tmp_path / "up", *words[2:-1], str(project.parent))
            (tmp_path / "up").mkdir()
            server: Up = manager.__enter__()
            request.addfinalizer(lambda: manager.__exit__(None, None, None))  # noqa: B023 - there is one
            first.ports["localhost:8190"] = server.rest.removeprefix("http://")
            first.run(Command(0, f"export DELPHIS_SERVER={server.grpc}"))
        else:
            for command in listed:
                first.run(command)
    assert run >= 15


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(60)
    if process.stdout is not None:
        process.stdout.close()


@pytest.mark.parametrize("page", ["tutorial.md", "compatibility.md", "README.md"])
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", (DOCS / page).read_text(encoding="utf-8"))
    assert links
    assert [link for link in links if not (DOCS / link).exists()] == []


def test_the_index_names_each_page() -> None:
    named = set(re.findall(r"\]\(([a-z-]+\.md)\)", (DOCS / "README.md").read_text(encoding="utf-8")))
    assert named == {page.name for page in DOCS.glob("*.md")} - {"README.md"}
