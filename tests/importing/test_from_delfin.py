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


@pytest.mark.slow
def test_each_command_prints_what_the_guide_says(own_core: Up, delfin: Delfin, monkeypatch: pytest.MonkeyPatch) -> None:
    east = delfin.array(1, storage_name="east", extra_attributes={"volumes": "40"})
    keyless = {"host": "127.31.0.2", "port": 22, "username": "root", "password": encoded()}
    delfin.array(2, storage_name="west", extra_attributes={"volumes": "30"}, rest=rest(2), ssh=keyless)
    delfin.storage(deleted=True)
    delfin.add(volumes, *({"id": f"v{number}", "storage_id": east} for number in range(3)))
    delfin.add(
        alert_source, {"storage_id": east, "host": "127.31.0.1", "version": "SNMPv1", "community_string": encoded()}
    )
    monkeypatch.setenv("DELPHIS_SERVER", own_core.grpc)
    listed = printed(str(delfin.engine.url.database))
    assert len(listed) == 6
    for command, text in zip(listed, outputs(listed, own_core), strict=True):
        compared(command, text)


def test_links_lead_somewhere() -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", GUIDE.read_text(encoding="utf-8")):
        assert (GUIDE.parent / link).is_file(), link
