"""TrapService."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from delphis.alert.v1 import trap_pb2 as pb
from services.alerts.counts import Counts
from services.alerts.parsing.intake import Intake
from services.alerts.parsing.listing import list_traps
from services.alerts.parsing.queues import Queues
from services.alerts.receiving import Counters, Spool
from services.calls.method import Call, Method, methods_of, unary
from services.store.engine import Store

SERVICE = pb.DESCRIPTOR.services_by_name["TrapService"]


class TrapReceiver:
    """How the receiver does."""

    def __init__(
        self,
        *,
        listening: Sequence[str],
        problem: Callable[[], str],
        spool: Spool,
        counters: Counters,
        counts: Counts,
        intake: Intake,
        queues: Queues,
        engine_id: bytes,
    ) -> None:
        """`problem` is what keeps it from listening, empty for nothing."""
        self._listening = tuple(listening)
        self._problem = problem
        self._spool = spool
        self._counters = counters
        self._counts = counts
        self._intake = intake
        self._queues = queues
        self._engine_id = engine_id

    def shown(self) -> pb.TrapReceiver:
        """For callers."""
        oldest = self._spool.oldest_at_ns()
        shown = pb.TrapReceiver(
            listening=self._listening,
            problem=self._problem() or self._intake.problem or self._spool.trouble or None,
            spooled_bytes=self._spool.held_bytes,
            spool_limit_bytes=self._spool.most_bytes,
            waiting=self._queues.waiting,
            engine_id=self._engine_id.hex(),
        )
        shown.spooled = max(0, self._counters.accepted - self._counters.overflow_dropped - self._intake.taken)
        if oldest is not None and shown.spooled:
            shown.oldest_at.FromNanoseconds(oldest)
        for source, share in sorted(self._counters.held_back.items()):
            shown.held_back.add(source_address=source, share=share)
        for name, count in sorted(self.counts().items()):
            shown.counts.add(name=name, count=count)
        return shown

    def counts(self) -> dict[str, int]:
        """All counts since the start."""
        counters = self._counters
        found = {
            "received": counters.received,
            "received_bytes": counters.received_bytes,
            "accepted": counters.accepted,
            "dropped_full": counters.overflow_dropped,
            "dropped_source": counters.share_refused,
            "dropped_kernel": counters.kernel_drops,
            "dropped_disk": counters.disk_refused,
            "spool_damaged": counters.corrupt,
            "informs_answered": counters.informs_answered,
            "informs_repeated": counters.informs_repeated,
            "reports": counters.reports,
            "unanswered": counters.unanswered,
        }
        for reason, count in counters.refused.items():
            found[f"refused_{reason}"] = count
        for name, count in self._counts.items():
            found[name] = found.get(name, 0) + count
        return found


class Handlers:
    """Answers TrapService."""

    def __init__(self, store: Store, receiver: TrapReceiver) -> None:
        self._store = store
        self._receiver = receiver

    async def list_traps(self, request: pb.ListTrapsRequest, call: Call) -> pb.ListTrapsResponse:
        """A page of traps."""
        return await list_traps(self._store, request)

    async def get_trap_receiver(self, request: pb.GetTrapReceiverRequest, call: Call) -> pb.TrapReceiver:
        """How the receiver does."""
        return self._receiver.shown()

    def methods(self) -> Iterator[Method]:
        """The service for a method table."""
        return methods_of(
            SERVICE,
            {
                "ListTraps": unary(pb.ListTrapsRequest, self.list_traps),
                "GetTrapReceiver": unary(pb.GetTrapReceiverRequest, self.get_trap_receiver),
            },
        )
