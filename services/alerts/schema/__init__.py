"""The tables of the alerts service. See `services.store.schema` for the rules."""

from __future__ import annotations

from pathlib import Path

from services.alerts.schema import arrays, book, delivery, service, traps
from services.alerts.schema.metadata import metadata
from services.store.schema import Schema

SCHEMA = Schema(
    name="alerts",
    metadata=metadata,
    head="alerts_0001",
    folder=Path(__file__).parent,
    lock=0x616C7274,  # "alrt"
    channel="delphis_alerts",
    namespace="alerts",
    sole=True,
)

__all__ = ["SCHEMA", "arrays", "book", "delivery", "metadata", "service", "traps"]
