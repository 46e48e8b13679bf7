"""Forecasts as they are listed: soonest first, page by page, of what is still there."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest

from delphis.telemetry.v1 import telemetry_pb2 as pb
from delphis.type.v1 import storage_pb2
from services.calls.errors import CallError
from services.fleet.storage import Storage, storage_of
from services.store.engine import Store
from services.telemetry.api.forecasts import ForecastList
from services.telemetry.forecast import days
from services.telemetry.forecast.forecasts import UNREAD_DAYS, Forecasts
from services.telemetry.window import Window
from services.values import times

TB = 10**12
IDS = [str(uuid.UUID(int=number)) for number in range(1, 4)]


class _Scene:
    """Capacities of some arrays, and the list of their forecasts."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.forecasts = Forecasts(store)
        self._storages = {id_: storage_of(storage_pb2.Storage(id=id_), None, ()) for id_ in IDS}
        self._list = ForecastList(cast("Any", self), self.forecasts, lambda _, __, ids: ids)
        self.today = times.now() // times.DAY

    def get(self, storage_id: str) -> Storage | None:
        return self._storages.get(storage_id)

    def all(self) -> dict[str, Storage]:
        return self._storages

    async def fill(
        self,
        storage_id: str,
        native_id: str,
        used: Sequence[float],
        total: float,
        *,
        kind: str = "storage_pool",
        ago: int = 0,
    ) -> None:
        """Used bytes of days, the last one so many days ago."""
        first = self.today - ago - len(used) + 1
        windows = [
            Window(kind, (native_id,), ("usedCapacity", "totalCapacity"), day * days.DAY_MILLISECONDS, 1,
                   np.array([[[value], [total]]]))
            for day, value in enumerate(used, first)
        ]  # fmt: skip

        def work(connection: Any) -> None:
            for window in windows:
                days.keep(connection, uuid.UUID(storage_id).bytes, [window])

        await self.store.write(work)
        self.forecasts.changed(storage_id)

    async def ask(self, **fields: Any) -> pb.ListForecastsResponse:
        return await self._list.answer(pb.ListForecastsRequest(**fields))


GROWN = [day * TB for day in range(1, 9)]


async def test_the_soonest_come_first_page_by_page(store: Store) -> None:
    scene = _Scene(store)
    for number, storage_id in enumerate(IDS):
        for pool, room in enumerate((5, 30, 9)):
            await scene.fill(storage_id, f"p{pool}", GROWN, (8 + room + number) * TB)
    await scene.fill(IDS[0], "flat", [TB] * 8, 9 * TB)
    whole = (await scene.ask()).forecasts
    dates = [one.full_at.seconds for one in whole if one.HasField("full_at")]
    assert (len(whole), len(dates), dates) == (10, 9, sorted(dates))
    assert whole[-1].native_id == "flat"
    found: list[pb.Forecast] = []
    page = await scene.ask(page_size=4)
    while True:
        found += page.forecasts
        if not page.next_page_token:
            break
        page = await scene.ask(page_size=4, page_token=page.next_page_token)
    assert found == list(whole)
    near = pb.ListForecastsRequest()
    near.full_before.FromSeconds(dates[4])
    assert (await scene.ask(full_before=near.full_before)).forecasts == whole[:4]
    assert (await scene.ask(storage_id=IDS[1], page_size=1)).forecasts == [
        one for one in whole if one.storage_id == IDS[1]
    ][:1]


@pytest.mark.parametrize("token", ["x", "after:", "after:W10=", "after:é", "after:eyJhIjoxfQ==", "after:" + "W" * 4000])
async def test_a_token_of_another_list_is_refused(store: Store, token: str) -> None:
    with pytest.raises(CallError) as refused:
        await _Scene(store).ask(page_token=token)
    assert refused.value.reason == "INVALID_PAGE_TOKEN"


async def test_what_is_gone_or_of_the_future_is_not_told(store: Store) -> None:
    scene = _Scene(store)
    await scene.fill(IDS[0], "here", GROWN, 20 * TB)
    await scene.fill(IDS[0], "gone", GROWN, 20 * TB, ago=1)
    await scene.fill(IDS[0], "S1", GROWN, 90 * TB, kind="storage")
    await scene.fill(IDS[1], "unread", GROWN, 20 * TB, ago=UNREAD_DAYS)
    await scene.fill(IDS[1], "S2", GROWN, 90 * TB, kind="storage")
    await scene.fill(IDS[2], "unread", GROWN, 20 * TB, ago=UNREAD_DAYS + 1)
    await scene.fill(IDS[2], "S3", GROWN, 90 * TB, kind="storage", ago=-400)  # a clock was wrong
    await scene.fill(IDS[2], "S3", GROWN, 90 * TB, kind="storage")
    found = {(one.storage_id, one.native_id) for one in (await scene.ask()).forecasts}
    assert found == {(IDS[0], "here"), (IDS[0], "S1"), (IDS[1], "unread"), (IDS[1], "S2"), (IDS[2], "S3")}


async def test_what_changed_is_foreseen_anew(store: Store) -> None:
    scene = _Scene(store)
    await scene.fill(IDS[0], "p", GROWN, 20 * TB)
    [before] = (await scene.ask()).forecasts
    await scene.fill(IDS[0], "p", GROWN, 30 * TB)
    [after] = (await scene.ask()).forecasts
    assert after.full_at.seconds - before.full_at.seconds == 10 * 86_400
