"""RBD images: the volumes of a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from delphis.sdk import Volume, VolumeStatus, VolumeType

from .pools import id_of, is_compressed, serves_io
from .quantities import count, words


def volume_of(image: Mapping[str, Any], pool: Mapping[str, Any], data_pool: Mapping[str, Any] | None) -> Volume:
    """An image.

    Its native id holds the image's id, which stays when the image is renamed; an image that is made anew with the same
    name has another one.

    Args:
        image: One of `/api/block/image`.
        pool: The pool that it is in.
        data_pool: The pool that its data is in, if that is another one and known.
    """
    size, used = count(image["size"]), count(image.get("disk_usage"))
    namespace = str(image.get("namespace") or "")
    parent = image.get("parent")
    usable = serves_io(pool) and (data_pool is None or serves_io(data_pool))
    return Volume(
        native_volume_id="/".join(part for part in (id_of(pool), namespace, _id_in_pool(image)) if part),
        name=str(image["name"]),
        status=VolumeStatus.VOLUME_STATUS_AVAILABLE if usable else VolumeStatus.VOLUME_STATUS_ERROR,
        type=VolumeType.VOLUME_TYPE_THIN,
        native_storage_pool_id=id_of(pool),
        total_capacity=size,
        used_capacity=used,
        free_capacity=max(0, size - used) if size is not None and used is not None else None,
        compressed=is_compressed(data_pool or pool),
        deduplicated=False,
        native=words(
            pool=image.get("pool_name"),
            namespace=namespace,
            data_pool=image.get("data_pool"),
            features=" ".join(image.get("features_name") or ()),
            snapshots=len(image.get("snapshots") or ()),
            parent=_name_of(parent) if isinstance(parent, dict) else None,
            created=image.get("timestamp"),
        ),
    )


def is_going(image: Mapping[str, Any]) -> bool:
    """The image is being removed: the dashboard lists it still, with little more than its name."""
    return image.get("source") == "REMOVING"


def _id_in_pool(image: Mapping[str, Any]) -> str:
    # Images of the old format have no id.
    return str(image.get("id") or f"name:{image['name']}")


def _name_of(parent: Mapping[str, Any]) -> str:
    names = (parent.get("pool_name"), parent.get("pool_namespace"), parent.get("image_name"))
    return "/".join(str(name) for name in names if name) + f"@{parent.get('snap_name')}"
