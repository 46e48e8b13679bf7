"""Volumes and volume groups.

A hundred thousand volumes must cost less to make than to send. So a volume is not built field by field (3 µs): its
bytes are put together from prepared pieces, and parsed (1.5 µs). What the pieces hold comes from the messages
themselves; only names and identifiers, which differ from volume to volume, are written here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import cycle, islice, pairwise

from delphis.sdk import Volume, VolumeGroup, VolumeStatus, VolumeType

from .array import Snapshot
from .shapes import Shape, Span

_USES = (
    "oracle-data",
    "oracle-log",
    "mssql",
    "postgres",
    "sap-hana",
    "exchange",
    "vmware-ds",
    "vdi",
    "k8s-pv",
    "kafka",
    "elastic",
    "backup",
    "web",
    "home",
)
_SITES = ("prod", "prod", "prod", "test", "dev")

MOST_MEMBERS = 200


def list_volumes(snapshot: Snapshot) -> Iterator[Volume]:
    low, high = snapshot.volumes
    drift = snapshot.array.settings.drift
    changed = max(drift.renamed, drift.renumbered, drift.replaced) if snapshot.tick else 0
    moved = low + snapshot.moving_volumes
    edges = sorted({low, min(low + changed, high), moved, high})
    for start, end in pairwise(edges):
        volumes = _volumes(snapshot, (start, end), snapshot.tick if start < moved else 0)
        if start < low + changed:
            for index, volume in enumerate(volumes, start):
                _change(snapshot, index, volume)
                yield volume
        else:
            yield from volumes


def _volumes(snapshot: Snapshot, span: Span, tick: int) -> Iterator[Volume]:
    array = snapshot.array
    start, end = span
    table = array.volume_shapes
    pools = [_text(Volume(native_storage_pool_id=pool_id(pool))) for pool in array.block_pools] or [""]
    used = min(end - start, len(table))
    shapes_in_turn = [table[(start + turn) % len(table)] for turn in range(used)]
    heads = cycle([_name_field(shape) for shape in shapes_in_turn])
    tails = cycle([_common(shape, tick) for shape in shapes_in_turn])
    id_field = f"{_tag('native_volume_id')}\x0bvol-"
    wwn_field = f"{_tag('wwn')}\x20{array.identity.volume_wwn_prefix}"
    parse = Volume.FromString
    pieces = zip(range(start, end), heads, tails, islice(cycle(pools), start % len(pools), None), strict=False)
    for index, head, tail, pool in pieces:
        number = f"{index:07d}"
        yield parse(f"{id_field}{number}{head}{number}{wwn_field}{index:08x}{tail}{pool}".encode("latin-1"))


def _common(shape: Shape, tick: int) -> str:
    total, used = shape.capacity(tick)
    capacity = Volume(total_capacity=total, used_capacity=used, free_capacity=total - used)
    return _text(capacity) + _features(shape.thin, shape.compressed, shape.deduplicated, shape.faulty, _use(shape))


@cache
def _features(thin: bool, compressed: bool, deduplicated: bool, faulty: bool, use: str) -> str:
    features = Volume(
        description=f"{'Thin' if thin else 'Thick'} volume for {use}",
        status=VolumeStatus.VOLUME_STATUS_DEGRADED if faulty else VolumeStatus.VOLUME_STATUS_NORMAL,
        type=VolumeType.VOLUME_TYPE_THIN if thin else VolumeType.VOLUME_TYPE_THICK,
        compressed=compressed,
        deduplicated=deduplicated,
    )
    return _text(features)


def _use(shape: Shape) -> str:
    return _USES[shape.use % len(_USES)]


def _name_field(shape: Shape) -> str:
    prefix = f"{_SITES[shape.use % len(_SITES)]}-{_use(shape)}-"
    return f"{_tag('name')}{chr(len(prefix) + 7)}{prefix}"


def _tag(field: str) -> str:
    """The first byte of a text field on the wire, of a field whose number is below 16."""
    return chr(Volume.DESCRIPTOR.fields_by_name[field].number << 3 | 2)


def _text(piece: Volume) -> str:
    """A part of a serialised volume. Text of one byte a character, since text is put together faster than bytes."""
    return piece.SerializeToString(deterministic=True).decode("latin-1")


def _change(snapshot: Snapshot, index: int, volume: Volume) -> None:
    drift, tick, position = snapshot.array.settings.drift, snapshot.tick, index - snapshot.volumes[0]
    if position < drift.renamed:
        volume.name += f"-r{tick}"
    if position < drift.replaced:
        volume.wwn = f"{volume.wwn[:18]}{tick & 0xFFFFFF:06x}{volume.wwn[24:]}"
    if position < drift.renumbered:
        plain = volume.native_volume_id
        volume.native_volume_id = snapshot.volume_id(index)
        volume.previous_native_ids.extend([f"{plain}.{tick - 1}", plain] if tick > 1 else [plain])


def pool_id(pool: int) -> str:
    return f"pool-{pool:03d}"


# The first half of the volumes is in groups, the others are mapped one by one.


def _grouped(snapshot: Snapshot) -> range:
    low, high = snapshot.volumes
    return range(low, low + (high - low + 1) // 2)


def members(snapshot: Snapshot, group: int) -> Sequence[int]:
    """Indexes of the volumes of a group."""
    grouped = _grouped(snapshot)
    if not grouped:
        return ()
    size = len(grouped) // snapshot.array.counts["volume_groups"]
    if not size:
        return (grouped[group % len(grouped)],)
    return grouped[group * size : group * size + min(size, MOST_MEMBERS)]


def single(snapshot: Snapshot, turn: int) -> int | None:
    """Index of a volume that is mapped by itself."""
    low, high = snapshot.volumes
    alone = range(_grouped(snapshot).stop, high) or range(low, high)
    return alone[turn % len(alone)] if alone else None


def list_volume_groups(snapshot: Snapshot) -> Iterator[VolumeGroup]:
    array = snapshot.array
    dice = array.dice("volume_groups")
    for group in range(array.counts["volume_groups"]):
        yield VolumeGroup(
            native_volume_group_id=volume_group_id(group),
            name=f"{dice.pick(_USES, group)}-volumes-{group:04d}",
            description="Volumes of one application",
            volumes=[snapshot.volume_id(index) for index in members(snapshot, group)],
        )


def volume_group_id(group: int) -> str:
    return f"vg-{group:04d}"
