from __future__ import annotations

from tests.support.stores import database_url, postgres_cluster, store

__all__ = ["database_url", "postgres_cluster", "store"]
