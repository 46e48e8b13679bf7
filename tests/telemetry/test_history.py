"""The history gives back what it was given, for a day."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.store.engine import Store
from services.telemetry.history import recorder
from services.telemetry.history.reader import Grid, grids
from services.telemetry.history.recorder import Recorded, Recorder
from services.telemetry.window import Window

MINUTE = 60_000
ARRAY, OTHER = b"a" * 16, b"b" * 16
METRICS = ("iops", "throughput", "responseTime")


def _window(
    ids: tuple[str, ...], begin: int, steps: int, *, metrics: tuple[str, ...] = METRICS, kind: str = "volume"
) -> Window:
    size = steps * len(metrics) * len(ids)
    values = np.arange(size, dtype=np.float64).reshape(steps, len(metrics), len(ids)) + begin
    return Window(kind, ids, metrics, begin * MINUTE, MINUTE, values)


async def _record(store: Store, keeper: Recorder, *windows: Window, array: bytes = ARRAY) -> Recorded:
    done = await store.write(lambda connection: keeper.record(connection, array, windows))
    keeper.committed(done)
    return done


async def _read(
    store: Store, metric: str, ids: tuple[str, ...] | None = None, *, begin: int = 0, end: int = 10_000
) -> dict[str, dict[int, float]]:
    def read(connection: object) -> list[Grid]:
        span = (begin * MINUTE, end * MINUTE)
        return list(grids(connection, ARRAY, "volume", (metric,), *span, native_ids=ids))  # type: ignore[arg-type]

    found: dict[str, dict[int, float]] = {}
    for grid in await store.scan(read):
        for column, native_id in enumerate(grid.native_ids):
            told = ~np.isnan(grid.values[:, 0, column])
            minutes = (grid.times[told] // MINUTE).tolist()
            found[native_id] = dict(zip(minutes, grid.values[told, 0, column].tolist(), strict=True))
    return found


async def test_windows_come_back_as_series(store: Store) -> None:
    keeper = Recorder()
    ids = tuple(f"v{number}" for number in range(70))
    await _record(store, keeper, _window(ids, 100, 15))
    await _record(store, keeper, _window(ids, 115, 15))
    found = await _read(store, "throughput", ("v69", "nobody"), begin=110, end=118)
    first, second = _window(ids, 100, 15).values[:, 1, 69], _window(ids, 115, 15).values[:, 1, 69]
    assert found == {
        "v69": {**dict(zip(range(110, 115), first[10:], strict=True)), 115: second[0], 116: second[1], 117: second[2]}
    }


async def test_places_stay_when_resources_come_and_go_and_the_process_starts_again(store: Store) -> None:
    await _record(store, Recorder(), _window(("a", "b", "c"), 0, 1))
    await _record(store, Recorder(), _window(("c", "d", "a"), 1, 1))
    assert await _read(store, "iops") == {"a": {0: 0.0, 1: 3.0}, "b": {0: 1.0}, "c": {0: 2.0, 1: 1.0}, "d": {1: 2.0}}


async def test_a_window_that_is_written_again_takes_the_place_of_the_first(store: Store) -> None:
    keeper = Recorder()
    await _record(store, keeper, _window(("a",), 5, 2))
    await _record(store, keeper, _window(("a",), 5, 2))
    assert await _read(store, "iops") == {"a": {5: 5.0, 6: 8.0}}
    assert await store.scan(lambda connection: connection.execute("SELECT count(*) FROM chunks").fetchone()[0]) == 1


async def test_what_is_not_committed_is_not_remembered(store: Store) -> None:
    keeper = Recorder()

    def fails(connection: object) -> None:
        keeper.record(connection, ARRAY, [_window(("a",), 0, 1)])  # type: ignore[arg-type]
        raise RuntimeError("undone")

    with pytest.raises(RuntimeError, match="undone"):
        await store.write(fails)
    await _record(store, keeper, _window(("b",), 0, 1))
    assert await _read(store, "iops") == {"b": {0: 0.0}}


async def test_volumes_are_kept_up_to_a_bound(store: Store) -> None:
    keeper = Recorder(max_volume_series=9)
    done = await _record(store, keeper, _window(("a", "b", "c", "d"), 0, 2))
    assert (done.points, done.left_out) == (18, 6)
    done = await _record(store, keeper, _window(("x",), 0, 1), array=OTHER)
    assert (done.points, done.left_out) == (0, 3)
    done = await _record(store, keeper, _window(("x",), 1, 1), array=OTHER)
    assert (done.points, done.left_out) == (0, 3)
    assert (await _record(store, keeper, _window(("p",), 0, 1, kind="storage_pool"))).left_out == 0
    assert set(await _read(store, "iops")) == {"a", "b", "c"}


async def test_capacities_take_no_place_of_what_is_measured(store: Store) -> None:
    keeper, ids = Recorder(max_volume_series=18), ("a", "b", "c")
    capacities = Window("volume", ids, ("usedCapacity",), 0, MINUTE, np.ones((1, 1, 3)))
    assert (await _record(store, keeper, capacities)).left_out == 1
    assert (await _record(store, keeper, _window(ids, 1, 1))).left_out == 3


async def test_places_that_became_free_are_given_to_those_that_got_none(store: Store) -> None:
    keeper = Recorder(max_volume_series=3)
    await _record(store, keeper, _window(("a",), 0, 1))
    assert (await _record(store, keeper, _window(("x",), 0, 1), array=OTHER)).left_out == 3
    await store.write(lambda connection: recorder.forget_storage(connection, ARRAY))
    left_out = [(await _record(store, keeper, _window(("x",), minute, 1), array=OTHER)).left_out for minute in (1, 20)]
    assert left_out == [3, 0]


async def test_places_of_what_is_gone_are_free_a_day_later(store: Store) -> None:
    day = 24 * 60
    keeper = Recorder(max_volume_series=6)
    await _record(store, keeper, _window(("a", "b"), 0, 1))
    assert (await _record(store, keeper, _window(("b", "c"), 1, 1))).left_out == 3  # a day of a is still there
    assert await _read(store, "iops") == {"a": {0: 0.0}, "b": {0: 1.0, 1: 1.0}}
    await _record(store, Recorder(max_volume_series=6), _window(("b", "c"), 1 + day, 1))
    keeper = Recorder(max_volume_series=6)
    for minute in (2 + day, 3 + day):
        await _record(store, keeper, _window(("b", "c"), minute, 1))
    found = await _read(store, "iops", begin=day)
    assert set(found) == {"b", "c"}
    assert found["c"][3 + day] == 4.0 + day


async def test_what_comes_back_keeps_its_place(store: Store) -> None:
    keeper = Recorder()
    for minute, ids in enumerate((("a", "b"), ("b",), ("a", "b"), ("b",))):
        await _record(store, keeper, _window(ids, minute, 1))
    assert set((await _read(store, "iops"))["a"]) == {0, 2}
    rows = await store.scan(lambda connection: connection.execute("SELECT native_id, gone_at FROM slots").fetchall())
    assert dict(rows) == {"a": 3 * MINUTE, "b": 0}


async def test_capacities_keep_all_their_digits(store: Store) -> None:
    used = 1_234_567_890_123_456.0
    await _record(store, Recorder(), Window("volume", ("a",), ("usedCapacity",), 0, MINUTE, np.array([[[used]]])))
    assert await _read(store, "usedCapacity") == {"a": {0: used}}


async def test_a_day_is_kept(store: Store) -> None:
    keeper = Recorder()
    for hour in range(30):
        await _record(store, keeper, _window(("a",), hour * 60, 60))
    now = 30 * 60 * MINUTE
    while await store.write(lambda connection: recorder.expire(connection, now, count=2)):
        pass
    assert min((await _read(store, "iops"))["a"]) == 6 * 60
    await store.write(lambda connection: recorder.forget_storage(connection, ARRAY))
    keeper.forget(ARRAY)
    assert await _read(store, "iops") == {}


async def test_windows_of_the_same_times_and_blocks_hide_nothing_of_each_other(store: Store) -> None:
    """An array that answers volume by volume has as many windows: of other lengths, of other begins."""
    keeper = Recorder()
    windows = [_window(("a",), 5, 4), _window(("b",), 5, 3), _window(("c",), 6, 3), _window(("d",), 6, 9)]
    windows.append(Window("volume", ("e",), METRICS, 5 * MINUTE, 2 * MINUTE, _window(("e",), 5, 4).values))
    await _record(store, keeper, *windows)
    for begin, end in ((0, 100), (7, 9)):
        expected = {
            window.native_ids[0]: {
                at // MINUTE: value
                for at, value in zip(window.times().tolist(), window.values[:, 0, 0].tolist(), strict=True)
                if begin <= at // MINUTE < end
            }
            for window in windows
        }
        assert await _read(store, "iops", begin=begin, end=end) == expected


async def test_a_long_chunk_is_kept_until_a_day_after_its_end(store: Store) -> None:
    await _record(store, Recorder(), _window(("a",), 0, 12 * 60))
    for hour, there in ((35, True), (36, False)):
        await store.write(partial(recorder.expire, now=hour * 60 * MINUTE))
        assert bool(await _read(store, "iops")) is there


_windows = st.lists(
    st.tuples(
        st.lists(st.sampled_from([f"v{number}" for number in range(80)]), min_size=1, max_size=40, unique=True),
        st.integers(1, 4),
        st.sampled_from([METRICS, ("iops",), ("responseTime", "iops")]),
    ),
    max_size=5,
)


@given(_windows)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_windows_come_back(store: Store, told: list[tuple[list[str], int, tuple[str, ...]]]) -> None:
    await store.write(lambda connection: recorder.forget_storage(connection, ARRAY))
    keeper, begin = Recorder(), 0
    expected: dict[str, dict[int, float]] = {}
    for ids, steps, metrics in told:
        window = _window(tuple(ids), begin, steps, metrics=metrics)
        await _record(store, keeper, window)
        for column, native_id in enumerate(ids):
            line = expected.setdefault(native_id, {})
            line.update(
                zip(range(begin, begin + steps), window.values[:, metrics.index("iops"), column].tolist(), strict=True)
            )
        begin += steps + 1
    assert await _read(store, "iops") == expected
