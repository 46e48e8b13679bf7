"""An author with nothing but our wheels: a new project is installed, proved, and served by a Delphis elsewhere."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.support.up import up
from tests.template.environments import Operator
from tests.template.test_installed import NAMES, check_served, drivers

from .conftest import Environment, NewEnvironment, run

pytestmark = [pytest.mark.packaging, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def author(new_environment: NewEnvironment, wheels: list[Path]) -> Environment:
    """The SDK and its conformance kit, from the wheels."""
    sdk = next(wheel for wheel in wheels if wheel.name.startswith("delphis_driver_sdk-"))
    protos = next(wheel for wheel in wheels if wheel.name.startswith("delphis_protos-"))
    return new_environment("author", [protos, f"delphis-driver-sdk[conformance] @ {sdk.as_uri()}", "mypy", "ruff"])


@pytest.fixture(scope="module")
def project(author: Environment) -> Path:
    """The author's project, with its package installed."""
    made = author.run("delphis-driver", "new", NAMES.name, "--vendor", NAMES.vendor, "--model", NAMES.model)
    assert made.code == 0, made.output
    author.install("./acme-box")
    return author.folder / "acme-box"


def test_the_project_is_right(author: Environment, project: Path) -> None:
    tested = run(author.python, "-m", "pytest", "-q", cwd=project)
    assert tested.code == 0, tested.output
    assert re.search(r"\d+ passed", tested.output)
    for command in (("mypy",), ("ruff", "check"), ("ruff", "format", "--check")):
        done = run(author.folder / "bin" / command[0], *command[1:], cwd=project)
        assert done.code == 0, done.output


def test_its_package_is_found_by_its_entry_point(author: Environment, project: Path, tmp_path: Path) -> None:
    operator = Operator(tmp_path / "operator")
    installed = run(
        *(sys.executable, "-m", "pip", "--python", operator.folder / "bin/python", "install", "--quiet", "--no-deps"),
        project,
    )
    assert installed.code == 0, installed.output
    with operator.up(tmp_path / "up") as server:
        [driver] = [each for each in drivers(operator, server).values() if "entry" in each["source"].lower()]
        assert driver["name"] == "acme_box.driver.AcmeBoxDriver"
        assert driver["version"] == "0.1.0"
        check_served(operator, server, project)


def test_it_runs_in_the_authors_environment(author: Environment, project: Path, tmp_path: Path) -> None:
    """A core of the checkout starts it by its manifest, with the interpreter that the manifest names."""
    manifest = project / "driver.toml"
    before = manifest.read_text(encoding="utf-8")
    manifest.write_text(before + f'python = "{author.python}"\n', encoding="utf-8")
    operator = Operator(tmp_path / "operator")
    (tmp_path / "up").mkdir()
    with up(tmp_path / "up", "--drivers", str(author.folder)) as server:
        assert drivers(operator, server)["com.example.acme-box"]["serves"]
        check_served(operator, server, project)
    manifest.write_text(before, encoding="utf-8")
