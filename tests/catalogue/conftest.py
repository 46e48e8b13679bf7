"""One Delphis for all rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.catalogue.world import DRIVERS, World, build
from tests.support.up import core_alone


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("delphis")
    with core_alone(folder, "--drivers", str(DRIVERS)) as running, contextlib.closing(World(running)) as built:
        build(built)
        yield built
