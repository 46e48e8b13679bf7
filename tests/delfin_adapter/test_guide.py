"""docs/delfin-drivers.md: its driver, its manifest, and what it says of their answers."""

from __future__ import annotations

import re
from pathlib import Path

from tests.delfin_adapter.support import host, made_up, warned
from tests.delfin_adapter.test_installed import adapter

GUIDE = (Path(__file__).parents[2] / "docs" / "delfin-drivers.md").read_text(encoding="utf-8")


def test_the_guide(tmp_path: Path) -> None:
    found = re.search(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    (tmp_path / "acme_box.py").write_text(found[1])
    written = re.search(r"^delphis-delfin (manifest acme_box.*)$", GUIDE, re.MULTILINE)
    assert written is not None
    words = [str(tmp_path) if word == "." else word for word in written[1].split()]
    words[-1] = str(tmp_path / words[-1])
    done = adapter(*words)
    assert done.stdout == f"{tmp_path}/drivers/delfin.acme.box/driver.toml\n", done.stderr
    with host("acme_box:AcmeDriver", "--path", str(tmp_path)) as running:
        for rpc in ("ListStoragePools", "ListVolumes"):
            said = warned(running.answer(rpc, made_up()))
            assert said
            assert said in GUIDE


def test_the_stand_in_is_what_the_guide_names() -> None:
    from delphis.delfin import modules

    section = GUIDE.partition("## What the stand-in has")[2].partition("It is written")[0]
    last = "delfin"
    for name in re.findall(r"`([.\w]+)`", section):
        if name in ("storage_get",):
            continue
        last = name if name.startswith("delfin") else last.rpartition(".")[0] + name
        assert modules.stand_in(last) is not None, last
