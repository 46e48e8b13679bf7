"""examples/go-driver: its own tests, the whole conformance kit, and a registered array behind it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.examples import proofs
from tests.examples.toolchains import EXAMPLES, make
from tests.support.up import up

pytestmark = [pytest.mark.go, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def driver() -> Path:
    return make("go-driver")


def test_its_own_tests() -> None:
    make("go-driver", "test")


@pytest.mark.parametrize("proof", proofs.ALL, ids=lambda proof: proof.__name__)
def test_as_every_driver(driver: Path, proof: Callable[[Path], None]) -> None:
    proof(driver)


def test_it_serves_a_registered_array(driver: Path, tmp_path: Path) -> None:
    with (
        proofs.operators_folder(tmp_path, driver) as folder,
        up(tmp_path, "--drivers", str(folder)) as delphis,
    ):
        proofs.serves_a_registered_array(delphis, "pebble-go", "bin/go-driver")


def test_it_serves_from_elsewhere(driver: Path, tmp_path: Path) -> None:
    proofs.serves_from_elsewhere(driver, tmp_path)


def test_what_the_image_copies_is_there(driver: Path) -> None:
    dockerfile = (EXAMPLES / "go-driver" / "Dockerfile").read_text()
    sources = [word for line in re.findall(r"(?m)^COPY (?!--from)(.+)$", dockerfile) for word in line.split()[:-1]]
    assert sources
    assert [source for source in sources if not (driver / source).exists()] == []
