"""The adapter on each Python that such drivers run on, installed as somebody else installs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from delphis.sdk import conformance
from delphis.sdk.conformance import Array
from tests.delfin_adapter.support import DRIVERS, made_up

REPO = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13")

HAS = """
import sys
from delphis.delfin import empty_methods, modules

sys.path.insert(0, DRIVERS)
modules.install()
import crash

names = ("add_trap_config", "remove_trap_config", "list_alerts", "clear_alert", "list_volumes")
print([name for name in names if empty_methods.has(crash.CrashDriver, name)])
"""

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(300)]


def interpreter(version: str) -> str:
    """A Python of this version; skips where there is none."""
    for path in (shutil.which(f"python{version}"), *Path.home().glob(f".pyenv/versions/{version}.*/bin/python")):
        if path is not None:
            done = subprocess.run([str(path), "-c", "import sys; print(sys.version)"], capture_output=True, check=False)
            if done.returncode == 0 and done.stdout.decode().startswith(version):
                return str(path)
    pytest.skip(f"there is no Python {version} here")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_driver_passes_the_kit(version: str, tmp_path: Path) -> None:
    subprocess.run([interpreter(version), "-m", "venv", tmp_path / "venv"], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    projects = [str(REPO / name) for name in ("protos", "driver_host", "delfin_adapter")]
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *projects]
    subprocess.run(install, check=True, env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}, timeout=240)
    at = Array(
        made_up(),
        second=made_up("127.0.0.10"),
        makes_no_connection=True,
        accepts_any_credentials=True,
        may_be_changed=True,
    )
    command = [python, "-P", "-m", "delphis.delfin", "run", "complete:CompleteDriver", "--path", str(DRIVERS)]
    traps = Path(__file__).with_name("traps.yaml")
    report = conformance.check(command=command, array=at, traps=traps, skip=["output.memory"])
    assert report.passed, conformance.text(report)
    program = HAS.replace("DRIVERS", repr(str(DRIVERS)))
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "['list_volumes']\n"
