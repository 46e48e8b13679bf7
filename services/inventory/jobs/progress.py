"""How far the syncs of this process are, kind by kind."""

from __future__ import annotations

import json
from collections.abc import Iterable

from sqlalchemy import bindparam, select

from delphis.inventory.v1 import job_pb2
from services.inventory.kinds import KINDS, STORAGE
from services.inventory.schema.storages import kind_states
from services.inventory.sync.result import KindResult
from services.store.connection import Connection, Row
from services.store.statement import statement
from services.values import times

NEVER = job_pb2.KIND_OUTCOME_NEVER
RUNNING = job_pb2.KIND_OUTCOME_RUNNING

_ORDER = {name: place for place, name in enumerate((STORAGE, *KINDS))}
_COLUMNS = (
    "kind", "outcome", "total", "added", "changed", "removed", "missing", "missing_answers", "missing_since",
    "error_code", "error_msg", "warnings", "started_at", "ended_at", "last_success_at",
)  # fmt: skip
_OF_STORAGE = statement(
    select(*(kind_states.c[name] for name in _COLUMNS)).where(kind_states.c.storage_no == bindparam("no"))
)


class Progress:
    """The kinds of one running sync."""

    def __init__(self, kinds: Iterable[str]) -> None:
        self._states = {kind: job_pb2.KindState(kind=kind, outcome=NEVER) for kind in kinds}

    def began(self, kind: str) -> None:
        """The kind is being read; also when it is read again."""
        state = self._states[kind]
        state.outcome = RUNNING
        if not state.HasField("started_at"):
            state.started_at.FromMicroseconds(times.now())

    def ended(self, result: KindResult) -> None:
        """The kind's read ended."""
        self._states[result.kind] = of_result(result)

    def states(self) -> list[job_pb2.KindState]:
        """All kinds, in the contract's order."""
        return sorted(self._states.values(), key=_place)

    def serialised(self) -> bytes:
        """As kept with an ended job."""
        return job_pb2.Job(kinds=self.states()).SerializeToString()


def of_storage(connection: Connection, storage_no: int) -> list[job_pb2.KindState]:
    """How the last reads of a storage's kinds ended."""
    rows = connection.all(_OF_STORAGE, {"no": storage_no})
    return sorted((of_result(_result(row)) for row in rows), key=_place)


def of_result(result: KindResult) -> job_pb2.KindState:
    """The message for a result."""
    return job_pb2.KindState(
        kind=result.kind,
        outcome=result.outcome,
        last_success_at=times.stamp(result.last_success_at),
        total=result.total,
        added=result.added,
        changed=result.changed,
        removed=result.removed,
        missing=result.missing,
        missing_answers=result.missing_answers,
        missing_since=times.stamp(result.missing_since),
        error_code=result.error_code,
        error_msg=result.error_msg,
        warnings=result.warnings,
        started_at=times.stamp(result.started_at),
        ended_at=times.stamp(result.ended_at),
    )


def _result(row: Row) -> KindResult:
    values = dict(zip(_COLUMNS, row, strict=True))
    values["warnings"] = tuple(json.loads(values["warnings"] or "[]"))
    return KindResult(**values)


def _place(state: job_pb2.KindState) -> int:
    return _ORDER.get(state.kind, len(_ORDER))


def overlaid(stored: Iterable[job_pb2.KindState], running: Iterable[job_pb2.KindState]) -> list[job_pb2.KindState]:
    """What is stored of the kinds, and which of them are being read now."""
    states = {state.kind: state for state in stored}
    for live in running:
        if live.outcome == RUNNING:
            state = states.setdefault(live.kind, job_pb2.KindState(kind=live.kind))
            state.outcome = RUNNING
            state.started_at.CopyFrom(live.started_at)
        elif live.kind not in states:
            states[live.kind] = live
    return sorted(states.values(), key=_place)
