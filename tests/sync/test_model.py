"""The sync against a simple model of its rules, over sequences of made-up answers."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from delphis.type.v1 import block_pb2, storage_pb2
from services.inventory.schema import SCHEMA
from services.inventory.sync.result import OK, PARTIAL, SUSPICIOUS
from services.store.backend import backend_for
from services.store.engine import Store
from services.store.migrate import bring_to_head
from tests.sync.arrays import HOUR, START, Array


class Item(NamedTuple):
    """A volume as an array says it."""

    native_id: int
    wwn: int
    capacity: int
    was: int


class Said(NamedTuple):
    """An answer."""

    items: list[Item]
    complete: bool
    troubled: bool
    later: int


@dataclass
class Stored:
    """A volume as it should be stored; `born` is the step at which it got its id."""

    item: Item
    born: tuple[int, int]
    missing: bool = False


@dataclass
class Model:
    """What the rules say, written down without regard to speed."""

    rows: dict[int, Stored] = field(default_factory=dict[int, Stored])
    graves: list[tuple[int, Stored]] = field(default_factory=list[tuple[int, Stored]])
    answers: int = 0
    since: int = 0

    def sync(self, step: int, said: Said, now: int) -> int:
        """The outcome."""
        before = dict(self.rows)
        duplicates = len(said.items) != len({item.native_id for item in said.items})
        first: dict[int, Item] = {}
        for item in said.items:
            first.setdefault(item.native_id, item)
        lost = {native_id for native_id in before if native_id not in first}
        for native_id, item in first.items():
            old = before.get(native_id)
            if old is not None and not _differ(old.item.wwn, item.wwn):
                self.rows[native_id] = Stored(item, old.born)
            elif old is not None:
                del self.rows[native_id]
                self.graves.append((now, old))
                self._add(step, item, now)
            elif item.was in lost and not _differ(before[item.was].item.wwn, item.wwn):
                lost.discard(item.was)
                self.rows[native_id] = Stored(item, self.rows.pop(item.was).born)
            else:
                self._add(step, item, now)
        outcome = PARTIAL if duplicates or not said.complete else OK
        if not said.complete:
            return outcome
        if not lost:
            self.answers = self.since = 0
            return outcome
        small = len(lost) <= 10 or len(lost) / len(before) <= 0.3
        if not (said.items and small and not said.troubled):
            self.answers += 1
            self.since = self.since or now
            if self.answers < 3 or now - self.since < HOUR:
                for native_id in lost:
                    self.rows[native_id].missing = True
                return SUSPICIOUS
        self.answers = self.since = 0
        for native_id in lost:
            self.graves.append((now, self.rows.pop(native_id)))
        return outcome

    def _add(self, step: int, item: Item, now: int) -> None:
        for place in reversed(range(len(self.graves))):
            _, grave = self.graves[place]
            if (grave.item.native_id, grave.item.wwn) == (item.native_id, item.wwn):
                del self.graves[place]
                self.rows[item.native_id] = Stored(item, grave.born)
                return
        self.rows[item.native_id] = Stored(item, (step, item.native_id))


def _differ(old: int, new: int) -> bool:
    return bool(old and new and old != new)


def _volume(item: Item) -> block_pb2.Volume:
    return block_pb2.Volume(
        native_volume_id=f"v{item.native_id}",
        wwn=f"w{item.wwn}" if item.wwn else None,
        total_capacity=item.capacity,
        previous_native_ids=[f"v{item.was}"] if item.was else [],
    )


_NATIVE_IDS = st.integers(1, 45)


@st.composite
def _answers(draw: st.DrawFn) -> Said:
    """Mostly all volumes but a few, so that all rules have their turn."""
    kind = draw(st.sampled_from(["most", "most", "most", "few", "none"]))
    if kind == "none":
        present: set[int] = set()
    elif kind == "few":
        present = draw(st.sets(_NATIVE_IDS, max_size=12))
    else:
        present = set(range(1, 41)) - draw(st.sets(_NATIVE_IDS, max_size=11))
    changed = draw(st.dictionaries(_NATIVE_IDS, st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=6))
    items = [Item(number, *changed.get(number, (1, 0)), 0) for number in sorted(present)]
    for number in draw(st.lists(st.integers(0, 44), max_size=2)):  # renames to numbers of their own
        if items:
            old = items.pop(number % len(items))
            items.append(old._replace(native_id=100 + old.native_id, was=old.native_id))
    for number in draw(st.lists(st.integers(0, 44), max_size=2)):  # duplicates
        if items:
            items.append(items[number % len(items)]._replace(capacity=draw(st.integers(0, 2))))
    return Said(
        items=items,
        complete=draw(st.booleans()) or draw(st.booleans()),
        troubled=draw(st.integers(0, 5)) == 0,
        later=draw(st.sampled_from([1, HOUR // 2, HOUR])),
    )


@pytest.fixture(scope="module")
def empty_store() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "empty.db"
        bring_to_head(backend_for(f"sqlite:///{path}", SCHEMA), "", SCHEMA)
        yield path


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(_answers(), min_size=2, max_size=7))
def test_the_store_has_what_the_rules_say(empty_store: Path, said: list[Said]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        shutil.copy(empty_store, path)
        asyncio.run(_compare(f"sqlite:///{path}", said))


async def _compare(url: str, answers: list[Said]) -> None:
    store = Store.open(url, SCHEMA)
    array = await Array.new(store)
    model = Model()
    births: dict[str, tuple[int, int]] = {}
    ids: dict[tuple[int, int], str] = {}
    now = START
    for step, said in enumerate(answers):
        now += said.later
        status = storage_pb2.STORAGE_STATUS_ABNORMAL if said.troubled else storage_pb2.STORAGE_STATUS_NORMAL
        expected = model.sync(step, said, now)
        result = await array.sync(
            [_volume(item) for item in said.items],
            complete=said.complete,
            storage_status=status,
            later=said.later,
        )
        assert result.outcome == expected
        assert (result.missing_answers, result.missing_since) == (model.answers, model.since)
        rows = await array.rows()
        assert set(rows) == {f"v{native_id}" for native_id in model.rows}
        assert (result.total, result.missing) == (len(rows), sum(stored.missing for stored in model.rows.values()))
        for native_id, stored in model.rows.items():
            row = rows[f"v{native_id}"]
            assert row.missing == stored.missing
            assert row.total_capacity == stored.item.capacity
            assert births.setdefault(row.id, stored.born) == stored.born
            assert ids.setdefault(stored.born, row.id) == row.id
        # Positions have no gaps, whatever happened.
        changes = await array.changes()
        assert [change.position for change in changes] == list(
            range(array.seen.get(1, 0) - len(changes) + 1, array.seen.get(1, 0) + 1)
        )
    await store.close()
