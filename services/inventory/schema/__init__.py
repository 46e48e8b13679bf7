"""The tables of the core's database: inventory, registry, auth. See `services.store.schema` for the rules.

Storages are referred to by `storages.no`, a small number that is never used again, to keep indexes small.
"""

from __future__ import annotations

from pathlib import Path

from services.inventory.schema import auth, changes, jobs, registry, resources, storages
from services.inventory.schema.metadata import metadata
from services.store.schema import Schema

SCHEMA = Schema(
    name="inventory",
    metadata=metadata,
    head="0006",
    folder=Path(__file__).parent,
    lock=0x64656C70,  # "delp"
    channel="delphis",
    writer_numbers=resources.WRITER_NUMBERS,
)

__all__ = ["SCHEMA", "auth", "changes", "jobs", "metadata", "registry", "resources", "storages"]
