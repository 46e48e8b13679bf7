"""Answers questions: from the history, and from another database what the history lacks."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

from delphis.sdk import metrics
from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.calls.errors import CallError
from services.store.connection import Connection
from services.store.engine import Store
from services.telemetry.history import slots
from services.telemetry.history.recorder import KINDS, MAX_VOLUME_SERIES
from services.telemetry.query.answering import Elsewhere, Series, answer, needed, top_resources
from services.telemetry.query.coverage import Coverage, Span, coverage
from services.telemetry.query.database import Database
from services.telemetry.query.errors import DatabaseFault, TooMuch
from services.telemetry.query.question import Question
from services.telemetry.query.reading import Grids, Reading, Wanted
from services.values import times

log = logging.getLogger(__name__)

Resources = Callable[[str], Sequence[str]]
"""The volumes of a storage, as far as they are known."""
_NAMED = 500
"""So many resources are asked for by their ids; of more, all are read."""
_HISTORY, _DATABASE = pb.METRIC_SOURCE_HISTORY, pb.METRIC_SOURCE_PROMETHEUS


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the question, and who has it."""

    source: pb.MetricSource.ValueType
    span: Span
    beyond: bool = False
    """Only the resources that the history has no place for."""
    problem: str = ""
    """Why it is missing."""


