from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.inventory.core import Core, core
from tests.support.stores import database_url, postgres_cluster

__all__ = ["database_url", "delphis", "delphis_on_both", "postgres_cluster"]


@pytest.fixture
async def delphis(tmp_path: Path) -> AsyncIterator[Core]:
    """A core on SQLite."""
    async with core(tmp_path) as running:
        yield running


@pytest.fixture
async def delphis_on_both(tmp_path: Path, database_url: str) -> AsyncIterator[Core]:
    """A core on each database in turn."""
    async with core(tmp_path, database=database_url) as running:
        yield running
