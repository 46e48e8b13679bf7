"""Environments of operators: all that this checkout has installed, and drivers of others beside it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import up as support
from tests.support.up import Up


class Operator:
    """A virtual environment that sees the packages of ours."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=60)
        [self.packages] = folder.glob("lib/python*/site-packages")
        ours = sysconfig.get_path("purelib")
        # As an installed package's file of paths: editable installs in there are followed.
        (self.packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
        self.delphis = folder / "bin" / "delphis"
        self.delphis.write_text(f"#!{folder}/bin/python\nfrom delphis.cli.main import main\nmain()\n")
        self.delphis.chmod(0o755)

    def announce(self, name: str, points: dict[str, str]) -> None:
        """Writes what pip writes for a package with entry points of the group `delphis.drivers`."""
        folder = self.packages / f"{name}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        lines = "".join(f"{point} = {value}\n" for point, value in points.items())
        (folder / "entry_points.txt").write_text(f"[delphis.drivers]\n{lines}")

    @contextmanager
    def up(self, folder: Path, *options: str) -> Iterator[Up]:
        """`delphis up` of this environment."""
        folder.mkdir()
        with support.up(folder, *options, program=str(self.delphis)) as running:
            yield running

    def ask(self, server: Up, *words: str, given: str = "") -> str:
        """What a command of `delphis`, of this environment, prints."""
        done = subprocess.run(
            [self.delphis, "--server", server.grpc, *words],
            input=given,
            env={**os.environ, "COLUMNS": "400", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout
