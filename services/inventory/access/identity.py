"""When two access infos mean the same array."""

from __future__ import annotations

from collections.abc import Iterable

from delphis.driver.v1 import storage_driver_pb2
from delphis.type.v1 import access_pb2
from services.inventory.access.rules import given_blocks
from services.inventory.storages.rows import Endpoint
from services.vault.vault import Vault

_EXTRA = "extra_attributes."


def plain_keys(fields: Iterable[storage_driver_pb2.AccessField]) -> frozenset[str]:
    """Keys of extra_attributes that the driver declares as no secret."""
    return frozenset(field.path.removeprefix(_EXTRA) for field in fields if field.plain and _is_extra(field))


def any_attribute_selects(access: access_pb2.AccessInfo) -> list[storage_driver_pb2.AccessField]:
    """Stands in for the fields of a driver that can't be asked: every attribute may select an array."""
    return [storage_driver_pb2.AccessField(path=_EXTRA + key, selects_array=True) for key in access.extra_attributes]


def endpoint_of(
    access: access_pb2.AccessInfo, fields: Iterable[storage_driver_pb2.AccessField], vault: Vault
) -> Endpoint:
    """What tells the storage from others of the same vendor and model, before anybody logged in.

    That is the first block's address, and the attributes that choose one of several arrays behind it. Those may be
    secret, hence a fingerprint.
    """
    name, block = given_blocks(access)[0]
    parts: list[str] = []
    for field in sorted(fields, key=lambda field: field.path):
        if field.selects_array and _is_extra(field):
            key = field.path.removeprefix(_EXTRA)
            parts += [key, access.extra_attributes.get(key) or field.default_value]
    selector = vault.fingerprint(b"selector", *(part.encode() for part in parts)).hex() if parts else ""
    return Endpoint(name, block.host.lower(), block.port, selector)


def login_of(access: access_pb2.AccessInfo) -> str:
    """What is distrusted where logging in ends the driver's host: the address, which each attempt has in common.

    Attributes are left out, since they may be secret.
    """
    _, block = given_blocks(access)[0]
    host = block.host.lower()
    return f"login@[{host}]:{block.port}" if ":" in host else f"login@{host}:{block.port}"


def _is_extra(field: storage_driver_pb2.AccessField) -> bool:
    return field.path.startswith(_EXTRA)
