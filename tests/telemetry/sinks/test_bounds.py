"""What waits is bounded, and what is given up is counted and named."""

from __future__ import annotations

import uuid
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delphis.telemetry.v1 import telemetry_pb2 as pb
from services.store.connection import Connection
from services.store.engine import Store
from services.telemetry import journal
from services.telemetry.sinks import bounds, records
from services.telemetry.sinks.bounds import Limits
from services.telemetry.sinks.records import Move
from services.values import times
from tests.telemetry.conftest import database_url, postgres_cluster, store
from tests.telemetry.sinks.scene import window

__all__ = ["database_url", "postgres_cluster", "store"]

ARRAY = b"a" * 16
NOW = 1_760_000_000 * times.SECOND


def _sink(connection: Connection, name: str, *kinds: str) -> bytes:
    sink = pb.Sink(name=name, kinds=kinds, remote_write=pb.RemoteWriteSink(url="http://127.0.0.1:1/"))
    return records.add(connection, uuid.uuid4().bytes, sink, b"").id


def _collect(connection: Connection, at: int) -> None:
    journal.append(connection, ARRAY, [window([1.0, 2.0, 3.0])], at)


@pytest.mark.parametrize("back", [1, 3])
async def test_a_clock_that_was_set_back_has_nothing_dropped_silently(store: Store, back: int) -> None:
    sink = await store.write(lambda connection: _sink(connection, "p"))
    for at in (NOW, NOW - back * times.DAY, NOW):
        await store.write(partial(_collect, at=at))
    limits = Limits(1 << 30, 2 * times.DAY / times.SECOND, NOW)
    await store.write(partial(bounds.trim, limits=limits))
    [stored] = await store.read(records.load_all)
    waiting = await store.scan(lambda connection: journal.outlines(connection, stored.position))
    assert (stored.id, stored.dropped, len(waiting)) == (sink, 0, 3)


_ages = st.lists(st.integers(0, 100), max_size=8)


@given(_ages, st.integers(0, 8), st.integers(0, 4000), st.integers(0, 100))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_each_point_is_taken_or_dropped_or_waits(
    store: Store, ages: list[int], taken: int, most_bytes: int, most_age: int
) -> None:
    """Of two sinks one has some entries, the other none and takes another kind: each point is counted once."""
    quick, idle = await store.write(lambda connection: (_sink(connection, "quick"), _sink(connection, "idle", "port")))
    for age in ages:
        await store.write(partial(_collect, at=NOW - age * times.SECOND))
    entries = await store.scan(lambda connection: journal.outlines(connection, 0))
    if entries[:taken]:
        place = entries[:taken][-1].position
        for sink in (quick, idle):
            await store.write(partial(records.move, id_=sink, step=Move(place)))
    limits = Limits(most_bytes, float(most_age), NOW)
    more = True
    while more:
        _, more = await store.write(partial(bounds.trim, limits=limits))
    by_name = {stored.sink.name: stored for stored in await store.read(records.load_all)}
    waiting = await store.scan(lambda connection: journal.outlines(connection, by_name["quick"].position))
    kept = await store.scan(lambda connection: journal.outlines(connection, 0))
    assert kept == waiting
    assert by_name["quick"].dropped + 3 * len(waiting) == 3 * max(0, len(ages) - taken)
    assert bool(by_name["quick"].gaps) is bool(by_name["quick"].dropped)
    assert (by_name["idle"].dropped, by_name["idle"].gaps) == (0, b"")
    if waiting:
        assert waiting[0].collected_at >= limits.oldest
        assert (await store.scan(journal.total)) - waiting[0].beginning <= most_bytes
    for sink in (quick, idle):
        await store.write(partial(records.remove, sink_id=str(uuid.UUID(bytes=sink))))
    while (await store.write(partial(bounds.trim, limits=limits)))[1]:
        pass
