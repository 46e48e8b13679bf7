"""Stores of telemetry on both databases."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from services.store.engine import Store
from services.telemetry.schema import SCHEMA
from tests.support.stores import database_url, postgres_cluster

__all__ = ["database_url", "postgres_cluster"]


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """An open store without rows, of each kind in turn."""
    opened = Store.open(database_url, SCHEMA)
    yield opened
    await opened.close()
