"""protos/generate.py: says what is out of date, writes the same bytes each time, and touches only what differs."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import REPO

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(300)]


def generate(root: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        sys.executable,
        REPO / "protos/generate.py",
        "--root",
        root,
        "--out",
        root / "out",
        *more,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A copy of the contract with freshly generated code in out/."""
    for folder in ("delphis", "google"):
        shutil.copytree(REPO / "protos" / folder, tmp_path / folder)
    done = generate(tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_committed_code_is_what_the_contract_gives(root: Path) -> None:
    committed = REPO / "protos/gen/python"
    for path in sorted((root / "out").rglob("*.*")):
        if path.is_file():
            assert path.read_bytes() == (committed / path.relative_to(root / "out")).read_bytes(), path.name


def test_drift_is_named(root: Path) -> None:
    assert generate(root, "--check").returncode == 0
    out = root / "out/delphis"
    (out / "type/v1/storage_pb2.py").write_text("# edited by hand\n")
    (out / "type/v1/access_pb2.pyi").unlink()
    (out / "type/v1/gone_pb2.py").touch()
    done = generate(root, "--check")
    assert done.returncode == 1
    assert [line.rsplit("/", 1)[1].split(":")[0] for line in done.stdout.splitlines()] == [
        "access_pb2.pyi",
        "gone_pb2.py",
        "storage_pb2.py",
    ]
    untouched = out / "type/v1/block_pb2.py"
    before = untouched.stat().st_mtime_ns
    assert generate(root).returncode == 0
    assert generate(root, "--check").returncode == 0
    assert not (out / "type/v1/gone_pb2.py").exists()
    assert untouched.stat().st_mtime_ns == before


def test_contract_that_does_not_compile_changes_nothing(root: Path) -> None:
    proto = root / "delphis/type/v1/storage.proto"
    proto.write_text(proto.read_text() + "\nmessage Broken {")
    before = {path: path.read_bytes() for path in (root / "out").rglob("*.*") if path.is_file()}
    done = generate(root)
    assert done.returncode == 1
    assert "storage.proto" in done.stderr
    assert before == {path: path.read_bytes() for path in (root / "out").rglob("*.*") if path.is_file()}
