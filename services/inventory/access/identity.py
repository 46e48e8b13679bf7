"""When two access infos mean the same array."""

from __future__ import annotations

from collections.abc import Iterable

from delphis.driver.v1 import storage_driver_pb2
from delphis.type.v1 import access_pb2
from services.inventory.access.rules import given_blocks
from services.inventory.vault import Vault

_EXTRA = "extra_attributes."


def plain_keys(fields: Iterable[storage_driver_pb2.AccessField]) -> frozenset[str]:
    """Keys of extra_attributes that the driver declares as no secret."""
    return frozenset(field.path.removeprefix(_EXTRA) for field in fields if field.plain and _is_extra(field))


def endpoint_fingerprint(
    access: access_pb2.AccessInfo, fields: Iterable[storage_driver_pb2.AccessField], vault: Vault
) -> bytes:
    """Equal for storages that can't be told apart by what they were registered with.

    That is vendor, model, the first block's address, and the attributes that choose one of several arrays behind it.
    Those may be secret, hence a fingerprint.
    """
    _, block = given_blocks(access)[0]
    port = str(block.port) if block.HasField("port") else ""
    parts = [access.vendor, access.model, block.host.lower(), port]
    for field in sorted(fields, key=lambda field: field.path):
        if field.selects_array and _is_extra(field):
            key = field.path.removeprefix(_EXTRA)
            parts += [key, access.extra_attributes.get(key) or field.default_value]
    return vault.fingerprint(b"endpoint", *(part.encode() for part in parts))


def _is_extra(field: storage_driver_pb2.AccessField) -> bool:
    return field.path.startswith(_EXTRA)
