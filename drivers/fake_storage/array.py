"""A generated array, and what it looks like at one tick."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from . import shapes
from .drift import Clock, Drift
from .identity import Dice
from .kinds import MAX_COUNT
from .settings import Settings
from .shapes import Shape, Span


class Array:
    """What never changes while the settings stay."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.settings = settings
        self.identity = settings.identity
        self.counts = settings.counts
        self.clock = clock or Clock(settings.drift_period_s)
        self._dice: dict[str, Dice] = {}
        self._latest: Snapshot | None = None

    def dice(self, kind: str) -> Dice:
        dice = self._dice.get(kind)
        if dice is None:
            dice = self._dice[kind] = Dice(self.identity, self.settings.seed, kind)
        return dice

    @cached_property
    def volume_shapes(self) -> tuple[Shape, ...]:
        return shapes.volume_shapes(self.dice("volumes"))

    @cached_property
    def filesystem_shapes(self) -> tuple[Shape, ...]:
        return shapes.filesystem_shapes(self.dice("filesystems"))

    def now(self, what: str) -> Snapshot:
        """What the array looks like to a reader of `what`, a kind or `storage`, now."""
        return self.at(0 if self.settings.drift == Drift() else self.clock.read(what))

    def present(self) -> Snapshot:
        """What it looks like, without counting as a reading of it."""
        return self.at(0 if self.settings.drift == Drift() else self.clock.tick)

    def at(self, tick: int) -> Snapshot:
        when = self.clock.minute if self.settings.growth else 0
        latest = self._latest
        if latest is None or (latest.tick, latest.when) != (tick, when):
            latest = self._latest = Snapshot(self, tick, when)
        return latest

    # Volumes lie in the first pools, filesystems in the last ones; with three pools or more one pool holds both.

    @cached_property
    def block_pools(self) -> range:
        pools = self.counts["storage_pools"]
        if pools < 2 or not self.counts["filesystems"]:
            return range(pools)
        return range(pools - max(1, pools // 4)) if self.counts["volumes"] else range(0)

    @cached_property
    def file_pools(self) -> range:
        pools = self.counts["storage_pools"]
        if not self.counts["filesystems"]:
            return range(0)
        if pools < 2 or not self.block_pools:
            return range(pools)
        return range(len(self.block_pools) - (1 if pools > 2 else 0), pools)

    # The last disks are spares, the others belong to pools in turn.

    @cached_property
    def pooled_disks(self) -> int:
        disks, pools = self.counts["disks"], self.counts["storage_pools"]
        return max(disks - disks // 12, min(disks, pools)) if pools else 0

    def disks_of_pool(self, pool: int) -> range:
        return range(pool, self.pooled_disks, self.counts["storage_pools"])


class Snapshot:
    """The array at one tick: which volumes there are, and which of them drift has moved.

    `when` is the time that its growth has come to, and 0 where it doesn't grow.
    """

    def __init__(self, array: Array, tick: int, when: int = 0) -> None:
        self.array = array
        self.tick = tick
        self.when = when
        drift = array.settings.drift
        high = min(array.counts["volumes"] + tick * drift.added, MAX_COUNT)
        self.volumes: Span = (min(tick * drift.removed, high), high)
        self.moving_volumes = drift.moving(self.volumes[1] - self.volumes[0]) if tick else 0
        self.filesystems: Span = (0, array.counts["filesystems"])
        self.moving_filesystems = drift.moving(array.counts["filesystems"]) if tick else 0

    def volume_id(self, index: int) -> str:
        native_id = f"vol-{index:07d}"
        renumbered = self.tick and index - self.volumes[0] < self.array.settings.drift.renumbered
        return f"{native_id}.{self.tick}" if renumbered else native_id

    def volume_pool(self, index: int) -> int | None:
        return _turn(self.array.block_pools, index)

    def filesystem_pool(self, index: int) -> int | None:
        return _turn(self.array.file_pools, index)

    def filesystem_capacity(self, index: int) -> tuple[int, int]:
        """Total and used bytes."""
        table = self.array.filesystem_shapes
        return table[index % len(table)].capacity(self.tick if index < self.moving_filesystems else 0)

    # What a pool holds, in bytes. `most` is what its contents ever use.

    def used_in_pool(self, pool: int) -> int:
        return self._in_pool(pool, *self._used)

    def subscribed_in_pool(self, pool: int) -> int:
        return self._in_pool(pool, *self._subscribed)

    def most_in_pool(self, pool: int) -> int:
        return self._in_pool(pool, *self._most)

    @cached_property
    def _used(self) -> tuple[_Columns, _Columns]:
        array = self.array
        return _columns(array.volume_shapes, self.tick, 1), _columns(array.filesystem_shapes, self.tick, 1)

    @cached_property
    def _subscribed(self) -> tuple[_Columns, _Columns]:
        array = self.array
        return _columns(array.volume_shapes, self.tick, 0), _columns(array.filesystem_shapes, self.tick, 0)

    @cached_property
    def _most(self) -> tuple[_Columns, _Columns]:
        volumes = [shape.most for shape in self.array.volume_shapes]
        filesystems = [shape.most for shape in self.array.filesystem_shapes]
        return (volumes, volumes), (filesystems, filesystems)

    def _in_pool(self, pool: int, volumes: _Columns, filesystems: _Columns) -> int:
        in_volumes = _sum(volumes, self.volumes, self.moving_volumes, self.array.block_pools, pool)
        return in_volumes + _sum(filesystems, self.filesystems, self.moving_filesystems, self.array.file_pools, pool)


# The values of each shape: of items that drift has moved, and of all others.
_Columns = tuple[Sequence[int], Sequence[int]]


def _columns(table: Sequence[Shape], tick: int, which: int) -> _Columns:
    return [shape.capacity(tick)[which] for shape in table], [shape.capacity(0)[which] for shape in table]


def _sum(columns: _Columns, span: Span, moving: int, pools: range, pool: int) -> int:
    if pool not in pools:
        return 0
    moved, others = columns
    low, high = span
    offset = pool - pools.start
    return shapes.striped_sum(moved, (low, low + moving), len(pools), offset) + shapes.striped_sum(
        others, (low + moving, high), len(pools), offset
    )


def _turn(pools: range, index: int) -> int | None:
    return pools[index % len(pools)] if pools else None
