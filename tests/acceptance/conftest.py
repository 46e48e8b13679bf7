"""A Delphis that the tests of one module share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.up import Up, core_alone


@pytest.fixture(scope="module")
def delphis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with core_alone(tmp_path_factory.mktemp("delphis")) as running:
        yield running
