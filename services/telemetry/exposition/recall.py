"""After a start: the newest values as the history has them, until the arrays are asked again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from uuid import UUID

import numpy as np

from services.fleet.fleet import Fleet
from services.store.connection import Connection
from services.store.engine import Store
from services.store.errors import StoreFault
from services.telemetry.collection.announced import paces
from services.telemetry.collection.collector import Collector
from services.telemetry.exposition.latest import Latest
from services.telemetry.history.reader import Grid, grids
from services.telemetry.history.recorder import KINDS
from services.telemetry.window import Window
from services.values import times

log = logging.getLogger(__name__)


async def recall(store: Store, fleet: Fleet, collector: Collector, latest: Latest) -> None:
    """Has `latest` know what arrays told before the process started; one array after another."""
    await fleet.wait_known()
    for storage in list(fleet.all().values()):
        measured = paces(collector.known(storage.id))
        asked = [
            (kind, tuple(sorted(collector.announced(storage.id, kind))), pace.interval)
            for kind, pace in measured.items()
            if kind in KINDS
        ]
        try:
            windows = await store.scan(partial(_windows, storage_id=UUID(storage.id).bytes, asked=asked))
        except StoreFault as fault:
            log.warning("the newest values are told as they are collected again: %s", fault)
            return
        if fleet.get(storage.id) is not None:
            latest.take(storage.id, windows)
        await asyncio.sleep(0)


def _windows(
    connection: Connection, storage_id: bytes, asked: Sequence[tuple[str, tuple[str, ...], int]]
) -> list[Window]:
    now = times.now() // 1000
    return [
        _last(kind, grid)
        for kind, names, interval in asked
        for grid in grids(connection, storage_id, kind, names, now - 2 * interval, now + 1)
    ]


def _last(kind: str, grid: Grid) -> Window:
    """The newest value of each series of a grid, as if they were of one time."""
    told = ~np.isnan(grid.values)
    rows = len(grid.times) - 1 - np.argmax(told[::-1], axis=0)
    values = np.take_along_axis(grid.values, rows[np.newaxis], axis=0)
    return Window(kind, grid.native_ids, grid.metrics, int(grid.times[-1]), 1, values)
