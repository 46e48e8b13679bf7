"""Filesystems, qtrees, quotas and shares."""

from __future__ import annotations

from collections.abc import Iterator

from delphis.sdk import (
    Filesystem,
    FilesystemStatus,
    FilesystemType,
    NasSecurityMode,
    Qtree,
    Quota,
    QuotaType,
    Share,
    ShareProtocol,
    WormType,
)

from .array import Array, Snapshot
from .volumes import pool_id

_GIB = 1 << 30
_USES = ("home", "projects", "media", "archive", "scratch", "profiles", "software", "build")
_PEOPLE = ("anna", "bao", "chen", "divya", "emeka", "fatima", "georg", "hana")
_TEAMS = ("research", "finance", "design", "operations")
_MODES = (
    NasSecurityMode.NAS_SECURITY_MODE_UNIX,
    NasSecurityMode.NAS_SECURITY_MODE_NTFS,
    NasSecurityMode.NAS_SECURITY_MODE_MIXED,
)
_FILE_SIZE = 256 * 1024


def list_filesystems(snapshot: Snapshot) -> Iterator[Filesystem]:
    array = snapshot.array
    dice = array.dice("filesystems")
    table = array.filesystem_shapes
    for index in range(array.counts["filesystems"]):
        shape = table[index % len(table)]
        total, used = snapshot.filesystem_capacity(index)
        pool = snapshot.filesystem_pool(index)
        message = Filesystem(
            native_filesystem_id=filesystem_id(index),
            name=_name(index),
            status=(
                FilesystemStatus.FILESYSTEM_STATUS_FAULTY if shape.faulty else FilesystemStatus.FILESYSTEM_STATUS_NORMAL
            ),
            type=FilesystemType.FILESYSTEM_TYPE_THIN if shape.thin else FilesystemType.FILESYSTEM_TYPE_THICK,
            security_mode=_mode(array, index),
            total_capacity=total,
            used_capacity=used,
            free_capacity=total - used,
            compressed=shape.compressed,
            deduplicated=shape.deduplicated,
            worm=WormType.WORM_TYPE_COMPLIANCE if dice.one_in(12, index, 1) else WormType.WORM_TYPE_NON_WORM,
        )
        if pool is not None:
            message.native_pool_id = pool_id(pool)
        yield message


def _name(filesystem: int) -> str:
    return f"{_USES[filesystem % len(_USES)]}-{filesystem:04d}"


def _mode(array: Array, filesystem: int) -> NasSecurityMode.ValueType:
    return array.dice("filesystems").pick(_MODES, filesystem)


def list_qtrees(snapshot: Snapshot) -> Iterator[Qtree]:
    array = snapshot.array
    for index in range(array.counts["qtrees"]):
        filesystem = _filesystem_of(array, index)
        message = Qtree(
            native_qtree_id=qtree_id(index), name=f"qtree-{index:04d}", path=_path(filesystem, index), state="normal"
        )
        if filesystem is not None:
            message.native_filesystem_id = filesystem_id(filesystem)
            message.security_mode = _mode(array, filesystem)
        yield message


def _filesystem_of(array: Array, index: int) -> int | None:
    filesystems = array.counts["filesystems"]
    return index % filesystems if filesystems else None


def _path(filesystem: int | None, qtree: int | None) -> str:
    parts = [] if filesystem is None else [_name(filesystem)]
    if qtree is not None:
        parts.append(f"qtree-{qtree:04d}")
    return "/" + "/".join(parts)


def list_quotas(snapshot: Snapshot) -> Iterator[Quota]:
    """Every third quota is a qtree's, the others limit users and groups on a filesystem."""
    array = snapshot.array
    dice = array.dice("quotas")
    qtrees = array.counts["qtrees"]
    for index in range(array.counts["quotas"]):
        tree = index // 3 % qtrees if index % 3 == 0 and qtrees else None
        filesystem = _filesystem_of(array, index if tree is None else tree)
        message = Quota(native_quota_id=quota_id(index))
        if tree is not None:
            message.type = QuotaType.QUOTA_TYPE_TREE
            message.native_qtree_id = qtree_id(tree)
        elif index % 3 == 1:
            message.type = QuotaType.QUOTA_TYPE_GROUP
            message.user_group_name = _TEAMS[index // 3 % len(_TEAMS)]
        else:
            message.type = QuotaType.QUOTA_TYPE_USER
            message.user_group_name = f"{dice.pick(_PEOPLE, index)}{index:04d}"
        used = 0
        if filesystem is not None:
            message.native_filesystem_id = filesystem_id(filesystem)
            # So small a part that all quotas together never count more than the filesystem uses.
            used = snapshot.filesystem_capacity(filesystem)[1] // array.counts["quotas"]
        message.used_capacity = used
        message.file_count = used // _FILE_SIZE
        message.capacity_hard_limit = -(-max(used * 3 // 2, _GIB) // _GIB) * _GIB
        message.capacity_soft_limit = message.capacity_hard_limit * 9 // 10
        message.file_hard_limit = max(1000, message.file_count * 2)
        message.file_soft_limit = message.file_hard_limit * 9 // 10
        yield message


def list_shares(snapshot: Snapshot) -> Iterator[Share]:
    """Half of the shares are of whole filesystems, half of qtrees."""
    array = snapshot.array
    qtrees = array.counts["qtrees"]
    for index in range(array.counts["shares"]):
        qtree = index // 2 % qtrees if index % 2 and qtrees else None
        filesystem = _filesystem_of(array, index // 2 if qtree is None else qtree)
        windows = filesystem is not None and _mode(array, filesystem) == NasSecurityMode.NAS_SECURITY_MODE_NTFS
        path = _path(filesystem, qtree)
        message = Share(
            native_share_id=share_id(index),
            name=f"{path.strip('/').replace('/', '_') or 'root'}-{index:04d}",
            path=path,
            protocol=ShareProtocol.SHARE_PROTOCOL_CIFS if windows else ShareProtocol.SHARE_PROTOCOL_NFS,
        )
        if filesystem is not None:
            message.native_filesystem_id = filesystem_id(filesystem)
        if qtree is not None:
            message.native_qtree_id = qtree_id(qtree)
        yield message


def filesystem_id(index: int) -> str:
    return f"fs-{index:04d}"


def qtree_id(index: int) -> str:
    return f"qt-{index:04d}"


def quota_id(index: int) -> str:
    return f"quota-{index:04d}"


def share_id(index: int) -> str:
    return f"share-{index:04d}"
