"""docs/from-delfin.md is true: its commands are run as they are printed, and what it says is missing is missing."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.catalogue.test_rest_guide import Command, commands, compared, outputs
from tests.importing.delfin import Delfin, alert_source, encoded, rest, volumes
from tests.support.up import Up

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")

GUIDE = Path(__file__).parents[2] / "docs" / "from-delfin.md"
THEIRS = "/var/lib/delfin/delfin.sqlite"


def printed(ours: str) -> list[Command]:
    """The guide's commands, about the file that this test made."""
    text = GUIDE.read_text(encoding="utf-8").replace(THEIRS, ours)
    found: list[Command] = []
    for block in re.finditer(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        found += commands(block[1], text.count("\n", 0, block.start(1)) + 1)
    return found


def test_each_command_prints_what_the_guide_says(own_core: Up, delfin: Delfin, monkeypatch: pytest.MonkeyPatch) -> None:
    east = delfin.array(1, storage_name="east", extra_attributes={"volumes": "40"})
    keyless = {"host": "127.31.0.2", "port": 22, "username": "root", "password": encoded()}
    delfin.array(2, storage_name="west", extra_attributes={"volumes": "30"}, rest=rest(2), ssh=keyless)
    delfin.storage(deleted=True)
    delfin.add(volumes, *({"id": f"v{number}", "storage_id": east} for number in range(3)))
    delfin.add(alert_source, {"storage_id": east, "host": "127.31.0.1"})
    monkeypatch.setenv("DELPHIS_SERVER", own_core.grpc)
    listed = printed(str(delfin.engine.url.database))
    assert len(listed) == 6
    for command, text in zip(listed, outputs(listed, own_core), strict=True):
        compared(command, text)


def test_what_is_not_there_yet_is_said_to_be_missing(core: Up) -> None:
    (line,) = re.findall(r"^\*\*Not there yet\*\*: (.*?)\n\n", GUIDE.read_text(encoding="utf-8"), re.M | re.S)
    paths = re.findall(r"`(/[^`]*)`", line)
    assert len(paths) == 3
    for path in paths:
        reply = core.ask("GET", "/v1" + path.replace("{id}", "6f9b1f0e-4c3a-4f5e-9d55-0d6c7a1c2b3a"))
        assert (reply.status, reply.json["error_code"]) == (404, "NoSuchAction"), path


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", GUIDE.read_text(encoding="utf-8")):
        assert (GUIDE.parent / link).is_file(), link
