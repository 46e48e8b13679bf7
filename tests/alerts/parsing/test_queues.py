"""Traps that wait for drivers: what a fault of our own does to them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from delphis.driver.v1 import storage_driver_pb2
from delphis.type.v1 import alert_pb2
from services.alerts.counts import Counts
from services.alerts.parsing import queues, records
from services.alerts.parsing.queues import Queues
from services.alerts.schema import SCHEMA
from services.fleet.storage import Storage
from services.store.engine import Store
from tests.alerts.parsing.test_records import ONE, trap, waiting
from tests.alerts.receiving.station import eventually


class Core:
    """A core that fails in a way that nobody foresaw, then answers."""

    failures = 1

    async def ask_array(self, method: str, request: storage_driver_pb2.ParseAlertRequest, answer: type[Any]) -> Any:
        if self.failures:
            self.failures -= 1
            raise RuntimeError("a fault of ours")
        parsed = storage_driver_pb2.ParsedTrap(alerts=[alert_pb2.Alert(match_key="k")])
        return storage_driver_pb2.ParseAlertResponse(results=[parsed for _ in request.traps])


class Arrays:
    """One array."""

    known = True

    def get(self, storage_id: str) -> Storage | None:
        return self.all().get(storage_id)

    def all(self) -> Mapping[str, Storage]:
        return {ONE: cast("Storage", _ARRAY)}


class _Array:
    id, name, vendor, model, serial_number = ONE, "one", "ACME", "Box", "S1"
    labels: Mapping[str, str] = {}
    pair = ("ACME", "Box")


_ARRAY = _Array()


async def test_traps_do_not_stay_after_a_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "SWEEP_SECONDS", 0.05)
    store = Store.open(f"sqlite:///{tmp_path}/alerts.db", SCHEMA)
    counts = Counts()
    found = Queues(store, cast("Any", Core()), Arrays(), cast("Any", None), counts)
    try:
        await store.write(lambda connection: records.add(connection, [trap(1), trap(2)]))
        await found.start()
        await eventually(lambda: counts["reported"] == 2)
        assert await waiting(store) == []
        assert found.waiting == 0
    finally:
        await found.stop()
        await store.close()