@dataclass(slots=True)
class Answered:
    """The series, who has what, and what is missing."""

    series: list[Series]
    parts: list[Part]
    warnings: list[str] = field(default_factory=list[str])

    @property
    def source(self) -> pb.MetricSource.ValueType:
        """Who answered."""
        sources = {part.source for part in self.parts if not part.problem}
        return pb.METRIC_SOURCE_BOTH if len(sources) > 1 else next(iter(sources), _HISTORY)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is asked of the database."""

    coverage: Coverage
    beyond: Mapping[str, Sequence[str]]
    """Volumes without a place in the history, by storage."""

    def spans(self) -> list[tuple[Span, bool]]:
        """Each part, and whether it is only of volumes without a place."""
        older, own = self.coverage.older, self.coverage.own
        found = [(older, False)] if older is not None else []
        return [*found, (own, True)] if own is not None and self.beyond else found


class Queries:
    """Answers them."""

    def __init__(
        self, store: Store, database: Database | None = None, *, max_volume_series: int = MAX_VOLUME_SERIES
    ) -> None:
        self._store = store
        self._database = database
        self._max_volume_series = max_volume_series

    @property
    def kinds(self) -> frozenset[str]:
        """Of which somebody has points."""
        if self._database is None:
            return KINDS
        return frozenset(kind for metric in metrics.catalogue().values() for kind in metric.kinds)

    async def answer(self, question: Question, storage_ids: Sequence[str], *, resources: Resources) -> Answered:
        """The answer; CallError QUERY_TOO_BROAD, or METRIC_SOURCE_UNAVAILABLE where nobody has any of it."""
        covered = coverage(question, now=times.now() // 1000, elsewhere=self._database is not None)
        plan = _Plan(covered, await self._beyond(question, storage_ids, covered, resources))
        parts = [Part(_HISTORY, covered.own)] if covered.own is not None else []
        asked = plan.spans() if storage_ids else []
        grids: Grids = {}
        highest: dict[str, list[str]] | None = None
        problem = "" if self._database is not None else "No other database is configured."
        if asked and self._database is not None:
            try:
                grids, highest = await self._read(Reading(self._database), question, storage_ids, plan)
            except DatabaseFault as fault:
                problem = str(fault)
                log.warning("the database with older points (--prometheus): %s", problem)
            except TooMuch:
                raise CallError(
                    "QUERY_TOO_BROAD",
                    "Too many points would have to be read from the other database."
                    " Ask for a shorter time, fewer resources, or a larger step.",
                    metadata={},
                ) from None
        parts += [Part(_DATABASE, span, beyond, problem) for span, beyond in asked]
        answered = Answered([], sorted(parts, key=lambda part: part.span))
        if asked and problem:
            self._miss(question, plan, problem, answered)
        beside = Elsewhere(covered.own, grids)
        work = partial(
            answer, question=question, storage_ids=storage_ids, elsewhere=beside, highest=None if problem else highest
        )
        answered.series = await self._store.scan(work)
        return answered

    def _miss(self, question: Question, plan: _Plan, problem: str, answered: Answered) -> None:
        """A warning, or an error where nothing is left."""
        what = "of this time" if question.kind in KINDS else f"of the kind {question.kind}"
        nothing = plan.coverage.own is None
        if not nothing and plan.beyond:
            count = sum(map(len, plan.beyond.values()))
            nothing = plan.coverage.older is None and bool(question.native_ids) and _all_beyond(question, plan)
            what = "of these volumes"
            answered.warnings.append(
                f"{count:,} volumes are missing: the history keeps {self._max_volume_series:,} series of volumes."
                f" {problem}"
            )
        if plan.coverage.older is not None:
            answered.warnings.append(f"What is older than a day is missing. {problem}")
        if nothing:
            mend = "see to the database (--prometheus)" if self._database else "configure one (--prometheus)"
            raise CallError(
                "METRIC_SOURCE_UNAVAILABLE",
                f"The history has no points {what}. {problem} Ask for a later time or other resources, or {mend}.",
                metadata={},
            )

    async def _beyond(
        self, question: Question, storage_ids: Sequence[str], covered: Coverage, resources: Resources
    ) -> dict[str, list[str]]:
        """Volumes that have no place in the history, by storage."""
        if question.kind != "volume" or covered.own is None:
            return {}

        named = frozenset(question.native_ids)
        # As long as every volume could have each metric that there is, none is left out.
        least = self._max_volume_series // len(metrics.of_kind("volume"))

        def unplaced(connection: Connection) -> dict[str, list[str]]:
            found: dict[str, list[str]] = {}
            if slots.count(connection, question.kind) < least:
                return found
            for storage_id in storage_ids:
                known = [one for one in resources(storage_id) if not named or one in named]
                placed = self._placed(connection, storage_id)
                missing = [native_id for native_id in known if native_id not in placed]
                if missing:
                    found[storage_id] = missing
            return found

        return await self._store.scan(unplaced)

    async def _read(
        self, reading: Reading, question: Question, storage_ids: Sequence[str], plan: _Plan
    ) -> tuple[Grids, dict[str, list[str]] | None]:
        """What the database has; and the top resources, where they are asked for."""
        if not question.top or question.group_by:
            return await self._grids(reading, question, storage_ids, plan), None
        first = dataclasses.replace(question, metrics=question.metrics[:1])
        grids = await self._grids(reading, first, storage_ids, plan)
        beside = Elsewhere(plan.coverage.own, grids)
        highest = await self._store.scan(lambda connection: top_resources(connection, first, storage_ids, beside))
        if set(needed(question)) != set(needed(first)):
            grids = await self._grids(reading, question, list(highest), plan, of=highest)
        return grids, highest

    async def _grids(
        self,
        reading: Reading,
        question: Question,
        storage_ids: Sequence[str],
        plan: _Plan,
        *,
        of: Mapping[str, Sequence[str]] | None = None,
    ) -> Grids:
        found: Grids = {}
        catalogue = metrics.catalogue()
        for span, beyond in plan.spans():
            asked: dict[str, Sequence[str] | None] = {}
            placed: dict[str, frozenset[str]] = {}
            for storage_id in storage_ids:
                ids: Sequence[str] | None = question.native_ids or None
                if of is not None:
                    ids = of[storage_id]
                if beyond:
                    chosen = None if ids is None else frozenset(ids)
                    ids = [one for one in plan.beyond.get(storage_id, ()) if chosen is None or one in chosen]
                    if not ids:
                        continue
                    if len(ids) > _NAMED:
                        placed[storage_id] = await self._store.scan(partial(self._placed, storage_id=storage_id))
                        ids = None
                asked[storage_id] = ids
            wanted = Wanted(
                kind=question.kind,
                metrics=tuple(catalogue[name] for name in needed(question)),
                step=question.step,
                grouped=bool(question.group_by),
                span=span,
                resources=asked,
                leave_out=placed,
            )
            for storage_id, grids in (await reading.read(wanted)).items():
                found.setdefault(storage_id, []).extend(grids)
        return found

    @staticmethod
    def _placed(connection: Connection, storage_id: str) -> frozenset[str]:
        return frozenset(slots.load(connection, UUID(storage_id).bytes, "volume").of)


def _all_beyond(question: Question, plan: _Plan) -> bool:
    missing = {native_id for ids in plan.beyond.values() for native_id in ids}
    return missing >= set(question.native_ids)
