from __future__ import annotations

from tests.alerts.book.conftest import alerts_url, store
from tests.support.stores import postgres_cluster

__all__ = ["alerts_url", "postgres_cluster", "store"]
