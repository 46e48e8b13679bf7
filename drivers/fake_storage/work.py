"""What passes through the parts of an array at one time. All of it adds up: volumes and filesystems to pools, pools to
the array, the array's ports to their controllers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from operator import mul

from . import hardware, pools
from .array import Array, Snapshot
from .identity import Dice
from .load import Flow, Load, Weights
from .pools import Room
from .shapes import FILESYSTEM_SHAPES, VOLUME_SHAPES, Span

# Of each shape: the sums of its items' weights of operations, bytes and waiting.
_Sums = tuple[list[float], list[float], list[float]]

_CHUNK = 10_000
# Writes of a pool that reach its disks: two copies.
_COPIES = 2.0


class Items:
    """The volumes, or the filesystems, of an array as sources of load."""

    def __init__(self, load: Load, span: Span, homes: range) -> None:
        self.load = load
        self.span = span
        self._homes = homes
        self._slowness = tuple(pools.slowness(pool) for pool in homes) or (1.0,)
        self._sums: list[_Sums] | None = None

    def weights(self, low: int, high: int) -> Weights:
        return self.load.weights(low, high, self._slowness)

    def at(self, when: int) -> list[Flow]:
        """What an item of each shape does."""
        low, high = self.span
        return self.load.at(when, min(self.load.shapes, high if high > low else 1))

    def flow(self, pool: int, at: Sequence[Flow]) -> Flow:
        """Of all items in a pool, or of all where there are no pools; `at` is what their shapes do."""
        if self._homes and pool not in self._homes:
            return Flow()
        if self._sums is None:
            self._sums = self._summed()
        operations, moved, busy = self._sums[pool - self._homes.start if self._homes else 0]
        reads, writes, read_bytes, write_bytes, read_busy, write_busy, read_hits, write_hits = zip(*at, strict=True)
        return Flow(
            sum(map(mul, operations, reads)),
            sum(map(mul, operations, writes)),
            sum(map(mul, moved, read_bytes)),
            sum(map(mul, moved, write_bytes)),
            sum(map(mul, busy, read_busy)),
            sum(map(mul, busy, write_busy)),
            sum(map(mul, operations, read_hits)),
            sum(map(mul, operations, write_hits)),
        )

    def _summed(self) -> list[_Sums]:
        shapes, homes = self.load.shapes, max(1, len(self._homes))
        sums: list[_Sums] = [([0.0] * shapes, [0.0] * shapes, [0.0] * shapes) for _ in range(homes)]
        low, high = self.span
        for start in range(low, high, _CHUNK):
            weights = self.weights(start, min(start + _CHUNK, high))
            each = zip(weights.operations, weights.bytes, weights.busy, strict=True)
            for index, (operations, moved, busy) in enumerate(each, start):
                shape = index % shapes
                into = sums[index % homes]
                into[0][shape] += operations
                into[1][shape] += moved
                into[2][shape] += busy
        return sums


class Work:
    """The work of an array, for the volumes and filesystems that it has."""

    def __init__(self, array: Array, snapshot: Snapshot) -> None:
        self.array = array
        self.snapshot = snapshot
        self.volumes = Items(_load(array, "volumes", VOLUME_SHAPES), snapshot.volumes, array.block_pools)
        self.dice = array.dice("performance")

    @cached_property
    def filesystems(self) -> Items:
        """Made when asked for: most arrays serve volumes alone, and a host may have a thousand of them."""
        array = self.array
        spread = _load(array, "filesystems", FILESYSTEM_SHAPES)
        return Items(spread, self.snapshot.filesystems, array.file_pools)

    @cached_property
    def rooms(self) -> list[Room]:
        """Of each pool, without snapshots."""
        return [pools.room_without_snapshots(self.snapshot, pool) for pool in range(self.array.counts["storage_pools"])]

    def at(self, when: int) -> Moment:
        return Moment(self, when)

    @cached_property
    def front_end(self) -> list[list[int]]:
        """The connected front-end ports of each controller that has any."""
        by_controller: dict[int, list[int]] = {}
        for port in hardware.serving_ports(self.array):
            by_controller.setdefault(port % max(1, self.array.counts["controllers"]), []).append(port)
        return [by_controller[controller] for controller in sorted(by_controller)]

    @cached_property
    def serving(self) -> list[int]:
        """The controllers that data passes through: all of them, where no port is connected."""
        controllers = self.array.counts["controllers"]
        return sorted({ports[0] % controllers for ports in self.front_end} or range(controllers)) if controllers else []

    @cached_property
    def most(self) -> float:
        """Operations per second of a controller that is as busy as it gets, nearly."""
        week = [self.at(hour * 3600).storage for hour in range(0, 168, 7)]
        return max(1.0, *(flow.reads + flow.writes for flow in week)) / max(1, len(self.serving))


class Moment:
    """The work of an array at one time."""

    def __init__(self, work: Work, when: int) -> None:
        self.work = work
        self.when = when

    @cached_property
    def of_volumes(self) -> list[Flow]:
        """What a volume of each shape does."""
        return self.work.volumes.at(self.when)

    @cached_property
    def of_filesystems(self) -> list[Flow]:
        return self.work.filesystems.at(self.when)

    @cached_property
    def pools(self) -> list[Flow]:
        work = self.work
        return [
            work.volumes.flow(pool, self.of_volumes).plus(work.filesystems.flow(pool, self.of_filesystems))
            for pool in range(max(1, work.array.counts["storage_pools"]))
        ]

    @cached_property
    def storage(self) -> Flow:
        return _sum(self.pools)

    @cached_property
    def rooms(self) -> list[Room]:
        """Of each pool."""
        work = self.work
        return [pools.grown(work.array, pool, room, self.when) for pool, room in enumerate(work.rooms)]

    def controllers(self) -> list[Flow]:
        """Of those that serve, in turn."""
        shares = _shares(self.work.dice, self.when, 0, len(self.work.serving))
        return [self.storage.times(share) for share in shares]

    def ports(self) -> list[Flow]:
        """Of the connected front-end ports, controller by controller."""
        found: list[Flow] = []
        groups = self.work.front_end
        for group, share, ports in zip(range(len(groups)), self._group_shares(len(groups)), groups, strict=True):
            shares = _shares(self.work.dice, self.when, 1 + group, len(ports))
            found += [self.storage.times(share * part) for part in shares]
        return found

    def _group_shares(self, groups: int) -> list[float]:
        return _shares(self.work.dice, self.when, 0, groups)

    def cpu(self) -> list[float]:
        """The busy share of the controllers that serve."""
        most = self.work.most
        return [0.04 + 0.9 * (1 - math.exp(-1.4 * (flow.reads + flow.writes) / most)) for flow in self.controllers()]

    def disks(self, pool: int, disks: int) -> list[Flow]:
        """Of the disks of a pool, in turn: reads that the cache hadn't, and two copies of what is written."""
        flow = self.pools[pool]
        missed = 1 - flow.read_hits / flow.reads if flow.reads else 0.0
        wait = pools.slowness(pool)
        reads, writes = flow.reads * missed, flow.writes * _COPIES
        behind = Flow(
            reads=reads,
            writes=writes,
            read_bytes=flow.read_bytes * missed,
            write_bytes=flow.write_bytes * _COPIES,
            read_busy=reads * 0.0003 * wait,
            write_busy=writes * 0.0002 * wait,
        )
        return [behind.times(share) for share in _shares(self.work.dice, self.when, 1000 + pool, disks)]


def _load(array: Array, kind: str, shapes: int) -> Load:
    return Load(array.dice(f"load of {kind}"), shapes)


def _sum(flows: Sequence[Flow]) -> Flow:
    return Flow._make(map(sum, zip(*flows, strict=True)))


def _shares(dice: Dice, when: int, salt: int, count: int) -> list[float]:
    """How much of a load each of so many takes: nearly the same, and 1 together."""
    start = when * 31 + salt * 1_000_003
    rolls = [0.85 + 0.3 * (dice.number(start + number) >> 11) / (1 << 53) for number in range(count)]
    whole = sum(rolls)
    return [roll / whole for roll in rolls]
