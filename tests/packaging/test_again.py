"""What failed in CI runs once more, alone: a flaky test is named and stops nobody, a broken one still fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

CONFTEST = "from tests.conftest import pytest_sessionfinish\n__all__ = ['pytest_sessionfinish']\n"
TESTS = """
import pathlib, pytest

@pytest.mark.parametrize("number", range(6))
def test_fine(number): pass

def second_time(name):
    noted = pathlib.Path(__file__).parent / name
    found = noted.exists()
    noted.touch()
    return found
"""
FLAKY = 'def test_flaky(): assert second_time("a")\n'
BROKEN = "def test_broken(): assert False\n"
MANY = '@pytest.mark.parametrize("n", range(6))\ndef test_many(n): assert second_time(str(n))\n'
TEARDOWN = (
    '@pytest.fixture\ndef late():\n    yield\n    assert second_time("b")\n\n'
    '@pytest.mark.parametrize("text", ["a b[c]::d"])\ndef test_late(late, text): pass\n'
)
CRASH = 'def test_crash():\n    if not second_time("c"): __import__("os")._exit(3)\n'
NO_IMPORT = 'if not second_time("d"): raise ImportError\n'
ENDS = 'def test_end():\n    if not second_time("e"): pytest.exit("no more")\n'
ELSEWHERE = "def test_elsewhere(): assert False\n"


@pytest.mark.parametrize(
    ("tests", "code", "named"),
    [
        ("", 0, []),
        (FLAKY + TEARDOWN + CRASH, 0, ["test_crash", "test_flaky", "test_late[a b[c]::d]"]),
        (FLAKY + BROKEN, 1, []),
        (MANY, 1, []),
        (NO_IMPORT, 1, []),
        (FLAKY + ENDS, 1, []),
    ],
    ids=["fine", "flaky", "broken", "many", "no import", "ends early"],
)
def test_a_second_try(tests: str, code: int, named: list[str], tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_some.py").write_text(TESTS + tests)
    (tmp_path / "test_others.py").write_text("import pytest\n@pytest.mark.other\n" + ELSEWHERE)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = other\n")
    script = f"""
        set -uo pipefail
        source {REPO}/.ci/again.sh
        run() {{ "$DELPHIS_PYTHON" -m pytest -p xdist --numprocesses 2 -m "not other" "$@"; }}
        with_second_try run
        outcome=$?
        name_flaky_tests
        exit $outcome
    """
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env={
            **os.environ,
            "DELPHIS_PYTHON": sys.executable,
            "PYTHONPATH": str(REPO),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done
    told = done.stdout.partition("# FLAKY")[2]
    assert [line.removeprefix("#   test_some.py::") for line in told.splitlines() if "::" in line] == named, done
