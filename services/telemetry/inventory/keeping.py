"""Keeps the capacities of an array once for each sync."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from uuid import UUID

from services.fleet.storage import Storage
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault
from services.telemetry import journal
from services.telemetry.collection.collector import Collector, Took
from services.telemetry.collection.plan import CLOCK_SKEW
from services.telemetry.collection.records import KindState, save_kind
from services.telemetry.forecast import days
from services.telemetry.history.recorder import Recorded, Recorder
from services.telemetry.inventory.capacity import unannounced
from services.telemetry.window import Window
from services.values import times

log = logging.getLogger(__name__)

CAPACITIES = "#capacities"
"""Stands where others have a kind: how far the capacities of an array are."""


class Keeper:
    """Writes capacities, as collections write points: with how far we are, in one transaction."""

    def __init__(
        self, store: Store, recorder: Recorder, collector: Collector, *, took: Took, changed: Callable[[str], None]
    ) -> None:
        """`took` is told what was committed, `changed` of which array."""
        self._store = store
        self._recorder = recorder
        self._collector = collector
        self._took = took
        self._changed = changed

    async def keep(self, storage: Storage, windows: list[Window]) -> bool:
        """Keeps those of the capacities that are newer than those that are kept; whether all are kept now.

        Those that the array tells itself are points already. Days are kept of all.
        """
        kinds = self._collector.known(storage.id).kinds
        state = kinds.get(CAPACITIES, KindState())
        now = times.now() // 1000
        before = state.newest if state.newest <= now + CLOCK_SKEW else 0  # or else a clock was set back
        new = [window for window in windows if window.last > before]
        if not new:
            self._took(
                storage, self._points(storage, windows)
            )  # after a start: what is told at /metrics lies in memory alone
            return True
        key, newest = UUID(storage.id).bytes, max(window.last for window in new)
        points = self._points(storage, new)
        after = replace(state, newest=newest, watermark=newest, last_success_at=times.now())

        def work(connection: Connection) -> Recorded:
            recorded = self._recorder.record(connection, key, points)
            days.keep(connection, key, new)
            journal.append(connection, key, points, times.now())
            save_kind(connection, key, CAPACITIES, after)
            return recorded

        try:
            recorded = await self._store.write(work, bulk=True)
        except StoreFault as fault:
            log.error("the capacities of %s can't be stored: %s", storage.id, fault)
            return False
        self._recorder.committed(recorded)
        kinds[CAPACITIES] = after
        self._took(storage, self._points(storage, windows))
        self._changed(storage.id)
        return True

    def _points(self, storage: Storage, windows: Iterable[Window]) -> list[Window]:
        told = (unannounced(window, self._collector.announced(storage.id, window.kind)) for window in windows)
        return [window for window in told if window is not None]
