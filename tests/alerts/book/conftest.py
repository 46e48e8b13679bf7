from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.alerts.schema import SCHEMA
from services.store.engine import Store
from tests.support import postgres
from tests.support.stores import postgres_cluster

__all__ = ["alerts_url", "postgres_cluster", "store"]


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def alerts_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of the alerts service without rows, of each kind in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/alerts.db"
    cluster: postgres.Cluster = request.getfixturevalue("postgres_cluster")
    return cluster.shared_database(SCHEMA)


@pytest.fixture
async def store(alerts_url: str) -> AsyncIterator[Store]:
    """An open store of the alerts service without rows."""
    opened = Store.open(alerts_url, SCHEMA)
    yield opened
    await opened.close()
