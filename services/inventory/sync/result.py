"""What a sync of one kind comes to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from delphis.inventory.v1 import job_pb2
from services.calls.errors import CallError
from services.store.connection import Connection

Guard = Callable[[Connection], None]
"""Called first in a writing transaction; raises where the job was superseded, so that nothing is written."""

OK = job_pb2.KIND_OUTCOME_OK
PARTIAL = job_pb2.KIND_OUTCOME_PARTIAL
SUSPICIOUS = job_pb2.KIND_OUTCOME_SUSPICIOUS
FAILED = job_pb2.KIND_OUTCOME_FAILED
UNSUPPORTED = job_pb2.KIND_OUTCOME_UNSUPPORTED

MAX_WARNINGS = 20


class StorageGone(Exception):
    """The storage was removed while its sync ran: nothing of it is written any more."""


class KindMoved(Exception):
    """Somebody else wrote to the kind while its sync ran; the kind has to be read again."""


@dataclass(frozen=True, slots=True)
class KindResult:
    """How the read of a kind ended, as stored in `kind_states`."""

    kind: str
    outcome: job_pb2.KindOutcome.ValueType
    total: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    missing: int = 0
    missing_answers: int = 0
    missing_since: int = 0
    error_code: str = ""
    error_msg: str = ""
    warnings: tuple[str, ...] = ()
    started_at: int = 0
    ended_at: int = 0
    last_success_at: int = 0
    error: CallError | None = field(default=None, compare=False)
    """What ended the stream, if something did."""
    written: int = field(default=0, compare=False)
    """Rows written or deleted, events aside."""
