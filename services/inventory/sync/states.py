"""How the last sync of each kind ended, as stored."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import bindparam, select

from services.inventory.schema.storages import kind_states, storages
from services.inventory.sync.result import KindResult
from services.store.connection import Connection
from services.store.statement import sql, statement

_READ = statement(
    select(
        storages.c.no,
        kind_states.c.generation,
        kind_states.c.loaded,
        kind_states.c.total,
        kind_states.c.missing,
        kind_states.c.missing_answers,
        kind_states.c.missing_since,
        kind_states.c.last_success_at,
        kind_states.c.answer,
    )
    .select_from(
        storages.outerjoin(
            kind_states, (kind_states.c.storage_no == storages.c.no) & (kind_states.c.kind == bindparam("kind"))
        )
    )
    .where(storages.c.id == bindparam("storage_id"), storages.c.deleted_at == 0)
)
_COLUMNS = [
    "outcome",
    "total",
    "added",
    "changed",
    "removed",
    "missing",
    "missing_answers",
    "missing_since",
    "error_code",
    "error_msg",
    "warnings",
    "started_at",
    "ended_at",
    "last_success_at",
    "generation",
    "loaded",
    "answer",
]
_UPSERT = (
    f"INSERT INTO kind_states (storage_no, kind, {', '.join(_COLUMNS)})"
    f" VALUES (:storage_no, :kind, {', '.join(':' + name for name in _COLUMNS)})"
    f" ON CONFLICT (storage_no, kind) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS)}"
)
_WRITE = sql(sqlite=_UPSERT, postgresql=_UPSERT)
# FOR SHARE: a removal of the storage waits until this transaction ends, and then finds its rows.
_ALIVE = "SELECT no FROM storages WHERE no = :no AND deleted_at = 0"
_LOCK = sql(sqlite=_ALIVE, postgresql=f"{_ALIVE} FOR SHARE")


@dataclass(frozen=True, slots=True)
class StoredKind:
    """What is known about a kind before its sync."""

    storage_no: int
    generation: int = 0
    loaded: bool = False
    total: int = 0
    missing: int = 0
    missing_answers: int = 0
    missing_since: int = 0
    last_success_at: int = 0
    answer: str = ""
    """Digest of the answer that its rows are, all of them and nothing else; empty: there is none."""


def read(connection: Connection, storage_id: bytes, kind: str) -> StoredKind | None:
    """The kind's state; None where the storage does not exist or is being removed."""
    row = connection.one(_READ, {"storage_id": storage_id, "kind": kind})
    if row is None:
        return None
    no, generation, loaded, *rest = row
    return StoredKind(no) if generation is None else StoredKind(no, generation, bool(loaded), *rest)


def lock_storage(connection: Connection, storage_no: int) -> bool:
    """Keeps the storage from being removed until the transaction ends; False where it is already."""
    return connection.one(_LOCK, {"no": storage_no}) is not None


def write(
    connection: Connection,
    storage_no: int,
    result: KindResult,
    *,
    generation: int,
    loaded: bool,
    answer: str = "",
) -> None:
    """Stores how the sync ended."""
    values = {name: getattr(result, name) for name in _COLUMNS if hasattr(result, name)}
    values |= {
        "storage_no": storage_no,
        "kind": result.kind,
        "warnings": json.dumps(result.warnings) if result.warnings else "",
        "generation": generation,
        "loaded": int(loaded),
        "answer": answer,
    }
    connection.run(_WRITE, values)
