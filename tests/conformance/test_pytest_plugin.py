"""An author's `pytest` shows each check of the kit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from delphis.sdk.conformance import all_checks
from tests.conformance.support import BAD

PROJECT = """
[tool.pytest.ini_options]
delphis_driver = "driver.py"
delphis_array = "array.json"
delphis_expected = "expected.json"
delphis_timeout = "5"
filterwarnings = ["error"]
"""
ARRAY = """
{"access": {"rest": {"host": "127.0.0.9", "port": 443, "username": "me", "password": {"generate": true}},
            "extra_attributes": {"bad": "duplicates"}},
 "accepts_any_credentials": true, "makes_no_connection": true}
"""
TESTS = """
from delphis.sdk.conformance import Bench


def test_conformance(delphis_check) -> None:
    delphis_check()


def test_of_the_author(delphis_driver: Bench) -> None:
    assert delphis_driver.storage.serial_number == "lie-127.0.0.9"
    assert delphis_driver.call("ListVolumes").ok
"""


def pytest_in(folder: Path, *words: str) -> str:
    command = [sys.executable, "-m", "pytest", "-p", "delphis.sdk.testing.pytest_plugin", "-p", "no:cacheprovider"]
    # Without the plugins of this checkout, which are no concern of the author's.
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "COLUMNS": "250"}
    done = subprocess.run(
        [*command, "-ra", "-v", *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    return f"{done.stdout}{done.stderr}\nexit code {done.returncode}"


def test_each_check_is_a_test(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "array.json").write_text(ARRAY)
    (tmp_path / "expected.json").write_text('{"lists.warnings": "it will pass", "lists.ids-unique": "says all twice"}')
    (tmp_path / "driver.py").write_text((BAD / "lie.py").read_text())
    (tmp_path / "test_driver.py").write_text(TESTS)
    said = pytest_in(tmp_path, "-k", "lists or storage or author or unreachable")
    ids = [check for check in all_checks() if check.startswith(("lists.", "storage."))]
    assert all(f"test_driver.py::test_conformance[{check}]" in said for check in ids)
    assert "test_driver.py::test_conformance[storage.read] PASSED" in said
    assert "test_driver.py::test_conformance[lists.ids-unique] XFAIL (says all twice)" in said
    assert "test_driver.py::test_conformance[lists.warnings] FAILED" in said
    assert "It passes, though it was expected to fail: it will pass" in said
    assert "test_conformance[access.unreachable] SKIPPED (not run: the array file says `makes_no_connection`)" in said
    assert "test_driver.py::test_of_the_author PASSED" in said
    assert said.endswith("exit code 1")


def test_a_driver_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "test_driver.py").write_text(TESTS)
    said = pytest_in(tmp_path, "-k", "author", "--delphis-driver", "absent.py")
    assert "There is no file or folder absent.py." in said
    assert "exit code 1" in said
