"""docs/watches.md is true: each of its commands is run as it is printed. And the options of docs/gateway.md exist."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from gateway.__main__ import main
from services.app.commands import serve_core
from tests.catalogue.test_rest_guide import _BLOCK, Command, commands, compared, outputs
from tests.support.up import up, wait_for

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_each_command_prints_what_the_guide_says(tmp_path: Path) -> None:
    text = (DOCS / "watches.md").read_text(encoding="utf-8")
    listed: list[Command] = []
    for block in _BLOCK.finditer(text):
        listed += commands(block["text"], text.count("\n", 0, block.start("text")) + 1)
    assert len(listed) == 5
    with up(tmp_path, "--demo") as server:
        wait_for("a change", lambda: '"loaded"' in server.ask("GET", "/v1/changes?kind=volume").text)
        for command, printed in zip(listed, outputs(listed, server), strict=True):
            compared(command, printed)


def test_options_of_the_gateway() -> None:
    text = (DOCS / "gateway.md").read_text(encoding="utf-8")
    known = {name for command in (main, serve_core) for one in command.params for name in one.opts}
    assert set(re.findall(r"--[a-z][a-z-]+", text)) <= known


def test_links_lead_somewhere() -> None:
    for guide in ("watches.md", "gateway.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", (DOCS / guide).read_text(encoding="utf-8")):
            assert (DOCS / link).is_file(), (guide, link)
