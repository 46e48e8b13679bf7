"""Drivers that are installed beside Delphis, and found by their entry points."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from delphis.sdk.project import Names, write
from tests.support.up import Up, wait_for
from tests.template.environments import Operator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
NAMES = Names("acme-box", "acme", "box 3000")


@contextmanager
def simulator(project: Path, *words: str) -> Iterator[int]:
    """The port of a project's simulator."""
    command = [sys.executable, "-m", "simulator", "--port", "0", *words]
    with subprocess.Popen(command, cwd=project, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().partition(",")[0].rpartition(":")[2])
        finally:
            process.terminate()


def drivers(operator: Operator, server: Up) -> dict[str, Any]:
    listed = json.loads(operator.ask(server, "drivers", "list", "-o", "json"))["drivers"]
    return {driver["name"]: driver for driver in listed}


def register(operator: Operator, server: Up, project: Path, port: int) -> str:
    said = operator.ask(
        *(server, "storages", "register", NAMES.vendor, NAMES.model, "--host", "127.0.0.1", "--port", str(port)),
        *("--username", "monitor", "--array-tls", "plaintext", "--password-stdin", "-o", "json"),
        given=(project / "simulator/password").read_text(),
    )
    return str(json.loads(said)["id"])


def check_served(operator: Operator, server: Up, project: Path) -> None:
    with simulator(project, "--volumes", "130") as port:
        storage = register(operator, server, project, port)
        assert server.wait_synced(storage)["sync_outcome"] == "ok"
        volumes = server.get(f"/v1/volumes?storage_id={storage}&limit=1000")["volumes"]
        assert len(volumes) == 130
        assert server.get(f"/v1/storages/{storage}")["serial_number"] == "SIM-0001"


def test_entry_points_that_serve_and_that_fail(tmp_path: Path) -> None:
    operator = Operator(tmp_path / "environment")
    project = tmp_path / "project"
    write(NAMES, project)
    shutil.copytree(project / "src/acme_box", operator.packages / "acme_box")
    operator.announce("acme_box", {"acme box 3000": "acme_box.driver:AcmeBoxDriver"})
    (operator.packages / "sorry.py").write_text("import a_library_that_is_not_there\n")
    (operator.packages / "wrong.py").write_text("class Box: pass\n")
    operator.announce(
        "others", {"sorry box": "sorry:Box", "gone box": "gone.driver:Box", "wrong box": "wrong:Box", "no": "wrong:Box"}
    )
    with operator.up(tmp_path / "up") as server:
        said = {
            "sorry.Box": "No module named 'a_library_that_is_not_there'",
            "gone.driver.Box": "No module named 'gone'",
            "wrong.Box": "wrong:Box is not a subclass of delphis.sdk.StorageDriver",
        }

        def proved() -> dict[str, Any] | None:
            listed = drivers(operator, server)
            return listed if all(listed[name].get("error") for name in said) else None

        listed = wait_for("errors of the drivers that fail", proved)  # nobody has asked for an array of them
        for name, error in said.items():
            assert listed[name]["state"].endswith("load_failed"), listed[name]
            assert error in listed[name]["error"]
        assert "vendor model" in listed["wrong:Box"]["error"]
        shown = operator.ask(server, "drivers", "list")
        assert "a_library_that_is_not_there" in shown
        check_served(operator, server, project)
        rest = {"host": "127.0.0.9", "port": 443, "username": "me", "password": "secret-81c2"}
        refused = server.ask("POST", "/v1/storages", {"vendor": "sorry", "model": "box", "rest": rest})
        assert refused.status >= 400
        assert "a_library_that_is_not_there" in refused.text
