"""What arrays told that was not taken: counted, named, and said in the log, so that a driver can be mended."""

from __future__ import annotations

import logging
from collections import Counter

from services.fleet.storage import Storage
from services.telemetry.acceptance import Refusals, Refused
from services.values import times

log = logging.getLogger(__name__)

QUIET = times.HOUR
"""The same of the same driver is said again after so long."""
_REMEMBERED = 1_000


class RefusedValues:
    """Of all arrays, since the start."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """By reason."""
        self._of: dict[str, Refusals] = {}
        self._said: dict[tuple[tuple[str, str], str, str, str], int] = {}

    def of(self, storage_id: str) -> Refusals:
        """Of one array."""
        return self._of.get(storage_id, Refusals())

    def add(self, storage: Storage, found: Refusals) -> None:
        """Those of an answer of the array."""
        if not found.counts:
            return
        now = times.now()
        self.counts.update(found.counts)
        for one in self._of.setdefault(storage.id, Refusals()).merge(found, now):
            self._say(storage, one, now)

    def forget(self, storage_id: str) -> None:
        """The array is gone."""
        self._of.pop(storage_id, None)

    def _say(self, storage: Storage, one: Refused, now: int) -> None:
        """It is the driver that has to be mended: a thousand arrays of it are no news."""
        key = (storage.pair, one.kind, one.metric, one.reason)
        if abs(now - self._said.get(key, 0)) < QUIET:
            return
        if len(self._said) >= _REMEMBERED:
            self._said.clear()
        self._said[key] = now
        log.warning(
            "the driver of %s %s tells values that are not taken (%s): of kind %r, metric %r, such as %r of %r of %s;"
            " `delphis collections show` counts them",
            *storage.pair,
            one.reason,
            one.kind,
            one.metric or "any",
            one.example,
            one.native_id,
            storage.id,
        )
