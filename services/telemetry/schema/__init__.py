"""The tables of the telemetry service. See `services.store.schema` for the rules."""

from __future__ import annotations

from pathlib import Path

from services.store.schema import Schema
from services.telemetry.schema import capacity, collection, history, sinks
from services.telemetry.schema.metadata import metadata

SCHEMA = Schema(
    name="telemetry",
    metadata=metadata,
    head="telemetry_0001",
    folder=Path(__file__).parent,
    lock=0x746C6D74,  # "tlmt"
    channel="delphis_telemetry",
    namespace="telemetry",
    sole=True,
)

__all__ = ["SCHEMA", "capacity", "collection", "history", "metadata", "sinks"]
